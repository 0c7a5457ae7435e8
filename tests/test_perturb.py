"""Backend.perturb: one definition, the same bits in every backend, and an estimate of the slope."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.backends import numpy_
from genreg_np.backends.base import Backend, Batch, Estimate, Perturbation
from genreg_np.errors import FitnessError
from genreg_np.fitness import ERROR_SCORES, Score
from genreg_np.infer import ACTIVATIONS
from genreg_np.model import Network
from genreg_np.streams import Purpose, Stream
from tests.helpers import BACKENDS, create_or_skip, one_line
from tests.test_threads import needs_numba

NETWORK = Network.build((7,), (12, 6), 5, "tanh")
IMAGES = 150  # more than a tile of the numba backend
SEED = (1 << 63) + 5


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend that runs on this machine."""
    return create_or_skip(request.param)


def example(score: Score = Score.LOG_PROBABILITY, network: Network = NETWORK) -> tuple[np.ndarray, Batch]:
    """Return genes, and a batch that takes rows of a larger training set."""
    rng = np.random.default_rng(1)
    genes = rng.normal(0, 0.5, network.gene_count).astype(np.float32)
    rows = rng.permutation(2 * IMAGES)[:IMAGES]
    features = rng.random((2 * IMAGES, network.dense[0].inputs), np.float32)
    labels = rng.integers(0, network.outputs, IMAGES)
    if score in ERROR_SCORES:
        labels = rng.normal(0, 1, (IMAGES, network.outputs)).astype(np.float32)
    weights = np.linspace(0.5, 1.5, IMAGES)
    shifts = rng.integers(0, network.dense[0].inputs, IMAGES)
    return genes, Batch(features, labels, weights, score, 10.0, -1.5, rows, probability, shifts)


def probability(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the right class's probability: a fitness as a user would write it."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers[np.arange(len(labels)), labels] / powers.sum(axis=1)


def log_probability(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return its logarithm."""
    return np.log(probability(logits.astype(np.float64), labels))


def relative_difference(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).max() / max(np.abs(second).max(), 1e-12))


# The definition


def slow_scores(batch: Batch, logits: np.ndarray, image: int, pair: int, perturbation: Perturbation) -> float:
    """Return what an image's logits earn, from the words of base.Score."""
    label = batch.labels[image]
    if batch.score in ERROR_SCORES:
        errors = np.abs(logits - label)
        huber = np.where(errors <= 1, errors**2 / 2, errors - 0.5)
        return -float({Score.SQUARED: errors**2, Score.ABSOLUTE: errors, Score.HUBER: huber}[batch.score].mean())
    if batch.score is Score.LOG_PROBABILITY:
        return float(logits[label] - np.log(np.exp(logits - logits.max()).sum()) - logits.max())
    if batch.score is Score.MARGIN:
        return float(min(1.0, logits[label] - np.delete(logits, label).max()))
    if batch.score is Score.CUSTOM:
        return float(probability(logits[None], batch.labels[image : image + 1])[0])
    predicted = int(logits.argmax())
    if batch.score is Score.REWARD_SAMPLED:
        word = int(Stream(perturbation.seed).words(Purpose.PREDICTION, perturbation.generation, 0, IMAGES)[image])
        word = (word + (pair << 32) // perturbation.pairs) % 2**32
        cumulative = np.cumsum(np.exp(logits - logits.max()))
        predicted = int((cumulative <= (word >> 8) / 2**24 * cumulative[-1]).sum())
    return batch.reward if predicted == label else batch.penalty


def slow_estimate(network: Network, genes: np.ndarray, batch: Batch, perturbation: Perturbation) -> np.ndarray:
    """Return the change (D,) image by image, pair by pair, unit by unit, in float64."""
    functions = [ACTIVATIONS[layer.activation] for layer in network.dense]
    layers = [(weights.astype(np.float64), biases) for weights, biases in network.unpack(genes)]
    offsets = np.cumsum([0, *(layer.outputs for layer in network.dense)])
    stream, order = Stream(perturbation.seed), perturbation.order
    change = np.zeros(network.gene_count)
    for image, (row, shift) in enumerate(zip(batch.rows, batch.shifts, strict=True)):  # type: ignore[arg-type]
        inputs, sums = [np.roll(batch.features[row].astype(np.float64), shift)], []
        for (weights, biases), function in zip(layers, functions, strict=True):
            sums.append(weights @ inputs[-1] + biases)
            inputs.append(function(sums[-1]))
        words = stream.words(Purpose.SIGNS, perturbation.generation, image, 4 * -(-int(offsets[-1]) // 128))
        advantages, mutations = np.empty((len(layers), perturbation.pairs)), {}
        for layer, pair in itertools.product(range(len(layers)), range(perturbation.pairs)):
            mutation = np.empty(network.dense[layer].outputs)
            for unit in range(len(mutation)):
                number = int(offsets[layer]) + unit
                bit = (int(words[number // 32]) >> (number % 32)) & 1
                mutation[unit] = (-1) ** (bit + (pair & (unit % order)).bit_count())
            earned = []
            for step in (perturbation.sigma, -perturbation.sigma):
                values = functions[layer](sums[layer] + step * mutation)
                for (weights, biases), function in zip(layers[layer + 1 :], functions[layer + 1 :], strict=True):
                    values = function(weights @ values + biases)
                earned.append(slow_scores(batch, values, image, pair, perturbation))
            advantages[layer, pair] = (earned[0] - earned[1]) / (2 * perturbation.sigma)
            mutations[layer, pair] = mutation
        if perturbation.relative:
            advantages /= max(np.sqrt(np.square(advantages).mean()), 1e-12)
        parts = []
        for layer, function in enumerate(functions):
            credit = np.mean([advantages[layer, k] * mutations[layer, k] for k in range(perturbation.pairs)], axis=0)
            same = function(sums[layer] + perturbation.sigma) == function(sums[layer] - perturbation.sigma)
            credit = np.where(same, 0, credit) * batch.weights[image]
            parts += [np.outer(credit, inputs[layer]).ravel(), credit]
        change += np.concatenate(parts)
    return change / len(batch)


@functools.cache
def expected_of(score: Score, relative: bool) -> tuple[np.ndarray, Batch, Perturbation, np.ndarray]:
    """Return an example and its change, by loops that take a second."""
    (genes, batch), perturbation = example(score), Perturbation(6, 0.3, SEED, 7, relative)
    return genes, batch, perturbation, slow_estimate(NETWORK, genes, batch, perturbation)


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("score", list(Score))
def test_the_estimate_is_its_definition(backend: Backend, score: Score, relative: bool) -> None:
    """Every backend's change is that of plain loops over images, pairs and units, for every kind of fitness."""
    genes, batch, perturbation, expected = expected_of(score, relative)
    found = backend.perturb(NETWORK, genes, batch, perturbation)
    assert found.change.dtype == np.float32
    assert relative_difference(found.change, expected) < 2e-5


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("hidden", [(), (40,), (9, 20, 6)])
def test_backends_agree_for_every_network(backend: Backend, activation: str, hidden: tuple[int, ...]) -> None:
    """No layer, one or three, of any activation, steps included: the same change within rounding."""
    network = Network.build((7,), hidden, 5, activation)
    genes, batch = example(network=network)
    perturbation = Perturbation(16, 0.1, SEED, 2)
    expected = numpy_.NumpyBackend().perturb(network, genes, batch, perturbation)
    found = backend.perturb(network, genes, batch, perturbation)
    assert relative_difference(found.change, expected.change) < 2e-5
    assert found.fitness == pytest.approx(expected.fitness, abs=1e-5)
    assert found.accuracy == expected.accuracy


def test_an_activation_of_the_last_layer_is_applied(backend: Backend) -> None:
    """A network whose outputs are tanh is mutated before it, as any unit is."""
    network = Network((7,), tuple(replace(layer, activation="tanh") for layer in NETWORK.dense))
    genes, batch = example(network=network)
    perturbation = Perturbation(8, 0.2, 1, 1)
    expected = slow_estimate(network, genes, batch, perturbation)
    assert relative_difference(backend.perturb(network, genes, batch, perturbation).change, expected) < 2e-5


@needs_numba
@pytest.mark.parametrize("units", [1, 74, 128, 300])
def test_signs_are_the_same_bits_in_kernels(units: int) -> None:
    """Random signs are bits of Philox, drawn alike by the specification and the kernels."""
    import numba

    from genreg_np.backends.numba.kernels.bits import fill_signs

    signs = np.empty((units, 9), np.float32)
    purpose = np.uint64(Purpose.SIGNS)
    compiled = numba.njit(lambda signs, seed: fill_signs(signs, 5, 3, purpose, seed))
    compiled(signs, np.uint64(SEED))
    network = Network.build((2,), (), units)
    expected = numpy_.unit_signs(network, 14, Perturbation(4, 0.1, SEED, 3))[0]
    assert np.array_equal(signs, expected[:, 5:])
    assert set(np.unique(expected)) <= {-1.0, 1.0}


def test_pairs_of_an_image_are_orthogonal() -> None:
    """Rows of the Hadamard matrix stay orthogonal under random signs per unit; signs are balanced and independent."""
    rows = numpy_.hadamard(16)
    assert np.array_equal(rows @ rows.T, 16 * np.eye(16))
    assert rows[5, 12] == (-1) ** (5 & 12).bit_count()
    signs = numpy_.unit_signs(Network.build((2,), (), 64), 2000, Perturbation(16, 0.1, 1, 0))[0]
    mutations = np.tile(rows, (1, 4)) * signs[:, 7]
    assert np.array_equal(mutations @ mutations.T, 64 * np.eye(16))
    assert abs(signs.mean()) < 5 / signs.size**0.5
    assert np.abs(np.corrcoef(signs)[np.triu_indices(64, 1)]).max() < 6 / 2000**0.5


# What it estimates


def gradient(network: Network, genes: np.ndarray, batch: Batch) -> np.ndarray:
    """Return the derivative of mean weighted log-probability for each gene, by finite differences in float64."""
    features = batch.inputs.astype(np.float64)

    def fitness(genes: np.ndarray) -> float:
        values = features
        for layer, (weights, biases) in zip(network.dense, network.unpack(genes), strict=True):
            values = ACTIVATIONS[layer.activation](values @ weights.T + biases)
        return float((log_probability(values, batch.labels) * batch.weights).mean())

    step, slopes = 1e-5, np.empty(len(genes))
    for gene in range(len(genes)):
        there = np.array([genes, genes], np.float64)
        there[:, gene] += (step, -step)
        slopes[gene] = (fitness(there[0]) - fitness(there[1])) / (2 * step)
    return slopes


def test_with_a_pair_for_each_unit_it_is_the_gradient(backend: Backend) -> None:
    """Of a smooth network and fitness, small mutations and a full set of pairs measure the slope itself."""
    genes, batch = example()
    found = backend.perturb(NETWORK, genes, batch, Perturbation(16, 0.01, 1, 0)).change
    assert relative_difference(found, gradient(NETWORK, genes, batch)) < 2e-3


def test_few_pairs_scatter_about_the_gradient(backend: Backend) -> None:
    """Two pairs an image point the same way, and their mean over many generations closes in on it."""
    genes, batch = example()
    slopes = gradient(NETWORK, genes, batch)
    found = [backend.perturb(NETWORK, genes, batch, Perturbation(2, 0.05, 1, t)).change for t in range(200)]
    assert all(np.corrcoef(change, slopes)[0, 1] > 0.5 for change in found)
    assert np.corrcoef(np.mean(found, axis=0), slopes)[0, 1] > 0.99


def test_a_unit_that_mutation_cannot_move_gets_no_credit(backend: Backend) -> None:
    """A step unit far from its threshold does nothing in either twin: its weights stay as they are."""
    network = Network.build((3,), (8,), 4, "step")
    genes, batch = example(network=network)
    batch = replace(batch, features=np.abs(batch.features[:, :3]) + 0.1)
    _, biases = network.unpack(genes)[0]
    biases[2], biases[5] = 100.0, -100.0
    change = network.unpack(backend.perturb(network, genes, batch, Perturbation(4, 0.1, 1, 0)).change)
    assert not change[0][0][[2, 5]].any()
    assert not change[0][1][[2, 5]].any()
    assert change[1][0][:, 2].any()


def test_a_fitness_of_ones_own_is_the_built_in_one_of_that_name(backend: Backend) -> None:
    """The log-probability written by a user gives the built-in one's change, fitness and accuracy."""
    genes, batch = example()
    custom = replace(batch, score=Score.CUSTOM, function=log_probability)
    perturbation = Perturbation(8, 0.2, 3, 4)
    built_in, own = (backend.perturb(NETWORK, genes, each, perturbation) for each in (batch, custom))
    assert relative_difference(own.change, built_in.change) < 2e-5
    assert own.fitness == pytest.approx(built_in.fitness, abs=1e-5)
    assert own.accuracy == built_in.accuracy


@needs_numba
def test_threads_change_no_byte_of_an_estimate() -> None:
    """One and two threads, and two calls, give the same bytes."""
    genes, batch = example()

    def found(threads: int) -> list[Estimate]:
        used = backends.create("numba", threads)
        return [
            used.perturb(NETWORK, genes, replace(batch, score=score), Perturbation(4, 0.1, 1, 0)) for score in Score
        ]

    counts = [1, 1, 2]
    one, *others = ([(e.change.tobytes(), e.fitness, e.accuracy) for e in found(count)] for count in counts)
    assert all(other == one for other in others)


# Misuse


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda logits, labels: logits[:, 0] * np.nan, "returned nan"),
        (lambda logits, labels: logits, "must return"),
        (lambda logits, labels: 1.0, "must return"),
        (lambda logits, labels: ["a"] * len(labels), "failed on logits"),
        (lambda logits, labels: logits @ labels, "failed on logits"),
    ],
    ids=["nan", "shape", "number", "words", "raises"],
)
def test_a_fitness_that_gives_no_number_for_each_image_is_refused(backend: Backend, function: Any, words: str) -> None:
    """The line says what came, and what was needed."""
    genes, batch = example(Score.CUSTOM)
    with pytest.raises(FitnessError, match=words) as raised:
        backend.perturb(NETWORK, genes, replace(batch, function=function), Perturbation(2, 0.1, 0, 0))
    one_line(raised.value)
