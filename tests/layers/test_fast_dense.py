"""Dense layers by kernels, and words drawn by one: the same bytes as those of layers and streams, pass after pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genreg_np.layers.base import Passing
from genreg_np.layers.composite import Stack
from genreg_np.layers.dense import Dense
from genreg_np.streams import Purpose, Stream

pytest.importorskip("numba")

from genreg_np.backends.numba.backend import NumbaBackend
from genreg_np.backends.numba.fast import fast_stack


@pytest.mark.parametrize("activation", ["linear", "tanh", "relu", "leaky-relu", "sigmoid"])
@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("outputs", [1, 20])
def test_a_dense_layer_by_kernels_has_the_same_bytes(
    activation: str, networks: int, shared: bool, outputs: int
) -> None:
    """Forward and back, for two batches of different sizes and for one that diverged; rows of inputs are not copied."""
    layers = (Dense(7, outputs, activation), Dense(outputs, 3))
    rng = np.random.default_rng(0)
    genes = [rng.normal(size=(networks, *one.shape)).astype(np.float32) for layer in layers for one in layer.parameters]
    genes[1].flags.writeable = False
    stacks = Stack(layers), fast_stack(layers)
    for images, scale in ((5, 1.0), (33, 1.0), (5, np.nan)):
        rows = rng.normal(size=(images, 7) if shared else (networks, images, 7)).astype(np.float32)
        weights = rng.normal(size=(networks, 3, images)).astype(np.float32)
        rows[..., 0, 0] *= scale
        plain, fast = (passed(stack, genes, rows.swapaxes(-1, -2), weights) for stack in stacks)
        for one, other in zip(plain, fast, strict=True):
            np.testing.assert_array_equal(one, other)
        assert np.isnan(plain[0]).any() == np.isnan(scale)


def passed(stack: Stack, genes: list[np.ndarray], values: np.ndarray, weights: np.ndarray) -> list[Any]:
    """Return what comes out and all gradients, of the sum of what comes out times weights."""
    with np.errstate(invalid="ignore"):
        found, kept = stack.forward(genes, values, Passing(True))
        back, gradients = stack.backward(genes, kept, weights)
        assert stack.backward(genes, kept, weights, wanted=False)[0] is None
        assert stack.backward(genes, kept, weights, learning=False)[1] == []
    return [found, back, *gradients]


def test_a_dense_layer_by_kernels_reuses_its_memory() -> None:
    layers = (Dense(7, 4, "relu"), Dense(4, 3))
    fast, genes = fast_stack(layers), [np.ones((1, *one.shape), np.float32) for x in layers for one in x.parameters]
    first, second = (passed(fast, genes, np.ones((7, 5), np.float32), np.ones((1, 3, 5), np.float32)) for _ in range(2))
    assert all(np.shares_memory(first[place], second[place]) for place in (0, 1, 2, 4))  # all but gradients of biases


def test_only_whole_dense_layers_are_replaced() -> None:
    class Own(Dense):
        """A user's."""

    layers = (Dense(4, 4), Dense(4, 4, parts=2), Own(4, 4))
    assert [type(layer).__name__ for layer in fast_stack(layers).layers] == ["FastDense", "Dense", "Own"]


@pytest.mark.parametrize(("genome", "n"), [(0, 1), (3, 8), (-1, 8193), (2**32 - 1, 0)])
def test_words_by_a_kernel_are_those_of_the_stream(genome: int, n: int) -> None:
    for stream in (Stream(0), Stream(2**64 - 1)):
        fast = NumbaBackend(1).stream(stream)
        assert type(fast) is not Stream
        for purpose, generation in ((Purpose.PAIR, 0), (Purpose.EPISODE, 2**31)):
            expected = stream.words(purpose, generation, genome, n)
            found = fast.words(purpose, generation, genome, n)
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == np.uint32
            assert (fast.integers(purpose, generation, genome, n, 7) == expected.astype(np.uint64) * 7 >> 32).all()
