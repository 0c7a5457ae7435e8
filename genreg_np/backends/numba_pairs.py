"""Node perturbation by the kernels of kernels/perturb.py; the specification is numpy_.estimate.

A tile is opened (its mutants drawn), its pairs are compared, and their differences folded into a change of the genes:
a kernel each, called tile by tile, so that each is small and compiled for what a run needs alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Batch, Estimate, Perturbation, Score
from genreg_np.backends.kernels import perturb as kernels
from genreg_np.backends.numba_gradients import layer_table
from genreg_np.fitness import check_image_scores
from genreg_np.model import Float32, Network

TILE = 128  # images whose mutants one thread judges at a time: a fixed shape, as IMAGE_TILE
NO_DRAWS = np.empty(0, np.uint32)

Share = Callable[[int, Callable[[int, int], None]], None]  # runs do(first, last) for ranges of all tiles


def estimate(network: Network, genes: Float32, batch: Batch, how: Perturbation, share_out: Share) -> Estimate:
    """Do what Backend.perturb says."""
    images, classes, layers = len(batch), network.outputs, layer_table(network)
    rows = np.arange(images) if batch.rows is None else batch.rows
    shifts = np.zeros(images, np.int64) if batch.shifts is None else batch.shifts
    what, net = (batch.features, rows, shifts), (np.ascontiguousarray(genes), layers)
    sigma, seed = np.float32(how.sigma), np.uint64(how.seed)
    task = (int(batch.score), np.float32(batch.reward), np.float32(batch.penalty))
    tiles = -(-images // TILE)
    changes, totals, change = np.empty((tiles, len(genes)), np.float32), np.zeros((tiles, 2)), np.empty_like(genes)

    def opened(number: int) -> tuple[int, Float32, Float32, Float32, Float32, Float32]:
        tile: tuple[int, Float32, Float32, Float32, Float32, Float32] = kernels.open_tile(
            number, TILE, what, net, (sigma, how.generation, seed)
        )
        return tile

    def fold(number: int, tile: tuple[object, ...], advantages: Float32, weights: NDArray[np.float64]) -> None:
        kernels.fold_tile(changes[number], advantages, tile, weights, layers, how.pairs, sigma, how.relative)

    def judge(number: int) -> None:
        tile = opened(number)
        start, _, values, middle, delta, _ = tile
        labels, weights = batch.labels[start : start + TILE], batch.weights[start : start + TILE]
        draws = NO_DRAWS
        if batch.score is Score.REWARD_SAMPLED:
            draws = kernels.draws_of(start, len(labels), how.generation, seed)
        if by_log(network, batch):
            advantages = kernels.compare_by_log(middle, delta, labels, net, how.pairs, how.order)
        else:
            advantages = kernels.compare_by_score(middle, delta, labels, draws, task, net, how.pairs, how.order)
        fold(number, tile, advantages, weights)
        kernels.score_tile(totals[number], values, labels, weights, draws, task, classes)

    if batch.score is not Score.CUSTOM:
        share_out(tiles, _one_by_one(judge))
    else:
        answers = np.empty((len(network.dense), how.pairs, 2, images, classes), np.float32)
        logits = np.empty((images, classes), np.float32)

        def answer(number: int) -> None:
            start, _, values, middle, delta, _ = opened(number)
            kernels.answer_pairs(answers, start, middle, delta, net, how.order)
            logits[start : start + TILE] = values[-classes:].T

        share_out(tiles, _one_by_one(answer))
        differences, totals[0] = _judge_pairs(answers, logits, batch, how)

        def finish(number: int) -> None:
            tile = opened(number)
            own = slice(tile[0], tile[0] + TILE)
            fold(number, tile, np.ascontiguousarray(differences[:, :, own]), batch.weights[own])

        share_out(tiles, _one_by_one(finish))
    blocks = -(-len(change) // kernels.BLOCK)
    share_out(blocks, lambda first, last: kernels.add_tiles(change, changes, images, first, last))
    fitness, right = totals.sum(axis=0) / images
    return Estimate(change, float(fitness), float(right))


def by_log(network: Network, batch: Batch) -> bool:
    """Tell whether every mutant's logits are base +- spread, and log-probability is what counts."""
    plain = len(network.dense) == 1 or (len(network.dense) == 2 and network.dense[-1].activation == "linear")
    return batch.score is Score.LOG_PROBABILITY and plain


def _one_by_one(do: Callable[[int], None]) -> Callable[[int, int], None]:
    def work(first: int, last: int) -> None:
        for number in range(first, last):
            do(number)

    return work


def _judge_pairs(
    answers: Float32, logits: Float32, batch: Batch, how: Perturbation
) -> tuple[Float32, tuple[float, float]]:
    """Return the pairs' differences (L, M, N), summed scores and right predictions, by the user's fitness."""
    depth, pairs, classes = len(answers), answers.shape[1], answers.shape[-1]
    labels = np.tile(batch.labels, depth * pairs * 2)
    scores = check_image_scores(batch.function, answers.reshape(-1, classes), labels).reshape(answers.shape[:-1])
    differences = np.zeros((depth, how.order, len(batch)), np.float32)
    differences[:, :pairs] = scores[:, :, 0] - scores[:, :, 1]
    own = check_image_scores(batch.function, logits, batch.labels)
    totals = float(own @ batch.weights), float((logits.argmax(axis=1) == batch.labels).sum())
    return differences, totals
