"""Layers of maps by kernels: what the layers themselves compute, for any extents, forward and back, pass after pass."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.layers.activation import Activation
from genreg_np.layers.base import Layer, Passing
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.composite import Stack
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.loss import negative_log_likelihood
from genreg_np.layers.normalise import BatchNorm
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.model import Network
from genreg_np.streams import Stream
from tests.helpers import patient

pytest.importorskip("numba")

from numba.core.dispatcher import Dispatcher

from genreg_np.backends.base import Work
from genreg_np.backends.numba.backend import NumbaBackend
from genreg_np.backends.numba.fast import fast_stack
from genreg_np.backends.numba.kernels import maps, tails
from genreg_np.backends.numba.kernels.bits import draw_words
from genreg_np.backends.numba.maps import FastConvolution
from genreg_np.backends.numba.warm import EXAMPLES, NEEDED

SMALL = st.integers(1, 3)


def layers_of(
    shape: tuple[int, int, int], size: int, stride: int, same: bool, norm: bool, function: str, pool: int
) -> list[Layer]:
    """Return a convolution with 5 filters and what follows it."""
    layers: list[Layer] = [Convolution(shape, 5, size, stride, same)]
    inside = layers[0].output_shape(shape)
    if norm:
        layers.append(BatchNorm(inside))
    if function:
        layers.append(Activation(math.prod(inside), function))
    if 1 < pool <= min(inside[1:]):
        layers.append(Pooling(inside, "max", pool))
    return layers


def arrays_of(layers: list[Layer], networks: int, seed: int) -> list[np.ndarray]:
    """Return parameters and statistics (P, *shape), these above 0."""
    rng = np.random.default_rng(seed)
    found = []
    for layer in layers:
        found += [rng.normal(size=(networks, *one.shape)).astype(np.float32) for one in layer.parameters]
        found += [rng.uniform(0.5, 2, (networks, *one.shape)).astype(np.float32) for one in layer.statistics]
    return found


def close(found: np.ndarray, rounded: np.ndarray, exact: np.ndarray) -> bool:
    """Whether numbers are as near to exact ones (float64) as the layers' own, or within rounding of the largest."""
    own = np.abs(rounded - exact).max()
    return bool(np.abs(found - exact).max() <= 8 * own + 2e-5 * max(1.0, np.abs(exact).max()))


def passes(stack: Stack, arrays: list[np.ndarray], values: np.ndarray, weights: np.ndarray, passing: Passing) -> Any:
    """Return what comes out and all gradients, of the sum of what comes out times weights."""
    found, kept = stack.forward(arrays, values, passing)
    found = found.copy()
    by_input, gradients = stack.backward(arrays, kept, weights)
    by_input = by_input.copy()
    unwanted, again = stack.backward(arrays, kept, weights, wanted=False)
    assert unwanted is None or unwanted.shape == by_input.shape
    back, none = stack.backward(arrays, kept, weights, learning=False)
    assert none == []
    return [found, by_input, back, *gradients, *again]


def check(layers: list[Layer], width: int, networks: int, images: int, shared: bool, training: bool, seed: int) -> None:
    """Hold two passes of the fast layers, the second over the first one's memory, against the layers themselves."""
    plain, fast = Stack(tuple(layers)), fast_stack(layers)
    arrays = [arrays_of(layers, networks, seed) for _ in range(3)]
    arrays[2] = [array.astype(np.float64) for array in arrays[2]]
    outputs = plain.forward(arrays[1], np.zeros((width, images), np.float32))[0].shape[-2]
    rng = np.random.default_rng(seed + 1)
    for number in range(2):
        values = rng.normal(size=(width, images) if shared else (networks, width, images)).astype(np.float32)
        weights = rng.normal(size=(networks, outputs, images)).astype(np.float32)
        found, rounded, exact = (
            passes(stack, own, values.astype(kind), weights.astype(kind), Passing(training, step=number)) + own
            for stack, own, kind in zip((fast, plain, plain), arrays, "ffd", strict=True)
        )
        assert found[0].dtype == np.float32
        for one, other, truth in zip(found, rounded, exact, strict=True):  # statistics of training too
            assert close(one, other, truth)


@patient
@given(
    st.tuples(SMALL, st.integers(3, 9), st.integers(3, 9)),
    st.tuples(st.integers(1, 5), SMALL, st.booleans()),
    st.tuples(st.booleans(), st.sampled_from(["", "relu", "leaky-relu", "tanh"]), SMALL),
    st.tuples(SMALL, st.sampled_from([1, 5, 16, 35]), st.booleans(), st.booleans(), st.integers(0, 99)),
)
def test_kernels_compute_what_layers_are_defined_to_be(
    shape: tuple[int, int, int], sliding: tuple[int, int, bool], after: tuple[bool, str, int], how: Any
) -> None:
    """Any maps, filters, strides, zeros, pooling that leaves rows over, numbers of images that fill no register."""
    size, stride, same = sliding
    if after[0] and size == 1 and shape[0] == 1:  # normalisation undoes a single weight: its gradient is but rounding
        shape = (2, *shape[1:])
    layers = layers_of(shape, size if same else min(size, *shape[1:]), stride, same, *after)
    networks, images, *rest = how
    if after[0] and images == 1:  # a variance of one value is 0, and 1 / deviation makes any rounding large
        images = 5
    check(layers, math.prod(shape), networks, images, *rest)


@pytest.mark.parametrize("training", [True, False])
def test_a_large_layer_of_many_filters(training: bool) -> None:
    """Several blocks of filters and channels, and rows of several registers."""
    shape, inside = (17, 12, 11), (19, 10, 9)
    after = [BatchNorm(inside), Activation(math.prod(inside), "relu"), Pooling(inside, "max", 2)]
    check([Convolution(shape, 19, 3), *after], math.prod(shape), 2, 40, False, training, 7)


def test_only_what_follows_a_convolution_at_once_goes_into_it() -> None:
    """Other activations and pooling go into its tail, what stands apart stays as it is; inner stacks are made fast."""
    maps = (2, 6, 6)
    inner = (Convolution(maps, 2, 3, same=True), Activation(72, "relu"))
    layers: list[Layer] = [
        Activation(72, "relu"),
        Convolution(maps, 2, 3, same=True),
        Activation(72, "tanh"),
        Residual(maps, inner),
        Concatenate(maps, (inner, ())),
        Convolution((4, 6, 6), 2, 3),
        Pooling((2, 4, 4), "avg", 2),
        Dense(8, 3),
    ]
    found = fast_stack(layers).layers
    kinds = ["activation", "fast-convolution", "residual", "concatenate", "fast-convolution"]
    assert [layer.kind for layer in found] == [*kinds, "fast-dense"]
    residual, concatenate = found[2], found[3]
    assert isinstance(residual, Residual)
    assert isinstance(residual.layers[0], FastConvolution)
    assert isinstance(concatenate, Concatenate)
    assert isinstance(concatenate.branches[0][0], FastConvolution)
    check(layers, 72, 2, 3, True, True, 0)


def test_sizes_of_batches_may_change_from_pass_to_pass() -> None:
    """The last batch of an epoch is smaller, and the next one is whole again."""
    layers = layers_of((2, 7, 7), 3, 1, False, True, "relu", 2)
    fast, anew = fast_stack(layers), arrays_of(layers, 1, 3)
    for number, images in enumerate((32, 5, 32, 16)):
        rng = np.random.default_rng(number)
        values, weights = (rng.normal(size=(rows, images)).astype(np.float32) for rows in (98, 20))
        found = passes(fast, arrays_of(layers, 1, 3), values, weights[None], Passing(True))
        expected = passes(fast_stack(layers), anew, values, weights[None], Passing(True))
        anew = arrays_of(layers, 1, 3)
        assert all(one.tobytes() == other.tobytes() for one, other in zip(found, expected, strict=True))


@pytest.mark.parametrize("images", [5, 16, 17])
def test_variances_of_maps_far_from_0_are_as_exact_as_the_layers_own(images: int) -> None:
    """Images are fewer than fill registers: what is there besides takes no part, however large the mean is."""
    layers = layers_of((1, 6, 6), 3, 1, False, True, "", 1)
    values = (1000 + np.random.default_rng(0).normal(size=(36, images))).astype(np.float32)
    found, rounded, exact = (
        stack.forward([array.astype(kind) for array in arrays_of(layers, 1, 3)], values.astype(kind), Passing(True))[0]
        for stack, kind in ((fast_stack(layers), "f"), (Stack(tuple(layers)), "f"), (Stack(tuple(layers)), "d"))
    )
    assert close(found, rounded, exact)


def test_what_a_learner_has_told_stays_as_it_is() -> None:
    """The memory of its layers is used again by the next batch."""
    network = Network((1, 4, 4), (Convolution((1, 4, 4), 3, 4),))
    learner = NumbaBackend(1).learner(network, negative_log_likelihood)
    features = np.random.default_rng(0).normal(size=(16, 16)).astype(np.float32)
    genes, nothing, labels = np.ones(network.gene_count, np.float32), np.empty(0, np.float32), np.zeros(16, np.int64)
    found = learner.gradient(genes, nothing, features, labels)
    before = [array.copy() for array in (found.values, found.gradient)]
    learner.gradient(genes, nothing, -features, labels)
    for array, told in zip((found.values, found.gradient), before, strict=True):
        np.testing.assert_array_equal(array, told)


def test_answers_are_the_same_bytes_with_any_number_of_threads() -> None:
    network = Network((9, 9), (*layers_of((1, 9, 9), 3, 1, False, False, "relu", 2), Dense(45, 3)))
    rng = np.random.default_rng(0)
    genes = rng.normal(size=network.gene_count).astype(np.float32)
    features = rng.normal(size=(1100, 81)).astype(np.float32)
    one, two = (NumbaBackend(threads).logits(network, genes, features) for threads in (1, 2))
    assert one.tobytes() == two.tobytes()


def test_kernels_are_compiled_once_whatever_the_extents() -> None:
    """One signature each, which is that of the examples that compile them before a run."""
    for name in NEEDED[Work.MAPS] + NEEDED[Work.TAILS]:
        EXAMPLES[name](NumbaBackend(1))
    for size, stride, same, norm in ((3, 1, False, True), (5, 2, True, False), (1, 3, False, True)):
        layers = layers_of((2, 7, 7), size, stride, same, norm, "relu", 2)
        pooled = fast_stack(layers).layers[0].output_shape((2, 7, 7))
        layers.append(AdaptivePooling((pooled[0], pooled[1], pooled[2]), "avg", 1))
        for training in (True, False):
            check(layers, 98, 2, 5, True, training, 0)
    compiled = [
        kernel
        for kernel in (*vars(maps).values(), *vars(tails).values(), draw_words)
        if isinstance(kernel, Dispatcher) and kernel.nopython_signatures
    ]
    assert len(compiled) >= len(NEEDED[Work.MAPS])
    assert [kernel.__name__ for kernel in compiled if len(kernel.nopython_signatures) > 1] == []


@pytest.mark.parametrize("shape", [(3, 7, 5), (7, 5)])
def test_dropout_drops_the_same_by_kernels(shape: tuple[int, ...]) -> None:
    """Two layers of one pass draw different words, and both what the layers themselves draw; gradients go that way."""
    layers = [Dropout(7, 0.5), Dropout(7, 0.25)]
    values, gradient = np.random.default_rng(0).normal(size=(2, 3, 7, 5)).astype(np.float32)
    values = values[0] if len(shape) == 2 else values
    values[..., 0, 0] = np.inf
    for step in range(2):
        found = []
        for stack in (Stack(tuple(layers)), fast_stack(layers)):
            with np.errstate(invalid="ignore"):
                left, kept = stack.forward([], values, Passing(True, Stream(5), step, first=2))
            found.append((left, stack.backward([], kept, gradient)[0]))
        assert 0 < (found[0][0] == 0).mean() < 1
        for plain, fast in zip(*found, strict=True):
            np.testing.assert_array_equal(plain, fast)
            assert np.isnan(plain).any() or plain.tobytes() == fast.tobytes()
