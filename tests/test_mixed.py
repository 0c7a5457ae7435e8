"""Mixed evolution: a generation, who is chosen, what the notebook did, how alike networks are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genreg_np import backends, infer
from genreg_np.errors import FitnessError, UsageError
from genreg_np.model import Network
from genreg_np.report import measure
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.training import train
from genreg_np.strategies.epochs import epoch_order
from genreg_np.strategies.mixed import strategy as mixed
from genreg_np.strategies.mixed.breeding import first_networks
from genreg_np.strategies.mixed.fitness import fitness_of
from genreg_np.strategies.mixed.networks import in_parts
from genreg_np.strategies.mixed.options import MixedOptions
from genreg_np.strategies.mixed.similarity import cluster_counts, clusters, cosines, layer_slices, mean_pairwise
from genreg_np.streams import Stream
from tests.helpers import one_line, tiny_dataset

DATASET = tiny_dataset()
BACKEND = backends.create("numpy")
SMALL: dict[str, Any] = {
    "strategy": "mixed",
    "hidden": [8, 6],
    "activation": "relu",
    "generations": 3,
    "validate_every": 1,
    "population_size": 6,
    "newcomers": 0.34,
    "batch_size": 8,
    "learning_rate": 0.05,
    "seed": 3,
}


def run(preset: str = "", **changes: Any) -> Evolution:
    """Return a small run."""
    settings = SMALL | changes
    config = TrainConfig.from_preset(preset, **settings) if preset else TrainConfig.from_dict(settings)
    return Evolution(config, DATASET, backend="numpy")


# A generation


def test_a_generation_breeds_from_the_better_half_and_keeps_the_best() -> None:
    """Without descent worth the name, children have their parents' genes; the fittest of all live on, best first."""
    evolution = run(learning_rate=1e-12, momentum=0.0, newcomers=0.0)
    before = evolution.state
    evolution.step()
    parents = before.population[:3]
    for child in evolution.state.population:
        assert (np.abs(child - parents) < 1e-6).any(axis=0).all()
        assert not (np.abs(child - parents) < 1e-6).all(axis=1).any(), "two parents"
    for state in (before, evolution.state):
        assert (np.diff(state.accuracy) <= 0).all()
        found = mixed.accuracies(evolution.context, state.population)
        assert np.array_equal(found, state.accuracy)
        assert np.array_equal(state.fitness, state.accuracy)


def test_accuracy_is_that_of_the_saved_networks() -> None:
    """What parents are chosen by is the share of validation images that infer.py gets right with these weights."""
    evolution = run()
    evolution.run()
    model = evolution.champions()["best"]
    predicted = infer.Model(model.header, model.arrays).predict(DATASET.validation.inputs)
    assert np.mean(predicted == DATASET.validation.labels) == evolution.state.accuracy[0]
    assert evolution.state.accuracy[0] > 0.5


def test_a_vertical_network_is_saved_as_a_plain_one_and_predicts_the_same() -> None:
    """Parts of a layer are rows of one dense layer: infer.py needs to know nothing of them."""
    evolution = run(parts=[1, 2])
    evolution.run()
    model = evolution.champions()["best"]
    assert [layer["outputs"] for layer in model.header["network"]["layers"]] == [8, 6, 4]
    images = DATASET.test.inputs
    features = evolution.network.features(images, DATASET.input_range)
    stack, backend = evolution.context.descent.network.stack, evolution.backend
    from genreg_np.backends.gradients import separate

    parameters = separate(evolution.network, model.genes[None])
    with backend.computing():
        logits, _ = stack.forward(parameters, np.ascontiguousarray(features.T))
    assert model.outputs(images) == pytest.approx(logits[0].T, abs=1e-5)


def test_mutation_changes_about_its_rate_of_genes() -> None:
    """The masked Gaussian noise of the other strategies, on children only."""
    evolution = run(learning_rate=1e-12, child_mutation_rate=0.3, mutation_scale=5.0, newcomers=0.0, generations=1)
    parents = evolution.state.population[:3]
    evolution.step()
    near = (np.abs(evolution.state.population[:, None] - parents) < 1e-6).any(axis=1)
    assert 0.6 < near.mean() < 0.8


def test_newcomers_are_counted_when_they_stay() -> None:
    """In the first generation newcomers have learned as much as the rest; some stay."""
    evolution, kept = run(newcomers=1.0), []
    evolution.run(on_record=lambda record: kept.append(record["newcomers_kept"]))
    assert len(evolution.state.population) == 6
    assert kept[0] > 0
    assert all(0 <= number <= 6 for number in kept)


@pytest.mark.parametrize(("order", "same"), [("fixed", True), ("shuffled", False)])
def test_epochs_are_shuffled_unless_told_otherwise(order: str, same: bool) -> None:
    """Every image once in an epoch, in another order in the next one; as published, as they lie."""
    evolution = run(order=order)
    first, second = np.split(mixed.learning_order(evolution.context, evolution.stream, 5, 2), 2)
    images = np.arange(len(DATASET.train))
    assert np.array_equal(np.sort(first), images)
    assert np.array_equal(first, second) == same
    assert np.array_equal(first, images) == same


def test_each_generation_learns_in_the_order_of_its_own_epochs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generation g has epochs 2 g and 2 g + 1; a single network that learns as long has them all."""
    orders: list[np.ndarray] = []
    evolution = run(epochs=2)
    descend = evolution.backend.descend

    def noted(descent: Any, genes: Any, features: Any, labels: Any, order: np.ndarray) -> Any:
        orders.append(order)
        return descend(descent, genes, features, labels, order)

    monkeypatch.setattr(evolution.backend, "descend", noted)
    evolution.run()
    images = len(DATASET.train)
    for generation, order in enumerate(orders):
        for epoch, found in enumerate(np.split(order, 2)):
            assert np.array_equal(found, epoch_order(evolution.stream, 2 * generation + epoch, images)[0])
    assert len(np.unique(np.concatenate(orders).reshape(6, images), axis=0)) == 6
    measure.train_baselines(evolution)
    assert np.array_equal(orders[3], np.concatenate(orders[:3]))


def test_the_plan_counts_the_cosines_of_all_generations() -> None:
    """Ten thousand generations of a hundred networks keep more cosines than weights."""
    line = run(generations=9_999, parts=[1, 2]).plan()
    assert "40,000 x 6 x 6 cosines x 4 bytes" in line
    assert line.endswith("= 6 MB")


def test_the_papers_mode_does_what_the_notebook_did() -> None:
    """Learns from all images but the test's in order, chooses by test accuracy, begins with unsorted parents."""
    evolution = run("seed-mixed", generations=1)
    assert len(evolution.context.labels) == len(DATASET.train) + len(DATASET.validation)
    tail = evolution.context.features[len(DATASET.train) :]
    assert np.array_equal(tail, evolution.network.features(DATASET.validation.inputs, DATASET.input_range))
    first = first_networks(BACKEND, evolution.network, Stream(3), np.arange(6))
    assert np.array_equal(evolution.state.population, first)
    assert not evolution.state.accuracy.any()
    evolution.run()
    predicted = evolution.champions()["best"].predict(DATASET.test.inputs)
    assert evolution.state.accuracy[0] == np.mean(predicted == DATASET.test.labels)


# Networks that diverge


def test_a_network_that_diverges_is_dropped_counted_and_replaced() -> None:
    """Its loss is not a number; a fresh network takes its place, and nothing that is not finite is ever recorded."""
    evolution, records = run(child_mutation_rate=0.01, mutation_scale=1000.0, learning_rate=0.5), []
    evolution.state = replace(evolution.state, population=evolution.state.population * np.float32(1e12))
    evolution.run(on_record=records.append)
    assert evolution.state.dropped > 0
    assert records[-1]["dropped"] == evolution.state.dropped
    assert np.isfinite(evolution.state.population).all()
    assert all(np.isfinite(record["loss"]) for record in records)
    assert len(np.unique(evolution.state.population, axis=0)) == 6


def test_when_all_diverge_the_line_says_what_to_do() -> None:
    evolution = run(newcomers=0.0)
    evolution.state = replace(evolution.state, population=evolution.state.population * np.float32(np.nan))
    with pytest.raises(FitnessError, match=r"all 6 networks .* lower learning_rate \(0.05\)") as raised:
        evolution.run()
    one_line(raised.value)


# What cannot be


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"population_size": 1}, "population_size = 1 must be at least 2"),
        ({"hidden": [], "gene": "layer"}, "network of one layer .*16-4.* cannot recombine"),
        ({"hidden": [], "gene": "block"}, "network of one block"),
        ({"activation": "step"}, "'step' has no gradient"),
        ({"parts": [1, 4]}, "6 units cannot be cut into 4"),
        ({"parts": [2]}, "parts = 2 must have a number for each of the 2 hidden layers"),
        ({"training": "all"}, "chosen on training images.*genreg-np mixed --paper"),
        ({"gene": "limb"}, "gene = 'limb' must be one of"),
        ({"learning_rate": 0.0}, "learning_rate = 0.0 must be greater than 0"),
    ],
)
def test_settings_that_cannot_be_are_one_line(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        run(**changes)
    one_line(raised.value)


def test_mixed_without_a_dataset_is_refused() -> None:
    """There is nothing to learn from."""
    with pytest.raises(UsageError, match=r"it needs a dataset$") as raised:
        Evolution(TrainConfig.from_preset("mixed"), network=Network.build((3,), (4,), 2), backend="numpy")
    one_line(raised.value)


def test_a_fitness_of_ones_own_is_refused() -> None:
    with pytest.raises(UsageError, match="takes no custom fitness: leave out image_fitness") as raised:
        Evolution(TrainConfig.from_dict(SMALL), DATASET, backend="numpy", image_fitness=lambda logits, labels: labels)
    one_line(raised.value)


# Changes in mid-run


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 2),
        ("first_parents", "unsorted"),
        ("selection", "test"),
        ("order", "fixed"),
        ("edges", "fresh"),
        ("newcomers", 0.5),
        ("parts", (1, 2)),
        ("population_size", 8),
    ],
)
def test_what_a_run_is_told_by_cannot_change_in_it(name: str, value: Any) -> None:
    evolution = run()
    evolution.run(1)
    with pytest.raises(UsageError, match=f"{name} cannot be changed during a run: ") as raised:
        evolution.change(**{name: value})
    one_line(raised.value)


def test_training_images_cannot_change_in_mid_run() -> None:
    evolution = run(selection="test")
    with pytest.raises(UsageError, match="training cannot be changed"):
        evolution.change(training="all")
    evolution.change(learning_rate=0.01, gene="unit")


# Fitness


def similar(*pairs: tuple[int, int, float], size: int = 4) -> np.ndarray:
    """Return cosines (1, n, n) of networks that are unlike but for some pairs."""
    matrix = np.eye(size, dtype=np.float32)
    for one, other, value in pairs:
        matrix[one, other] = matrix[other, one] = value
    return matrix[None]


def test_a_bonus_for_being_unlike_the_others() -> None:
    """Accuracy and weight times the mean cosine distance to the others, which is 1 for a network like nobody."""
    accuracy, alike = np.array([0.9, 0.9, 0.8, 0.7]), similar((0, 1, 1.0), (2, 3, 0.5))
    found = fitness_of(accuracy, alike, MixedOptions(fitness="diversity", diversity_weight=0.3))
    assert found == pytest.approx(accuracy + 0.3 * np.array([2 / 3, 2 / 3, 2.5 / 3, 2.5 / 3]))
    assert np.array_equal(fitness_of(accuracy, alike, MixedOptions()), accuracy)


def test_niches_put_the_best_of_every_kind_first() -> None:
    """The second best of a kind comes after the worst of the best."""
    accuracy, alike = np.array([0.9, 0.95, 0.5, 0.6]), similar((0, 1, 0.95), (2, 3, 0.89))
    found = fitness_of(accuracy, alike, MixedOptions(fitness="niches", niche_similarity=0.9))
    assert np.argsort(-found).tolist() == [1, 3, 2, 0]


def test_a_diversity_bonus_keeps_networks_unlike() -> None:
    """With a bonus that outweighs accuracy the population stays further apart."""
    spread = []
    for weight in (0.0, 50.0):
        evolution = run(fitness="diversity", diversity_weight=weight, generations=6, gene="weight", newcomers=1.0)
        evolution.run()
        spread.append(mean_pairwise(evolution.state.similarity[-1]).mean())
    assert spread[1] < spread[0] - 0.1


# How alike they are


def test_cosines_are_those_of_each_layers_weights() -> None:
    """Layer by layer and part by part, biases left out."""
    network = Network.build((5,), (4, 6), 3)
    genes = np.random.default_rng(0).normal(size=(3, network.gene_count)).astype(np.float32)
    slices = layer_slices(in_parts(network, (1, 2)))
    assert list(slices) == ["1", "2a", "2b", "3"]
    found = cosines(BACKEND, genes, slices)
    weights = [layer[0] for layer in network.unpack(genes)]
    expected = [weights[0], weights[1][:, :3], weights[1][:, 3:], weights[2]]
    for matrix, flat in zip(found, (values.reshape(3, -1) for values in expected), strict=True):
        for i, j in np.ndindex(3, 3):
            cosine = flat[i] @ flat[j] / np.linalg.norm(flat[i]) / np.linalg.norm(flat[j])
            assert matrix[i, j] == pytest.approx(cosine, abs=1e-6)


def test_parts_have_letters_and_beyond_26_numbers() -> None:
    """Every part has a name of its own that can be read."""
    network = Network.build((5,), (27, 26), 3)
    names = list(layer_slices(in_parts(network, (27, 26))))
    assert [names[0], names[26], names[27], names[52], names[53]] == ["1.1", "1.27", "2a", "2z", "3"]
    assert len(set(names)) == 27 + 26 + 1


def test_clusters_are_chains_of_near_networks() -> None:
    """0 is near 1 and 1 near 2, so they are one kind; 3 is alone."""
    alike = similar((0, 1, 0.92), (1, 2, 0.905))[0]
    assert clusters(alike).tolist() == [0, 0, 0, 1]
    assert clusters(alike, 0.91).tolist() == [0, 0, 1, 2]
    assert cluster_counts(np.stack([alike, np.ones_like(alike)])) == [2, 1]


def test_similarity_is_recorded_from_before_training_on() -> None:
    """A matrix for each generation, symmetric, with 1 on the diagonal; a record has the mean of all pairs."""
    evolution, records = run(), []
    evolution.run(on_record=records.append)
    history = evolution.state.similarity
    assert history.shape == (4, 3, 6, 6)
    assert np.array_equal(history, history.swapaxes(2, 3))
    assert (np.diagonal(history, axis1=2, axis2=3) == 1).all()
    pairs = history[-1][:, ~np.eye(6, dtype=bool)].mean(axis=1)
    assert records[-1]["similarity"] == pytest.approx(pairs, abs=1e-5)
    assert np.abs(mean_pairwise(history[0])).max() < 0.3, "random networks are unlike"


def test_a_run_keeps_its_population_in_its_folder(tmp_path: Any) -> None:
    """Every other habit of runs is tested with all strategies; a run folder also holds what can be measured again."""
    result = train(TrainConfig.from_dict(SMALL), DATASET, tmp_path / "run", backend="numpy")
    assert result.generations == 3
    again = Evolution.load(tmp_path / "run" / "checkpoint.npz", DATASET, backend="numpy")
    assert again.state.population.shape == (6, again.network.gene_count)
    assert again.champions()["best"].genes.tobytes() == result.model.genes.tobytes()
