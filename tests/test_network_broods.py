"""Broods of networks that are not all dense: every backend builds the same genomes, and judges them alike."""

from __future__ import annotations

import dataclasses
import tracemalloc

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.backends import stacked
from genreg_np.backends.base import IMAGE_TILE, Batch, Brood, genome_bytes
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.backends.selftest import LOGIT_BOUND
from genreg_np.fitness import GENOME_SCORES, Score
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.description import parse
from genreg_np.layers.groups import Gene
from genreg_np.model import Network
from genreg_np.strategies.base import first_genes
from genreg_np.streams import Stream
from tests.helpers import BACKENDS, CPU_BACKENDS, create_or_skip

SHAPE = (2, 7, 6)
NETWORK = Network(
    SHAPE,
    parse("conv 3 3 / relu / prelu / max 2 / conv 4 2 same / elu / adaptive avg 2 / dense 5 / tanh / dense 3", SHAPE),
)
POPULATION, SURVIVORS, IMAGES, ELITES = 21, 5, 23, 2
EVERYONE = np.arange(POPULATION)


def brood_of(
    gene: Gene = Gene.UNIT, survivors: int = SURVIVORS, rate: float = 0.1, network: Network = NETWORK
) -> Brood:
    """Return a generation; without survivors the first one."""
    rng = np.random.default_rng(5)
    return Brood(
        network=network,
        seed=(1 << 63) + 7,
        generation=4 if survivors else 0,
        survivors=rng.normal(0, 0.5, (survivors, network.gene_count)).astype(np.float32),
        parents=rng.integers(0, max(1, survivors), (POPULATION, 2)).astype(np.int32),
        gene=gene,
        mutation_rate=rate,
        mutation_scale=0.1,
        elites=ELITES if survivors else 0,
        weight_range=0.5,
        bias_range=0.1,
    )


def batch_of(score: Score = Score.LOG_PROBABILITY, images: int = IMAGES) -> Batch:
    """Return images and what is earned for them."""
    rng = np.random.default_rng(6)
    features = rng.random((images, 84), np.float32)
    return Batch(features, rng.integers(0, 3, images), np.linspace(1.0, 1.2, images), score, 10.0, -1.5)


@pytest.mark.parametrize("name", BACKENDS)
def test_genomes_are_the_same_bits_everywhere(name: str) -> None:
    """Drawn or inherited, by whatever is exchanged as a whole, with slopes that begin elsewhere than at 0."""
    backend, reference = create_or_skip(name), NumpyBackend()
    for brood in (brood_of(survivors=0), *map(brood_of, Gene)):
        found = backend.to_host(backend.rebuild(brood, EVERYONE))
        assert found.tobytes() == reference.rebuild(brood, EVERYONE).tobytes(), brood.gene


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("score", GENOME_SCORES)
def test_scores_and_answers_are_those_of_the_specification(name: str, score: Score) -> None:
    """Within the bound that dense networks have; a prediction may differ where two classes are closer than that."""
    backend, reference, batch = create_or_skip(name), NumpyBackend(), batch_of(score)
    for brood in (brood_of(), brood_of(survivors=0)):
        expected, found = reference.score(brood, batch), backend.score(brood, batch)
        flips = round(np.abs(expected.accuracy - found.accuracy).sum() * IMAGES)
        assert flips <= 1
        allowed = LOGIT_BOUND * IMAGES * 10 + flips * 11.5 * 1.2
        assert np.abs(expected.fitness - found.fitness).max() <= allowed
        answers = reference.outputs(brood, batch.features)
        off = np.abs(answers - backend.outputs(brood, backend.to_device(batch.features))).max()
        assert off <= LOGIT_BOUND * np.abs(answers).max()
        genes = reference.rebuild(brood, EVERYONE[3:4])[0]
        logits = backend.logits(NETWORK, genes, backend.to_device(batch.features))
        assert np.abs(answers[3] - logits).max() <= LOGIT_BOUND * np.abs(answers).max()


@pytest.mark.parametrize("name", BACKENDS)
def test_what_a_genome_earns_does_not_depend_on_who_else_is_chosen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the bit; genomes are tiles of a few here."""
    monkeypatch.setattr(stacked, "MOST_GENOMES", 4)
    backend, brood, batch = create_or_skip(name), brood_of(), batch_of()
    whole, answers = backend.score(brood, batch), backend.outputs(brood, backend.to_device(batch.features))
    for chosen in (np.array([7]), np.array([20, 0, 7, 7]), np.empty(0, np.int64)):
        some = backend.score(brood, batch, chosen)
        assert some.fitness.tobytes() == whole.fitness[chosen].tobytes()
        assert some.accuracy.tobytes() == whole.accuracy[chosen].tobytes()
        found = backend.outputs(brood, backend.to_device(batch.features), chosen)
        assert found.tobytes() == answers[chosen].tobytes()


@pytest.mark.skipif(backends.resolve("cpu") != "numba", reason="no numba")
def test_threads_change_no_byte() -> None:
    """Of scores, answers and logits, of more images than go through at once."""
    brood, batch = brood_of(), batch_of(images=IMAGE_TILE + 40)
    one, three = backends.create("numba", 1), backends.create("numba", 3)
    assert one.score(brood, batch).fitness.tobytes() == three.score(brood, batch).fitness.tobytes()
    assert one.outputs(brood, batch.features).tobytes() == three.outputs(brood, batch.features).tobytes()
    genes = one.rebuild(brood, EVERYONE[:1])[0]
    assert (
        one.logits(NETWORK, genes, batch.features).tobytes() == three.logits(NETWORK, genes, batch.features).tobytes()
    )


@pytest.mark.skipif(backends.resolve("cpu") != "numba", reason="no numba")
def test_a_backends_own_layers_are_what_answers() -> None:
    """What `stack` returns is used, for broods and for one genome."""

    @dataclasses.dataclass(frozen=True)
    class Doubling:
        layers: tuple[object, ...] = ()

        def outputs(self, parameters: list[np.ndarray], values: np.ndarray) -> np.ndarray:
            return 2 * NETWORK.stack.outputs(parameters, values)

    brood, batch, plain, other = brood_of(), batch_of(), backends.create("numba"), backends.create("numba")
    other.stack = lambda network: Doubling()
    genes = plain.rebuild(brood, EVERYONE[:1])[0]
    for one, two in (
        (plain.outputs(brood, batch.features), other.outputs(brood, batch.features)),
        (plain.logits(NETWORK, genes, batch.features), other.logits(NETWORK, genes, batch.features)),
    ):
        np.testing.assert_allclose(2 * one, two, rtol=1e-3, atol=1e-4)


INHERITING = {
    "a dense layer next": "conv 3 3 / relu / max 2 / dense 5 / tanh / dense 3",
    "a convolution next": "conv 3 3 / leaky-relu / conv 2 2 / relu / dense 3",
    "a tail": "conv 3 3 / elu / avg 2 / dense 5 / tanh / dense 3",
    "a tail with parameters": "conv 3 3 / prelu / adaptive max 2 / dense 3",
}


@pytest.mark.skipif(backends.resolve("cpu") != "numba", reason="no numba")
@pytest.mark.parametrize("gene", [Gene.NONE, Gene.UNIT, Gene.LAYER])
@pytest.mark.parametrize("words", INHERITING.values(), ids=INHERITING)
def test_inherited_maps_are_those_that_genomes_would_compute(
    words: str, gene: Gene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Few filters mutate; answers are those of genomes computed whole, and the same to the bit whoever is chosen."""
    from genreg_np.backends.numba import stacks

    network, batch = Network(SHAPE, parse(words, SHAPE)), batch_of(images=150)
    brood, one, three = brood_of(gene, 2, 0.01, network), backends.create("numba", 1), backends.create("numba", 3)
    front = one.stack(network).layers[0]
    assert stacks.inherits(brood, front, len(batch))
    assert not stacks.inherits(brood_of(Gene.WEIGHT, 2, 0.01, network), front, len(batch))
    assert not stacks.inherits(brood_of(gene, 2, 0.5, network), front, len(batch))
    monkeypatch.setattr(stacks, "MOST_INHERITING", 4)
    found = one.outputs(brood, batch.features)
    assert three.outputs(brood, batch.features).tobytes() == found.tobytes()
    assert one.outputs(brood, batch.features, np.array([20, 3])).tobytes() == found[[20, 3]].tobytes()
    monkeypatch.setattr(stacks, "inherits", lambda *_: False)
    whole = one.outputs(brood, batch.features)
    assert np.abs(whole - found).max() <= LOGIT_BOUND * np.abs(whole).max()


@pytest.mark.skipif(backends.resolve("cpu") != "numba", reason="no numba")
@pytest.mark.parametrize("words", ["conv 16 5 same / adaptive avg 1 / dense 10", "conv 16 3 / relu / dense 10"])
def test_genomes_that_inherit_take_no_more_memory_than_is_planned(words: str) -> None:
    """Maps of survivors, and of tiles that each have another number of new filters."""
    shape = (1, 28, 28)
    network, backend = Network(shape, parse(words, shape)), backends.create("numba", 1)
    brood = dataclasses.replace(
        brood_of(Gene.UNIT, 6, 0.005, network),
        parents=np.random.default_rng(1).integers(0, 6, (300, 2)).astype(np.int32),
    )
    features = np.random.default_rng(2).random((128, 784), np.float32)
    batch = Batch(features, np.zeros(128, np.int64), np.ones(128), Score.LOG_PROBABILITY)
    plan = backend.plan(brood, len(batch))
    assert plan.what == "inherited"
    backend.warm_up()
    tracemalloc.start()
    backend.score(brood, batch)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.2 * plan.bytes


@pytest.mark.parametrize("name", CPU_BACKENDS)
def test_more_images_than_go_through_at_once_are_all_answered(name: str) -> None:
    """In pieces, each image as it would be alone, up to rounding."""
    backend, brood, batch = create_or_skip(name), brood_of(), batch_of(images=2 * IMAGE_TILE + 3)
    answers = backend.outputs(brood, batch.features)
    last = backend.outputs(brood, batch.features[-2:])
    np.testing.assert_allclose(answers[:, -2:], last, rtol=1e-4, atol=1e-5)
    assert genome_bytes(NETWORK, 10**6) < genome_bytes(NETWORK, IMAGE_TILE) + 4 * 10**6 * NETWORK.outputs


def test_units_are_exchanged_as_filters_with_their_biases() -> None:
    """Each filter, bias and all, is one parent's."""
    brood = dataclasses.replace(brood_of(Gene.UNIT, rate=0.0))
    children = NumpyBackend().rebuild(brood, EVERYONE)
    mixed = 0
    for child, (first, second) in zip(children[ELITES:], brood.parents[ELITES:], strict=True):
        parents = [NETWORK.parameters_of(brood.survivors[row]) for row in (first, second)]
        weights, biases = NETWORK.parameters_of(child)[:2]
        origins = []
        for number in range(NETWORK.learning[0].filters):
            own = [
                np.array_equal(weights[number], parent[0][number]) and biases[number] == parent[1][number]
                for parent in parents
            ]
            assert any(own)
            origins.append(own.index(True))
        mixed += len(set(origins)) > 1
    assert isinstance(NETWORK.learning[0], Convolution)
    assert mixed


def test_what_are_no_weights_begins_where_it_should() -> None:
    """Slopes at .25, biases at 0; in a generation drawn at random within the range of biases around that."""
    places = {parameter.role: place for parameter, place in NETWORK.parameter_slices}
    genes = first_genes(NETWORK, 1.0, Stream(3))
    assert np.all(genes[places["slope"]] == 0.25)
    assert np.all(genes[places["bias"]] == 0)
    drawn = NumpyBackend().rebuild(brood_of(survivors=0), EVERYONE)
    slopes = drawn[:, places["slope"]]
    assert 0.15 <= slopes.min() < slopes.max() <= 0.35
    assert np.abs(drawn[:, places["bias"]]).max() <= 0.1
