"""A brood of networks that are not all dense: genomes are built in full and applied to some images at a time.

    whole       every genome by itself
    inherited   if filters are inherited as a whole and few of them mutate: the output of the first convolution (with
                activation and pooling) on the batch is computed once for each survivor; of a child's filters, only
                those that differ from both parents' are computed, those of several children together

A filter's map depends only on the filter and the images, so it is the same to the bit either way.

Shapes: G genomes of a tile, S survivors, F filters of the first convolution, N images, B images of a piece.
"""

from __future__ import annotations

import dataclasses
import math
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends import stacked
from genreg_np.backends.base import Batch, Brood, brood_plan, genome_bytes, piece_of
from genreg_np.backends.gradients import separate
from genreg_np.backends.memory import Plan
from genreg_np.backends.numba.broods import MOST_GENOMES, Judging, Numbers, Share, Tiles
from genreg_np.backends.numba.maps import FastConvolution
from genreg_np.layers.activation import FUNCTIONS
from genreg_np.layers.base import Layer
from genreg_np.layers.composite import Stack
from genreg_np.layers.dense import Dense
from genreg_np.layers.groups import Gene
from genreg_np.model import Float32

PIECE = 64  # images at a time: maps of more would not stay in a core's cache
MOST_INHERITING = 64  # genomes per inheriting tile: the more, the fewer blocks of filters are partly empty
MOST_MAP_BYTES = 256 << 20  # of the survivors' maps
INHERITING_BYTES = 128 << 20  # memory limit of an inheriting tile's genomes and their values


class OnePerThread:
    """An object that each thread creates for itself on its first call."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make, self._local = make, threading.local()

    def __call__(self) -> Any:
        """Return this thread's object."""
        if not hasattr(self._local, "own"):
            self._local.own = self._make()
        return self._local.own


class StackedTiles(Judging):
    """Computes the tiles of a brood whose genomes are built in full."""

    def __init__(self, brood: Brood, batch: Batch, stack: Callable[[], Stack]) -> None:
        super().__init__(brood, batch)
        features = batch.inputs
        piece = piece_of(brood.network, PIECE)
        self._pieces = [
            np.ascontiguousarray(features[start : start + piece].T) for start in range(0, len(features), piece)
        ]
        self.genomes = stacked.genomes_at_once(brood.network, len(batch), piece=PIECE, most=MOST_GENOMES)
        self._stack = OnePerThread(stack)

    def plan(self, share_out: Share) -> tuple[Tiles, int]:
        """Compute what all tiles share; return a function that scores tiles, and the genomes per tile."""
        layers = self._stack().layers
        if not layers or not inherits(self._brood, layers[0], len(self.batch)):
            return self.whole, self.genomes
        self._maps = [np.empty((0, 0, 0), np.float32)] * len(self._pieces)
        share_out(len(self._pieces), self.survivor_maps)
        self._fronts = OnePerThread(dict)
        self.genomes = inheriting_at_once(self._brood, layers)
        return self.inherited, self.genomes

    def whole(self, first: int, last: int) -> None:
        """Score tiles of `self.genomes` genomes."""
        for tile in range(first, last):
            genomes, arrays = self._built(tile)
            logits = [self._stack().outputs(arrays, piece).copy() for piece in self._pieces]
            self.judge(np.concatenate(logits, axis=-1), genomes)

    def survivor_maps(self, first: int, last: int) -> None:
        """Compute the survivors' first-layer maps of pieces of the images, (S F, places, B) each."""
        front, arrays = self._stack().layers[0], separate(self._brood.network, self._brood.survivors)
        own = arrays[: len(front.parameters)]
        for number in range(first, last):
            piece = self._pieces[number]
            maps, _ = front.forward(own, piece)
            self._maps[number] = maps.reshape(len(maps) * front.convolution.filters, -1, piece.shape[1]).copy()

    def inherited(self, first: int, last: int) -> None:
        """Score tiles of `self.genomes` genomes, reusing the survivors' maps."""
        front, *rest = self._stack().layers
        count = len(front.parameters)
        for tile in range(first, last):
            genomes, arrays = self._built(tile)
            source, fresh = self._sources(genomes, arrays[:count])
            filters = [np.ascontiguousarray(array.reshape(-1, *array.shape[2:])[fresh]) for array in arrays[:count]]
            behind: Behind = Joined(rest, arrays[count:], source)
            if rest and isinstance(rest[0], Dense):
                behind = Summed(rest[0], rest[1:], arrays[count:], source)
            logits = [
                behind.outputs(maps, self._front_of(front, filters, piece, maps.shape[1]))
                for piece, maps in zip(self._pieces, self._maps, strict=True)
            ]
            self.judge(np.concatenate(logits, axis=-1), genomes)

    def _built(self, tile: int) -> tuple[Numbers, list[Float32]]:
        """Return a tile's genomes and their parameters (G, *shape)."""
        genomes = self._numbers[tile * self.genomes : (tile + 1) * self.genomes]
        genes = np.empty((len(genomes), self._brood.network.gene_count), np.float32)
        self.genes.rebuild(genes, genomes)
        return genomes, separate(self._brood.network, genes)

    def _sources(self, genomes: Numbers, own: list[Float32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the survivors' filter that each filter (G, F) equals, or -1, and the flat indices of those with -1."""
        survivors = separate(self._brood.network, self._brood.survivors)[: len(own)]
        filters = own[0].shape[1]
        source = np.full(own[0].shape[:2], -1)
        for slot in (1, 0):
            parents = self._brood.parents[genomes, slot]
            same = np.ones(source.shape, np.bool_)
            for mine, theirs in zip(own, survivors, strict=True):
                equal = mine == theirs[parents]
                same &= equal.reshape(*source.shape, -1).all(axis=-1)
            source = np.where(same, parents[:, None] * filters + np.arange(filters), source)
        return source, np.flatnonzero(source.ravel() < 0)

    def _front_of(self, front: FastConvolution, filters: list[Float32], piece: Float32, places: int) -> Float32:
        """Return the maps (n, places, B) of the children's own n filters."""
        fronts, count = self._fronts(), len(filters[1])
        if not count:
            return np.empty((0, places, piece.shape[1]), np.float32)
        if count not in fronts:
            fronts.clear()  # tiles differ in their number of filters: keeping memory for each would add up
            fronts[count] = front.with_filters(count)
        maps: Float32 = fronts[count].forward([array[None] for array in filters], piece)[0]
        return maps.reshape(count, places, -1)


class Joined:
    """The other layers of genomes, applied to maps that are joined: survivors' maps and their own."""

    def __init__(self, rest: Sequence[Layer], arrays: Sequence[Float32], source: Numbers) -> None:
        self._stack, self._arrays, self._source = Stack(tuple(rest)), arrays, source

    def outputs(self, maps: Float32, fresh: Float32) -> Float32:
        """Return what comes out (G, K, B), given survivors' maps (S F, places, B) and those of children."""
        values = np.empty((*self._source.shape, *maps.shape[1:]), np.float32)
        values[self._source >= 0] = maps[self._source[self._source >= 0]]
        values[self._source < 0] = fresh
        columns = values.reshape(len(values), -1, values.shape[-1])
        found: Float32 = self._stack.outputs(self._arrays, columns).copy()
        return found


class Summed:
    """The same if a dense layer follows: it is summed map by map, with one product for all genomes that share a map.

    So maps are not copied, and weights are rearranged once for all images.
    """

    def __init__(self, dense: Dense, rest: Sequence[Layer], arrays: Sequence[Float32], source: Numbers) -> None:
        weights, self._biases, *self._arrays = arrays
        genomes, filters = source.shape
        by_filter = weights.reshape(genomes, dense.outputs, filters, -1).transpose(2, 0, 1, 3)
        self._shared = []  # for each survivor's map: its number, the genomes that have it, their weights for it
        for f in range(filters):
            for number in np.unique(source[:, f][source[:, f] >= 0]):
                own = np.flatnonzero(source[:, f] == number)
                self._shared.append((number, own, by_filter[f][own].reshape(-1, by_filter.shape[-1])))
        self._children, children = np.nonzero(source < 0)
        self._own = np.ascontiguousarray(by_filter[children, self._children])
        self._dense, self._stack = dense, Stack(tuple(rest))

    def outputs(self, maps: Float32, fresh: Float32) -> Float32:
        """Return what comes out (G, K, B), given survivors' maps (S F, places, B) and those of children."""
        sums = np.repeat(self._biases[..., None], maps.shape[-1], axis=-1)
        for number, genomes, weights in self._shared:
            sums[genomes] += (weights @ maps[number]).reshape(len(genomes), -1, maps.shape[-1])
        for genome, more in zip(self._children, np.matmul(self._own, fresh), strict=True):
            sums[genome] += more
        if self._dense.activation != "linear":
            sums = FUNCTIONS[self._dense.activation][0](sums)
        found: Float32 = self._stack.outputs(self._arrays, sums).copy()
        return found


Behind = Joined | Summed


def plan(brood: Brood, images: int, threads: int, layers: Sequence[Layer]) -> Plan:
    """Return how a brood is scored by such layers, and the memory that takes."""
    if layers and inherits(brood, layers[0], images):
        at_once, maps = inheriting_at_once(brood, layers), map_bytes(brood, layers[0])
        sums = 4 * len(brood.survivors) * sums_of(layers[0])
        shared, each = (
            images * maps,
            max(at_once * inheriting_bytes(brood, layers), 2 * piece_of(brood.network, PIECE) * (maps + sums)),
        )
        found = brood_plan("inherited", brood.survivors.shape, threads, "threads", each)
        formula = f"{found.formula} + {images:,} images x {maps:,} bytes of survivors' maps"
        return dataclasses.replace(found, formula=formula, bytes=found.bytes + shared)
    tile = stacked.genomes_at_once(brood.network, images, piece=PIECE, most=MOST_GENOMES)
    each = tile * genome_bytes(brood.network, images, PIECE)
    return brood_plan("whole", brood.survivors.shape, threads, "threads", each)


def map_bytes(brood: Brood, front: Layer) -> int:
    """Return the bytes of all survivors' maps of one image."""
    return 4 * len(brood.survivors) * math.prod(front.output_shape(brood.network.feature_shape))


def sums_of(layer: Layer) -> int:
    """Return how many sums a layer keeps per image besides its outputs."""
    return math.prod(layer.tail.shape) if isinstance(layer, FastConvolution) and layer.tail else 0


def inheriting_bytes(brood: Brood, layers: Sequence[Layer]) -> int:
    """Return the bytes of a genome that inherits: its genes, and what its layers output and keep for a piece."""
    values, shape = 0, brood.network.feature_shape
    for layer in layers:
        shape = layer.output_shape(shape)
        values += math.prod(shape) + sums_of(layer)
    return 8 * (brood.network.gene_count + piece_of(brood.network, PIECE) * values)


def inheriting_at_once(brood: Brood, layers: Sequence[Layer]) -> int:
    """Return the number of genomes in an inheriting tile, chosen so that tiles are nearly equal in size."""
    most = max(1, min(MOST_INHERITING, INHERITING_BYTES // inheriting_bytes(brood, layers)))
    return -(-brood.size // -(-brood.size // most))


def inherits(brood: Brood, front: Any, images: int) -> bool:
    """Whether inheriting the first layer's maps pays: few filters change, and the survivors' maps fit in memory."""
    if brood.gene in (Gene.WEIGHT, Gene.BLOCK) or not len(brood.survivors):
        return False
    if not isinstance(front, FastConvolution) or front.norm or (front.tail and front.tail.norm):
        return False
    filters = front.convolution.filters
    genes = sum(parameter.size for parameter in front.parameters) // filters
    changed = 1 - (1 - brood.mutation_rate) ** genes
    fits = images * map_bytes(brood, front) <= MOST_MAP_BYTES
    return fits and len(brood.survivors) / brood.size + changed < 1
