"""Evolution: the same seed gives the same run, whatever is saved, asked or shared out; and selection works."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.backends.base import Batch, Brood, Judgement
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.data.dataset import SPLITS
from genreg_np.errors import UsageError
from genreg_np.fitness import Score
from genreg_np.model import Model, Network
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies import REGISTRY, epochs, selection
from genreg_np.strategies.genreg import draw_from_classes
from genreg_np.strategies.problem import HiddenLayers, network_for
from tests.helpers import (
    CPU_BACKENDS,
    DATASET,
    LEARNING,
    dataset_for,
    evolution,
    model_of,
    one_line,
    outcome,
    own,
    smallness,
    strategies_for,
    tiny_config,
    tiny_dataset,
)

pytestmark = pytest.mark.filterwarnings("error")


def without_seconds(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


# Reproducibility


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_same_seed_same_result(strategy: str, backend: str) -> None:
    """Two runs of one seed record the same numbers and end in the same bytes."""
    runs = [evolution(backend, strategy=strategy) for _ in range(2)]
    records: list[list[dict[str, Any]]] = [[], []]
    for run, lines in zip(runs, records, strict=True):
        assert run.run(on_record=lines.append) == "generations"
    assert outcome(runs[0]) == outcome(runs[1])
    assert without_seconds(records[0]) == without_seconds(records[1])


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_another_seed_another_result(strategy: str) -> None:
    """The seed is what determines a run."""
    packed = []
    for seed in (1, 2, 2**64 - 1):
        run = evolution(strategy=strategy, seed=seed)
        run.run(2)
        packed.append(run.champions()["best"].pack())
    assert len(set(packed)) == 3


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("strategy", list(REGISTRY))
@pytest.mark.parametrize("stop", [0, pytest.param(1, marks=pytest.mark.soak), 3])
def test_resume_equals_uninterrupted(tmp_path: Path, strategy: str, backend: str, stop: int) -> None:
    """Saved after any generation, loaded and gone on with, a run ends in the bytes of the run never stopped."""
    changes = {"strategy": strategy} | ({"base_mutation_rate": 0.1} if strategy == "genreg" else {})
    whole, first = evolution(backend, **changes), evolution(backend, **changes)
    whole.run()
    first.run(stop)
    first.save(tmp_path / "checkpoint.npz")
    second = Evolution.load(tmp_path / "checkpoint.npz", dataset_for(strategy, DATASET), backend=backend)
    assert second.generation == stop
    assert second.config == first.config
    assert second.seconds >= first.seconds - 1e-6
    second.run()
    assert outcome(second) == outcome(whole)


def test_resume_of_a_standardised_table_equals_uninterrupted(tmp_path: Path) -> None:
    """The fixed layer of float features is made anew from the data, and the champion carries it."""
    table = tiny_dataset(kind="f")
    whole, first = (Evolution(tiny_config(), table, backend="numpy") for _ in range(2))
    whole.run()
    first.run(2)
    first.save(tmp_path / "c.npz")
    second = Evolution.load(tmp_path / "c.npz", table, backend="numpy")
    second.run()
    assert outcome(second) == outcome(whole)
    assert whole.champions()["best"].network.fixed


def test_records_say_what_the_contract_promises() -> None:
    """Each generation has trust, accuracy and seconds that never fall; validation falls on generation numbers."""
    records: list[dict[str, Any]] = []
    evolution(generations=5, validate_every=2).run(on_record=records.append)
    assert [record["generation"] for record in records] == [1, 2, 3, 4, 5]
    assert all({"seconds", "best_trust", "mean_trust", "mean_accuracy"} <= set(record) for record in records)
    assert [record["generation"] for record in records if "validation_accuracy" in record] == [2, 4, 5]
    seconds = [record["seconds"] for record in records]
    assert seconds == sorted(seconds)
    assert all(record["best_trust"] >= record["mean_trust"] for record in records)
    assert all(0 <= record["mean_accuracy"] <= 1 for record in records)
    json.dumps(records, allow_nan=False)


# Starting from a model


def test_a_run_may_start_from_a_model() -> None:
    """Generation 0 are its mutated copies; elites are not needed to keep it near."""
    network = network_for(DATASET, HiddenLayers((5,), "tanh"))
    start = model_of(network, class_names=DATASET.class_names)
    run = Evolution(tiny_config(child_mutation_rate=0.1, mutation_scale=0.01), DATASET, backend="numpy", initial=start)
    genomes = np.array([model.genes for model in run.ask()])
    changed = (genomes != start.genes).mean()
    assert 0.07 < changed < 0.13
    assert np.abs(genomes - start.genes).max() < 0.05
    run = Evolution(tiny_config(), DATASET, backend="numpy", initial=start)
    run.run(2)
    assert run.generation == 2


def test_a_model_of_another_network_cannot_be_started_from() -> None:
    """The line shows both networks."""
    with pytest.raises(UsageError) as raised:
        Evolution(tiny_config(), DATASET, backend="numpy", initial=model_of(Network.build((4, 4), (6,), 4)))
    assert "16-6-4" in one_line(raised.value)
    assert "16-5-4" in str(raised.value)


# Selection works


def random_accuracies(dataset: Any, network: Network, count: int) -> np.ndarray:
    """Return the validation accuracies of genomes drawn at random, as generation 0 draws them."""
    run = Evolution(tiny_config(population_size=count, seed=99), dataset, network=network, backend="numpy")
    run.ask()
    assert run._asked is not None
    features = network.features(dataset.validation.inputs, dataset.input_range)
    ones = np.ones(len(features))
    batch = Batch(features, dataset.validation.labels, ones, Score.REWARD_ARGMAX, 1.0)
    return NumpyBackend().score(run._asked, batch).accuracy


@pytest.mark.parametrize("strategy", strategies_for("better than random search"))
def test_better_than_random_search(strategy: str) -> None:
    """Forty generations beat the best of as many random genomes, chosen by their validation accuracy itself."""
    dataset = dataset_for(strategy, tiny_dataset(classes=6, noise=30))
    size = {"generations": 40, "hidden": [12]}
    run = Evolution(tiny_config(strategy=strategy, **size | LEARNING.get(strategy, {})), dataset, backend="numpy")
    run.run()
    rivals = random_accuracies(dataset, run.network, 40 * 60)
    assert run.accuracies("validation")["best"] > rivals.max() + 0.2


def test_random_search_keeps_the_best_of_fresh_genomes() -> None:
    """Its fitness never falls, is the accuracy on one batch, and is that of its champion."""
    run, best = evolution(strategy="random-search", population_size=3), []
    run.run(6, on_record=lambda record: best.append(record["best_trust"]))
    assert best == sorted(best)
    assert len(set(best)) > 1
    batch = epochs.draw_batch(run.context.batch, epochs.UNMOVED, run.stream, 0)
    predicted = run.backend.logits(run.network, run.state.genes, batch.inputs).argmax(axis=1)
    assert best[-1] == pytest.approx(np.mean(predicted == batch.labels))


def test_evolution_follows_a_fitness_of_ones_own() -> None:
    """The champion's weights shrink when small weights are what is asked for."""
    run = own(generations=30, elites=2, mutation_scale=0.05)
    first = max(smallness(model) for model in run.ask())
    run.run(fitness=smallness)
    assert smallness(run.champions()["best"]) > 0.7 * first


def test_the_consensus_is_the_mean_of_the_survivors() -> None:
    """Its weights are the survivors' mean, computed in float64 and rounded once."""
    run = evolution()
    run.run(2)
    expected = run.state.survivors.mean(axis=0, dtype=np.float64).astype(np.float32)
    assert run.champions()["consensus"].genes.tobytes() == expected.tobytes()
    assert len(run.state.survivors) == len(run.state.trust) == 5
    assert (np.diff(run.state.trust) <= 0).all()


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_base_mutation_changes_survivors_but_not_elites(backend: str) -> None:
    """With base mutation, elites are handed on unchanged while the other survivors drift before they breed."""
    results = []
    for rate in (0.0, 0.5):
        run = evolution(
            backend, base_mutation_rate=rate, elites=2, crossover="none", child_mutation_rate=0.0, population_size=40
        )
        run.step()
        best = run.state.survivors[:2].copy()
        everyone = np.array([model.genes for model in run.ask()])
        assert everyone[:2].tobytes() == best.tobytes()
        known = {genes.tobytes() for genes in run.state.survivors}
        results.append(sum(genes.tobytes() in known for genes in everyone[2:]))
    assert results[0] == 38  # children without any mutation are copies of survivors
    assert 0 < results[1] < 38  # copies of the two elites are left, the rest is new


def test_all_survivors_may_be_elites() -> None:
    """As many elites as survivors: base mutation then has nobody to change."""
    run = evolution(elites=5, base_mutation_rate=0.3)
    run.run(3)
    assert run.generation == 3


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("fitness", ["reward", "log-probability"])
@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
def test_nan_weights_do_not_spread(backend: str, fitness: str) -> None:
    """A population that starts from broken weights ends the run with an error or keeps finite trust."""
    network = network_for(DATASET, HiddenLayers((5,), "tanh"))
    broken = model_of(network, class_names=DATASET.class_names)
    spoilt = Model.build(network, broken.genes * np.float32(1e19), broken.class_names, broken.input_range)
    run = Evolution(
        tiny_config(fitness=fitness, activation="tanh"), DATASET, network=network, backend=backend, initial=spoilt
    )
    run.run(3)
    assert np.isfinite(run.state.trust).all()


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_accuracies_are_those_of_the_champions_on_the_named_split(backend: str) -> None:
    """What a run reports is what its saved models score on the raw images of that split."""
    run = evolution(backend, **LEARNING["genreg"])
    run.run()
    for name in ("train", "validation", "test"):
        split = DATASET.split(name)
        expected = {
            champion: float(np.mean(model.predict(split.inputs) == split.labels))
            for champion, model in run.champions().items()
        }
        assert run.accuracies(name) == expected
    assert run.accuracies("train") != run.accuracies("validation")


class Spy(NumpyBackend):
    """Remembers what it was asked to score."""

    def __init__(self) -> None:
        self.scored: list[tuple[Brood, Batch]] = []

    def score(self, brood: Brood, batch: Batch) -> Judgement:
        self.scored.append((brood, batch))
        return super().score(brood, batch)


def test_every_generation_is_scored_once_on_a_batch_of_its_own() -> None:
    """Broods are numbered by generation, and no batch is seen twice."""
    spy = Spy()
    Evolution(tiny_config(), DATASET, backend=spy).run()
    assert [brood.generation for brood, _ in spy.scored] == [0, 1, 2, 3, 4, 5]
    assert len({batch.inputs.tobytes() for _, batch in spy.scored}) == 6


@pytest.mark.parametrize(
    ("fitness", "scheme", "expected"),
    [
        ("reward", "auto", "published"),
        ("log-probability", "auto", "rank"),
        ("accuracy", "auto", "rank"),
        ("reward", "rank", "rank"),
        ("accuracy", "published", "published"),
    ],
)
def test_parents_are_weighted_as_published_only_for_the_published_reward(
    fitness: str, scheme: str, expected: str
) -> None:
    """On any other fitness's scale the published shift would hardly select."""
    run = evolution(fitness=fitness, parent_weights=scheme)
    run.run(2)
    weights = selection.parent_weights(run.state.trust, expected)
    brood = run.strategy.breed(run.state, run.context, run.stream)
    assert np.array_equal(brood.parents, selection.draw_parents(weights, 20, 1, run.stream, 2))


def test_batches_are_fresh_balanced_and_in_random_class_order() -> None:
    """Each generation draws its own training images, equally many of each class, each image equally likely."""
    run = evolution(images_per_class=6)
    train = run.network.features(DATASET.train.inputs, DATASET.input_range)
    rows = {features.tobytes(): row for row, features in enumerate(train)}
    drawn, orders = [], set()
    for generation in range(200):
        batch = draw_from_classes(run.context, run.stream, generation)
        drawn.append([rows[features.tobytes()] for features in batch.inputs])
        assert np.array_equal(batch.labels, DATASET.train.labels[drawn[-1]])
        order = batch.labels.reshape(4, 6)[:, 0].tolist()
        assert np.array_equal(batch.labels, np.repeat(order, 6))
        assert sorted(order) == [0, 1, 2, 3]
        orders.add(tuple(order))
    assert len(orders) == 24
    assert len({tuple(batch) for batch in drawn}) == 200
    counts, expected = np.bincount(np.ravel(drawn), minlength=len(train)), 200 * 6 / 24
    assert np.abs(counts - expected).max() < 5 * expected**0.5


@pytest.mark.parametrize("strategy", ["genreg", "node-perturbation"])
def test_inputs_that_are_all_the_same_are_told_of(strategy: str) -> None:
    """There is nothing to learn from them: one warning, and the run goes on; one that differs is enough for none."""
    known = tiny_dataset()
    flat = {name: replace(known.split(name), inputs=known.split(name).inputs * 0 + 7) for name in SPLITS}
    with pytest.warns(RuntimeWarning, match="all training inputs are the same"):
        Evolution(tiny_config(strategy=strategy), replace(known, **flat), backend="numpy").run(2)
    flat["train"].inputs[-1, 0, 0] = 8
    Evolution(tiny_config(strategy=strategy), replace(known, **flat), backend="numpy")
