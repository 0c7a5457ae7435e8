"""The specification: every backend must do what this one does. Short, obvious, vectorised over a tile of genomes.

Shapes: T genomes of a tile, D genes, S segments of the mutation walk, N images, K classes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import (
    IMAGE_TILE,
    Backend,
    Batch,
    Brood,
    Gene,
    Judgement,
    Score,
    crossover_runs,
    genome_bytes,
    memory_line,
)
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.infer import ACTIVATIONS
from genreg_np.model import Float32, Network
from genreg_np.streams import (
    BLOCKS_PER_SEGMENT,
    SEGMENT,
    Purpose,
    Stream,
    gap_table,
    normal_table,
    unit_floats,
)

TILE_GENES = 4_000_000  # genes held dense at a time; bounds memory, changes no result


class NumpyBackend(Backend):
    """Population arithmetic in NumPy."""

    name = "numpy"

    def plan(self, brood: Brood, images: int) -> str:
        """Say how a generation is scored."""
        tile = min(_tile_size(brood.network), brood.size)
        each = genome_bytes(brood.network, images)
        return "dense; " + memory_line(brood.survivors.shape, tile, "genomes at a time", each)

    def score(self, brood: Brood, batch: Batch) -> Judgement:
        """Judge every genome of the brood on the batch, a tile of genomes at a time."""
        fitness, accuracy = np.empty(brood.size), np.empty(brood.size)
        features = np.ascontiguousarray(batch.images.T)
        with single_threaded_blas():
            for tile in _tiles(np.arange(brood.size), brood.network):
                logits = forward(brood.network, build(brood, tile), features)
                fitness[tile], accuracy[tile] = judge(logits, batch, brood, tile)
        return Judgement(fitness, accuracy)

    def rebuild(self, brood: Brood, chosen: NDArray[np.integer]) -> Float32:
        """Return the genes of the chosen genomes, (C, D) float32."""
        genomes = np.empty((len(chosen), brood.network.gene_count), np.float32)
        for rows in _tiles(np.arange(len(chosen)), brood.network):
            genomes[rows] = build(brood, chosen[rows])
        return genomes

    def mutate(
        self, genomes: Float32, seed: int, generation: int, purpose: Purpose, rate: float, scale: float, first: int
    ) -> Float32:
        """Return a mutated copy of (G, D) genomes; rows before `first` stay unchanged."""
        mutated = genomes.copy()
        rows = np.arange(len(genomes))
        add_mutation(mutated, rows, rows >= first, Stream(seed), generation, purpose, rate, scale)
        return mutated

    def logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        """Return the logits (N, K) of one genome, a fixed number of images per BLAS call."""
        logits = np.empty((len(features), network.outputs), np.float32)
        with single_threaded_blas():
            for start in range(0, len(features), IMAGE_TILE):
                columns = np.ascontiguousarray(features[start : start + IMAGE_TILE].T)
                logits[start : start + IMAGE_TILE] = forward(network, genes[None], columns)[0].T
        return logits


def _tiles(indices: NDArray[np.int64], network: Network) -> list[NDArray[np.int64]]:
    size = _tile_size(network)
    return [indices[start : start + size] for start in range(0, len(indices), size)]


def _tile_size(network: Network) -> int:
    return max(1, TILE_GENES // network.gene_count)


def build(brood: Brood, tile: NDArray[np.integer]) -> Float32:
    """Return the genes of the genomes numbered in `tile`, (T, D) float32."""
    stream = Stream(brood.seed)
    if len(brood.survivors) == 0:
        return initial_genomes(brood, stream, tile)
    genomes: Float32 = brood.survivors[brood.parents[tile, 0]]
    others = brood.survivors[brood.parents[tile, 1]]
    is_child = np.asarray(tile) >= brood.elites
    if brood.gene is not Gene.NONE:
        genomes = np.where(crossover_mask(brood, stream, tile) & is_child[:, None], others, genomes)
    add_mutation(
        genomes,
        np.asarray(tile),
        is_child,
        stream,
        brood.generation,
        Purpose.MUTATION,
        brood.mutation_rate,
        brood.mutation_scale,
    )
    return genomes


def initial_genomes(brood: Brood, stream: Stream, tile: NDArray[np.integer]) -> Float32:
    """Draw genomes of generation 0: genes (2 u - 1) * range, rounded once, (T, D) float32."""
    network, count = brood.network, brood.network.gene_count
    blocks = stream.blocks(Purpose.INITIAL, 0, np.asarray(tile)[:, None], np.arange(-(-count // 4)))
    genomes = unit_floats(blocks.reshape(len(tile), -1)[:, :count]) - np.float32(0.5)
    for weights, biases in network.weight_slices:
        genomes[:, weights] *= np.float32(2 * brood.weight_range)
        genomes[:, biases] *= np.float32(2 * brood.bias_range)
    return genomes


def crossover_mask(brood: Brood, stream: Stream, tile: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return where genes come from the second parent, (T, D) bool: bit b of the genome's words for gene group b."""
    count = brood.network.gene_count
    runs = crossover_runs(brood.network, brood.gene)
    groups = count if brood.gene is Gene.WEIGHT else int(runs[:, 1].max()) + 1
    blocks = stream.blocks(Purpose.CROSSOVER, brood.generation, np.asarray(tile)[:, None], np.arange(-(-groups // 128)))
    octets = np.ascontiguousarray(blocks.reshape(len(tile), -1), "<u4").view(np.uint8)
    bits = np.unpackbits(octets, axis=1, count=groups, bitorder="little").view(np.bool_)
    if brood.gene is Gene.WEIGHT:
        return bits
    lengths = np.diff(runs[:, 0], append=count)
    return np.repeat(bits[:, runs[:, 1]], lengths, axis=1)


def add_mutation(
    genomes: Float32,
    numbers: NDArray[np.integer],
    mutable: NDArray[np.bool_],
    stream: Stream,
    generation: int,
    purpose: Purpose,
    rate: float,
    scale: float,
) -> None:
    """Add masked Gaussian noise in place: w + scale * z at each gene the walk of streams.py stops at.

    Parameters
    ----------
    genomes : (T, D) float32
    numbers : (T,) int
        The numbers under which the genomes draw.
    mutable : (T,) bool
        Genomes that mutate at all.
    """
    if not mutable.any():
        return
    count = genomes.shape[1]
    gaps, normal = gap_table(rate), normal_table()
    rows, segments = np.flatnonzero(mutable)[:, None, None], np.arange(-(-count // SEGMENT))[None, :, None]
    expected = rate * SEGMENT
    chunk = max(1, min(BLOCKS_PER_SEGMENT, int(expected + 4 * expected**0.5) // 4 + 1))  # blocks drawn at a time
    position = np.full((len(rows), segments.size, 1), -1)
    for drawn in range(0, BLOCKS_PER_SEGMENT, chunk):
        blocks = segments * BLOCKS_PER_SEGMENT + np.arange(drawn, min(drawn + chunk, BLOCKS_PER_SEGMENT))
        words = stream.blocks(purpose, generation, numbers[rows], blocks).reshape(*position.shape[:2], -1)
        position = position[..., -1:] + np.cumsum(gaps[words & np.uint32(0xFFFF)], axis=2)
        gene = segments * SEGMENT + position
        row, segment, step = np.nonzero((position < SEGMENT) & (gene < count))
        noise = np.float32(scale) * normal[words[row, segment, step] >> np.uint32(16)]
        genomes[rows[row, 0, 0], gene[row, segment, step]] += noise
        if position[..., -1].min() >= SEGMENT - 1:
            return


def forward(network: Network, genomes: Float32, columns: Float32) -> Float32:
    """Return the logits of every genome, (T, K, N): a(W x + b) per layer, one BLAS call per genome and layer.

    Parameters
    ----------
    genomes : (T, D) float32
    columns : (I, N) float32
        One input per column.
    """
    values = columns
    for layer, (weights, biases) in zip(network.dense, network.unpack(genomes), strict=True):
        values = ACTIVATIONS[layer.activation](np.matmul(weights, values) + biases[..., None])
    return values


def judge(
    logits: Float32, batch: Batch, brood: Brood, tile: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return fitness and accuracy of the tile's genomes, each (T,) float64, from logits (T, K, N)."""
    images = np.arange(len(batch))
    shifted = logits - logits.max(axis=1, keepdims=True)
    if batch.score is Score.REWARD_SAMPLED:
        words = Stream(brood.seed).blocks(
            Purpose.PREDICTION, brood.generation, np.asarray(tile)[:, None], np.arange(-(-len(batch) // 4))
        )
        draws = unit_floats(words.reshape(len(tile), -1)[:, : len(batch)])
        cumulative = np.cumsum(np.exp(shifted), axis=1)
        passed = cumulative <= draws[:, None, :] * cumulative[:, -1:, :]
        predicted = np.minimum(passed.sum(axis=1), logits.shape[1] - 1)
    else:
        predicted = logits.argmax(axis=1)
    right = predicted == batch.labels
    if batch.score is Score.LOG_PROBABILITY:
        scores = shifted[:, batch.labels, images] - np.log(np.exp(shifted).sum(axis=1))
    else:
        scores = np.where(right, batch.reward, batch.penalty)
    fitness = np.cumsum(scores * batch.weights, axis=1, dtype=np.float64)[:, -1]
    return fitness, right.mean(axis=1)
