"""The GPU path: CUDA kernels (cuda/*.cu) for offspring and scores, cuBLAS for the products, through CuPy.

Features and survivors stay on the device. For a generation, its parents, its batch (rows, labels) and the numbers of
the chosen genomes are sent to the device, and a fitness and an accuracy per genome are returned. Genomes are built a
tile at a time:

    bytes on the device = features M I 4 + two sets of survivors 2 S D 4 + a tile T (D + values + logits) 4

Everything runs on one stream, with products in float32 (TensorFloat-32 only if the user sets CUPY_TF32=1) and sums in a
fixed order: no atomics. Shapes: T genomes of a tile, O outputs of a layer, N images.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends import stacked
from genreg_np.backends.base import (
    Backend,
    Batch,
    Brood,
    Estimate,
    Judgement,
    Perturbation,
    Told,
    Work,
    brood_plan,
    first_draws,
    genome_bytes,
    numbers_of,
    piece_of,
    tiles_of,
)
from genreg_np.backends.cuda import pairs
from genreg_np.backends.cuda.device import checked_device, import_cupy, not_answering
from genreg_np.backends.cuda.launcher import Array, Launcher, classes_of
from genreg_np.backends.gradients import separate
from genreg_np.backends.images import Warps
from genreg_np.backends.memory import MEGABYTE, Plan
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.errors import BackendError, UsageError
from genreg_np.fitness import explained
from genreg_np.layers.groups import Gene
from genreg_np.layers.images import FixedLayer, Standardise, UInt8
from genreg_np.model import Float32, Network
from genreg_np.streams import SEGMENT, Purpose

TILE_BYTES = 256 << 20  # device memory for the genomes of a tile and their values
STACK_BYTES, STACK_IMAGES = 1 << 30, 1024  # the same for layers that are not all dense, and images at a time
MOST_ROWS = 65_535  # of a CUDA grid
LOGIT_IMAGES = 8192  # images in one product for the logits of a single genome
SCORE_BYTES = 9  # per image and genome: its score, and whether it was right


class CupyBackend(Backend):
    """Population arithmetic on one GPU.

    Parameters
    ----------
    device : int
        Number of the GPU, counted from 0.
    host : Backend, optional
        Backend that computes features; NumPy by default.

    Raises
    ------
    MissingExtraError
        If CuPy is not installed.
    BackendError
        If there is no usable GPU, driver or CUDA library.
    """

    name = "cupy"

    def __init__(self, device: int = 0, host: Backend | None = None) -> None:
        self._cupy = import_cupy()
        self.device = checked_device(self._cupy, device)
        self.name = f"cupy:{device}" if device else "cupy"  # a name for backends.create: a resumed run stays on its GPU
        self._launcher = Launcher(self._cupy)
        self._host = host or NumpyBackend()
        self._uploaded: _Uploaded | None = None  # the brood scored last, which is the one rebuilt next
        self.compile_seconds = 0.0  # spent on compiling or loading kernels and libraries

    @classmethod
    def create(cls, threads: int | None, device: int, host: Callable[[], Backend]) -> Backend:
        """Return a backend for a GPU of this machine."""
        if threads is not None:
            raise UsageError(f"threads {threads}: the cupy backend runs on the GPU; leave it out, or use numba")
        return cls(device, host())

    def warm_up(self, works: Sequence[Work] = tuple(Work), told: Told | None = None) -> float:
        """Compile the kernels, which CuPy caches on disk, and load cuBLAS; return the total seconds so far."""
        start = time.perf_counter()
        with self._running():
            _ = self._launcher.kernels
            self._launcher.first_product()
        if Work.IMAGES in works:
            self._host.warm_up([Work.IMAGES], told)
        self.compile_seconds += time.perf_counter() - start
        return self.compile_seconds

    def describe(self) -> str:
        """Return the device's name and memory."""
        properties = self._cupy.cuda.runtime.getDeviceProperties(self.device)
        return f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.0f} GB"

    # Fixed layers are computed once, in whole numbers, by the fastest backend of the host.

    def levels(self, layers: Sequence[FixedLayer], levels: UInt8, warps: Warps | None = None) -> UInt8:
        """Apply layers of levels to levels (N, I) uint8: (N, O) uint8."""
        return self._host.levels(layers, levels, warps)

    def standardise(self, layer: Standardise, levels: UInt8) -> Float32:
        """Apply a layer to levels (N, I) uint8: (N, I) float32."""
        return self._host.standardise(layer, levels)

    # The interface

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Run array arithmetic on the device."""
        with self._running():
            yield

    def to_device(self, features: Float32) -> Array:
        """Return features (M, I) on the device."""
        with self._running():
            return self._cupy.asarray(np.ascontiguousarray(features) if isinstance(features, np.ndarray) else features)

    def to_host(self, value: Any) -> Any:
        """Return an array of the device as a NumPy array, and anything else as it is."""
        return self._cupy.asnumpy(value) if isinstance(value, self._cupy.ndarray) else value

    def score(self, brood: Brood, batch: Batch, chosen: NDArray[np.integer] | None = None) -> Judgement:
        """Score genomes of the brood on the batch, a tile of genomes at a time."""
        with self._running(brood, len(batch)):
            cupy, launch, size, classes = self._cupy, self._launcher.launch, brood.size, brood.network.outputs
            rows = np.empty(0, np.int32) if batch.rows is None else batch.rows
            parents, labels, rows_there = self._launcher.send(brood.parents, classes_of(batch), rows)
            labels = self._launcher.targets(batch) if batch.of_numbers else labels
            self._uploaded = uploaded = _Uploaded(self, brood, parents)
            there, gather = self._launcher.there, self._launcher.gather
            images = there(batch.features) if batch.rows is None else gather(batch, rows_there)
            weights = self._launcher.constant(batch.weights)
            result = cupy.empty((2, size), np.float64)
            for first, numbers, answers in self._tiles(uploaded, images, chosen):
                count = len(numbers)
                if batch.of_numbers:
                    self._launcher.judge_errors(answers, batch, labels, result, first)
                    continue
                scores, right = cupy.empty((count, len(batch)), np.float64), cupy.empty((count, len(batch)), np.uint8)
                launch(
                    "judge", (len(batch), count), scores, right, answers, numbers, labels, weights, classes, len(batch),
                    batch.score, batch.reward, batch.penalty, brood.generation, brood.seed,
                )  # fmt: skip
                launch("total", (count, 1), result, size, first, scores, right, count, len(batch))
            fitness, accuracy = cupy.asnumpy(result)
        return Judgement(fitness, explained(accuracy) if batch.of_numbers else accuracy).of(chosen)

    def outputs(self, brood: Brood, features: Array, chosen: NDArray[np.integer] | None = None) -> Float32:
        """Return the outputs of genomes of the brood, (C, N, K)."""
        picked = numbers_of(brood.size, chosen)
        found = np.empty((len(picked), len(features), brood.network.outputs), np.float32)
        with self._running(brood, len(features)):
            self._uploaded = uploaded = _Uploaded(self, brood, *self._launcher.send(brood.parents))
            for first, numbers, answers in self._tiles(uploaded, self._launcher.there(features), chosen):
                own = np.flatnonzero((picked >= first) & (picked < first + len(numbers)))
                found[own] = self._cupy.asnumpy(answers)[picked[own] - first].swapaxes(1, 2)
        return found

    def _tiles(
        self, uploaded: _Uploaded, images: Array, chosen: NDArray[np.integer] | None
    ) -> Iterator[tuple[int, Array, Array]]:
        """Yield every tile with chosen genomes: its first genome's number, all numbers (T,), and outputs (T, K, N)."""
        size, tile = uploaded.brood.size, self._tile(uploaded.brood.network, len(images))
        everyone = self._launcher.constant(np.arange(size, dtype=np.int32))
        for number in tiles_of(size, tile, chosen).tolist():
            numbers = everyone[number * tile : (number + 1) * tile]
            yield number * tile, numbers, self._answers(uploaded, numbers, images)

    def rebuild(self, brood: Brood, chosen: NDArray[np.integer]) -> Array:
        """Return the genes of the chosen genomes, (C, D) float32, on the device."""
        with self._running(brood, kept=len(chosen)):
            if self._uploaded is None or self._uploaded.brood is not brood:
                self._uploaded = _Uploaded(self, brood, *self._launcher.send(brood.parents))
            genomes = self._cupy.empty((len(chosen), brood.network.gene_count), np.float32)
            (numbers,) = self._launcher.send(np.asarray(chosen))
            whole = self._whole(brood.network.gene_count)
            for first in range(0, len(chosen), MOST_ROWS):
                rows = slice(first, first + MOST_ROWS)
                self._build(genomes[rows], whole, numbers[rows], self._uploaded)
        return genomes

    def mutate(
        self, genomes: Float32, seed: int, generation: int, purpose: Purpose, rate: float, scale: float, first: int
    ) -> Array:
        """Return a mutated copy of (G, D) genomes; rows before `first` are unchanged."""
        with self._running():
            mutated = self._cupy.array(genomes)
            numbers = self._launcher.constant(np.arange(len(genomes), dtype=np.int32))
            for start in range(0, len(genomes), MOST_ROWS):
                rows, whole = slice(start, start + MOST_ROWS), self._whole(genomes.shape[1])
                self._mutate(mutated[rows], whole, numbers[rows], genomes.shape[1], first, generation, purpose, seed,
                             rate, scale)  # fmt: skip
        return mutated

    def logits(self, network: Network, genes: Float32, features: Array) -> Float32:
        """Return the logits (N, K) of one genome, a fixed number of images per product."""
        with self._running():
            cupy = self._cupy
            features, genome = cupy.asarray(features), cupy.asarray(genes)
            logits = cupy.empty((len(features), network.outputs), np.float32)
            for start in range(0, len(features), LOGIT_IMAGES):
                images = features[start : start + LOGIT_IMAGES]
                if not network.is_dense:
                    piece = piece_of(network, STACK_IMAGES)
                    columns = cupy.ascontiguousarray(images.T)
                    found = stacked.logits(self.stack(network), separate(network, genome[None]), columns, piece)
                    logits[start : start + LOGIT_IMAGES] = found[0].T
                    continue
                values = images.T
                for layer, (weights, biases) in zip(network.dense, network.unpack(genome), strict=True):
                    values = cupy.matmul(weights, values)
                    self._launcher.activate(values, biases, layer.activation)
                logits[start : start + LOGIT_IMAGES] = values.T
            answers: Float32 = cupy.asnumpy(logits)
        return answers

    def perturb(self, network: Network, genes: Float32, batch: Batch, perturbation: Perturbation) -> Estimate:
        """Estimate how the genes (D,) of one network should change, from mirrored pairs of mutants per image."""
        with self._running():
            return pairs.estimate(self._launcher, network, genes, batch, perturbation, TILE_BYTES)

    def plan(self, brood: Brood, images: int) -> Plan:
        """Return how a generation is scored; the features on the device are not included."""
        return self._plan(brood, images, len(brood.survivors))

    def memory(self) -> int:
        """Set no limit: if the device runs out of memory, the error says what would fit (`_too_large`)."""
        return sys.maxsize

    # Helpers

    def _answers(self, uploaded: _Uploaded, numbers: Array, images: Array) -> Array:
        """Return the logits (T, K, N) of the genomes `numbers` (T,)."""
        cupy, network, count = self._cupy, uploaded.brood.network, len(numbers)
        genes = cupy.empty(count * network.gene_count, np.float32)  # all genomes' weights of a layer are one array
        self._build(genes, self._launcher.parameters_of(network), numbers, uploaded)
        if not network.is_dense:
            parameters = [
                genes[count * place.start : count * place.stop].reshape(count, *parameter.shape)
                for parameter, place in network.parameter_slices
            ]
            columns = cupy.ascontiguousarray(images.T)
            return stacked.logits(self.stack(network), parameters, columns, piece_of(network, STACK_IMAGES))
        values = None
        for layer, (weight_slice, bias_slice) in zip(network.dense, network.weight_slices, strict=True):
            weights = genes[count * weight_slice.start : count * weight_slice.stop]
            if values is None:  # all genomes in one product
                values = cupy.matmul(weights.reshape(count * layer.outputs, layer.inputs), images.T)
                values = values.reshape(count, layer.outputs, len(images))
            else:
                values = cupy.matmul(weights.reshape(count, layer.outputs, layer.inputs), values)
            biases = genes[count * bias_slice.start : count * bias_slice.stop]
            self._launcher.activate(values, biases, layer.activation)
        return values

    def _whole(self, size: int) -> Array:
        """Return the parts of genomes that are stored one after the other, as a single part."""
        return self._launcher.constant(np.array([0, size], np.int64))

    def _build(self, genes: Array, parts: Array, numbers: Array, uploaded: _Uploaded) -> None:
        """Fill the genes of the genomes `numbers` (T,), stored in `parts` (offspring.cu)."""
        brood, rows, size = uploaded.brood, len(numbers), uploaded.brood.network.gene_count
        if uploaded.survivors is None:
            how = map(self._launcher.constant, first_draws(brood.network, brood.weight_range, brood.bias_range))
            starts = self._launcher.parameters_of(brood.network)
            self._launcher.launch(
                "draw_initial", (-(-size // 4), rows), genes, size, rows, parts, starts, *how, numbers, brood.seed
            )
            return
        self._launcher.launch(
            "inherit", (-(-size // 4), rows), genes, size, rows, parts, numbers, uploaded.survivors, uploaded.parents,
            brood.gene is not Gene.NONE, uploaded.runs, uploaded.run_count, brood.elites, brood.generation, brood.seed,
        )  # fmt: skip
        self._mutate(
            genes, parts, numbers, size, brood.elites, brood.generation, Purpose.MUTATION, brood.seed,
            brood.mutation_rate, brood.mutation_scale,
        )  # fmt: skip

    def _mutate(
        self, genes: Array, parts: Array, numbers: Array, size: int, first_mutable: int, generation: int,
        purpose: Purpose, seed: int, rate: float, scale: float,
    ) -> None:  # fmt: skip
        """Mutate the genomes `numbers` (T,), of `size` genes, in place."""
        if rate:
            self._launcher.launch(
                "mutate", (-(-size // SEGMENT), len(numbers)), genes, size, len(numbers), parts, numbers, first_mutable,
                generation, purpose, seed, self._launcher.table("gaps", rate), self._launcher.table("normal"), scale,
            )  # fmt: skip

    def _tile(self, network: Network, images: int) -> int:
        limit = TILE_BYTES if network.is_dense else STACK_BYTES
        return max(1, min(MOST_ROWS, limit // self._genome_bytes(network, images)))

    def _genome_bytes(self, network: Network, images: int) -> int:
        """Return the bytes of a genome of a tile, its scores included."""
        return genome_bytes(network, images, STACK_IMAGES) + SCORE_BYTES * images

    def _plan(self, brood: Brood, images: int, survivors: int) -> Plan:
        tile = min(self._tile(brood.network, images), brood.size)
        each = self._genome_bytes(brood.network, images)
        return brood_plan(
            "dense" if brood.network.is_dense else "whole",
            (survivors, brood.network.gene_count),
            tile,
            "genomes at a time",
            each,
        )

    @contextmanager
    def _running(self, brood: Brood | None = None, images: int = 0, kept: int = 0) -> Iterator[None]:
        """Compute on the device; if its memory runs out, say so in one line (`kept`: number of genomes to rebuild)."""
        with self._cupy.cuda.Device(self.device):
            try:
                yield
            except self._cupy.cuda.memory.OutOfMemoryError:
                raise BackendError(self._too_large(brood, images, kept)) from None
            except self._cupy.cuda.runtime.CUDARuntimeError as error:
                raise not_answering(self.device, error) from None

    def _too_large(self, brood: Brood | None, images: int, kept: int) -> str:
        pool = self._cupy.get_default_memory_pool()
        free, whole = self._cupy.cuda.runtime.memGetInfo()
        free += pool.total_bytes() - pool.used_bytes()
        line = f"out of memory on GPU {self.device}: {free / 2**20:,.0f} of its {whole / 2**20:,.0f} MB are free"
        if brood is None:
            return line + ": choose a smaller dataset, batch or population, or another GPU with --device"
        genes, survivors = brood.network.gene_count, kept or len(brood.survivors) or brood.size
        # A genome costs its share of two sets of survivors; the current survivors' memory would be freed.
        share = 8 * genes * survivors / brood.size
        fits = int((free + 4 * len(brood.survivors) * genes - TILE_BYTES) / share)
        way_out = f"--set population_size={fits}" if fits > 1 else "a smaller network"
        needed = self._plan(brood, images, survivors)
        size = f"memory {needed.formula} = {needed.bytes / MEGABYTE:,.0f} MB"
        return f"{line}; a generation needs {size}: about {way_out} would fit"


class _Uploaded:
    """A brood's arrays on the device; `parents` (2 P,) int32 are already there."""

    def __init__(self, backend: CupyBackend, brood: Brood, parents: Array) -> None:
        self.brood, self.parents = brood, parents
        self.survivors = backend._launcher.there(brood.survivors) if len(brood.survivors) else None
        runs = brood.runs
        self.run_count = len(runs)
        self.runs = backend._launcher.constant(runs)
