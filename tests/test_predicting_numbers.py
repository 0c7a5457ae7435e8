"""Targets that are numbers: strategies learn them, backends judge them alike, a model gives them back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genreg_np import Dataset, TrainConfig, load, resume, strategies, train
from genreg_np.backends.base import Batch, Brood, Perturbation
from genreg_np.backends.numpy_ import NumpyBackend, number_scores
from genreg_np.backends.selftest import example
from genreg_np.errors import DataError, UsageError
from genreg_np.fitness import ERROR_SCORES, LEAST_EXPLAINED, Score, explained
from genreg_np.layers.groups import Gene
from genreg_np.runs.config import settings
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.numbers import NumberEvaluation, r_squared
from tests.helpers import BACKENDS, LEARNING, OnHost, create_or_skip, one_line

ABLE = [name for name in strategies.REGISTRY if strategies.strategy_class(name).predicts_numbers]
OF_ROWS = [name for name in ABLE if name != "detector-bank"]  # which learns from images alone


def plane(rows: int = 240, targets: int = 1) -> Dataset:
    """Return targets that are nearly linear in four features, far from 0 and wide."""
    rng = np.random.default_rng(3)
    inputs = rng.normal(size=(rows, 4))
    slopes = rng.normal(size=(4, targets))
    wanted = 500 + 40 * (inputs @ slopes + 0.1 * rng.normal(size=(rows, targets)))
    return Dataset.from_arrays(inputs, wanted, name="plane", task="values")


def config_of(strategy: str, generations: int = 60, **changes: object) -> TrainConfig:
    """Return settings with which a strategy learns a small task."""
    known = settings(strategy)
    given = {"hidden": (8,), "generations": generations, "keep": "best", "validate_every": 10}
    if "fitness" in known and "squared" in known["fitness"].metadata["choices"]:
        given["fitness"] = "squared"
    own = {name: value for name, value in LEARNING.get(strategy, {}).items() if name != "fitness"}
    return TrainConfig.from_dict({"strategy": strategy, **given, **own, **changes})


@pytest.mark.parametrize("strategy", OF_ROWS)
def test_every_strategy_learns_numbers(strategy: str) -> None:
    """In the units of the data, as a model that is saved and read gives them."""
    data = plane()
    result = train(config_of(strategy), data, backend="numpy")
    assert result.model is not None
    assert result.metric == "r2"
    assert result.validation_accuracy is None
    assert (result.validation_score or 0) > (0.02 if strategy == "random-search" else 0.5)
    found = result.model.predict(data.test.inputs)
    assert found.shape == (len(data.test),)
    assert result.test_score == pytest.approx(r_squared(found[:, None], data.test.labels)[0], abs=1e-4)


def test_images_have_numbers_too() -> None:
    """A bank's filters are chosen by tenths of the numbers, its head learns the numbers."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 6, 6)).astype(np.uint8)
    data = Dataset.from_arrays(images, images[:, :, :3].mean(axis=(1, 2)) - images[:, :, 3:].mean(axis=(1, 2)))
    changes = {"detectors": 4, "detector_size": 3, "window": 2, "stride": 1, "hidden": ()}
    result = train(config_of("detector-bank", 150, **changes), data, backend="numpy")
    assert (result.validation_score or 0) > 0.3


@pytest.mark.parametrize("strategy", sorted(set(strategies.REGISTRY) - set(ABLE)))
def test_who_only_tells_classes_says_so(strategy: str) -> None:
    with pytest.raises(UsageError, match="has numbers to predict: choose one of"):
        train(config_of(strategy, hidden=()), plane())


def test_several_targets_are_learned_at_once() -> None:
    data = plane(targets=3)
    result = train(config_of("gradient", 200), data, backend="numpy")
    assert result.model is not None
    assert result.model.value_names == ("y1", "y2", "y3")
    assert result.model.predict(data.test.inputs).shape == (len(data.test), 3)
    evaluation = result.test[result.genome]
    assert isinstance(evaluation, NumberEvaluation)
    assert (evaluation.r2 > 0.8).all()
    assert (evaluation.rmse < evaluation.mean_rmse).all()


@pytest.mark.parametrize("score", ERROR_SCORES)
def test_errors_are_what_they_are_called(score: Score) -> None:
    """By the definition, written out."""
    values = np.array([[[0.5, -3.0]], [[0.0, 2.0]]], np.float32)  # (T, K, N)
    targets = np.array([[0.0], [1.0]], np.float32)
    batch = Batch(np.zeros((2, 1), np.float32), targets, np.ones(2), score)
    scores, squares = number_scores(values, batch)
    errors = np.array([[0.5, -4.0], [0.0, 1.0]])
    np.testing.assert_allclose(squares, errors**2)
    expected = {
        Score.SQUARED: -(errors**2),
        Score.ABSOLUTE: -np.abs(errors),
        Score.HUBER: -np.array([[0.125, 3.5], [0.0, 0.5]]),
    }[score]
    np.testing.assert_allclose(scores, expected)


@pytest.mark.parametrize("score", [*ERROR_SCORES, Score.CUSTOM])
@pytest.mark.parametrize("name", BACKENDS)
def test_backends_judge_numbers_as_the_specification_does(name: str, score: Score) -> None:
    """Genomes, and mutants image by image; a function of one's own among them for the mutants."""
    backend, reference = OnHost(create_or_skip(name)), NumpyBackend()
    brood, batch = example(Gene.UNIT, Score.SQUARED if score is Score.CUSTOM else score)
    if score is not Score.CUSTOM:
        expected, found = reference.score(brood, batch), backend.score(brood, batch)
        np.testing.assert_allclose(found.fitness, expected.fitness, rtol=1e-4)
        np.testing.assert_allclose(found.accuracy, expected.accuracy, rtol=1e-4)
    judged = replace(batch, score=score, function=lambda values, wanted: -np.abs(values - wanted).sum(axis=1))
    pairs = Perturbation(6, 0.2, brood.seed, 3)
    one, other = (some.perturb(brood.network, brood.survivors[0], judged, pairs) for some in (reference, backend))
    np.testing.assert_allclose(other.change, one.change, rtol=0, atol=2e-5 * np.abs(one.change).max())
    assert other.fitness == pytest.approx(one.fitness, rel=1e-4)
    assert other.accuracy == pytest.approx(one.accuracy, rel=1e-4)


def test_whoever_diverged_explains_nothing_and_is_recorded_as_a_number() -> None:
    """No infinity and no NaN reaches a record or a checkpoint."""
    assert explained(np.array([0.0, 1.0, 3.0, np.inf, np.nan])).tolist() == [1, 0, -2, LEAST_EXPLAINED, LEAST_EXPLAINED]
    assert r_squared(np.array([[np.nan], [1]]), np.array([[1.0], [2.0]])).tolist() == [LEAST_EXPLAINED]
    assert r_squared(np.ones((3, 1)), np.ones((3, 1))).tolist() == [1.0]
    assert r_squared(np.zeros((3, 1)), np.ones((3, 1))).tolist() == [0.0]


@pytest.mark.parametrize("strategy", ["genreg", "node-perturbation", "gradient"])
def test_a_resumed_run_ends_as_one_that_was_never_stopped(tmp_path: Path, strategy: str) -> None:
    """To the byte; and a model of numbers can be started from, by a run whose numbers are scaled otherwise."""
    data, config = plane(), config_of(strategy, 12)
    whole = train(config, data, tmp_path / "whole", backend="numpy")
    asked = iter([False] * 5 + [True] * 99)
    from genreg_np.runs.result import Watcher

    train(config, data, tmp_path / "stopped", backend="numpy", watcher=Watcher(should_stop=lambda: next(asked)))
    again = resume(tmp_path / "stopped", dataset=data, backend="numpy")
    assert whole.model is not None
    assert again.model is not None
    assert whole.model.pack() == again.model.pack()
    records = (tmp_path / "whole" / "metrics.jsonl").read_text()
    assert '"validation_score"' in records
    assert '"mean_r2"' in records
    assert "accuracy" not in records


def test_a_run_starts_from_a_model_whose_numbers_were_scaled_otherwise() -> None:
    """Half the targets' scale, another offset: the first answers are the model's own."""
    data = plane()
    model = train(config_of("gradient", 200), data, backend="numpy").model
    assert model is not None
    halved = [replace(part, labels=part.labels / 2 + 7) for part in (data.train, data.validation, data.test)]
    other = replace(data, train=halved[0], validation=halved[1], test=halved[2])
    evolution = Evolution(config_of("gradient", 5), other, initial=model, backend="numpy")
    (genes, *_) = evolution.champion_genes().values()
    found = evolution.predict(genes, "test")
    np.testing.assert_allclose(found[:, 0], model.predict(data.test.inputs), rtol=1e-4)


def test_a_saved_model_says_what_it_predicts(tmp_path: Path) -> None:
    result = train(config_of("gradient", 20), plane(), backend="numpy")
    assert result.model is not None
    result.model.save(tmp_path / "m.npz")
    model = load(tmp_path / "m.npz")
    assert model.header["task"] == "values"
    assert model.header["values"]["names"] == ["y"]
    assert set(model.training["r2"]) == {"validation", "test"}
    with pytest.raises(ValueError, match="gives values"):
        model.predict_proba(np.zeros((1, 4), np.float32))


@pytest.mark.parametrize("strategy", ["genreg", "node-perturbation", "evolution-strategy", "gradient"])
def test_weights_of_samples_decide_what_is_learned(strategy: str) -> None:
    """Two answers to the same question: the one that weighs more is given."""
    inputs, wanted = np.ones((200, 1)), np.tile([0.0, 1.0], 100)
    inputs[:, 0] += 0.01 * np.arange(200) / 200
    for heavy in (0.0, 1.0):
        weights = np.where(wanted == heavy, 1.0, 0.01)
        data = Dataset.from_arrays(inputs, wanted, weights=weights, task="values")
        changes = {"hidden": (), "keep": "last"} | ({"learning_rate": 0.05} if strategy == "gradient" else {})
        model = train(config_of(strategy, 150, **changes), data, backend="numpy").model
        assert model is not None
        assert abs(float(np.mean(model.predict(data.test.inputs))) - heavy) < 0.35


def test_balanced_classes_count_alike() -> None:
    """One in twenty is of a class that only a slope tells: without weights nearly nobody is said to be."""
    rng = np.random.default_rng(0)
    labels = np.where(np.arange(2000) % 20 == 0, "rare", "usual")
    inputs = rng.normal(size=(2000, 1)) + (labels == "rare")[:, None]
    data = Dataset.from_arrays(inputs, labels)
    recalls = []
    for weight in ("none", "balanced"):
        config = config_of("gradient", 300, hidden=(), class_weight=weight, learning_rate=0.05)
        result = train(config, data, backend="numpy")
        recalls.append(result.test[result.genome].per_class[0])  # type: ignore[union-attr]
    assert recalls[0] < 0.2 < 0.5 < recalls[1]


def test_classes_that_are_drawn_alike_are_not_weighed_again() -> None:
    """`genreg` draws as many of each; only weights of their own make a class count for more."""
    labels = np.arange(200) % 10 == 0
    inputs = np.random.default_rng(0).normal(size=(200, 2))
    weights = np.where(labels, 3.0, 1.0)
    for own in (None, weights):
        data = Dataset.from_arrays(inputs, labels, weights=own)
        counted = Evolution(config_of("genreg", class_weight="balanced", fitness="reward"), data).context.weights
        np.testing.assert_allclose(counted, 1.0)
    counted = Evolution(
        config_of("evolution-strategy", class_weight="balanced", fitness="accuracy"), data
    ).context.batch.importance
    assert np.ptp(counted) > 1


@pytest.mark.parametrize("strategy", ["mixed", "genreg-2"])
def test_who_cannot_weigh_says_so(strategy: str) -> None:
    rng = np.random.default_rng(0)
    data = Dataset.from_arrays(rng.integers(0, 256, (60, 6, 6)).astype(np.uint8), np.arange(60) % 2)
    with pytest.raises(UsageError, match="takes no sample or class weights"):
        train(config_of(strategy, hidden=(), class_weight="balanced"), data)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            lambda: Dataset.from_arrays(np.ones((40, 2)), 1.7e9 + np.arange(40.0), task="values"),
            "only in steps of 128: sub",
        ),
        (
            lambda: train(
                config_of("gradient", class_weight="balanced"),
                Dataset.from_arrays(np.ones((90, 2)), np.arange(90) % 2, weights=np.arange(90) % 2),
            ),
            "class '0' have weight 0",
        ),
        (lambda: Dataset.from_arrays(np.ones((9, 2)), [1.0, np.nan] + [2.5] * 7), "sample 1 is nan"),
        (
            lambda: train(config_of("gradient"), Dataset.from_arrays(np.ones((40, 2)), np.ones(40), task="values")),
            "nothing",
        ),
        (lambda: train(config_of("genreg", fitness="margin"), plane()), "fitness"),
        (lambda: train(config_of("gradient", class_weight="balanced"), plane()), "not classes"),
        (lambda: train(config_of("gradient", label_smoothing=0.1), plane()), "label_smoothing is for classes"),
        (lambda: Dataset.from_arrays(np.ones((9, 2)), np.arange(9), task="numbers"), "must be one of auto, classes"),
        (lambda: Dataset.from_arrays(np.ones((9, 2)), np.arange(9), weights=[1.0]), "a number for each of the 9"),
        (lambda: Dataset.from_arrays(np.ones((9, 2)), np.arange(9) % 2, weights=-np.ones(9)), "at least 0"),
        (
            lambda: train(config_of("genreg"), Dataset.from_arrays(np.ones((90, 2)), np.arange(90) % 2)),
            "is for numbers, but",
        ),
        (
            lambda: train(
                config_of("gradient", loss="huber"), Dataset.from_arrays(np.ones((90, 2)), np.arange(90) % 2)
            ),
            "for targets that are numbers",
        ),
    ],
)
def test_what_does_not_go_together_has_its_line(make, words: str) -> None:
    with pytest.raises((DataError, UsageError), match=words) as error:
        make()
    assert one_line(str(error.value))


def test_whole_genomes_are_judged_on_as_many_small_numbers_as_large_ones() -> None:
    """Batches of GENREG have a tenth of their samples from each tenth of the targets."""
    data = plane()
    evolution = Evolution(config_of("genreg", images_per_class=7), data, backend="numpy")
    batch = evolution.strategy.batch(evolution.state, evolution.context, evolution.stream)
    edges = np.quantile(data.wanted("train")[:, 0], np.linspace(0, 1, 11)[1:-1])
    assert np.bincount(np.searchsorted(edges, batch.labels[:, 0]), minlength=10).min() >= 5
    assert isinstance(evolution.strategy.breed(evolution.state, evolution.context, evolution.stream), Brood)
