"""Normalisation of each image, activations, pooling by kernels: what the layers themselves compute, for any extents."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.layers import REGISTRY, layer_class
from genreg_np.layers.activation import Activation, Prelu
from genreg_np.layers.base import Layer, Passing
from genreg_np.layers.composite import Stack
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.images import FixedLayer
from genreg_np.layers.normalise import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from tests.helpers import patient

pytest.importorskip("numba")

import numba
from numba.core.dispatcher import Dispatcher

from genreg_np.backends.base import Work
from genreg_np.backends.numba.backend import NumbaBackend
from genreg_np.backends.numba.fast import fast_stack
from genreg_np.backends.numba.kernels import activations, tails
from genreg_np.backends.numba.tails import CURVES, FastTail
from genreg_np.backends.numba.warm import EXAMPLES, NEEDED
from genreg_np.backends.stacked import works
from genreg_np.layers.description import parse
from genreg_np.model import Network
from tests.layers.test_fast_maps import SMALL, arrays_of, check

Shape = tuple[int, int, int]
NORMS = ("", "batch", "instance", "group", "layer")
ACTIVATIONS = (*CURVES, "prelu")
POOLS = ("", "max", "avg", "adaptive max", "adaptive avg")


def learns_from_samples(kind: type[Layer]) -> bool:
    """Whether data go through it in training: not through what is applied before, nor what steps go through."""
    return not issubclass(kind, FixedLayer) and not kind.remembers


def tail_of(shape: Shape, norm: str, activation: str, pool: str, size: int, stride: int) -> list[Layer]:
    """Return the layers of these names, on maps of an even number of channels."""
    norms = {"batch": BatchNorm, "instance": InstanceNorm, "layer": LayerNorm}
    layers: list[Layer] = [GroupNorm(shape, 2) if norm == "group" else norms[norm](shape)] if norm else []
    if activation:
        layers.append(Prelu(shape) if activation == "prelu" else Activation(math.prod(shape), activation))
    if pool:
        method, size = pool.removeprefix("adaptive "), min(size, *shape[1:])
        layers.append(
            AdaptivePooling(shape, method, size) if method != pool else Pooling(shape, method, size, stride or size)
        )
    return layers


@patient
@given(
    st.tuples(SMALL, st.integers(2, 8), st.integers(2, 8)),
    st.tuples(st.sampled_from(NORMS), st.sampled_from(ACTIVATIONS), st.sampled_from(POOLS), SMALL, st.integers(0, 3)),
    st.booleans(),
    st.tuples(SMALL, st.sampled_from([2, 5, 16, 35]), st.booleans(), st.booleans(), st.integers(0, 99)),
)
def test_kernels_compute_what_layers_are_defined_to_be(
    shape: Shape, tail: tuple[str, str, str, int, int], alone: bool, how: Any
) -> None:
    """After a convolution and alone: any maps, windows that overlap or leave out, images that fill no register."""
    channels = 4 if tail[0] == "group" else 3
    maps = (channels, *shape[1:])
    layers = tail_of(maps, *tail)
    if not alone or not layers:
        layers = [Convolution(shape, channels, 3, same=True), *layers]
    check(layers, math.prod(shape if isinstance(layers[0], Convolution) else maps), *how)


@pytest.mark.parametrize("kind", [kind for kind in REGISTRY if learns_from_samples(layer_class(kind))])
@pytest.mark.parametrize("training", [True, False])
def test_a_stack_of_any_one_layer_is_that_layer(kind: str, training: bool) -> None:
    """Every kind that learns, whether there is a kernel for it or not."""
    layer, shape = layer_class(kind).example()
    layers = [Activation(math.prod(shape), "leaky-relu"), layer]
    check(layers, math.prod(shape), 2, 5, False, training, 0)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation", ["relu", "elu", "prelu"])
@pytest.mark.parametrize("pool", ["max", "avg", ""])
def test_large_layers(norm: str, activation: str, pool: str) -> None:
    """Several blocks of filters, rows of several registers, a row and a column that no window sees."""
    shape = (20, 11, 9)
    layers = [Convolution((3, 13, 11), 20, 3), *tail_of(shape, norm, activation, pool, 2, 2)]
    layers.append(Dense(20 * 5 * 4 if pool else 20 * 11 * 9, 3))
    check(layers, 3 * 13 * 11, 2, 40, False, True, 7)


def test_layers_are_computed_together_wherever_they_stand() -> None:
    """A tail begins with normalisation, and ends with pooling; what never falls is pooled first."""
    shape, pooled = (4, 6, 6), (4, 3, 3)
    layers = [
        Convolution((2, 6, 6), 4, 3, same=True), *tail_of(shape, "batch", "elu", "max", 2, 2),
        *tail_of(pooled, "instance", "prelu", "avg", 2, 1), *tail_of((4, 2, 2), "layer", "", "adaptive max", 1, 1),
    ]  # fmt: skip
    kinds = [layer.kind for layer in fast_stack(layers).layers]
    assert kinds == ["fast-convolution", "fast-tail", "fast-tail", "fast-tail"]
    assert len(fast_stack([layers[0], *layers[4:7]]).layers) == 1
    assert fast_stack(layers).layers[0].output_shape((2, 6, 6)) == pooled
    check(layers, 72, 2, 3, True, True, 0)


@pytest.mark.parametrize("activation", [name for name in CURVES if name] + ["prelu"])
def test_what_is_no_number_stays_what_it_is(activation: str) -> None:
    """Infinite values and NaN come out as the layers themselves have them, and so does all around them."""
    shape = (1, 1, 8)
    layer = Prelu(shape) if activation == "prelu" else Activation(8, activation)
    values = np.array([np.nan, np.inf, -np.inf, 0, -1e-30, -100, 3e38, -3e38], np.float32)[:, None].repeat(3, axis=1)
    arrays = [array + 0.5 for array in arrays_of([layer], 1, 0)]
    stack = fast_stack([Pooling(shape, "max", 1), layer])
    assert [fast.kind for fast in stack.layers] == ["fast-tail", "fast-tail"]
    with np.errstate(all="ignore"):
        expected = layer.forward(arrays, values[None])[0]
        found = stack.forward(arrays, values[None])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@numba.njit
def _of_all(below: Any, values: Any, found: Any) -> None:
    for place in range(len(values)):
        found[place] = below(values[place])


def test_exponentials_are_within_two_units_of_the_last_place() -> None:
    """exp(x) - 1 below 0 is as exact near 0 as far from it; tanh is odd."""
    values = -np.concatenate([np.linspace(0, 40, 200_001), np.geomspace(1e-38, 1, 200_000)]).astype(np.float32)
    for function, exactly, units in ((activations.below, np.expm1, 2), (activations.tanh, np.tanh, 4)):
        found = np.empty_like(values)
        _of_all(function, values, found)
        exact = exactly(values.astype(np.float64))
        assert (np.abs(found - exact) <= units * np.spacing(np.abs(exact).astype(np.float32))).all()
    opposite = np.empty_like(values)
    _of_all(activations.tanh, -values, opposite)
    np.testing.assert_array_equal(opposite, -found)


@pytest.mark.parametrize("norm", ["instance", "group", "layer"])
def test_variances_of_maps_far_from_0_are_as_exact_as_the_layers_own(norm: str) -> None:
    shape = (2, 6, 6)
    layers = tail_of((2, 6, 6), norm, "", "", 1, 1)
    values = (1000 + np.random.default_rng(0).normal(size=(1, 72, 5))).astype(np.float32)
    arrays = arrays_of(layers, 1, 3)
    exact = Stack(tuple(layers)).forward([array.astype("d") for array in arrays], values.astype("d"), Passing(True))[0]
    found = fast_stack(layers).forward(arrays, values, Passing(True))[0]
    assert shape == fast_stack(layers).layers[0].output_shape(shape)
    np.testing.assert_allclose(found, exact, atol=2e-3)


@pytest.mark.parametrize(
    ("words", "tails_there"),
    [
        (
            "conv 4 3 / relu / max 2 / dropout 0.5 / conv 4 3 / batch-norm / leaky-relu / dense 9 / selu / dense 2",
            False,
        ),
        ("conv 4 3 / max 2 / conv 4 3 / dense 2", False),
        ("conv 4 3 / relu / avg 2 / dense 2", True),
        ("conv 4 3 / instance-norm / dense 2", True),
        ("conv 4 3 / elu / max 2 / dense 2", True),
        ("conv 4 3 / prelu / dense 2", True),
        ("conv 4 3 / max 2 / relu / dense 2", True),
        ("conv 4 3 / relu / max 2 / max 2 / dense 2", True),
        ("max 2 / conv 4 3 / dense 2", True),
        ("conv 4 3 / relu / max 3 stride 2 / dense 2", True),
        ("conv 4 3 / relu / adaptive max 2 / dense 2", True),
    ],
)
def test_what_is_compiled_before_a_run_is_what_it_needs(words: str, tails_there: bool) -> None:
    """Kernels of tails take seconds to compile: networks without any do not wait for them."""
    network = Network((16, 16), tuple(parse(words, (16, 16))))
    fast = fast_stack(network.learning).layers
    there = [isinstance(layer, FastTail) or getattr(layer, "tail", None) is not None for layer in fast]
    assert any(there) == tails_there
    assert works(network) == ((Work.MAPS, Work.TAILS) if tails_there else (Work.MAPS,))


def test_kernels_are_compiled_once_whatever_the_extents() -> None:
    """One signature each, which is that of the examples that compile them before a run."""
    for name in NEEDED[Work.MAPS] + NEEDED[Work.TAILS]:
        EXAMPLES[name](NumbaBackend(1))
    for norm, activation, pool in zip(NORMS, ("relu", "prelu", "selu", "tanh", ""), POOLS, strict=True):
        layers = [Convolution((2, 7, 7), 4, 3), *tail_of((4, 5, 5), norm, activation, pool, 2, 2)]
        for images in (5, 16):
            check(layers, 98, 2, images, True, True, 0)
    compiled = {
        kernel.py_func.__name__: len(kernel.nopython_signatures)
        for kernel in vars(tails).values()
        if isinstance(kernel, Dispatcher) and kernel.nopython_signatures
    }
    assert {"finish", "unfinish"} <= set(compiled)
    assert set(compiled.values()) == {1}
