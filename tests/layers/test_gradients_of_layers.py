"""Every family of layers: gradients are what finite differences say, for any shapes, in prediction and in training."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genreg_np.layers import REGISTRY, layer_class
from genreg_np.layers.activation import FUNCTIONS, Activation, Prelu
from genreg_np.layers.adversarial import MinibatchDeviation, SpectralNorm
from genreg_np.layers.base import Layer
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.composite import Stack
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.images import FixedLayer
from genreg_np.layers.normalise import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, ScaleShift
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.layers.shaping import Flatten, Reshape
from genreg_np.layers.upsample import TransposedConvolution, Upsample
from tests.helpers import patient
from tests.test_gradients import check_layer, draw

Shape = tuple[int, ...]
SMOOTH = [name for name, (_, gradient) in FUNCTIONS.items() if gradient]


def few(data: st.DataObject, least: int = 1, most: int = 3) -> int:
    return int(data.draw(st.integers(least, most)))


def maps(data: st.DataObject, least: int = 1) -> Shape:
    return few(data), few(data, least, 4), few(data, least, 4)


def maps_or_flat(data: st.DataObject) -> Shape:
    return maps(data) if data.draw(st.booleans()) else (few(data, 1, 4),)


def convolution(data: st.DataObject) -> Layer:
    same, size = data.draw(st.booleans()), few(data)
    return Convolution(maps(data, 1 if same else size), few(data), size, few(data), same)


def transposed(data: st.DataObject) -> Layer:
    return TransposedConvolution(
        (few(data), few(data), few(data)), few(data), few(data, 1, 4), few(data), few(data) > 1
    )


def pooling(data: st.DataObject) -> Layer:
    size, method = few(data), data.draw(st.sampled_from(["max", "avg"]))
    if data.draw(st.booleans()):
        return AdaptivePooling(maps(data, size), method, size)
    return Pooling(maps(data, size), method, size, few(data))


def per_image(data: st.DataObject) -> Layer:
    made = data.draw(st.sampled_from([InstanceNorm, LayerNorm, GroupNorm]))
    if made is not GroupNorm:
        return made((few(data), few(data, 2, 3), few(data)))
    groups = few(data)
    shape = (groups * few(data, 2, 3),)
    return GroupNorm(shape + data.draw(st.sampled_from([(), (1, 1), (2, 1)])), groups)


def residual(data: st.DataObject) -> Layer:
    channels, height, width = shape = maps(data)
    inner = (Convolution(shape, channels, 3, same=True), BatchNorm(shape), Activation(channels * height * width, "elu"))
    return Residual(shape, inner[: few(data, 0, 3)])


def concatenate(data: st.DataObject) -> Layer:
    channels, height, width = shape = (few(data), few(data), few(data, 2, 3))
    deep = (Prelu(shape), Residual(shape, (Dropout(channels * height * width, 0.3), LayerNorm(shape))))
    branches = ((), (Convolution(shape, few(data), 3, same=True),), deep)
    return Concatenate(shape, tuple(data.draw(st.lists(st.sampled_from(branches), min_size=1, max_size=3))))


def linear(data: st.DataObject) -> Layer:
    kinds = [lambda: Dense(few(data), few(data)), lambda: convolution(data), lambda: transposed(data)]
    return data.draw(st.sampled_from(kinds))()


FAMILIES: dict[str, Callable[[st.DataObject], Layer]] = {
    "activation": lambda data: Activation(few(data), data.draw(st.sampled_from(SMOOTH))),
    "prelu": lambda data: Prelu(maps_or_flat(data)),
    "convolution": convolution,
    "transposed convolution": transposed,
    "pooling": pooling,
    "upsample": lambda data: Upsample(maps(data), few(data)),
    "batch norm": lambda data: BatchNorm(maps_or_flat(data)),
    "norms of each image": per_image,
    "scale and shift": lambda data: ScaleShift(maps_or_flat(data)),
    "dropout": lambda data: Dropout(few(data, 1, 6), data.draw(st.sampled_from([0.0, 0.3, 0.9]))),
    "reshape": lambda data: Reshape(maps(data)),
    "flatten": lambda data: Flatten(maps(data)),
    "residual": residual,
    "concatenate": concatenate,
    "minibatch deviation": lambda data: MinibatchDeviation(maps_or_flat(data)),
}


def input_size(layer: Layer) -> int:
    """Return how many inputs a layer takes."""
    return int(getattr(layer, "inputs", 0) or np.prod(layer.shape))  # type: ignore[attr-defined]


@pytest.mark.parametrize("family", list(FAMILIES))
@settings(patient, max_examples=50)
@given(st.data(), st.integers(1, 3), st.integers(2, 3), st.booleans(), st.booleans(), st.integers(0, 99))
def test_gradients(
    family: str, data: st.DataObject, networks: int, images: int, shared: bool, training: bool, seed: int
) -> None:
    """By inputs, that all networks share or not, and by all parameters, in prediction and in training."""
    layer = FAMILIES[family](data)
    check_layer(layer, networks, (input_size(layer),), images, shared, seed, training)


@patient
@given(st.data(), st.integers(1, 3), st.booleans(), st.integers(0, 99))
def test_gradients_of_a_spectral_norm(data: st.DataObject, networks: int, training: bool, seed: int) -> None:
    """With u held, which is where power iteration ends, so that it holds itself in training."""
    inner = linear(data)
    layer, rng = SpectralNorm(inner), np.random.default_rng(seed)
    draw(rng, networks, input_size(inner), 2)  # as check_layer does before it draws weights
    weights = draw(rng, networks, *layer.parameters[0].shape)
    rows = np.moveaxis(weights, 2 if inner.kind == "transposed-convolution" else 1, 1)
    statistics = [np.linalg.svd(rows.reshape(*rows.shape[:2], -1))[0][..., 0]]
    check_layer(layer, networks, (input_size(inner),), 2, False, seed, training, statistics)


@settings(patient, max_examples=15)
@given(st.booleans(), st.booleans(), st.integers(1, 2), st.integers(0, 99))
def test_gradients_of_a_stack_of_many_kinds(shared: bool, training: bool, networks: int, seed: int) -> None:
    """Arrays of layers with and without statistics find their way."""
    stack = Stack(
        (
            Dropout(12, 0.2),
            Convolution((1, 4, 3), 2, 3, same=True),
            BatchNorm((2, 4, 3)),
            Activation(24, "tanh"),
            Residual((2, 4, 3), (GroupNorm((2, 4, 3), 1), Prelu((2, 4, 3)))),
            Pooling((2, 4, 3), "max", 2),
            Flatten((2, 2, 1)),
            Dense(4, 3),
        )
    )
    check_layer(stack, networks, (12,), 3, shared, seed, training)


def test_no_family_of_layers_is_left_out() -> None:
    """Every kind that has a gradient is in this file; dense layers have their own."""
    here = {value for value in globals().values() if isinstance(value, type)}
    for kind in REGISTRY:
        found = layer_class(kind)
        assert found in here or issubclass(found, FixedLayer) or found.remembers, kind
