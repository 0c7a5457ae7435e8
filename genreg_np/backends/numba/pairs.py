"""Node perturbation by the kernels of kernels/perturb.py; numpy_.estimate is the specification.

A tile is opened (its mutants are drawn), its pairs are compared, and their differences folded into a change of the
genes. Each step calls a few kernels, so that each kernel is small, and compiled once and only if a run needs it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import ACTIVATION_CODES, Batch, Estimate, Perturbation
from genreg_np.backends.numba.gradients import layer_table
from genreg_np.backends.numba.kernels import errors, mutants
from genreg_np.backends.numba.kernels import perturb as kernels
from genreg_np.backends.numba.kernels.bits import draw_words
from genreg_np.backends.numba.kernels.network import PREDICTION, multiply, multiply_turned
from genreg_np.fitness import Score, check_image_scores, explained
from genreg_np.layers.dense import Dense
from genreg_np.model import Float32, Network

TILE = 128  # images whose mutants one thread scores at a time: a fixed shape, like IMAGE_TILE
NO_DRAWS, NO_WEIGHTS = np.empty(0, np.uint32), np.empty((0, 0), np.float32)
FIRST = np.zeros(1, np.int64)  # all images' draws are of genome 0

Share = Callable[[int, Callable[[int, int], None]], None]  # runs do(first, last) for ranges of all tiles
# A tile's first image, its images (T, I), and for all units (U, T) activations, m, delta and signs (mutants.py).
Tile = tuple[int, Float32, Float32, Float32, Float32, Float32]


class PairTiles:
    """The tiles of a batch, their results, and the calls of the kernels that compute them."""

    def __init__(self, network: Network, genes: Float32, batch: Batch, how: Perturbation) -> None:
        images = len(batch)
        rows = np.arange(images) if batch.rows is None else batch.rows
        shifts = np.zeros(images, np.int64) if batch.shifts is None else batch.shifts
        self.count = -(-images // TILE)
        self.blocks = -(-len(genes) // kernels.BLOCK)
        self.totals = np.zeros((self.count, 2))
        self.change = np.empty_like(genes)
        genes = np.ascontiguousarray(genes)
        self._batch, self._how = batch, how
        self._images, self._classes, self._depth = images, network.outputs, len(network.dense)
        self._layers, self._net = network.unpack(genes), (genes, layer_table(network.dense))
        self._units, self._unbiased = _units_of(network.dense)
        self._drawn_from = batch.features, rows, shifts
        self._sigma, self._seed = np.float32(how.sigma), np.uint64(how.seed)
        self._task = int(batch.score), np.float32(batch.reward), np.float32(batch.penalty)
        self._changes = np.empty((self.count, len(genes)), np.float32)
        self._changed = network.unpack(self._changes)

    def open(self, number: int) -> Tile:
        """Draw a tile's mutants."""
        start, (features, rows, shifts) = number * TILE, self._drawn_from
        rows, shifts = rows[start : start + TILE], shifts[start : start + TILE]
        images, shape = np.empty((len(rows), features.shape[1]), np.float32), (len(self._unbiased), len(rows))
        middle, values, delta, signs = (np.empty(shape, np.float32) for _ in range(4))
        kernels.forward(images, middle, values, self._unbiased, (features, rows, shifts), self._net)
        how, layers = self._how, self._net[1]
        kernels.mutate_units(
            middle, delta, signs, self._unbiased, layers, self._sigma, start, how.generation, self._seed
        )
        return start, images, values, middle, delta, signs

    def spread(self, tile: Tile, layer: int) -> tuple[Float32, Float32]:
        """Return the next layer's pre-activations for all mutants of a layer, or its own if it is the last.

        Returns
        -------
        base : (N, T) float32
        spreads : (M, N, T) float32
            The two mutants of pair k have base + spread and base - spread.
        """
        own, last = self._units[layer], layer + 1 == self._depth
        base, delta = tile[3][own], tile[4][own]
        weights, biases = self._layers[layer + 1] if not last else (NO_WEIGHTS, self._unbiased)
        if not last:
            middle, base = base, np.empty((len(biases), base.shape[1]), np.float32)
            multiply(weights[None], middle[None], base[None])
        spreads = np.empty((self._how.order, *base.shape), np.float32)
        kernels.spread(spreads, base, weights, biases, delta)
        return base, spreads

    def compare(self, tile: Tile) -> Float32:
        """Return the differences of a tile's pairs, (L, M, T), 0 beyond pair K."""
        start, pairs = tile[0], self._how.pairs
        labels = self._batch.labels[start : start + TILE]
        differences = np.zeros((self._depth, self._how.order, len(labels)), np.float32)
        for layer, found in enumerate(differences):
            base, spreads = self.spread(tile, layer)
            if self._batch.of_numbers:
                errors.compare_by_error(found, base, spreads, labels, self._task[0], self._net, layer, pairs)
            elif self._by_log(layer):
                mutants.compare_by_log(found, base, spreads, labels, pairs)
            else:
                what = self._draws(tile), self._task, self._net, layer, pairs
                mutants.compare_by_score(found, base, spreads, labels, *what)
        return differences

    def _by_log(self, layer: int) -> bool:
        """Return whether a layer's mutants have logits base +- spread and the score is log-probability."""
        plain = self._net[1][layer + 1 :, 3].tolist() in ([], [ACTIVATION_CODES["linear"]])
        return self._batch.score is Score.LOG_PROBABILITY and plain

    def answer(self, answers: Float32, tile: Tile) -> None:
        """Fill a tile's part of `answers` (L, K, 2, N, C) with its mutants' logits."""
        for layer, found in enumerate(answers):
            mutants.answer_pairs(found, tile[0], *self.spread(tile, layer), self._net, layer)

    def fold(self, number: int, tile: Tile, differences: Float32) -> None:
        """Turn the differences of a tile's pairs (L, M, T), overwriting them, into its change, a sum over images."""
        start, images, values, _, _, signs = tile
        weights, how = self._batch.weights[start : start + TILE], self._how
        credits, changes, layers = np.empty_like(signs), self._changes[number], self._net[1]
        kernels.credit(credits, changes, differences, signs, layers, weights, self._sigma, how.pairs, how.relative)
        for layer, (change, _) in enumerate(self._changed):
            own = self._units[layer]
            if layer:
                multiply_turned(credits[own], values[self._units[layer - 1]], change[number])
            else:
                multiply(credits[None, own], images[None], change[None, number])

    def score(self, number: int, tile: Tile) -> None:
        """Add up the scores of a tile's images without mutation, and how many are right."""
        own = slice(tile[0], tile[0] + TILE)
        what = self.totals[number], tile[2][-self._classes :], self._batch.labels[own], self._batch.weights[own]
        if self._batch.of_numbers:
            errors.total_by_error(*what, self._task[0])
        elif self._batch.score is Score.LOG_PROBABILITY:
            mutants.total_by_log(*what)
        else:
            mutants.total_by_score(*what, self._draws(tile), self._task)

    def add(self, first: int, last: int) -> None:
        """Add up the changes of all tiles, for blocks of genes first .. last - 1."""
        kernels.add_tiles(self.change, self._changes, self._images, first, last)

    def _draws(self, tile: Tile) -> NDArray[np.uint32]:
        """Return the words that draw the images' classes, at least (T,), or none if classes are not drawn."""
        if self._batch.score is not Score.REWARD_SAMPLED:
            return NO_DRAWS
        draws = np.empty((1, -(-len(tile[1]) // 4) * 4), np.uint32)
        draw_words(draws, tile[0] // 4, FIRST, self._how.generation, PREDICTION, self._seed)
        own: NDArray[np.uint32] = draws[0]
        return own


@functools.lru_cache(maxsize=8)
def _units_of(layers: tuple[Dense, ...]) -> tuple[list[slice], Float32]:
    """Return the places of each layer's units among all units, and zeros for all of them; not to be changed."""
    firsts = [0, *itertools.accumulate(layer.outputs for layer in layers)]
    return [slice(*pair) for pair in itertools.pairwise(firsts)], np.zeros(firsts[-1], np.float32)


def estimate(network: Network, genes: Float32, batch: Batch, how: Perturbation, share_out: Share) -> Estimate:
    """Compute Backend.perturb."""
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
    return Estimate(tiles.change, float(fitness), float(explained(right) if batch.of_numbers else right))


def _by_own_fitness(tiles: PairTiles, network: Network, batch: Batch, how: Perturbation, share_out: Share) -> None:
    """Score all mutants by the user's function, between two rounds of tiles."""
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


def _judge_pairs(
    answers: Float32, logits: Float32, batch: Batch, how: Perturbation
) -> tuple[Float32, tuple[float, float]]:
    """Return differences of pairs (L, M, N), summed scores and right predictions, by the user's fitness function."""
    depth, pairs, classes = len(answers), answers.shape[1], answers.shape[-1]
    labels = np.concatenate([batch.labels] * (depth * pairs * 2))
    scores = check_image_scores(batch.function, answers.reshape(-1, classes), labels).reshape(answers.shape[:-1])
    differences = np.zeros((depth, how.order, len(batch)), np.float32)
    differences[:, :pairs] = scores[:, :, 0] - scores[:, :, 1]
    own = check_image_scores(batch.function, logits, batch.labels)
    if batch.of_numbers:
        found = np.square(logits - batch.labels).mean(axis=1).sum(dtype=np.float64)
    else:
        found = (logits.argmax(axis=1) == batch.labels).sum()
    totals = float(own @ batch.weights), float(found)
    return differences, totals
