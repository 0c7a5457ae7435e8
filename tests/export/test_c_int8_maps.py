"""Layers of 8-bit integers in exported C: every shape, stride and nesting gives infer.py's integers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.export import files_of
from genreg_np.export.c_layers import _least_sums
from genreg_np.export.quantise import quantise
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import Layer
from genreg_np.layers.branching import Concatenate
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.layers.upsample import TransposedConvolution, Upsample
from genreg_np.model import Model, Network
from tests.export.c_build import CORTEX_M3, GCC
from tests.export.hard_layers import CONV, MAPS, SHOWN, TANH
from tests.export.test_c import SOONER, agree
from tests.helpers import model_of, thinned

SHAPE = (3, 9, 10)
INPUTS = 127.0 * np.random.default_rng(7).normal(size=(9, 3, 9, 10)).astype(np.float32)


def whole(*layers: Layer, shape: tuple[int, ...] = SHAPE, inputs: np.ndarray = INPUTS) -> Model:
    """Return layers in 8-bit integers; what the last gives are logits."""
    return quantise(model_of(Network(shape, layers), class_names=(), input_range=None), inputs)


INNER = Concatenate(MAPS, ((TANH,), (CONV, TANH)))


def hard() -> dict[str, tuple[Layer, tuple[int, ...]]]:
    """Return layers of shapes that are easy to get wrong, by what they are; a layer follows stacks in stacks."""
    shown = [each for each in SHOWN if INNER.words() not in each[0].words()]
    shown += [(Concatenate(MAPS, ((CONV,), (), (INNER, Upsample((6, 7, 5), 1)))), MAPS)]
    return {f"{layer.kind} {layer.words()} of {shape}".replace("/", "then"): (layer, shape) for layer, shape in shown}


@pytest.mark.parametrize("name", thinned(hard(), 2))
def test_hard_layers_are_equal(name: str, tmp_path: Path) -> None:
    """Between others, nothing read or written beyond."""
    layer, shape = hard()[name]
    inputs = np.random.default_rng(6).normal(size=(12, *shape)).astype(np.float32)
    outputs = math.prod(layer.output_shape(shape))
    agree(whole(layer, Dense(outputs, 5), shape=shape, inputs=inputs), inputs, tmp_path, GCC, SOONER)


CASES: dict[str, tuple[Layer, ...]] = {
    "windows": (Convolution(SHAPE, 5, 3), Activation(280, "relu"), Pooling((5, 7, 8), "max", 2)),
    "windows, same": (Convolution(SHAPE, 2, 4, same=True), Activation(180, "tanh"), Pooling((2, 9, 10), "max", 2)),
    "windows of strides": (Convolution(SHAPE, 3, 2, 2), Pooling((3, 4, 5), "max", 2, 3)),
    "windows that overlap": (Convolution(SHAPE, 3, 3), Pooling((3, 7, 8), "max", 2, 1)),
    "windows of three": (Convolution(SHAPE, 3, 3), Pooling((3, 7, 8), "max", 3)),
    "windows twice": (Convolution(SHAPE, 3, 1), *(Pooling((3, 9 // k, 10 // k), "max", 2) for k in (1, 2))),
}


@pytest.mark.parametrize("tools", [GCC, CORTEX_M3], ids=["gcc", "Cortex-M3"])
@pytest.mark.parametrize("name", list(CASES))
def test_pooling_after_convolutions_is_equal(name: str, tools: object, tmp_path: Path) -> None:
    """Where windows have four places of their own, the convolution gives no more than the largest."""
    layers = CASES[name]
    outputs = math.prod(layers[-1].output_shape(layers[-1].shape))  # type: ignore[attr-defined]
    model = whole(*layers, Dense(outputs, 4))
    agree(model, INPUTS, tmp_path, tools, ("-O3",))  # type: ignore[arg-type]
    once = "pool_max" not in (tmp_path / "model.c").read_text()
    assert once == (name in ("windows", "windows, same", "windows of strides"))


@pytest.mark.parametrize(
    "last",
    [
        Convolution(SHAPE, 3, 3, same=True),
        TransposedConvolution(SHAPE, 2, 3, 2),
        Pooling(SHAPE, "avg", 2),
        AdaptivePooling(SHAPE, "avg", 4),
    ],
    ids=lambda layer: layer.kind,
)
def test_layers_of_maps_give_logits(last: Layer, tmp_path: Path) -> None:
    """32 bits of them, where such a layer is the last; another of its kind comes before it."""
    agree(whole(Convolution(SHAPE, 3, 1), last), INPUTS, tmp_path, GCC, SOONER)


def made(layers: list[dict[str, Any]], arrays: dict[str, np.ndarray], raw: bool = False) -> Model:
    """Return a model of integers as a file may hold it, with a dense layer of two outputs at its end."""
    width = infer.stack(layers, arrays, "layers", math.prod(MAPS))[1]
    where = f"layers.{len(layers)}"
    last = {"kind": "dense-int8", "inputs": width, "outputs": 2, "shift": 3, "unit": 0.5, "levels": raw}
    rng = np.random.default_rng(1)
    arrays = arrays | {
        f"{where}.weight": rng.integers(-127, 128, (2, width)).astype(np.int8),
        f"{where}.bias": np.array([5, -7], np.int32),
        f"{where}.multiplier": np.array([3, 4], np.int32),
    }
    header = {"network": {"input_shape": list(MAPS), "layers": [*layers, last]}, "class_names": []}
    return Model(header | {"input_range": [0.0, 255.0] if raw else None}, arrays)


def test_a_table_that_falls_keeps_pooling_apart(tmp_path: Path) -> None:
    """The largest of what such a table gives is not what it gives of the largest."""
    rng = np.random.default_rng(2)
    layers = [
        {"kind": "quantise", "inputs": 105, "low": -127},
        {"kind": "convolution-int8", "shape": [3, 7, 5], "filters": 2, "size": 2, "stride": 1, "same": False}
        | {"shift": 9, "low": -40},
        {"kind": "pooling", "shape": [2, 6, 4], "method": "max", "size": 2, "stride": 2},
    ]
    arrays = {
        "layers.0.a": np.full(105, 50, np.float32),
        "layers.0.b": np.full(105, 0.5, np.float32),
        "layers.1.weight": rng.integers(-127, 128, (2, 3, 2, 2)).astype(np.int8),
        "layers.1.bias": np.array([900, -900], np.int32),
        "layers.1.multiplier": np.array([1, 2], np.int32),
        "layers.1.table": rng.integers(-127, 128, 80).astype(np.int8),
    }
    agree(made(layers, arrays), rng.normal(size=(9, *MAPS)).astype(np.float32), tmp_path, GCC, SOONER)


def test_levels_are_moved_as_they_are(tmp_path: Path) -> None:
    """Whatever moves levels or takes the largest leaves a dense layer levels to take."""
    pool = {"kind": "pooling", "shape": [3, 7, 5], "method": "max", "size": 2, "stride": 1}
    layers = [
        {"kind": "levels", "inputs": 105},
        {"kind": "concatenate", "shape": [3, 7, 5], "branches": [[], [pool], [pool]]},
        {"kind": "upsample", "shape": [1, 1, 249], "factor": 2},
        {"kind": "minibatch-deviation", "shape": [2, 2, 249]},
        {"kind": "adaptive-pooling", "shape": [3, 2, 249], "method": "max", "size": 2},
    ]
    inputs = np.random.default_rng(3).integers(0, 256, (9, *MAPS)).astype(np.uint8)
    agree(made(layers, {}, raw=True), inputs, tmp_path, GCC, SOONER)
    assert "float " not in (tmp_path / "model.c").read_text()


def test_levels_change_where_the_square_root_does() -> None:
    """At every sum of a pool that can be, for gains from the smallest to the largest."""
    sums = np.arange(32767 * 22**2 + 1)
    for gain in (1e-9, 0.05, 0.4402221441268921, 0.7, 1.0, 40.0, 1e8):
        levels = np.minimum(np.floor(np.float32(gain) * np.sqrt(sums.astype(np.float32))), 255)
        assert np.array_equal(np.searchsorted(_least_sums(gain), sums, side="right"), levels)


def test_the_header_says_which_layers_use_which_buffer() -> None:
    """By their places in the model; what convolutions that pool are two of is named by both."""
    model = whole(*CASES["windows"], Dense(60, 4))
    text = files_of(model, "c")["model.h"].decode()
    plan = [line.split() for line in text[text.index("Buffers") :].split("\n *\n")[0].splitlines()[1:]]
    found = {words[1]: (int(words[2].replace(",", "")), " ".join(words[4:])) for words in plan}
    assert found["room_0"] == (270, "0")
    assert found["room_1"] == (60, "1-2")
    assert found["seen"] == (4 * 2 * 32, "1-2")
