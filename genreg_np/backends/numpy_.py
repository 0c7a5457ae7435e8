"""The specification: every backend must do what this one does. Short, plain, vectorised over a tile of genomes.

Shapes: T genomes of a tile, D genes, S segments of the mutation walk, N images, K classes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends import stacked
from genreg_np.backends.base import (
    IMAGE_TILE,
    Backend,
    Batch,
    Brood,
    Estimate,
    Judgement,
    Perturbation,
    brood_plan,
    first_draws,
    genome_bytes,
    numbers_of,
    piece_of,
    tiles_of,
)
from genreg_np.backends.memory import Plan
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.fitness import Score, check_image_scores, explained
from genreg_np.infer import ACTIVATIONS
from genreg_np.layers.groups import Gene
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

TINY = np.float32(1e-12)  # avoids a division by 0 for images without any advantage
TILE_GENES = 4_000_000  # genes held in memory at a time; bounds memory, changes no result


class NumpyBackend(Backend):
    """Population arithmetic in NumPy."""

    name = "numpy"

    def plan(self, brood: Brood, images: int) -> Plan:
        """Return how a generation is scored."""
        tile = min(_tile_size(brood.network, images), brood.size)
        each = genome_bytes(brood.network, images)
        return brood_plan("dense", brood.survivors.shape, tile, "genomes at a time", each)

    def score(self, brood: Brood, batch: Batch, chosen: NDArray[np.integer] | None = None) -> Judgement:
        """Score genomes of the brood on the batch, a tile of genomes at a time."""
        fitness, accuracy = np.empty(brood.size), np.empty(brood.size)
        for tile, logits in answers(brood, batch.inputs, chosen):
            fitness[tile], accuracy[tile] = judge(logits, batch, brood, tile)
        return Judgement(fitness, accuracy).of(chosen)

    def outputs(self, brood: Brood, features: Float32, chosen: NDArray[np.integer] | None = None) -> Float32:
        """Return the outputs of genomes of the brood, (C, N, K)."""
        numbers = numbers_of(brood.size, chosen)
        found = np.empty((len(numbers), len(features), brood.network.outputs), np.float32)
        for tile, logits in answers(brood, features, chosen):
            rows = np.flatnonzero(np.isin(numbers, tile))
            found[rows] = logits[numbers[rows] - tile[0]].swapaxes(1, 2)
        return found

    def rebuild(self, brood: Brood, chosen: NDArray[np.integer]) -> Float32:
        """Return the genes of the chosen genomes, (C, D) float32."""
        genomes = np.empty((len(chosen), brood.network.gene_count), np.float32)
        size = max(1, TILE_GENES // brood.network.gene_count)
        for start in range(0, len(chosen), size):
            genomes[start : start + size] = build(brood, chosen[start : start + size])
        return genomes

    def mutate(
        self, genomes: Float32, seed: int, generation: int, purpose: Purpose, rate: float, scale: float, first: int
    ) -> Float32:
        """Return a mutated copy of (G, D) genomes; rows before `first` are unchanged."""
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

    def perturb(self, network: Network, genes: Float32, batch: Batch, perturbation: Perturbation) -> Estimate:
        """Estimate how the genes (D,) of one network should change, from mirrored pairs of mutants per image."""
        with single_threaded_blas():
            return estimate(network, genes, batch, perturbation)


def answers(
    brood: Brood, features: Float32, chosen: NDArray[np.integer] | None
) -> Iterator[tuple[NDArray[np.int64], Float32]]:
    """Yield every tile (T,) that holds chosen genomes, and the tile's logits (T, K, N) for features (N, I)."""
    columns, size = np.ascontiguousarray(features.T), _tile_size(brood.network, len(features))
    with single_threaded_blas():
        for number in tiles_of(brood.size, size, chosen):
            tile = np.arange(number * size, min((number + 1) * size, brood.size))
            yield tile, forward(brood.network, build(brood, tile), columns)


def _tile_size(network: Network, images: int) -> int:
    if not network.is_dense:
        return stacked.genomes_at_once(network, images)
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
    """Draw genomes of generation 0: genes (u - 1/2) * width, rounded once, then + first, (T, D) float32."""
    network, count = brood.network, brood.network.gene_count
    blocks = stream.blocks(Purpose.INITIAL, 0, np.asarray(tile)[:, None], np.arange(-(-count // 4)))
    genomes = unit_floats(blocks.reshape(len(tile), -1)[:, :count]) - np.float32(0.5)
    widths, firsts = first_draws(network, brood.weight_range, brood.bias_range)
    for (_, place), width, first in zip(network.parameter_slices, widths, firsts, strict=True):
        genomes[:, place] *= width
        if first:
            genomes[:, place] += first
    return genomes


def crossover_mask(brood: Brood, stream: Stream, tile: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Return which genes come from the second parent, (T, D) bool: bit b of the genome's words for gene group b."""
    count = brood.network.gene_count
    runs = brood.runs
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
    """Add masked Gaussian noise in place: w + scale * z at each gene where the walk of streams.py stops.

    Parameters
    ----------
    genomes : (T, D) float32
    numbers : (T,) int
        The genomes' numbers in the random streams.
    mutable : (T,) bool
        Genomes that may mutate.
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

    Networks that are not all dense are computed by their layers' own arithmetic.

    Parameters
    ----------
    genomes : (T, D) float32
    columns : (I, N) float32
        One input per column.
    """
    if not network.is_dense:
        found: Float32 = stacked.logits(network.stack, network.parameters_of(genomes), columns, piece_of(network))
        return found
    values = columns
    for layer, (weights, biases) in zip(network.dense, network.unpack(genomes), strict=True):
        values = ACTIVATIONS[layer.activation](np.matmul(weights, values) + biases[..., None])
    return values


def judge(
    logits: Float32, batch: Batch, brood: Brood, tile: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return fitness and accuracy of the tile's genomes, each (T,) float64, from logits (T, K, N)."""
    draws = np.empty((len(tile), 0), np.uint32)
    if batch.score is Score.REWARD_SAMPLED:
        blocks = np.arange(-(-len(batch) // 4))
        words = Stream(brood.seed).blocks(Purpose.PREDICTION, brood.generation, np.asarray(tile)[:, None], blocks)
        draws = words.reshape(len(tile), -1)[:, : len(batch)]
    scores, right = image_scores(logits, batch, draws)
    fitness = np.cumsum(scores * batch.weights, axis=1, dtype=np.float64)[:, -1]
    return fitness, share_of(right)


def image_scores(logits: Float32, batch: Batch, draws: NDArray[np.uint32]) -> tuple[NDArray[np.floating], NDArray[Any]]:
    """Return each network's score for each image, and whether it is right, (T, N) each, from logits (T, K, N).

    Sampled classes are drawn by the words `draws` (T, N). If labels are numbers, the second result is squared errors.
    """
    if batch.of_numbers:
        return number_scores(logits, batch)
    label = batch.labels[None, None]
    shifted = logits - logits.max(axis=1, keepdims=True)
    own = np.take_along_axis(shifted, label, axis=1)[:, 0]
    if batch.score is Score.REWARD_SAMPLED:
        cumulative = np.cumsum(np.exp(shifted), axis=1)
        passed = cumulative <= unit_floats(draws)[:, None, :] * cumulative[:, -1:, :]
        predicted = np.minimum(passed.sum(axis=1), logits.shape[1] - 1)
    else:
        predicted = logits.argmax(axis=1)
    right = predicted == batch.labels
    if batch.score is Score.LOG_PROBABILITY:
        return own - np.log(np.exp(shifted).sum(axis=1)), right
    if batch.score is Score.MARGIN:
        others = np.where(np.arange(logits.shape[1])[:, None] == batch.labels, -np.inf, shifted)
        return np.minimum(own - others.max(axis=1), np.float32(1)), right
    if batch.score is Score.CUSTOM:
        return np.stack([check_image_scores(batch.function, answer.T, batch.labels) for answer in logits]), right
    return np.where(right, batch.reward, batch.penalty), right


def number_scores(values: Float32, batch: Batch) -> tuple[Float32, Float32]:
    """Return each network's score for each image, and its squared error, (T, N) each, from outputs (T, K, N)."""
    with np.errstate(over="ignore", invalid="ignore"):  # of networks that diverged
        return _number_scores(values - batch.labels.T, values, batch)


def _number_scores(errors: Float32, values: Float32, batch: Batch) -> tuple[Float32, Float32]:
    sizes, squares = np.abs(errors), errors * errors
    losses = squares
    if batch.score is Score.CUSTOM:
        own = [check_image_scores(batch.function, answer.T, batch.labels) for answer in values]
        return np.stack(own), squares.mean(axis=1)
    if batch.score is Score.ABSOLUTE:
        losses = sizes
    elif batch.score is Score.HUBER:
        losses = np.where(sizes <= 1, np.float32(0.5) * squares, sizes - np.float32(0.5))
    return -losses.mean(axis=1), squares.mean(axis=1)


def share_of(right: NDArray[Any]) -> NDArray[np.float64]:
    """Return the share of images (T, N) that are right, (T,), or the share of their variance that is explained."""
    with np.errstate(over="ignore"):
        shares = right.mean(axis=1, dtype=np.float64)
    return shares if right.dtype == np.bool_ else explained(shares)


# Node perturbation


def hadamard(size: int) -> Float32:
    """Return Sylvester's matrix (size, size) of mutually orthogonal rows of +-1; size is a power of two."""
    matrix = np.ones((1, 1), np.float32)
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix


def unit_signs(network: Network, images: int, perturbation: Perturbation) -> list[Float32]:
    """Return each layer's random signs r, (O, N) of +-1."""
    units = sum(layer.outputs for layer in network.dense)
    blocks = np.arange(-(-units // 128))
    words = Stream(perturbation.seed).blocks(Purpose.SIGNS, perturbation.generation, np.arange(images)[:, None], blocks)
    octets = np.ascontiguousarray(words.reshape(images, -1), "<u4").view(np.uint8)
    bits = np.unpackbits(octets, axis=1, count=units, bitorder="little").T
    signs = np.float32(1) - np.float32(2) * bits
    return np.split(signs, np.cumsum([layer.outputs for layer in network.dense])[:-1])


def estimate(network: Network, genes: Float32, batch: Batch, perturbation: Perturbation) -> Estimate:
    """Compute `Backend.perturb`, pair by pair."""
    pairs, sigma, images = perturbation.pairs, np.float32(perturbation.sigma), len(batch)
    layers = network.unpack(genes)
    activate = [ACTIVATIONS[layer.activation] for layer in network.dense]
    words = Stream(perturbation.seed).words(Purpose.PREDICTION, perturbation.generation, 0, images)

    def scores_of(values: Float32, layer: int, pair: int) -> NDArray[np.floating]:
        values = activate[layer](values)
        for (weights, biases), activation in zip(layers[layer + 1 :], activate[layer + 1 :], strict=True):
            values = activation(weights @ values + biases[:, None])
        draws = words + np.uint32((pair << 32) // pairs)
        scores, _ = image_scores(values[None], batch, draws[None])
        first: NDArray[np.floating] = scores[0]
        return first

    inputs, sums = [np.ascontiguousarray(batch.inputs.T)], []
    for (weights, biases), activation in zip(layers, activate, strict=True):
        sums.append(weights @ inputs[-1] + biases[:, None])
        inputs.append(activation(sums[-1]))
    signs, rows = unit_signs(network, images, perturbation), hadamard(perturbation.order)[:pairs]
    mutations = [[r * np.resize(row, len(r))[:, None] for row in rows] for r in signs]  # e, by layer and pair
    advantages = np.empty((len(layers), pairs, images), np.float32)
    for layer, pair in np.ndindex(advantages.shape[:2]):
        mutation = sigma * mutations[layer][pair]
        plus = scores_of(sums[layer] + mutation, layer, pair)
        minus = scores_of(sums[layer] - mutation, layer, pair)
        advantages[layer, pair] = (plus - minus) / (2 * sigma)
    if perturbation.relative:
        advantages /= np.maximum(np.sqrt(np.square(advantages).mean(axis=(0, 1))), TINY)
    advantages *= batch.weights.astype(np.float32)
    change = np.empty_like(genes)
    for layer, (weights, biases) in enumerate(network.unpack(change)):
        credit = np.zeros_like(signs[layer])
        for pair in range(pairs):
            credit += advantages[layer, pair] / np.float32(pairs) * mutations[layer][pair]
        twins = [activate[layer](sums[layer] + step * signs[layer]) for step in (sigma, -sigma)]
        credit[twins[0] == twins[1]] = 0
        weights[...] = credit @ inputs[layer].T / images
        biases[...] = credit.mean(axis=1)
    fitness = (scores_of(sums[-1], len(sums) - 1, 0) * batch.weights).mean()
    judged = dataclasses.replace(batch, score=Score.SQUARED if batch.of_numbers else Score.REWARD_ARGMAX)
    _, right = image_scores(inputs[-1][None], judged, words[None])
    return Estimate(change, float(fitness), float(share_of(right)[0]))
