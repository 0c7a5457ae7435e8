"""Backends: one specification, the same bits wherever a genome is built, whatever the threads and tiles."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.backends import numpy_, selftest
from genreg_np.backends.base import Backend, Batch, Brood
from genreg_np.errors import BackendError, MissingExtraError, UsageError
from genreg_np.fitness import GENOME_SCORES, Score
from genreg_np.layers.groups import Gene
from genreg_np.model import Dense, Network
from genreg_np.strategies.mixed.networks import in_parts
from genreg_np.streams import Purpose, Stream
from tests.helpers import BACKENDS, OnHost, create_or_skip, one_line, python
from tests.test_streams import KNOWN_ANSWERS

NETWORK = Network.build((2, 3), (5, 4), 3)
HAS_NUMBA = bool(importlib.util.find_spec("numba") and importlib.util.find_spec("scipy"))
needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend that runs on this machine."""
    return OnHost(create_or_skip(request.param))


def brood_of(survivors: np.ndarray, size: int = 8, network: Network = NETWORK, **changes: object) -> Brood:
    """Return children of survivors 0 and 1 (or of 0 alone), not mutated unless asked."""
    parents = np.tile(np.array([[0, min(1, max(0, len(survivors) - 1))]], np.int32), (size, 1))
    plain = Brood(
        network=network,
        seed=5,
        generation=3,
        survivors=survivors.astype(np.float32),
        parents=parents,
        gene=Gene.WEIGHT,
        mutation_scale=0.1,
        weight_range=0.5,
        bias_range=0.1,
    )
    return replace(plain, **changes)


def zeros_and_ones(size: int, gene: Gene) -> Brood:
    """Return children of a parent of zeros and a parent of ones: their genes tell whom they come from."""
    return brood_of(np.array([np.zeros(NETWORK.gene_count), np.ones(NETWORK.gene_count)]), size, gene=gene)


# Agreement with the specification


def test_backend_agrees_with_the_specification(backend: Backend) -> None:
    """The self-test of `doctor` finds no disagreement in bits, weights, fitness or logits."""
    assert selftest.disagreements(backend) == []


def test_selftest_notices_a_backend_that_is_off_by_one_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test itself can fail."""

    class Off(numpy_.NumpyBackend):
        def rebuild(self, brood: Brood, chosen: np.ndarray) -> np.ndarray:
            genomes = super().rebuild(brood, chosen)
            genomes[-1, -1] = np.nextafter(genomes[-1, -1], np.float32(9))
            return genomes

    assert any("rebuild" in line for line in selftest.disagreements(Off()))


def test_backend_draws_the_published_known_answer(backend: Backend) -> None:
    """Counter 0 under key 0 is block 0 of genome 0 of generation 0 of seed 0: its first four genes."""
    brood = brood_of(np.empty((0, NETWORK.gene_count)), 1, seed=0, generation=0, weight_range=0.5)
    counter, key, words = KNOWN_ANSWERS[0]
    assert (counter, key) == ((0, 0, 0, 0), (0, 0))
    expected = [np.float32((word >> 8) / 2**24 - 0.5) for word in words]
    assert backend.rebuild(brood, np.arange(1))[0, :4].tolist() == expected


# Generation 0


def test_first_genomes_lie_within_their_ranges(backend: Backend) -> None:
    """Weights fill U(-0.5, 0.5) and biases U(-0.1, 0.1), each about zero."""
    genomes = backend.rebuild(brood_of(np.empty((0, NETWORK.gene_count)), 600), np.arange(600))
    for weights, biases in NETWORK.weight_slices:
        for values, bound in ((genomes[:, weights], 0.5), (genomes[:, biases], 0.1)):
            assert 0.97 * bound < np.abs(values).max() <= bound
            assert np.abs(values.mean()) < 5 * bound / (3 * values.size) ** 0.5
            assert values.var() == pytest.approx(bound**2 / 3, rel=0.1)
    assert len(np.unique(genomes, axis=0)) == 600


# Crossover


@pytest.mark.parametrize("gene", list(Gene))
def test_crossover_exchanges_whole_gene_groups_half_the_time(backend: Backend, gene: Gene) -> None:
    """Genes of one group share a parent, groups do not share their draws, and each parent gives about half."""
    genomes = backend.rebuild(zeros_and_ones(1000, gene), np.arange(1000))
    assert np.isin(genomes, (0, 1)).all()
    groups = []  # (1000,) arrays of which parent a group comes from
    for weights, biases in NETWORK.unpack(genomes):
        rows = np.concatenate([weights, biases[..., None]], axis=2)  # a unit's weights with its bias
        if gene is Gene.UNIT:
            assert (rows == rows[..., :1]).all()
            groups += list(rows[..., 0].T)
        elif gene in (Gene.LAYER, Gene.BLOCK):  # a layer as small as these is one block
            assert (rows == rows[:, :1, :1]).all()
            groups.append(rows[:, 0, 0])
        else:
            groups += list(rows.reshape(1000, -1).T)
    shares = np.array(groups).mean(axis=1)
    if gene is Gene.NONE:
        assert not shares.any()
        return
    assert np.abs(shares - 0.5).max() < 5 * 0.5 / 1000**0.5
    agreements = np.corrcoef(np.array(groups))[np.triu_indices(len(groups), 1)]
    assert np.abs(agreements).max() < 6 / 1000**0.5


def block_of(row: int, column: int, height: int, width: int) -> tuple[int, int]:
    """Return the block that holds a weight, by the notebook's words: ceil(size / 64) blocks of size // that many."""
    down, across = math.ceil(height / 64), math.ceil(width / 64)
    return min(row // (height // down), down - 1), min(column // (width // across), across - 1)


@pytest.mark.parametrize("parts", [(), (1, 2)])
def test_blocks_are_the_notebooks(backend: Backend, parts: tuple[int, ...]) -> None:
    """Weights of one block share a parent, a bias goes with its unit's last block, parts are layers of their own."""
    network = in_parts(Network.build((130,), (70, 66), 3), parts)
    survivors = np.array([np.zeros(network.gene_count), np.ones(network.gene_count)])
    brood = brood_of(survivors, 300, network, gene=Gene.BLOCK)
    genomes = backend.rebuild(brood, np.arange(300))
    groups: dict[tuple[int, ...], list[np.ndarray]] = {}
    for layer, (weights, biases) in enumerate(network.unpack(genomes)):
        height, width = weights.shape[1] // network.dense[layer].parts, weights.shape[2]
        for row in range(weights.shape[1]):
            part, place = divmod(row, height)
            for column in range(width):
                group = (layer, part, *block_of(place, column, height, width))
                groups.setdefault(group, []).append(weights[:, row, column])
            groups[layer, part, *block_of(place, width - 1, height, width)].append(biases[:, row])
    assert len(groups) == 2 * 3 + (2 * 2) + 2  # 66 in one piece is two blocks, and so are its halves of 33
    for genes in groups.values():
        assert (np.array(genes) == genes[0]).all()
    firsts = np.array([genes[0] for genes in groups.values()])
    assert len(np.unique(firsts, axis=0)) == len(groups)


def test_a_part_of_a_layer_is_a_gene_of_its_own(backend: Backend) -> None:
    """With gene = layer the two halves of a layer are inherited apart, each with its own biases."""
    network = Network.build((3,), (4, 6), 2)
    survivors = np.array([np.zeros(network.gene_count), np.ones(network.gene_count)])
    genomes = backend.rebuild(brood_of(survivors, 400, in_parts(network, (1, 2)), gene=Gene.LAYER), np.arange(400))
    weights, biases = network.unpack(genomes)[1]
    rows = np.concatenate([weights, biases[..., None]], axis=2)
    assert (rows[:, :3] == rows[:, :1, :1]).all()
    assert (rows[:, 3:] == rows[:, 3:4, :1]).all()
    assert 120 < (rows[:, 0, 0] == rows[:, 3, 0]).sum() < 280


@pytest.mark.parametrize("gene", list(Gene))
def test_elites_are_exact_copies_even_where_everything_mutates(backend: Backend, gene: Gene) -> None:
    """The first genomes of a brood are their first parents, untouched; the others change."""
    survivors = np.random.default_rng(1).normal(size=(4, NETWORK.gene_count)).astype(np.float32)
    parents = np.array([[0, 3], [1, 2], [2, 3], [3, 2]], np.int32)
    brood = brood_of(survivors, gene=gene, parents=parents, elites=2, mutation_rate=1.0)
    genomes = backend.rebuild(brood, np.arange(4))
    assert np.array_equal(genomes[:2], survivors[:2])
    assert (genomes[2:] != survivors[2:]).all()


# Building any genome alone


def test_rebuilding_some_equals_rows_of_rebuilding_all(backend: Backend) -> None:
    """A genome's bits depend on its number alone: not on who else is built, in what order, or how often."""
    brood, _ = selftest.example(Gene.UNIT, Score.REWARD_SAMPLED)
    everyone = backend.rebuild(brood, np.arange(brood.size))
    for chosen in ([10], [7, 0, 7, 3], []):
        rows = backend.rebuild(brood, np.array(chosen, np.int64))
        assert rows.dtype == np.float32
        assert rows.tobytes() == everyone[chosen].tobytes()


@pytest.mark.parametrize("genomes_per_tile", [1, 3])
def test_score_does_not_depend_on_tiles(monkeypatch: pytest.MonkeyPatch, genomes_per_tile: int) -> None:
    """The specification gives the same bytes however few genomes it holds at a time."""
    brood, batch = selftest.example(Gene.WEIGHT, Score.LOG_PROBABILITY)
    whole, everyone = numpy_.NumpyBackend().score(brood, batch), np.arange(brood.size)
    genomes = numpy_.NumpyBackend().rebuild(brood, everyone)
    monkeypatch.setattr(numpy_, "TILE_GENES", genomes_per_tile * brood.network.gene_count)
    tiled = numpy_.NumpyBackend().score(brood, batch)
    assert tiled.fitness.tobytes() == whole.fitness.tobytes()
    assert tiled.accuracy.tobytes() == whole.accuracy.tobytes()
    assert numpy_.NumpyBackend().rebuild(brood, everyone).tobytes() == genomes.tobytes()


def test_a_brood_is_not_changed_by_scoring_and_rebuilding(backend: Backend) -> None:
    """Survivors and batch are read, never written."""
    brood, batch = selftest.example(Gene.WEIGHT, Score.REWARD_SAMPLED)
    before = [array.tobytes() for array in (brood.survivors, brood.parents, batch.features, batch.labels)]
    backend.score(brood, batch)
    backend.rebuild(brood, np.arange(brood.size))
    assert before == [array.tobytes() for array in (brood.survivors, brood.parents, batch.features, batch.labels)]


# Scoring


def softmax_net(probabilities: list[float], images: int, label: int, size: int = 200) -> tuple[Brood, Batch]:
    """Return genomes that all answer with the same probabilities, whatever the image."""
    network = Network.build((1,), (), len(probabilities))
    genes = np.concatenate([np.zeros(len(probabilities)), np.log(probabilities) + 7])
    batch = Batch(np.ones((images, 1), np.float32), np.full(images, label), np.ones(images), Score.REWARD_SAMPLED, 1.0)
    return brood_of(genes[None], size, network, gene=Gene.NONE), batch


def test_sampled_predictions_follow_softmax(backend: Backend) -> None:
    """Each class is predicted with its probability, and exactly one class is predicted for each image."""
    probabilities = [0.6, 0.05, 0.35]
    found = [backend.score(*softmax_net(probabilities, 61, label)).accuracy for label in range(3)]
    assert np.sum(found, axis=0) == pytest.approx(1)
    draws = 61 * 200
    for share, probability in zip(found, probabilities, strict=True):
        assert abs(share.mean() - probability) < 5 * (probability * (1 - probability) / draws) ** 0.5
    assert len(np.unique(found[0])) > 10  # genomes draw for themselves


LIT = {
    "all": np.arange(1500),
    "none": np.arange(0),
    "first": np.array([0]),
    "last": np.array([1499]),
    "a window": np.arange(700, 1100),
    "scattered": np.sort(np.random.default_rng(3).choice(1500, 40, replace=False)),
}


@pytest.mark.parametrize("children", [True, False])
@pytest.mark.parametrize("lit", list(LIT))
def test_score_is_that_of_the_rebuilt_weights_whichever_inputs_are_dark(
    backend: Backend, lit: str, children: bool
) -> None:
    """Layers too wide for one segment or block, and inputs that are 0 in every image, change no genome's score."""
    rng = np.random.default_rng(6)
    network = Network((1500,), (Dense(1500, 60, "linear"), Dense(60, 3, "linear")))
    features = np.zeros((9, 1500), np.float32)
    features[:, LIT[lit]] = rng.random((9, len(LIT[lit])))
    survivors = 0.02 * rng.normal(size=(2 * children, network.gene_count))
    batch = Batch(features, rng.integers(0, 3, 9), np.ones(9), Score.LOG_PROBABILITY)
    for gene, rate in ((Gene.WEIGHT, 0.07), (Gene.UNIT, 0.3)):
        brood = brood_of(survivors, 3, network, gene=gene, mutation_rate=rate, elites=1, weight_range=0.02)
        found = backend.score(brood, batch).fitness
        for number, genes in enumerate(backend.rebuild(brood, np.arange(3))):
            (weights, biases), (last, offsets) = network.unpack(genes.astype(np.float64))
            logits = (features @ weights.T + biases) @ last.T + offsets
            shares = np.exp(logits - logits.max(axis=1, keepdims=True))
            right = shares[np.arange(9), batch.labels] / shares.sum(axis=1)
            assert found[number] == pytest.approx(np.log(right).sum(), rel=1e-4, abs=1e-4)
        if not children:
            break  # generation 0 has neither crossover nor mutation


def slow_judgement(brood: Brood, batch: Batch, genomes: np.ndarray) -> tuple[list[float], list[float], float]:
    """Judge genomes in plain Python; also return the least margin by which any prediction was decided."""
    fitness, accuracy, margin = [], [], math.inf
    for number, genes in enumerate(genomes):
        words = Stream(brood.seed).words(Purpose.PREDICTION, brood.generation, number, len(batch))
        earned, right = 0.0, 0
        for i, image in enumerate(batch.features):
            values = [float(x) for x in image]
            for layer, (weights, biases) in zip(brood.network.dense, brood.network.unpack(genes), strict=True):
                sums = [sum(w * x for w, x in zip(row, values, strict=True)) for row in weights.tolist()]
                values = [s + b for s, b in zip(sums, biases.tolist(), strict=True)]
                if layer.activation == "tanh":
                    values = [math.tanh(value) for value in values]
            exponentials = [math.exp(value) for value in values]
            if batch.score is Score.REWARD_SAMPLED:
                draw = (int(words[i]) >> 8) / 2**24 * sum(exponentials)
                steps = [sum(exponentials[: k + 1]) for k in range(len(values))]
                predicted = next(k for k, step in enumerate(steps) if draw < step)
                margin = min(margin, *(abs(draw - step) for step in steps[:-1]))
            else:
                predicted = values.index(max(values))
                margin = min(margin, sorted(values)[-1] - sorted(values)[-2])
            label = int(batch.labels[i])
            right += predicted == label
            if batch.score is Score.LOG_PROBABILITY:
                score = math.log(exponentials[label] / sum(exponentials))
            else:
                score = batch.reward if predicted == label else batch.penalty
            earned += score * float(batch.weights[i])
        fitness.append(earned)
        accuracy.append(right / len(batch))
    return fitness, accuracy, margin


@pytest.mark.parametrize("score", GENOME_SCORES)
def test_score_equals_a_slow_reference_in_plain_python(backend: Backend, score: Score) -> None:
    """Network, softmax, sampling, reward and image weights, written out once more without arrays."""
    rng = np.random.default_rng(4)
    brood = brood_of(rng.normal(size=(2, NETWORK.gene_count)), 7, mutation_rate=0.3)
    features, labels = rng.random((13, 6), np.float32), rng.integers(0, 3, 13)
    batch = Batch(features, labels, np.linspace(0.5, 1.0, 13), score, 10.0, -1.5)
    fitness, accuracy, margin = slow_judgement(brood, batch, backend.rebuild(brood, np.arange(7)))
    assert margin > 1e-5  # so that rounding decides nothing
    found = backend.score(brood, batch)
    assert found.fitness.dtype == found.accuracy.dtype == np.float64
    assert found.fitness == pytest.approx(fitness, rel=1e-5)
    assert found.accuracy == pytest.approx(accuracy)
    assert len(set(accuracy)) > 1


@pytest.mark.parametrize("score", GENOME_SCORES)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_nan_weights_do_not_crash_and_earn_no_more_than_finite_ones(backend: Backend, score: Score) -> None:
    """A broken genome is scored like any other: NaN log-probability (replaced later), or some class predicted."""
    survivors = np.zeros((2, NETWORK.gene_count), np.float32)
    survivors[1] = np.nan
    brood = brood_of(survivors, 2, gene=Gene.NONE, parents=np.array([[0, 0], [1, 1]], np.int32))
    batch = Batch(np.ones((6, 6), np.float32), np.arange(6) % 3, np.ones(6), score, 10.0, -1.5)
    found = backend.score(brood, batch)
    assert np.isfinite(found.fitness[0])
    assert ((found.accuracy >= 0) & (found.accuracy <= 1)).all()
    if score is Score.LOG_PROBABILITY:
        assert np.isnan(found.fitness[1])
    else:
        assert -1.5 * 6 <= found.fitness[1] <= 10 * 6
    assert np.isnan(backend.logits(NETWORK, survivors[1], batch.features)).all()


def test_huge_logits_do_not_overflow(backend: Backend) -> None:
    """Softmax of logits of 1e30 is 1 for the largest class."""
    network = Network.build((1,), (), 3)
    brood = brood_of(np.array([[0, 0, 0, 1e30, -1e30, 0]]), 4, network, gene=Gene.NONE)
    batch = Batch(np.ones((5, 1), np.float32), np.zeros(5, np.int64), np.ones(5), Score.REWARD_SAMPLED, 10.0, -1.5)
    assert backend.score(brood, batch).fitness.tolist() == [50.0] * 4


@pytest.mark.parametrize("images", [0, 1, 511, 513])
def test_logits_have_a_row_per_image(backend: Backend, images: int) -> None:
    """Around the tile size of 512 images, each row is that image's own."""
    features = np.random.default_rng(0).random((images, 6), np.float32)
    genes = np.random.default_rng(1).normal(size=NETWORK.gene_count).astype(np.float32)
    logits = backend.logits(NETWORK, genes, features)
    assert logits.shape == (images, 3)
    assert logits.dtype == np.float32
    values = features.astype(np.float64)
    for layer, (weights, biases) in zip(NETWORK.dense, NETWORK.unpack(genes), strict=True):
        values = values @ weights.T + biases
        values = np.tanh(values) if layer.activation == "tanh" else values
    assert logits == pytest.approx(values, abs=1e-5)


# Choosing one


@pytest.mark.parametrize(("name", "near"), [("nunpy", "'numpy'"), ("NUMBA", "known"), ("cupi", "'cupy'"), ("", "auto")])
def test_an_unknown_backend_is_refused_with_the_nearest_name(name: str, near: str) -> None:
    """A misspelt name is answered with the one that was probably meant."""
    with pytest.raises(UsageError) as raised:
        backends.create(name)
    assert near in one_line(raised.value)


def test_every_named_backend_runs_here_or_says_why_not_in_one_line() -> None:
    """Without a GPU, cupy is a BackendError or a missing extra; nothing crashes."""
    for name in backends.names():
        try:
            created = backends.create(name)
        except (BackendError, MissingExtraError) as error:
            one_line(error)
        else:
            assert created.name == backends.resolve(name)


def test_without_numba_the_cpu_is_numpy_and_numba_names_its_extra() -> None:
    """In an interpreter that cannot import numba, training still works and the way to numba is one line."""
    code = """
import sys
sys.modules["numba"] = None
from genreg_np import backends
from genreg_np.errors import MissingExtraError
assert backends.create("cpu").name == backends.create("auto").name == "numpy"
try:
    backends.create("numba")
except MissingExtraError as error:
    print(error)
"""
    printed = python(code)
    assert "pip install 'genreg-np[train]'" in printed
    assert len(printed.splitlines()) == 1
