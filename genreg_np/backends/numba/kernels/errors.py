"""Scores of outputs by their distance from target numbers: squared, absolute and Huber errors (fitness.py).

Shapes: G genomes of a tile, T images of a tile, N images, one per column; K outputs; targets (N, K).
"""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.backends.numba.kernels.mutants import answer
from genreg_np.fitness import Score

SQUARED, ABSOLUTE = int(Score.SQUARED), int(Score.ABSOLUTE)


@part()
def score_errors(scores, squares, values, targets, kind):
    """Fill scores (N,) of outputs (K, N), and squares (N,) with their mean squared errors."""
    outputs, images = values.shape
    share, half, one = np.float32(1) / np.float32(outputs), np.float32(0.5), np.float32(1)
    for t in range(images):
        scores[t], squares[t] = np.float32(0), np.float32(0)
    for k in range(outputs):
        row = values[k]
        for t in range(images):
            error = row[t] - targets[t, k]
            size, square = abs(error), error * error
            squares[t] += square
            if kind == SQUARED:
                scores[t] -= square
            elif kind == ABSOLUTE:
                scores[t] -= size
            else:
                scores[t] -= half * square if size <= one else size - half
    for t in range(images):
        scores[t] *= share
        squares[t] *= share


@kernel()
def judge_errors(fitness, squared, values, targets, weights, kind):
    """Fill fitness and mean squared error (G,) of outputs (G, K, N)."""
    images = values.shape[2]
    scores, squares = np.empty(images, np.float32), np.empty(images, np.float32)
    for g in range(len(values)):
        score_errors(scores, squares, values[g], targets, kind)
        total, square = 0.0, 0.0
        for t in range(images):
            total += np.float64(scores[t]) * weights[t]
            square += np.float64(squares[t])
        fitness[g], squared[g] = total, square / images


@kernel()
def compare_by_error(advantages, base, spreads, targets, kind, net, layer, pairs):
    """Fill the first `pairs` advantages (M, T) with the score differences of a layer's pairs.

    net = genes (D,), layers; base and spreads as in mutants.py.
    """
    genes, layers = net
    count = len(targets)
    scores, squares = np.empty((2, count), np.float32), np.empty(count, np.float32)
    for pair in range(pairs):
        target = advantages[pair]
        for twin in range(2):
            values = answer(base, spreads[pair], np.float32(1 - 2 * twin), genes, layers, layer)
            score_errors(scores[twin], squares, values, targets, kind)
        for t in range(count):
            target[t] = scores[0, t] - scores[1, t]


@kernel()
def total_by_error(total, values, targets, weights, kind):
    """Add up a tile's weighted scores and its squared errors from outputs (K, T)."""
    count = len(targets)
    scores, squares = np.empty(count, np.float32), np.empty(count, np.float32)
    score_errors(scores, squares, values, targets, kind)
    for t in range(count):
        total[0] += scores[t] * weights[t]
        total[1] += squares[t]
