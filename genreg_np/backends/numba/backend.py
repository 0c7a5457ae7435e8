"""The fast CPU path: the kernels of kernels/, on tiles that a few threads share, with single-threaded BLAS.

The result does not depend on which thread computes a tile.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import (
    ACTIVATION_CODES,
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
    piece_of,
)
from genreg_np.backends.gradients import Descent, separate
from genreg_np.backends.images import Warps
from genreg_np.backends.memory import Plan
from genreg_np.backends.numba import broods as numba_broods
from genreg_np.backends.numba import gradients as numba_gradients
from genreg_np.backends.numba import images as numba_images
from genreg_np.backends.numba import pairs as numba_pairs
from genreg_np.backends.numba import scoring
from genreg_np.backends.numba import stacks as numba_stacks
from genreg_np.backends.numba import warm as numba_warm
from genreg_np.backends.numba.fast import fast_stack
from genreg_np.backends.numba.kernels import offspring
from genreg_np.backends.numba.kernels.jit import is_compiled, mark_compiled
from genreg_np.backends.numba.kernels.network import activate, multiply, multiply_turned
from genreg_np.backends.numba.words import FastStream
from genreg_np.backends.threads import share_out, single_threaded_blas
from genreg_np.errors import UsageError
from genreg_np.layers.composite import Stack
from genreg_np.layers.images import FixedLayer, Standardise, UInt8
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Float32, Network
from genreg_np.settings import usable_processors
from genreg_np.streams import Purpose, Stream, gap_table, normal_table

MOST_THREADS = 1024


class NumbaBackend(Backend):
    """Population arithmetic in compiled kernels.

    Parameters
    ----------
    threads : int or None
        Number of threads; one per processor by default.

    Raises
    ------
    UsageError
        For a number of threads below 1 or above MOST_THREADS.
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
        """Return a backend for this machine's CPU."""
        return cls(threads)

    @classmethod
    def must_compile(cls, works: Sequence[Work]) -> bool:
        """Whether kernels of these works are not in the cache yet."""
        return not all(is_compiled(work.name) for work in works)

    def describe(self) -> str:
        """Return the number of threads."""
        return f"{self.threads} thread{'s' if self.threads > 1 else ''}"

    def plan(self, brood: Brood, images: int) -> Plan:
        """Return how a generation is scored; it takes less memory if inputs are inactive in the whole batch."""
        if not brood.network.is_dense:
            return numba_stacks.plan(brood, images, self.threads, self.stack(brood.network).layers)
        first, kind = brood.network.dense[0], numba_broods.way_of(brood)
        values = 4 * first.outputs * images
        if kind == "inherited":
            count = len(brood.survivors) + self.threads * numba_broods.inherited_at_once(first.outputs, images)
            return brood_plan("inherited", brood.survivors.shape, count, "survivors and genomes of threads", values)
        genomes, rows = numba_broods.tile_of(first.outputs, first.inputs)
        each = genomes * (4 * rows * first.inputs + values)
        return brood_plan("dense", brood.survivors.shape, self.threads, "threads", each)

    def _run(self, tiles: int, do: Callable[[int, int], object]) -> None:
        """Run do(first, last) for ranges of tiles 0 .. tiles - 1."""
        share_out(tiles, do, self.threads)

    def _share_out(self, tiles: int, kernel: Callable[..., object], *arguments: Any) -> None:
        """Run a kernel on tiles 0 .. tiles - 1."""
        with single_threaded_blas():
            self._run(tiles, lambda first, last: kernel(*arguments, first, last))

    def warm_up(self, works: Sequence[Work] = tuple(Work), told: Told | None = None) -> float:
        """Compile the kernels that these works need, or load them from the cache; return the total seconds so far."""
        start, cold = time.perf_counter(), set(works) - self._warm
        if cold:
            numba_warm.warm_up(self, sorted(cold), all(is_compiled(work.name) for work in cold), told)
            for work in cold:
                mark_compiled(work.name)
            self._warm |= cold
            self.compile_seconds += time.perf_counter() - start
        return self.compile_seconds

    def stack(self, network: Network) -> Stack:
        """Return the learning layers, with kernels for most; it has its own memory, for use by one thread."""
        return fast_stack(network.learning)

    def stream(self, stream: Stream) -> Stream:
        """Return the same stream, with words drawn by a kernel."""
        return FastStream(stream.seed)

    def score(self, brood: Brood, batch: Batch, chosen: NDArray[np.integer] | None = None) -> Judgement:
        """Score genomes of the brood on the batch."""
        with single_threaded_blas():
            return scoring.score(brood, batch, chosen, self._run, lambda: self.stack(brood.network))

    def outputs(self, brood: Brood, features: Float32, chosen: NDArray[np.integer] | None = None) -> Float32:
        """Return the outputs of genomes of the brood, (C, N, K)."""
        with single_threaded_blas():
            return scoring.outputs(brood, features, chosen, self._run, lambda: self.stack(brood.network))

    def rebuild(self, brood: Brood, chosen: NDArray[np.integer]) -> Float32:
        """Return the genes of the chosen genomes, (C, D) float32."""
        genomes = np.empty((len(chosen), brood.network.gene_count), np.float32)
        numbers, genes = np.asarray(chosen, np.int64), numba_broods.Offspring(brood)
        self._run(len(chosen), lambda first, last: genes.rebuild(genomes[first:last], numbers[first:last]))
        return genomes

    def mutate(
        self, genomes: Float32, seed: int, generation: int, purpose: Purpose, rate: float, scale: float, first: int
    ) -> Float32:
        """Return a mutated copy of (G, D) genomes; rows before `first` are unchanged."""
        mutated, count = np.array(genomes, np.float32), genomes.shape[1]
        tables = gap_table(rate), normal_table(), np.float32(scale)
        drawn, every = (generation, np.uint64(purpose), np.uint64(seed)), np.arange(len(genomes))
        where = (0, 1, count), numba_broods.whole(count), numba_broods.EVERY_PLACE

        def mutate(begin: int, end: int) -> None:
            some = slice(first + begin, first + end)
            offspring.mutate(mutated[some], *where, every[some], 0, drawn, tables)

        self._run(max(0, len(mutated) - first), mutate)
        return mutated

    def logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        """Return the logits (N, K) of one genome, a fixed number of images per BLAS call."""
        if not network.is_dense:
            return self._stacked_logits(network, genes, features)
        logits = np.empty((len(features), network.outputs), np.float32)
        layers, features = network.unpack(np.ascontiguousarray(genes)), np.ascontiguousarray(features)
        codes = [ACTIVATION_CODES[layer.activation] for layer in network.dense]

        def answer(first: int, last: int) -> None:
            for tile in range(first, last):
                own = slice(tile * IMAGE_TILE, (tile + 1) * IMAGE_TILE)
                below = features[own]
                for number, (weights, biases) in enumerate(layers):
                    sums = np.empty((len(biases), len(features[own])), np.float32)
                    if number:
                        multiply(weights[None], below[None], sums[None])
                    else:
                        multiply_turned(weights, below, sums)
                    activate(sums, biases, codes[number])
                    below = sums
                logits[own] = below.T

        with single_threaded_blas():
            self._run(-(-len(features) // IMAGE_TILE), answer)
        return logits

    def _stacked_logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        """Return the logits (N, K) of one genome whose layers are not all dense."""
        logits, piece = np.empty((len(features), network.outputs), np.float32), piece_of(network, numba_stacks.PIECE)
        parameters = separate(network, genes[None])
        own = numba_stacks.OnePerThread(lambda: self.stack(network))

        def answer(first: int, last: int) -> None:
            for tile in range(first, last):
                images = slice(tile * piece, (tile + 1) * piece)
                logits[images] = own().outputs(parameters, np.ascontiguousarray(features[images].T))[0].T

        with single_threaded_blas():
            self._run(-(-len(features) // piece), answer)
        return logits

    def perturb(self, network: Network, genes: Float32, batch: Batch, perturbation: Perturbation) -> Estimate:
        """Estimate how the genes (D,) of one network should change, from mirrored pairs of mutants per image."""
        with single_threaded_blas():
            return numba_pairs.estimate(network, genes, batch, perturbation, self._run)

    def follow(
        self,
        optimiser: Optimiser,
        genes: Float32,
        gradient: Float32,
        moments: Float32,
        number: int,
        decay: Float32 | None = None,
        clip: float = 0.0,
        in_place: bool = False,
    ) -> tuple[Float32, Float32]:
        """Return one network's genes and moments after a step, with the same bytes as layers/optimisers.py."""
        return numba_gradients.follow(optimiser, genes, gradient, moments, number, decay, clip, in_place)

    def descend(
        self, descent: Descent, genes: Float32, features: Float32, labels: NDArray[Any], order: NDArray[np.int64]
    ) -> tuple[Float32, NDArray[np.float64]]:
        """Train P networks; return genes (P, D) and mean losses (P,). The specification handles losses of numbers."""
        if descent.loss != "negative-log-likelihood":
            return super().descend(descent, genes, features, labels, order)
        return numba_gradients.descend(descent, genes, features, labels, order, self._share_out)

    def levels(self, layers: Sequence[FixedLayer], levels: UInt8, warps: Warps | None = None) -> UInt8:
        """Apply layers of levels to levels (N, I) uint8: (N, O) uint8."""
        return numba_images.levels_of(layers, levels, warps, self._share_out)

    def moved(
        self,
        images: Float32,
        moves: NDArray[np.int64],
        matrices: NDArray[np.float64],
        fields: Float32 | None = None,
    ) -> Float32:
        """Return images (N, C, H, W) moved as in backends/moving.py."""
        return numba_images.moved(images, moves, matrices, fields, self._share_out)

    def standardise(self, layer: Standardise, levels: UInt8) -> Float32:
        """Apply a layer to levels (N, I) uint8: (N, I) float32."""
        return numba_images.standardised(layer, levels, self._share_out)
