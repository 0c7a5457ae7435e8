"""Metrics: as scikit-learn has them, and what selection makes of them."""

from __future__ import annotations

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.runs.measures import interval, measures_of
from genreg_np.search.aims import REGISTRY as AIMS
from genreg_np.search.metrics import METRICS, Goal, Metric
from tests.helpers import one_line

NAMES = ("cat", "dog", "eel", "fox")


def answers(seed: int, images: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Return log p (N, K), and labels of which the last class has none."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(images, 4)) * 3
    logits[:, 2] -= 2
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)), rng.integers(0, 3, images)


@pytest.mark.parametrize("seed", range(5))
def test_measures_are_scikit_learns(seed: int) -> None:
    """Where a class is neither there nor predicted it does not count."""
    measured = pytest.importorskip("sklearn.metrics")
    log_p, labels = answers(seed)
    found, predicted = measures_of(log_p, labels, NAMES), log_p.argmax(axis=1)
    one = {"average": "macro", "zero_division": 0}
    assert found["accuracy"] == pytest.approx(measured.accuracy_score(labels, predicted))
    assert found["precision"] == pytest.approx(measured.precision_score(labels, predicted, **one))
    assert found["recall"] == pytest.approx(measured.recall_score(labels, predicted, **one))
    assert found["f1"] == pytest.approx(measured.f1_score(labels, predicted, **one))
    assert found["log-loss"] == pytest.approx(measured.log_loss(labels, np.exp(log_p), labels=range(4)))
    recalls = measured.recall_score(labels, predicted, average=None, labels=range(3))
    assert found["balanced-accuracy"] == pytest.approx(recalls.mean())


@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_one_class_alone(name: str) -> None:
    measured = pytest.importorskip("sklearn.metrics")
    log_p, labels = answers(7)
    found = measures_of(log_p, labels, NAMES, f"{name}:dog")[f"{name}:dog"]
    score = getattr(measured, f"{name}_score")(labels == 1, log_p.argmax(axis=1) == 1)
    assert found == pytest.approx(score)


def test_an_answer_that_is_certain_and_wrong_does_not_decide_everything() -> None:
    log_p = np.array([[0.0, -1000.0], [0.0, -1000.0]])
    assert measures_of(log_p, np.array([0, 1]), ("a", "b"))["log-loss"] == pytest.approx(35 / 2)


def test_higher_is_better_in_every_score() -> None:
    for name in METRICS:
        metric = Metric.of(name, NAMES)
        assert metric.score({name: 0.25}) == (-0.25 if name == "log-loss" else 0.25)
        assert metric.reaches({name: 0.25}, 0.25)
        assert metric.reaches({name: 0.3}, 0.25) == (name != "log-loss")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("f2", "unknown metric 'f2' .known: accuracy"),
        ("accuracy:cat", "precision, recall, f1 can be of one class"),
        ("f1:cow", "there is no class 'cow'"),
        ("f1:", "there is no class ''"),
    ],
)
def test_what_is_no_metric_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Metric.of(text, NAMES)


def test_a_weighted_sum_of_metrics_and_costs() -> None:
    """Parameters in thousands, multiply-adds in millions; without weights the metric is what counts."""
    measures = {"accuracy": 0.9, "f1": 0.8, "log-loss": 0.3}
    goal = Goal.of("f1", "accuracy=1, log-loss=-0.5, parameters=-0.01, macs=-0.1", NAMES)
    assert goal.score(measures, 5_000, 2_000_000) == pytest.approx(0.9 - 0.15 - 0.05 - 0.2)
    assert Goal.of("f1", "", NAMES).score(measures, 5_000, 2_000_000) == 0.8


def test_a_weighted_sum_may_have_metrics_of_one_class() -> None:
    """They are measured because of it."""
    goal = Goal.of("recall:dog", "f1:cat=1,recall:dog=2,parameters=-0.1", NAMES)
    assert goal.also == ("recall:dog", "f1:cat")
    log_p, labels = answers(7)
    measures = AIMS["classes"].measures(log_p, np.zeros((60, 1), np.float32), labels, NAMES, goal.also)
    assert goal.score(measures, 1000, 0) == pytest.approx(measures["f1:cat"] + 2 * measures["recall:dog"] - 0.1)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("log-loss=1", "lower log-loss is better, so give it a negative weight, log-loss=-1"),
        ("accuracy=1,parameters=0.01", "lower parameters is better, so give it a negative weight, parameters=-0.01"),
        ("f1:cat=-2", "higher f1:cat is better, so give it a positive weight, f1:cat=2"),
    ],
)
def test_weights_that_would_select_the_worst_are_refused(weights: str, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        Goal.of("accuracy", weights, NAMES).check_signs()
    assert said in one_line(raised.value)


def test_weights_of_the_right_sign_are_taken() -> None:
    Goal.of("accuracy", "f1:cat=1,log-loss=-0.5,macs=-1,accuracy=0,parameters=0", NAMES).check_signs()
    Goal.of("fitness", "fitness=-1,variety=1", (), ("fitness", "variety")).check_signs()


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ("accuracy", "must look like"),
        ("accuracy=much", "must look like"),
        ("size=1", "no metric or cost 'size'"),
        ("f1:cow=1", "there is no class 'cow'"),
        ("accuracy:cat=1", "can be of one class"),
        ("macs:cat=1", "no metric or cost 'macs:cat'"),
    ],
)
def test_weights_that_are_none_are_refused(weights: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Goal.of("accuracy", weights, NAMES)


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [(9, 16, 0.3318, 0.7690), (0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (9870, 10_000, 0.9846, 0.9890)],
)
def test_the_interval_is_wilsons(right: int, count: int, low: float, high: float) -> None:
    """As the formula's usual tables have it: 9 of 16 may be a third or three quarters."""
    assert interval(right / count, count) == pytest.approx((low, high), abs=5e-4)
