"""A generation computed by the kernels of kernels/offspring.py and kernels/brood.py; numpy_.py is the specification.

Two plans give the same predictions up to rounding:

dense       build each child's first layer and multiply it with the batch. Always possible.
inherited   multiply the survivors' first layers with the batch once; a child's units inherit their pre-activations
            and only mutated weights are added, z += noise * x. Possible if units are inherited as a whole (crossover of
            units, of layers, or none).

A tile of genomes passes from kernel to kernel, each called from here, so that each is small and compiled once. The
result does not depend on which thread computes a tile.

Shapes: G genomes of a tile, W active inputs, H units of the first layer, N images, D genes.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import ACTIVATION_CODES, Batch, Brood, Judgement, first_draws
from genreg_np.backends.numba.kernels import brood as kernels
from genreg_np.backends.numba.kernels import errors, offspring
from genreg_np.backends.numba.kernels.bits import draw_words
from genreg_np.backends.numba.kernels.network import PREDICTION, activate, multiply
from genreg_np.fitness import Score, explained
from genreg_np.layers.groups import Gene
from genreg_np.model import Float32
from genreg_np.streams import gap_table, normal_table

BLOCK_GENES = 1 << 18  # weights built at a time, 1 MB: they must stay in a core's cache
BLOCK_VALUES = 1 << 18  # pre-activations inherited at a time
MIN_ROWS, MOST_GENOMES = 16, 16
SPARSE_COST = 4.0  # a scattered multiply-add costs as much as this many in a matrix product
LONGEST_GAP = 32  # a gap of up to so many inactive inputs is cheaper to compute than to skip
EVERY_PLACE = np.empty(0, np.int32)  # offspring.mutate: all genes of a row are built

Tiles = Callable[[int, int], None]  # computes tiles first .. last - 1
Share = Callable[[int, Tiles], None]  # runs do(first, last) for ranges of all tiles
Numbers = NDArray[np.int64]
Words = NDArray[np.uint32]


class Offspring:
    """The genes of a brood's genomes, or any ranges of them."""

    def __init__(self, brood: Brood) -> None:
        self.brood, self.network, self.seed = brood, brood.network, np.uint64(brood.seed)
        self.tables = gap_table(brood.mutation_rate), normal_table(), np.float32(brood.mutation_scale)
        self.family = brood.parents, int(brood.gene), brood.runs
        starts = np.array([place.start for _, place in brood.network.parameter_slices], np.int64)
        self._drawn = starts, *first_draws(brood.network, brood.weight_range, brood.bias_range)
        self._survivors = brood.survivors.view(np.uint32)

    def fill(
        self,
        built: Float32,
        genomes: Numbers,
        rows: tuple[int, int, int],
        spans: NDArray[np.int64],
        places: NDArray[np.int32] = EVERY_PLACE,
    ) -> None:
        """Fill built (G, L) with the genes of genomes (G,) chosen by rows, spans and places (kernels/offspring.py)."""
        if len(self.brood.survivors) == 0:
            offspring.draw_initial(built, rows, spans, genomes, self.seed, self._drawn)
            return
        self.inherit(built, genomes, rows, spans)
        drawn = self.brood.generation, offspring.MUTATION, self.seed
        offspring.mutate(built, rows, spans, places, genomes, self.brood.elites, drawn, self.tables)

    def inherit(self, built: Float32, genomes: Numbers, rows: tuple[int, int, int], spans: NDArray[np.int64]) -> None:
        """Fill built (G, L) with genes before mutation."""
        start, height, inputs = rows
        first, words = 0, self.group_words(genomes)
        if self.brood.gene is Gene.WEIGHT:
            first, last = start // 128, -(-(start + height * inputs) // 128)
            words = self.words(genomes, first, last - first + 1, offspring.CROSSOVER)
        what = genomes, words, 4 * first, (self._survivors, *self.family), self.brood.elites
        offspring.inherit(built.view(np.uint32), rows, spans, *what)

    def group_words(self, genomes: Numbers) -> Words:
        """Return the crossover words of all gene groups, (G, n): bit b for group b."""
        if self.brood.gene in (Gene.NONE, Gene.WEIGHT):
            return np.empty((len(genomes), 0), np.uint32)
        return self.words(genomes, 0, int(self.brood.runs[:, 1].max()) // 128 + 1, offspring.CROSSOVER)

    def words(self, genomes: Numbers, first_block: int, blocks: int, purpose: np.uint64) -> Words:
        """Return blocks of words from the genomes' streams, (G, 4 blocks)."""
        words = np.empty((len(genomes), 4 * blocks), np.uint32)
        draw_words(words, first_block, genomes, self.brood.generation, purpose, self.seed)
        return words

    def rebuild(self, genomes: Float32, chosen: Numbers) -> None:
        """Fill genomes (C, D) with all genes of the chosen genomes (C,)."""
        count = self.network.gene_count
        self.fill(genomes, chosen, (0, 1, count), whole(count))


class Judging:
    """Scores a brood on a batch from the logits of its tiles, or stores their outputs."""

    def __init__(self, brood: Brood, batch: Batch) -> None:
        self.genes, self.judgement = Offspring(brood), Judgement(np.empty(brood.size), np.empty(brood.size))
        self._brood, self.batch = brood, batch
        self._numbers = np.arange(brood.size)
        self.answers: Float32 | None = None
        self._task = int(batch.score), float(batch.reward), float(batch.penalty)

    def judge(self, logits: Float32, genomes: Numbers) -> None:
        """Fill fitness and accuracy of adjacent genomes (G,) from their logits (G, K, N); or store their outputs."""
        if self.answers is not None:
            places = self._places[genomes]
            self.answers[places[places >= 0]] = logits[places >= 0].swapaxes(1, 2)
            return
        own, found = slice(genomes[0], genomes[0] + len(genomes)), self.judgement
        if self.batch.of_numbers:
            squared, batch = np.empty(len(genomes)), self.batch
            errors.judge_errors(found.fitness[own], squared, logits, batch.labels, batch.weights, int(batch.score))
            found.accuracy[own] = explained(squared)
            return
        words = np.empty((len(genomes), 0), np.uint32)
        if self.batch.score is Score.REWARD_SAMPLED:
            words = self.genes.words(genomes, 0, -(-len(self.batch) // 4), PREDICTION)
        what = words, self.batch.labels, self.batch.weights, self._task
        kernels.judge(found.fitness[own], found.accuracy[own], logits, *what)

    def keep_answers(self, answers: Float32, chosen: NDArray[np.integer]) -> None:
        """Store the outputs of chosen genomes in an array (C, N, K) instead of scoring them."""
        self.answers = answers
        self._places = np.full(self._brood.size, -1)
        self._places[chosen] = np.arange(len(chosen))


class BroodTiles(Judging):
    """Computes the tiles of a brood of dense networks by either plan."""

    def __init__(self, brood: Brood, batch: Batch) -> None:
        super().__init__(brood, batch)
        self._first = brood.network.dense[0]
        self.columns, self.spans, self.places = active_inputs(batch.inputs)
        self.genomes, self.rows = tile_of(self._first.outputs, len(self.columns))
        self._codes = [ACTIVATION_CODES[layer.activation] for layer in brood.network.dense]
        self._finished_at_once = max(
            1, BLOCK_GENES // sum(layer.gene_count for layer in brood.network.dense[1:] or [self._first])
        )

    def plan(self, share_out: Share) -> tuple[Tiles, int]:
        """Compute what all tiles share; return a function that scores tiles, and the genomes per tile."""
        if way_of(self._brood) == "dense":
            return self.dense, self.genomes
        hidden, images = self._first.outputs, len(self.batch)
        products = np.empty((len(self._brood.survivors), hidden, images), np.float32)
        share_out(len(products), functools.partial(self.survivor_products, products))
        return functools.partial(self.inherited, products), inherited_at_once(hidden, images)

    def dense(self, first: int, last: int) -> None:
        """Score tiles of `self.genomes` genomes, `self.rows` rows of each at a time."""
        hidden, images = self._first.outputs, len(self.batch)
        for tile in range(first, last):
            genomes = self._numbers[tile * self.genomes : (tile + 1) * self.genomes]
            count = len(genomes)
            products = np.empty((count * hidden, images), np.float32)
            for row in range(0, hidden, self.rows):
                # Several genomes share a product only if each has all its rows in the block.
                block = self.build(genomes, row)
                multiply(block[None], self.columns[None], products[None, count * row : count * row + len(block)])
            self.finish(products.reshape(count, hidden, images), genomes)

    def build(self, genomes: Numbers, row: int) -> Float32:
        """Return the weights (G rows, W) of genomes (G,) from active inputs to `self.rows` units from `row` on."""
        height, inputs = min(self.rows, self._first.outputs - row), self._first.inputs
        block = np.empty((len(genomes), height * len(self.columns)), np.float32)
        self.genes.fill(block, genomes, (row * inputs, height, inputs), self.spans, self.places)
        return block.reshape(len(genomes) * height, -1)

    def finish(self, values: Float32, genomes: Numbers) -> None:
        """Score genomes (G,) from their first layers' products (G, H, N), which lack bias and activation."""
        for begin in range(0, len(genomes), self._finished_at_once):
            some = slice(begin, begin + self._finished_at_once)
            self.judge(self.logits(values[some], genomes[some]), genomes[some])

    def logits(self, values: Float32, genomes: Numbers) -> Float32:
        """Return the logits (G, K, N) from the first layers' products (G, H, N)."""
        network, images, count = self._brood.network, len(self.batch), len(genomes)
        start = network.weight_slices[0][1].start
        genes = np.empty((count, network.gene_count - start), np.float32)
        self.genes.fill(genes, genomes, (start, 1, genes.shape[1]), whole(genes.shape[1]))
        for number, layer in enumerate(network.dense):
            weights, biases = (slice(part.start - start, part.stop - start) for part in network.weight_slices[number])
            if number:
                built = np.ascontiguousarray(genes[:, weights]).reshape(count, layer.outputs, layer.inputs)
                below, values = values, np.empty((count, layer.outputs, images), np.float32)
                multiply(built, below, values)
            activate(values.reshape(-1, images), genes[:, biases].reshape(-1), self._codes[number])
        return values

    def survivor_products(self, products: Float32, first: int, last: int) -> None:
        """Fill products (S, H, N) with the survivors' first layers times the batch, without bias."""
        for s in range(first, last):
            active = np.empty((1, self._first.outputs, len(self.columns)), np.float32)
            kernels.gather_active(active, self._brood.survivors[s : s + 1], self._first.inputs, self.spans)
            multiply(active, self.columns[None], products[s : s + 1])

    def inherited(self, products: Float32, first: int, last: int) -> None:
        """Score tiles of `inherited_at_once` genomes from the survivors' products (S, H, N)."""
        size = inherited_at_once(self._first.outputs, len(self.batch))
        for tile in range(first, last):
            genomes = self._numbers[tile * size : (tile + 1) * size]
            self.finish(self.pre_activations(products, genomes), genomes)

    def pre_activations(self, products: Float32, genomes: Numbers) -> Float32:
        """Return pre-activations without bias (G, H, N): those of the parents plus what mutated weights add."""
        brood, inputs, genes = self._brood, self._first.inputs, self.genes
        values = np.empty((len(genomes), *products.shape[1:]), np.float32)
        words = genes.group_words(genomes)
        kernels.inherit_units(values, products, inputs, genomes, words, genes.family, brood.elites)
        active, drawn = (inputs, self.columns, self.places), (brood.generation, genes.seed)
        kernels.add_mutated_inputs(values, genomes, brood.elites, *active, drawn, genes.tables)
        return values


def way_of(brood: Brood) -> str:
    """Return the plan of a brood, "dense" or "inherited": the one with fewer multiply-adds."""
    whole_units = brood.gene not in (Gene.WEIGHT, Gene.BLOCK)
    possible = len(brood.survivors) > 0 and whole_units
    per_image = len(brood.survivors) / brood.size + SPARSE_COST * brood.mutation_rate
    return "inherited" if possible and per_image < 1 else "dense"


def tile_of(hidden: int, width: int) -> tuple[int, int]:
    """Return how many genomes, and how many rows of each, are in one product: about BLOCK_GENES weights."""
    if hidden * width > BLOCK_GENES:
        return 1, min(hidden, max(MIN_ROWS, BLOCK_GENES // width))
    return max(1, min(MOST_GENOMES, BLOCK_GENES // (hidden * width))), hidden


def inherited_at_once(hidden: int, images: int) -> int:
    """Return how many genomes' pre-activations are inherited at a time: about BLOCK_VALUES values."""
    return max(1, min(MOST_GENOMES, BLOCK_VALUES // (hidden * images)))


def whole(count: int) -> NDArray[np.int64]:
    """Return the single span of a row of `count` genes that are all needed."""
    return np.array([[0, count]], np.int64)


def active_inputs(features: Float32) -> tuple[Float32, NDArray[np.int64], NDArray[np.int32]]:
    """Return the active inputs of a batch (N, I): an input that is 0 in every image adds nothing to any sum.

    Returns
    -------
    columns : (W, N) float32
        The active inputs and the short gaps between them.
    spans : (n, 2) int64
        The runs of inputs they come from.
    places : (I,) int32
        Each input's row in `columns`, or -1.
    """
    inputs = features.shape[1]
    active = np.flatnonzero(features.any(axis=0))
    if len(active) == 0:
        active = np.arange(1)
    breaks = np.flatnonzero(np.diff(active) > LONGEST_GAP)
    spans = np.stack([active[np.r_[0, breaks + 1]], active[np.r_[breaks, -1]] + 1], axis=1)
    used = np.concatenate([np.arange(begin, end) for begin, end in spans])
    places = np.full(inputs, -1, np.int32)
    places[used] = np.arange(len(used))
    return np.ascontiguousarray(features[:, used].T), spans, places
