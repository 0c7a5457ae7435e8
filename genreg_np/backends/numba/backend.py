"""The fast CPU path: the kernels of kernels/ on tiles that a few threads share out, with single-threaded BLAS in them.

Which thread takes a tile changes no byte of the result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import (
    IMAGE_TILE,
    Backend,
    Batch,
    Brood,
    Estimate,
    Judgement,
    Perturbation,
    Told,
    Work,
    brood_plan,
)
from genreg_np.backends.gradients import Descent
from genreg_np.backends.images import Warps
from genreg_np.backends.memory import Plan
from genreg_np.backends.numba import gradients as numba_gradients
from genreg_np.backends.numba import images as numba_images
from genreg_np.backends.numba import pairs as numba_pairs
from genreg_np.backends.numba import warm as numba_warm
from genreg_np.backends.numba.gradients import layer_table
from genreg_np.backends.numba.kernels import brood as kernels
from genreg_np.backends.numba.kernels.jit import is_compiled, mark_compiled
from genreg_np.backends.threads import share_out, single_threaded_blas, usable_processors
from genreg_np.errors import UsageError
from genreg_np.layers.groups import Gene
from genreg_np.layers.images import FixedLayer, Standardise, UInt8
from genreg_np.model import Float32, Network
from genreg_np.streams import Purpose, gap_table, normal_table

BLOCK_GENES = 1 << 18  # weights built at a time, 1 MB: they must stay in a core's cache
MIN_ROWS, MOST_GENOMES = 16, 16
SPARSE_COST = 4.0  # a scattered multiply-add costs this many of a product's
LONGEST_GAP = 32  # dark inputs between lit ones that are cheaper to compute than to step over

MOST_THREADS = 1024


class NumbaBackend(Backend):
    """Population arithmetic in compiled kernels.

    Parameters
    ----------
    threads : int or None
        Threads to use; by default one for each processor.

    Raises
    ------
    UsageError
        For a number of threads below 1 or beyond any machine's.
    """

    name = "numba"

    def __init__(self, threads: int | None = None) -> None:
        if threads is not None and not 1 <= threads <= MOST_THREADS:
            raise UsageError(f"threads {threads} must be from 1 to {MOST_THREADS}")
        self.threads = threads or usable_processors()
        self.compile_seconds = 0.0  # spent on compiling or loading kernels
        self._warm: set[Work] = set()

    @classmethod
    def create(cls, threads: int | None, device: int, host: Callable[[], Backend]) -> Backend:
        """Return one for this machine's CPU."""
        return cls(threads)

    @classmethod
    def must_compile(cls, works: Sequence[Work]) -> bool:
        """Whether kernels of some works are not in the cache yet."""
        return not all(is_compiled(work.name) for work in works)

    def describe(self) -> str:
        """Return the number of threads."""
        return f"{self.threads} thread{'s' if self.threads > 1 else ''}"

    def plan(self, brood: Brood, images: int) -> Plan:
        """Say how a generation is scored; inputs that are dark in the whole batch need less."""
        first, kind = brood.network.dense[0], plan(brood)
        values = 4 * first.outputs * images
        if kind == "inherited":
            count = len(brood.survivors) + self.threads
            return brood_plan("inherited", brood.survivors.shape, count, "survivors and threads", values)
        genomes, rows = _tile(first.outputs, first.inputs)
        each = genomes * (4 * rows * first.inputs + values)
        return brood_plan("dense", brood.survivors.shape, self.threads, "threads", each)

    def _share_out(self, tiles: int, kernel: Callable[..., object], *arguments: Any) -> None:
        """Run a kernel on tiles 0 .. tiles - 1."""
        with single_threaded_blas():
            share_out(tiles, lambda first, last: kernel(*arguments, first, last), self.threads)

    def warm_up(self, works: Sequence[Work] = tuple(Work), told: Told | None = None) -> float:
        """Compile the kernels that some works need, or load them from the cache; return the seconds it took so far."""
        start, cold = time.perf_counter(), set(works) - self._warm
        if cold:
            numba_warm.warm_up(self, sorted(cold), all(is_compiled(work.name) for work in cold), told)
            for work in cold:
                mark_compiled(work.name)
            self._warm |= cold
            self.compile_seconds += time.perf_counter() - start
        return self.compile_seconds

    def score(self, brood: Brood, batch: Batch) -> Judgement:
        """Judge every genome of the brood on the batch."""
        fitness, accuracy = np.empty(brood.size), np.empty(brood.size)
        columns, spans, places = _lit_inputs(batch.inputs)
        what = (columns, spans, places, batch.labels, batch.weights)
        task = (int(batch.score), float(batch.reward), float(batch.penalty))
        described, layer = _description(brood), brood.network.dense[0]
        if plan(brood) == "inherited":
            products = np.empty((len(brood.survivors), layer.outputs, len(batch)), np.float32)
            shape = (layer.outputs, layer.inputs)
            self._share_out(len(products), kernels.survivor_products, products, brood.survivors, *shape, spans, columns)
            self._share_out(brood.size, kernels.score_inherited, fitness, accuracy, what, task, described, products)
        else:
            genomes, rows = _tile(layer.outputs, len(columns))
            tiles = -(-brood.size // genomes)
            self._share_out(tiles, kernels.score_dense, fitness, accuracy, what, task, described, genomes, rows)
        return Judgement(fitness, accuracy)

    def rebuild(self, brood: Brood, chosen: NDArray[np.integer]) -> Float32:
        """Return the genes of the chosen genomes, (C, D) float32."""
        genomes = np.empty((len(chosen), brood.network.gene_count), np.float32)
        chosen = np.asarray(chosen, np.int64)
        self._share_out(len(chosen), kernels.rebuild_genomes, genomes, chosen, _description(brood))
        return genomes

    def mutate(
        self, genomes: Float32, seed: int, generation: int, purpose: Purpose, rate: float, scale: float, first: int
    ) -> Float32:
        """Return a mutated copy of (G, D) genomes; rows before `first` stay unchanged."""
        mutated = np.array(genomes, np.float32)
        tables = gap_table(rate), normal_table(), np.float32(scale)
        numbers = generation, np.uint64(purpose), np.uint64(seed)

        def mutate(begin: int, end: int) -> None:
            kernels.mutate_genomes(mutated, *numbers, *tables, first + begin, first + end)

        share_out(max(0, len(mutated) - first), mutate, self.threads)
        return mutated

    def logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        """Return the logits (N, K) of one genome, a fixed number of images per BLAS call."""
        logits = np.empty((len(features), network.outputs), np.float32)
        genes, features = np.ascontiguousarray(genes), np.ascontiguousarray(features)
        tiles = -(-len(features) // IMAGE_TILE)
        self._share_out(tiles, kernels.tiled_logits, logits, genes, layer_table(network), features, IMAGE_TILE)
        return logits

    def perturb(self, network: Network, genes: Float32, batch: Batch, perturbation: Perturbation) -> Estimate:
        """Estimate from mirrored pairs of mutants per image how the genes (D,) of one network should change."""
        with single_threaded_blas():
            return numba_pairs.estimate(
                network, genes, batch, perturbation, lambda tiles, do: share_out(tiles, do, self.threads)
            )

    def descend(
        self, descent: Descent, genes: Float32, features: Float32, labels: NDArray[np.int64], order: NDArray[np.int64]
    ) -> tuple[Float32, NDArray[np.float64]]:
        """Train P networks on the same batches: trained genes (P, D) and mean losses (P,)."""
        return numba_gradients.descend(descent, genes, features, labels, order, self._share_out)

    def levels(self, layers: Sequence[FixedLayer], levels: UInt8, warps: Warps | None = None) -> UInt8:
        """Apply layers of levels to levels (N, I) uint8: (N, O) uint8."""
        return numba_images.levels_of(layers, levels, warps, self._share_out)

    def standardise(self, layer: Standardise, levels: UInt8) -> Float32:
        """Apply a layer to levels (N, I) uint8: (N, I) float32."""
        return numba_images.standardised(layer, levels, self._share_out)


def plan(brood: Brood) -> str:
    """Return how a brood is scored: "dense" or "inherited" (kernels/brood.py), by the multiply-adds each needs."""
    whole_units = brood.gene not in (Gene.WEIGHT, Gene.BLOCK)
    possible = len(brood.survivors) > 0 and whole_units
    per_image = len(brood.survivors) / brood.size + SPARSE_COST * brood.mutation_rate
    return "inherited" if possible and per_image < 1 else "dense"


def _tile(hidden: int, width: int) -> tuple[int, int]:
    """Return how many genomes go into one product, and how many rows of each: about BLOCK_GENES weights."""
    if hidden * width > BLOCK_GENES:
        return 1, min(hidden, max(MIN_ROWS, BLOCK_GENES // width))
    return max(1, min(MOST_GENOMES, BLOCK_GENES // (hidden * width))), hidden


def _lit_inputs(features: Float32) -> tuple[Float32, NDArray[np.int64], NDArray[np.int32]]:
    """Return what of a batch (N, I) matters: an input that is dark in every image adds nothing to any sum.

    Returns
    -------
    columns : (W, N) float32
        The lit inputs and the short gaps between them.
    spans : (n, 2) int64
        The runs of inputs they come from.
    places : (I,) int32
        Each input's row of `columns`, or -1.
    """
    inputs = features.shape[1]
    lit = np.flatnonzero(features.any(axis=0))
    if len(lit) == 0:
        lit = np.arange(1)
    breaks = np.flatnonzero(np.diff(lit) > LONGEST_GAP)
    spans = np.stack([lit[np.r_[0, breaks + 1]], lit[np.r_[breaks, -1]] + 1], axis=1)
    used = np.concatenate([np.arange(begin, end) for begin, end in spans])
    places = np.full(inputs, -1, np.int32)
    places[used] = np.arange(len(used))
    return np.ascontiguousarray(features[:, used].T), spans, places


def _description(brood: Brood) -> tuple[object, ...]:
    """Return the brood as the kernels' arguments, from `survivors` to `scale`."""
    return (
        brood.survivors,
        brood.parents,
        int(brood.gene),
        brood.runs,
        brood.elites,
        brood.generation,
        np.uint64(brood.seed),
        layer_table(brood.network),
        np.array([2 * brood.weight_range, 2 * brood.bias_range], np.float32),
        gap_table(brood.mutation_rate),
        normal_table(),
        np.float32(brood.mutation_scale),
    )
