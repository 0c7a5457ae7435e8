"""Gradient descent by the kernels of kernels/descent.py; backends/gradients.py is the specification."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import ACTIVATION_CODES
from genreg_np.backends.gradients import Descent
from genreg_np.backends.numba.kernels import descent as kernels
from genreg_np.backends.numba.kernels import following
from genreg_np.layers.dense import Dense
from genreg_np.layers.optimisers import DECOUPLED, EPSILON, MOMENTS, SQUARE_DECAY, Optimiser, clipped
from genreg_np.model import Float32

CODES = {"sgd": kernels.SGD, "rmsprop": kernels.RMSPROP, "adam": kernels.ADAM}
STEPS = {
    "sgd": following.SGD,
    "nesterov": following.NESTEROV,
    "rmsprop": following.RMSPROP,
    "rmsprop-momentum": following.RMSPROP_MOMENTUM,
    "adam": following.ADAM,
    "adamw": following.ADAM,
}
MOST_STEPS = 16  # steps of one network at a time
COLUMN_BYTES = 8 << 20  # of the batches gathered for these steps: they must stay in the cache


def descend(
    descent: Descent,
    genes: Float32,
    features: Float32,
    labels: NDArray[np.int64],
    order: NDArray[np.int64],
    share_out: Callable[..., None],
) -> tuple[Float32, NDArray[np.float64]]:
    """Compute GradientBackend.descend; the bytes do not depend on how many steps are done at a time.

    `share_out(tiles, kernel, *arguments)` runs a kernel on all tiles.
    """
    network, batch, size = descent.network, descent.batch_size, len(genes)
    inputs, units = network.dense[0].inputs, network.dense[0].outputs
    features = np.require(features, np.float32, ["C", "W"])
    learning = np.empty_like(genes)
    share_out(size, kernels.transpose_first, learning, np.ascontiguousarray(genes), inputs, units)
    first = np.zeros_like(learning)
    second = np.zeros((size if MOMENTS[descent.optimiser.name] > 1 else 0, genes.shape[1]), np.float32)
    layers, losses, done = layer_table(network.dense), np.zeros(size), 0
    whole = len(order) // batch * batch
    parts = [order[:whole].reshape(-1, batch), order[whole:].reshape(-1, max(1, len(order) - whole))]
    for rows in parts:  # the last batch may be smaller
        steps = max(1, min(MOST_STEPS, COLUMN_BYTES // (4 * inputs * max(1, rows.shape[1]))))
        columns = np.empty((steps, inputs, rows.shape[1]), np.float32)
        active, counts = np.empty((steps, inputs), np.int64), np.empty(steps, np.int64)
        for start in range(0, len(rows), steps):
            some = np.ascontiguousarray(rows[start : start + steps], np.int64)
            share_out(len(some), kernels.gather, columns, active, counts, features, some)
            how = _rates(descent.optimiser, done + 1, len(some))
            what = layers, (columns, active, counts), labels[some], how
            share_out(size, _train, learning, first, second, losses, what)
            done += len(some)
    trained = np.empty_like(learning)
    share_out(size, kernels.transpose_first, trained, learning, units, inputs)
    return trained, losses / len(order)


def _train(
    genes: Float32,
    first: Float32,
    second: Float32,
    losses: NDArray[np.float64],
    what: tuple[Any, ...],
    begin: int,
    end: int,
) -> None:
    """Take some steps with networks begin .. end - 1."""
    for p in range(begin, end):
        other = second[p] if len(second) else first[p]
        losses[p] = kernels.descend(genes[p], first[p], other, losses[p], *what)


def follow(
    optimiser: Optimiser,
    genes: Float32,
    gradient: Float32,
    moments: Float32,
    number: int,
    decay: Float32 | None,
    clip: float,
    in_place: bool = False,
) -> tuple[Float32, Float32]:
    """Compute layers.optimisers.follow, with the same bytes."""
    gradient = np.require(clipped(gradient, clip) if clip else gradient, np.float32, ["C", "W"])
    kept, (rate, scale) = SQUARE_DECAY.get(optimiser.name, 0.0), (0.0, 0.0)
    if STEPS[optimiser.name] == following.ADAM:
        rate, scale = optimiser.rates(number)
    momentum, decay = optimiser.momentum, genes[:0].copy() if decay is None else np.require(decay, None, ["C", "W"])
    numbers = optimiser.learning_rate, momentum, 1 - momentum, kept, 1 - kept, EPSILON, rate, scale
    apart = optimiser.name in DECOUPLED
    if not in_place:
        genes, moments = genes.copy(), moments.copy()
    code = STEPS[optimiser.name]
    following.follow(genes, moments, gradient, decay, code, apart, tuple(map(np.float32, numbers)))
    return genes, moments


@functools.lru_cache(maxsize=8)
def layer_table(layers: tuple[Dense, ...]) -> NDArray[np.int64]:
    """Return inputs, outputs, first weight and activation code of each dense layer, (L, 4); not to be changed."""
    firsts = itertools.accumulate(((layer.inputs + 1) * layer.outputs for layer in layers), initial=0)
    return np.array(
        [
            (layer.inputs, layer.outputs, first, ACTIVATION_CODES[layer.activation])
            for layer, first in zip(layers, firsts, strict=False)
        ],
        np.int64,
    )


def _rates(optimiser: Optimiser, number: int, steps: int) -> NDArray[np.float32]:
    """Return the arguments of the kernel `change` for `steps` steps from `number` on, (S, 5)."""
    how = np.zeros((steps, 5), np.float32)
    how[:] = CODES[optimiser.name], optimiser.learning_rate, optimiser.momentum, 0, 0
    if optimiser.name != "sgd":
        how[:, 3] = SQUARE_DECAY[optimiser.name]
    if optimiser.name == "adam":
        how[:, [1, 4]] = [optimiser.rates(number + step) for step in range(steps)]
    return how
