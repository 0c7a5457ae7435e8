"""The strategy `gradient`: it steps as its formulas say, learns, averages, augments, and says when it diverged."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from genreg_np import layers
from genreg_np.errors import FitnessError, UsageError
from genreg_np.layers.activation import Activation
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.optimisers import ALL_MOMENTS
from genreg_np.layers.schedules import SCHEDULES
from genreg_np.model import Network
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.training import resume, train
from genreg_np.strategies.base import first_genes
from genreg_np.strategies.epochs import rows_of
from genreg_np.streams import Stream
from tests.helpers import DATASET, evolution, one_line, outcome, own, tiny_config, tiny_dataset
from tests.test_learner import Centred

BATCH = 24


def run(network: Network | None = None, **changes: object) -> Evolution:
    return Evolution(tiny_config(strategy="gradient", **changes), DATASET, network=network, backend="numpy")


def test_generations_are_steps_of_plain_descent() -> None:
    """Written out in float64: rows of the epoch, ReLU layers backwards, SGD with momentum and weight decay, cosine."""
    changes = {"optimiser": "sgd", "learning_rate": 0.5, "weight_decay": 0.01, "averaging": 0.0, "activation": "relu"}
    found = run(generations=9, **changes)
    network, stream = found.network, Stream(3)
    genes = first_genes(network, found.config.options.initial_gain, stream).astype(np.float64)
    assert found.state.genes.tobytes() == genes.astype(np.float32).tobytes()
    features = network.features(DATASET.train.inputs, DATASET.input_range).astype(np.float64)
    velocity = np.zeros_like(genes)
    for generation in range(9):
        rows, _ = rows_of(len(features), BATCH, stream, generation)
        x, labels = features[rows], DATASET.train.labels[rows]
        (first, first_biases), (last, last_biases) = network.unpack(genes)
        hidden = np.maximum(x @ first.T + first_biases, 0)
        odds = np.exp(hidden @ last.T + last_biases)
        odds /= odds.sum(axis=1, keepdims=True)
        loss = -np.log(odds[np.arange(BATCH), labels]).mean()
        odds[np.arange(BATCH), labels] -= 1
        by_last, by_hidden = odds / BATCH, (odds / BATCH) @ last * (hidden > 0)
        pull = [0.01 * first, 0 * first_biases, 0.01 * last, 0 * last_biases]
        parts = [by_hidden.T @ x, by_hidden.sum(axis=0), by_last.T @ hidden, by_last.sum(axis=0)]
        gradient = np.concatenate([np.ravel(one + decay) for one, decay in zip(parts, pull, strict=True)])
        velocity = 0.9 * velocity + gradient
        genes = genes - 0.5 * (1 + np.cos(np.pi * generation / 9)) / 2 * velocity
        record = found.step()
        assert record["loss"] == pytest.approx(loss, rel=1e-4)
        assert found.state.genes == pytest.approx(genes, abs=1e-4)


@pytest.mark.parametrize("name", list(ALL_MOMENTS))
@pytest.mark.parametrize("schedule", list(SCHEDULES))
def test_it_learns_with_every_optimiser_and_schedule(name: str, schedule: str) -> None:
    rates = {"sgd": 0.1, "nesterov": 0.1, "rmsprop-momentum": 0.005}
    found = run(
        optimiser=name, schedule=schedule, learning_rate=rates.get(name, 0.02), generations=60, weight_decay=0.001,
        clip=5.0, label_smoothing=0.05, averaging=0.0,
    )  # fmt: skip
    found.run()
    assert found.accuracies("validation")["best"] > 0.8


def test_layers_of_maps_learn() -> None:
    """A convolution, an activation and a dense layer."""
    network = Network((1, 4, 4), (Convolution((1, 4, 4), 4, 3), Activation(16, "relu"), Dense(16, 4)))
    found = run(network, generations=60, averaging=0.0, validate_every=1000)
    first = found.step()["loss"]
    found.run(59)
    assert found.state.loss < first / 2


def test_a_gradient_longer_than_the_clip_is_cut_down() -> None:
    """A step of SGD without momentum is then as long as rate times clip."""
    found = run(optimiser="sgd", momentum=0.0, learning_rate=0.5, clip=0.001, schedule="constant", averaging=0.0)
    before = found.state.genes
    found.step()
    assert np.linalg.norm(found.state.genes - before) == pytest.approx(0.5 * 0.001, rel=1e-3)


def test_weights_decay_and_nothing_else() -> None:
    """Where labels say nothing (all smoothed) and the last weights are 0, only decay moves the first layer."""
    found = run(optimiser="adamw", weight_decay=0.5, learning_rate=0.1, schedule="constant", label_smoothing=1.0)
    genes = np.ones_like(found.state.genes)
    for weights, _ in found.network.weight_slices[1:]:
        genes[weights] = 0
    found.state = dataclasses.replace(found.state, genes=genes)
    found.step()
    (weights, biases), _ = found.network.weight_slices
    assert found.state.genes[weights] == pytest.approx(1 - 0.1 * 0.5)
    assert found.state.genes[biases] == pytest.approx(1)


def test_the_last_genes_are_averaged() -> None:
    """The champion is the mean of the last quarter of eight generations; before, it is the present network."""
    found, genes = run(generations=8, averaging=0.25), []
    for generation in range(8):
        found.step()
        genes.append(found.state.genes)
        if generation < 6:
            assert np.array_equal(found.champion_genes()["best"], genes[-1])
    assert found.champion_genes()["best"] == pytest.approx(np.mean(genes[6:], axis=0), abs=1e-6)


# Statistics


WITH_STATISTICS = Network((4, 4), (Dense(16, 5), Centred(5), Dense(5, 6, "tanh"), Dense(6, 4)))


def test_statistics_are_of_the_present_weights_so_there_is_no_average() -> None:
    """They go on from batch to batch, and the champion is the finished network's: what validation looks at."""
    found = run(WITH_STATISTICS, generations=6, averaging=1.0)
    found.run()
    state = found.state
    assert state.averaged == 0
    assert not np.array_equal(state.statistics, WITH_STATISTICS.first_statistics)
    finished, genes = WITH_STATISTICS.finish(state.genes, state.statistics)
    assert found.champion_genes()["best"].tobytes() == genes.tobytes()
    model = found.champions()["best"]
    assert model.network == finished
    answers = model.outputs(DATASET.validation.inputs).argmax(axis=1)
    assert found.accuracies("validation")["best"] == np.mean(answers == DATASET.validation.labels)


def test_a_checkpoint_keeps_statistics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run gone on with ends as one never stopped."""
    monkeypatch.setitem(layers.REGISTRY, "centred", "tests.test_learner:Centred")
    whole = run(WITH_STATISTICS, generations=6)
    whole.run()
    begun = run(WITH_STATISTICS, generations=6)
    begun.run(3)
    begun.save(tmp_path / "c.npz")
    again = Evolution.load(tmp_path / "c.npz", DATASET, network=WITH_STATISTICS, backend="numpy")
    again.run()
    assert again.state.statistics.tobytes() == whole.state.statistics.tobytes()
    assert outcome(again) == outcome(whole)


def test_no_run_starts_from_a_model_that_has_lost_its_statistics() -> None:
    begun = run(WITH_STATISTICS)
    begun.step()
    with pytest.raises(UsageError, match="no longer has centred layers, so no run can start from it") as raised:
        Evolution(
            tiny_config(strategy="gradient"), DATASET, network=WITH_STATISTICS, initial=begun.champions()["best"],
            backend="numpy",
        )  # fmt: skip
    one_line(raised.value)


# Augmentation, refusals, runs


def test_augmented_images_are_learned_from_and_resumed_the_same(tmp_path: Path) -> None:
    """They depend on seed and generation alone."""
    settings = {"shift": 1, "rotation": 10.0, "noise": 0.05, "elastic": 3.0, "cut_out": 1, "averaging": 0.0}
    config = tiny_config(strategy="gradient", **settings)
    whole = train(config, DATASET, tmp_path / "whole", backend="numpy")
    plain = run(averaging=0.0)
    plain.run()
    assert plain.champion_genes()["best"].tobytes() != whole.model.genes.tobytes()
    train(config.replace(generations=3), DATASET, tmp_path / "part", backend="numpy")
    resume(tmp_path / "part", changes={"generations": 6}, extend=True, dataset=DATASET)
    begun = Evolution(config, DATASET, backend="numpy")
    begun.run(3)
    begun.save(tmp_path / "c.npz")
    again = Evolution.load(tmp_path / "c.npz", DATASET, backend="numpy")
    again.run()
    assert again.champion_genes()["best"].tobytes() == whole.model.genes.tobytes()


def test_no_images_no_augmentation() -> None:
    """Features are refused in one line, before anything is computed."""
    features = tiny_dataset(kind="f")
    with pytest.raises(UsageError, match=r"^rotation = 5 changes images, but the network sees features") as raised:
        evolution(on=features, strategy="gradient", rotation=5.0)
    one_line(raised.value)


def test_a_network_that_diverges_is_reported_in_one_line() -> None:
    """With the generation, and what to lower."""
    found = run(optimiser="sgd", learning_rate=1000.0, weight_decay=1.0, generations=50)
    with pytest.raises(FitnessError, match=r"^generation \d+: the network diverged.* lower learning_rate") as raised:
        found.run()
    one_line(raised.value)


def test_without_a_dataset_it_says_what_to_do() -> None:
    with pytest.raises(UsageError, match="needs a dataset") as raised:
        own(strategy="gradient")
    one_line(raised.value)


def test_a_batch_larger_than_the_data_is_all_of_them() -> None:
    assert run(batch_size=10_000).step()["loss"] > 0
