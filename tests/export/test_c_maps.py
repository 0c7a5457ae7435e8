"""Layers of maps in exported C: every size, stride and nesting gives what infer.py gives, in room used again."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from genreg_np.export import files_of
from genreg_np.export.c_program import FUNCTIONS
from genreg_np.infer_layers import FUNCTIONS as ACTIVATIONS
from genreg_np.layers.activation import Activation, Prelu
from genreg_np.layers.base import Layer
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.normalise import GroupNorm, InstanceNorm, LayerNorm, ScaleShift
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.layers.upsample import TransposedConvolution, Upsample
from genreg_np.model import Model, Network
from tests.export.c_build import CLANG, CORTEX_M3, GCC, Tools, compiled, predictions, write
from tests.export.test_c import SOONER, agree
from tests.export.test_c_memory import needed, stack_used
from tests.helpers import model_of, thinned
from tests.test_infer_maps import EVERY

SHAPE = (3, 10, 12)
FAST = ("-O3", "-march=native")


def shown(*layers: Layer, shape: tuple[int, ...] = SHAPE, bounds: tuple[float, float] | None = None) -> Model:
    """Return a model whose outputs are what the layers give."""
    return model_of(Network(shape, layers), class_names=(), input_range=bounds)


def maps(model: Model, count: int = 6) -> np.ndarray:
    """Return inputs, some of them negative, some zero."""
    rng = np.random.default_rng(5)
    return (rng.normal(size=(count, *model.input_shape)) * rng.integers(0, 2, model.input_shape)).astype(np.float32)


@pytest.mark.parametrize("same", [False, True], ids=["valid", "same"])
@pytest.mark.parametrize("size", thinned(range(1, 10), 2))
def test_convolution_of_every_size(size: int, same: bool, tmp_path: Path) -> None:
    """Strides of 1 to 3 and groups of 1, 2 and 4 filters, maps of odd extents; nothing is read or written beyond."""
    for number, (stride, filters) in enumerate(zip((1, 2, 3), (4, 2, 5), strict=True)):
        model = shown(Convolution(SHAPE, filters, size, stride, same))
        folder = tmp_path / str(number)
        folder.mkdir()
        agree(model, maps(model), folder, GCC, SOONER)


@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 1, 7), (5, 4, 1), (2, 40, 40)], ids=str)
def test_convolution_of_maps_of_any_extents(shape: tuple[int, int, int], tmp_path: Path) -> None:
    """A single value, a row, a column, and more places than are computed at a time."""
    model = shown(Convolution(shape, 4, 3, same=True), Convolution((4, *shape[1:]), 6, 1), shape=shape)
    agree(model, maps(model), tmp_path, GCC, FAST)


CASES: dict[str, tuple[Layer, ...]] = {
    **{f"{function}": (Activation(360, function),) for function in ACTIVATIONS},
    **{
        f"{method} pooling {size}, stride {stride}": (Pooling(SHAPE, method, size, stride),)
        for method, (size, stride) in itertools.product(("max", "avg"), ((1, 1), (2, 2), (3, 2), (2, 3), (10, 1)))
    },
    **{
        f"adaptive {method} pooling {size}": (AdaptivePooling(SHAPE, method, size),)
        for method, size in itertools.product(("max", "avg"), (1, 3, 7, 10))
    },
    **{
        f"transposed {size}, stride {stride}, {'same' if same else 'all'}": (
            TransposedConvolution(SHAPE, 4, size, stride, same),
        )
        for size, stride, same in itertools.product((1, 2, 3, 4), (1, 2, 3), (False, True))
    },
    "upsample": (Upsample(SHAPE, 3),),
    "prelu": (Prelu(SHAPE),),
    "scale-shift": (ScaleShift(SHAPE),),
    "scale-shift of features": (ScaleShift((360,)),),
    "group-norm": (GroupNorm((6, 4, 15), 3),),
    "instance-norm": (InstanceNorm(SHAPE),),
    "layer-norm": (LayerNorm(SHAPE),),
    "pooling after an activation": (Convolution(SHAPE, 2, 3), Activation(160, "tanh"), Pooling((2, 8, 10), "max", 2)),
    "an activation at the end": (Convolution(SHAPE, 2, 3), Activation(160, "elu")),
    "two residuals": (
        Residual(SHAPE, (Convolution(SHAPE, 3, 3, same=True), Residual(SHAPE, (Activation(360, "tanh"),)))),
        Residual(SHAPE, (Activation(360, "relu"), Convolution(SHAPE, 3, 3, same=True), LayerNorm(SHAPE))),
    ),
    "concatenated": (
        Concatenate(
            SHAPE,
            (
                (),
                (Activation(360, "relu"),),
                (Convolution(SHAPE, 5, 3, same=True),),
                (Residual(SHAPE, (Prelu(SHAPE),)),),
                (Concatenate(SHAPE, ((Activation(360, "elu"),), ())), Convolution((6, 10, 12), 1, 1)),
            ),
        ),
        Convolution((15, 10, 12), 3, 3, 2),
    ),
    "a generator": (Dense(360, 64, "relu"), ScaleShift((4, 4, 4)), TransposedConvolution((4, 4, 4), 1, 4, 2, True)),
}


@pytest.mark.parametrize("name", list(CASES))
def test_layers_of_maps_agree(name: str, tmp_path: Path) -> None:
    """As the first layer, of floats that the caller keeps, and where others need what arrives."""
    shape = (6, 4, 15) if name == "group-norm" else SHAPE
    (layer, *_) = layers = CASES[name]
    if len(layers) == 1:  # a network needs something that learns
        layers = (layer, ScaleShift(layer.output_shape(shape)))
    model = shown(*layers, shape=shape)
    agree(model, maps(model), tmp_path, GCC, SOONER)


@pytest.mark.parametrize("tools", [GCC, CLANG, CORTEX_M3], ids=["gcc", "clang", "Cortex-M3"])
def test_layers_of_maps_one_after_another(tools: Tools, tmp_path: Path) -> None:
    """Every kind in one model, by two compilers and on a microcontroller."""
    every = Model(EVERY.header, EVERY.arrays)
    agree(every, maps(every), tmp_path, tools, ("-O2",))


def test_every_activation_has_an_expression() -> None:
    """A function that a layer can have is one that C has."""
    assert set(FUNCTIONS) >= set(ACTIVATIONS)


@pytest.mark.parametrize("option", ["-Os", "-O2", "-O3"])
@pytest.mark.parametrize("size", [1, 3, 9])
def test_the_stack_is_as_large_as_stated(size: int, option: str, tmp_path: Path) -> None:
    """With filters of any size, whether the room is on the stack or not."""
    small = (3, 9, 9)
    model = model_of(
        Network(small, (Residual(small, (Convolution(small, 3, size, same=True),)), Convolution(small, 4, size))),
        class_names=(),
    )
    stated = needed(write(model, tmp_path), "Stack")
    for tools in (GCC.need(), CORTEX_M3.need()):
        target = [argument for argument in tools.compiler[1:] if argument.startswith("-m")]
        compiled(Tools((tools.compiler[0], *target), ""), tmp_path, option, "-fstack-usage", "-c", "model.c")
        assert 0 < stack_used(tmp_path) <= stated


def test_layers_use_the_same_room(tmp_path: Path) -> None:
    """Twenty layers need no more than two of them do, and the answers stay those of infer.py."""
    block = (Convolution((8, 20, 20), 8, 3, same=True), Activation(3200, "relu"))
    first = Convolution((1, 20, 20), 8, 3, same=True)
    sizes = []
    for count in (2, 20):
        network = Network((1, 20, 20), (first, *(block * count), Dense(math.prod((8, 20, 20)), 3)))
        model = model_of(network, input_range=(0.0, 255.0))
        sizes.append(needed(files_of(model, "c")["model.h"].decode(), "Memory"))
    assert sizes[0] == sizes[1]
    assert sizes[0] < 4 * (3 * 3200 + 8 * 22 * 22 + 400)
    weights = Model.build(network, model.genes * np.float32(0.2), model.class_names, (0.0, 255.0))
    images = np.random.default_rng(1).integers(0, 256, (5, 1, 20, 20)).astype(np.uint8)
    found = predictions(weights, images, tmp_path, GCC.need(), FAST)["logits"]
    expected = weights.outputs(images)
    assert np.abs(found - expected).max() <= 1e-5 * np.abs(expected).max()
