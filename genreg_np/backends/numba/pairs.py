"""Node perturbation by the kernels of kernels/perturb.py; the specification is numpy_.estimate.

A tile is opened (its mutants drawn), its pairs are compared, and their differences folded into a change of the genes:
a kernel each, called tile by tile, so that each is small and compiled for what a run needs alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Batch, Estimate, Perturbation
from genreg_np.backends.numba.gradients import layer_table
from genreg_np.backends.numba.kernels import perturb as kernels
from genreg_np.fitness import Score, check_image_scores
from genreg_np.model import Float32, Network

TILE = 128  # images whose mutants one thread judges at a time: a fixed shape, as IMAGE_TILE
NO_DRAWS = np.empty(0, np.uint32)

Share = Callable[[int, Callable[[int, int], None]], None]  # runs do(first, last) for ranges of all tiles
# A tile's first image, its images (T, I), and of all units (U, T) activations, m, delta and signs (mutants.py).
Tile = tuple[int, Float32, Float32, Float32, Float32, Float32]


class PairTiles:
    """A batch's tiles, what was found of each, and the kernels that find it."""

    def __init__(self, network: Network, genes: Float32, batch: Batch, how: Perturbation) -> None:
        images = len(batch)
        rows = np.arange(images) if batch.rows is None else batch.rows
        shifts = np.zeros(images, np.int64) if batch.shifts is None else batch.shifts
        self.count = -(-images // TILE)
        self.blocks = -(-len(genes) // kernels.BLOCK)
        self.totals = np.zeros((self.count, 2))
        self.change = np.empty_like(genes)
        self._batch, self._how, self._by_log = batch, how, by_log(network, batch)
        self._images, self._classes, self._layers = images, network.outputs, layer_table(network)
        self._drawn_from, self._net = (batch.features, rows, shifts), (np.ascontiguousarray(genes), self._layers)
        self._sigma, self._seed = np.float32(how.sigma), np.uint64(how.seed)
        self._task = int(batch.score), np.float32(batch.reward), np.float32(batch.penalty)
        self._changes = np.empty((self.count, len(genes)), np.float32)

    def open(self, number: int) -> Tile:
        """Draw a tile's mutants."""
        mutation = self._sigma, self._how.generation, self._seed
        tile: Tile = kernels.open_tile(number, TILE, self._drawn_from, self._net, mutation)
        return tile

    def compare(self, tile: Tile) -> Float32:
        """Return the differences of a tile's pairs, (L, M, T)."""
        start, _, _, middle, delta, _ = tile
        labels, pairs = self._batch.labels[start : start + TILE], (self._how.pairs, self._how.order)
        found: Float32
        if self._by_log:
            found = kernels.compare_by_log(middle, delta, labels, self._net, *pairs)
        else:
            found = kernels.compare_by_score(middle, delta, labels, self._draws(tile), self._task, self._net, *pairs)
        return found

    def answer(self, answers: Float32, tile: Tile) -> None:
        """Fill a tile's part of answers (L, K, 2, N, C), the logits of its mutants."""
        start, _, _, middle, delta, _ = tile
        kernels.answer_pairs(answers, start, middle, delta, self._net, self._how.order)

    def fold(self, number: int, tile: Tile, differences: Float32) -> None:
        """Turn the differences of a tile's pairs into its change."""
        weights, how = self._batch.weights[tile[0] : tile[0] + TILE], self._how
        kernels.fold_tile(
            self._changes[number], differences, tile, weights, self._layers, how.pairs, self._sigma, how.relative
        )

    def score(self, number: int, tile: Tile) -> None:
        """Add up what a tile's images earn without mutation, and how many are right."""
        own = slice(tile[0], tile[0] + TILE)
        labels, weights = self._batch.labels[own], self._batch.weights[own]
        kernels.score_tile(self.totals[number], tile[2], labels, weights, self._draws(tile), self._task, self._classes)

    def add(self, first: int, last: int) -> None:
        """Add up the tiles' changes, for blocks of genes."""
        kernels.add_tiles(self.change, self._changes, self._images, first, last)

    def _draws(self, tile: Tile) -> NDArray[np.uint32]:
        """Return the words that choose classes where they are drawn."""
        if self._batch.score is not Score.REWARD_SAMPLED:
            return NO_DRAWS
        draws: NDArray[np.uint32] = kernels.draws_of(tile[0], tile[1].shape[0], self._how.generation, self._seed)
        return draws


def estimate(network: Network, genes: Float32, batch: Batch, how: Perturbation, share_out: Share) -> Estimate:
    """Do what Backend.perturb says."""
    tiles = PairTiles(network, genes, batch, how)
    if batch.score is Score.CUSTOM:
        _by_own_fitness(tiles, network, batch, how, share_out)
    else:

        def judge(first: int, last: int) -> None:
            for number in range(first, last):
                tile = tiles.open(number)
                tiles.fold(number, tile, tiles.compare(tile))
                tiles.score(number, tile)

        share_out(tiles.count, judge)
    share_out(tiles.blocks, tiles.add)
    fitness, right = tiles.totals.sum(axis=0) / len(batch)
    return Estimate(tiles.change, float(fitness), float(right))


def _by_own_fitness(tiles: PairTiles, network: Network, batch: Batch, how: Perturbation, share_out: Share) -> None:
    """Have all mutants judged by the user's function, between two rounds of tiles."""
    answers = np.empty((len(network.dense), how.pairs, 2, len(batch), network.outputs), np.float32)
    logits = np.empty((len(batch), network.outputs), np.float32)

    def answer(first: int, last: int) -> None:
        for number in range(first, last):
            tile = tiles.open(number)
            tiles.answer(answers, tile)
            logits[tile[0] : tile[0] + TILE] = tile[2][-network.outputs :].T

    share_out(tiles.count, answer)
    differences, tiles.totals[0] = _judge_pairs(answers, logits, batch, how)

    def fold(first: int, last: int) -> None:
        for number in range(first, last):
            tile = tiles.open(number)
            tiles.fold(number, tile, np.ascontiguousarray(differences[:, :, tile[0] : tile[0] + TILE]))

    share_out(tiles.count, fold)


def by_log(network: Network, batch: Batch) -> bool:
    """Tell whether every mutant's logits are base +- spread, and log-probability is what counts."""
    plain = len(network.dense) == 1 or (len(network.dense) == 2 and network.dense[-1].activation == "linear")
    return batch.score is Score.LOG_PROBABILITY and plain


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
