"""Checks that a backend agrees with the NumPy specification; used by `doctor --selftest` and by the tests.

Bits, masks, noise, crossover, rebuilt weights and image features must agree to the bit, logits within LOGIT_BOUND,
the change of node perturbation and weights after gradient descent within CHANGE_BOUND. A prediction may differ if
two classes, or a draw and a class boundary, are closer than that: at most one per example.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from genreg_np.backends.base import Backend, Batch, Brood, Perturbation
from genreg_np.backends.gradients import Descent
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.fitness import ERROR_SCORES, GENOME_SCORES, Score
from genreg_np.infer import ACTIVATIONS
from genreg_np.layers.groups import Gene
from genreg_np.layers.images import Deskew, Detectors, Deviations, FixedLayer, Int8, Standardise, quantised
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Network
from genreg_np.streams import Purpose, Stream, unit_floats

LOGIT_BOUND = 2e-5  # largest difference of two backends' logits, per unit of the largest logit
CHANGE_BOUND = 2e-5  # the same for the change estimated by pairs of mutants, and for weights after gradient descent
POPULATION, SURVIVORS, IMAGES, ELITES = 11, 5, 21, 2


def example(gene: Gene, score: Score, activation: str = "tanh", seed: int = (1 << 63) + 12345) -> tuple[Brood, Batch]:
    """Return a small generation and batch that cover every path: odd sizes, two hidden layers, elites, a large seed."""
    network = Network.build((7, 19), (37, 9), 5, activation)
    stream = Stream(seed)

    def uniform(purpose: Purpose, rows: int, columns: int) -> np.ndarray:
        words = stream.words(purpose, 1, 0, rows * columns)
        return (unit_floats(words) - np.float32(0.5)).reshape(rows, columns)

    survivors = uniform(Purpose.INITIAL, SURVIVORS, network.gene_count)
    parents = stream.integers(Purpose.PARENTS, 1, 0, 2 * POPULATION, SURVIVORS).astype(np.int32).reshape(-1, 2)
    parents[:ELITES] = np.arange(ELITES, dtype=np.int32)[:, None]
    brood = Brood(
        network=network,
        seed=seed,
        generation=7,
        survivors=survivors,
        parents=parents,
        gene=gene,
        mutation_rate=0.07,
        mutation_scale=0.1,
        elites=ELITES,
        weight_range=0.5,
        bias_range=0.1,
    )
    labels: np.ndarray = stream.integers(Purpose.BATCH, 1, 0, IMAGES, network.outputs)
    if score in ERROR_SCORES:
        labels = 4 * uniform(Purpose.PARENTS, IMAGES, network.outputs)
    features = np.abs(uniform(Purpose.BATCH, IMAGES, network.dense[0].inputs))
    return brood, Batch(features, labels, np.linspace(1.0, 1.2, IMAGES), score, 10.0, -1.5)


def disagreements(backend: Backend) -> list[str]:
    """Return a line for each difference between the backend and the specification; empty if they agree."""
    reference, wrong = NumpyBackend(), []
    everyone = np.arange(POPULATION)
    for gene, score in itertools.product(Gene, (*GENOME_SCORES, *ERROR_SCORES)):
        brood, batch = example(gene, score)
        expected, found = reference.score(brood, batch), backend.score(brood, batch)
        off = np.abs(expected.accuracy - found.accuracy)
        flips = 0 if batch.of_numbers and off.max() <= LOGIT_BOUND * 10 else round(off.sum() * IMAGES)
        allowed = LOGIT_BOUND * IMAGES * 10 + flips * (batch.reward - batch.penalty) * batch.weights.max()
        difference = np.abs(expected.fitness - found.fitness).max()
        if difference > allowed or flips > 1:
            wrong.append(
                f"score, crossover of {gene.name}, {score.name}: fitness differs by {difference:g}, "
                f"{flips} predictions differ"
            )
        if not _same_bits(reference.rebuild(brood, everyone), backend.to_host(backend.rebuild(brood, everyone))):
            wrong.append(f"rebuild, crossover of {gene.name}: weights differ")
    brood, batch = example(Gene.WEIGHT, Score.REWARD_ARGMAX)
    start = Brood(**{**vars(brood), "survivors": brood.survivors[:0], "generation": 0, "elites": 0})
    if not _same_bits(reference.rebuild(start, everyone), backend.to_host(backend.rebuild(start, everyone))):
        wrong.append("rebuild, generation 0: weights differ")
    for rate in (0.0, 0.001, 0.07, 1.0):
        arguments = (brood.survivors, brood.seed, 3, Purpose.BASE_MUTATION, rate, 0.1, 1)
        if not _same_bits(reference.mutate(*arguments), backend.to_host(backend.mutate(*arguments))):
            wrong.append(f"mutate at rate {rate:g}: weights differ")
    for activation in ACTIVATIONS:
        network = example(Gene.NONE, Score.REWARD_ARGMAX, activation)[0].network
        genes = reference.rebuild(start, np.arange(1))[0]
        expected_logits = reference.logits(network, genes, batch.features)
        off = np.abs(expected_logits - backend.logits(network, genes, batch.features)).max()
        if off > LOGIT_BOUND * np.abs(expected_logits).max():
            wrong.append(f"logits with {activation}: differ by {off:g}")
    pairs = Perturbation(6, 0.2, brood.seed, 3)
    for score in (*GENOME_SCORES, Score.MARGIN, *ERROR_SCORES):
        judged = example(Gene.WEIGHT, score)[1]
        change = reference.perturb(brood.network, brood.survivors[0], judged, pairs).change
        off = np.abs(change - backend.perturb(brood.network, brood.survivors[0], judged, pairs).change).max()
        if off > CHANGE_BOUND * np.abs(change).max():
            wrong.append(f"perturb, {score.name}: the change differs by {off:g}")
    descent = Descent(example(Gene.NONE, Score.REWARD_ARGMAX, "relu")[0].network, Optimiser("sgd", 0.1, 0.9), 8)
    genes, order = reference.rebuild(start, everyone), np.arange(IMAGES)
    expected_genes, _ = reference.descend(descent, genes, batch.features, batch.labels, order)
    on_device = backend.to_device(batch.features)
    found_genes = backend.to_host(backend.descend(descent, genes, on_device, batch.labels, order)[0])
    off = np.abs(expected_genes - found_genes).max()
    if off > CHANGE_BOUND * np.abs(expected_genes).max():
        wrong.append(f"descend: the trained weights differ by {off:g}")
    return wrong + image_disagreements(backend)


def image_disagreements(backend: Backend) -> list[str]:
    """Return a line for each image layer that the backend computes differently from the specification."""
    stream, shape = Stream(12), (11, 9)
    words = stream.words(Purpose.BATCH, 2, 0, IMAGES * math.prod(shape)).reshape(IMAGES, -1)
    images = np.where(words % 3 == 0, words >> np.uint32(24), np.uint32(0)).astype(np.uint8)
    upright = Deskew(shape)
    first = Detectors((1, *shape), _filters(stream, 4, 5, 0), 2, 4, 3, True, 0.7)
    second = Detectors((8, *first.grid), _filters(stream, 3, 3, 1), 1, 2, 1, False, 0.9)
    colours = Detectors((3, 11, 3), _filters(stream, 4, 3, 2, 3), 1, 2, 1, True, 0.8)
    warps = 1 + 0.1 * stream.normals(Purpose.WARPS, 0, 0, 6 * IMAGES).reshape(IMAGES, 6)
    reference, wrong = NumpyBackend(), []
    stacks: dict[str, tuple[FixedLayer, ...]] = {
        "deskew": (upright,),
        "detectors": (first,),
        "detectors of two stages": (upright, first, second),
        "detectors of three channels at once": (colours, Deviations(np.arange(colours.outputs).astype(np.uint8))),
    }
    for name, stack in stacks.items():
        for moved in (None, warps) if stack[0] is upright else (None,):
            if not _same_bits(reference.levels(stack, images, moved), backend.levels(stack, images, moved)):
                wrong.append(f"levels, {name}{'' if moved is None else ', warped'}: features differ")
    scaled = Standardise.fit(images)
    if not _same_bits(reference.standardise(scaled, images), backend.standardise(scaled, images)):
        wrong.append("standardise: features differ")
    return wrong


def _filters(stream: Stream, count: int, size: int, number: int, depth: int = 0) -> Int8:
    extents = (count, depth, size, size) if depth else (count, size, size)
    return quantised(stream.normals(Purpose.FILTERS, number, 0, math.prod(extents)).reshape(extents))


def _same_bits(first: np.ndarray, second: np.ndarray) -> bool:
    return first.dtype == second.dtype and first.tobytes() == second.tobytes()
