"""Estimators' parameters: scorers of scikit-learn, messages in its words, and what is refused before it does harm."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="estimators are scikit-learn's")

from sklearn.datasets import load_wine
from sklearn.metrics import f1_score, get_scorer, make_scorer

from genreg_np import GenregClassifier, GenregRegressor, PipelineSearchClassifier, PipelineSearchRegressor
from genreg_np.estimators.judging import judge_of
from tests.helpers import one_line

QUICK: dict[str, Any] = {"max_iter": 20, "fitness_iter": 3, "random_state": 0}
SMALL: dict[str, Any] = {"generations": 1, "population": 2, "models": "linear", "folds": 2, "random_state": 0}


def two(rows: int = 60, names: tuple[Any, Any] = (0, 1)) -> tuple[Any, Any]:
    """Return rows of which one in four is of the second class."""
    labels = (np.arange(rows) % 4 == 0).astype(int)
    return np.random.default_rng(0).normal(size=(rows, 2)) + labels[:, None], np.array(names)[labels]


def refused(estimator: Any, inputs: Any, labels: Any) -> str:
    """Return the one line with which a fit is refused."""
    with pytest.raises(ValueError, match=r"\w") as raised:
        estimator.fit(inputs, labels)
    return one_line(raised.value)


# Scorers


def said_yes(wanted: Any, predicted: Any) -> float:
    return float(((wanted == "yes") & (predicted == "yes")).mean())


@pytest.mark.parametrize(
    ("names", "scorer", "measure"),
    [
        ((1, 2), make_scorer(f1_score), lambda so, said: f1_score(so, said, pos_label=1)),
        ((1, 2), get_scorer("f1"), lambda so, said: f1_score(so, said, pos_label=1)),
        (("no", "yes"), make_scorer(f1_score, pos_label="no"), lambda so, said: f1_score(so, said, pos_label="no")),
        (("no", "yes"), make_scorer(said_yes), said_yes),
    ],
)
def test_a_scorer_meets_the_classes_themselves(names: tuple[Any, Any], scorer: Any, measure: Any) -> None:
    """As in GridSearchCV; a name and a function their places."""
    _, labels = two(names=names)
    own, places = np.unique(labels, return_inverse=True)
    answers = np.random.default_rng(1).normal(size=(5, len(labels), 2)).astype(np.float32)
    found = judge_of(scorer, places, True, 2, own)(answers)
    np.testing.assert_allclose(found, [measure(labels, own[one.argmax(axis=1)]) for one in answers])
    assert len(np.unique(found)) > 1


def test_a_classifier_is_trained_on_a_scorer_of_names() -> None:
    inputs, labels = two(names=("no", "yes"))
    found = GenregClassifier(fitness=make_scorer(f1_score, pos_label="yes"), **QUICK).fit(inputs, labels)
    assert len(found.fitness_curve_) == 3
    said = refused(GenregClassifier(fitness=make_scorer(f1_score), **QUICK), inputs, labels)
    assert "pos_label=1" in said


@pytest.mark.parametrize("name", ["neg_mean_poisson_deviance", "neg_mean_gamma_deviance", "neg_mean_squared_log_error"])
def test_answers_that_a_scorer_refuses_count_least(name: str) -> None:
    """And do not end a training; targets that it refuses do."""
    inputs, labels = two()
    labels = labels + 0.5
    found = GenregRegressor(fitness=name, **QUICK).fit(inputs, labels)
    assert len(found.fitness_curve_) == 3
    answers = np.full((2, len(labels), 1), 2.0, np.float32)
    answers[1] = -2
    numbers = judge_of(name, labels[:, None], False, 1)(answers)
    assert np.isfinite(numbers[0])
    assert numbers[1] == -np.inf
    assert refused(GenregRegressor(fitness=name, **QUICK), inputs, labels - 9)


@pytest.mark.parametrize("names", [(1, 2), ("no", "yes")])
def test_the_class_that_a_metric_is_of_can_be_chosen(names: tuple[Any, Any]) -> None:
    """Classes stay in order, and so do their probabilities."""
    inputs, labels = two(names=names)
    plain = PipelineSearchClassifier(metric="f1", **SMALL).fit(inputs, labels)
    found = PipelineSearchClassifier(metric="f1", positive=names[0], **SMALL).fit(inputs, labels)
    for one, positive in ((plain, names[1]), (found, names[0])):
        predicted = one.predict(inputs)
        assert one.classes_.tolist() == list(names)
        assert (predicted == labels).mean() > 0.6
        assert one.score(inputs, labels) == pytest.approx(f1_score(labels, predicted, pos_label=positive))
        np.testing.assert_array_equal(one.classes_[one.predict_proba(inputs).argmax(axis=1)], predicted)
        np.testing.assert_array_equal(one.classes_[(one.decision_function(inputs) > 0).astype(int)], predicted)
    said = refused(PipelineSearchClassifier(positive="maybe", **SMALL), inputs, labels)
    assert "positive = 'maybe' must be one of two classes, but y has classes " in said


# Words and limits


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"max_iter": 0}, "max_iter = 0 must be at least 1"),
        ({"fitness": "accuracy", "fitness_iter": 0}, "fitness_iter = 0 must be at least 1"),
        ({"hidden_layer_sizes": 0}, "hidden_layer_sizes = 0 must be at least 1"),
        ({"hidden_layer_sizes": (4, 0.5)}, "hidden_layer_sizes = 0.5 must be a whole number"),
        ({"time_budget": "60"}, "time_budget = '60' must be a number of seconds above 0"),
        ({"time_budget": "60", "fitness": "accuracy"}, "time_budget = '60' must be a number of seconds above 0"),
        ({"time_budget": -1, "fitness": "accuracy"}, "time_budget = -1 must be a number of seconds above 0"),
        ({"time_budget": 1e-9}, "give a longer one, or give max_iter instead"),
        ({"preset": "tables", "strategy": "genreg"}, "preset tables is for strategy node-perturbation, not genreg"),
    ],
)
def test_what_a_network_cannot_be_is_said_in_its_parameters(changes: dict[str, Any], said: str) -> None:
    message = refused(GenregClassifier(**QUICK | changes), *two())
    assert said in message
    assert "--" not in message


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"models": ["x"]}, "models: there is no model 'x'"),
        ({"folds": 40}, "take fewer folds"),
        ({"time_budget": 0, "generations": None}, "time_budget = 0 must be a number of seconds above 0, or give"),
    ],
)
def test_what_a_search_cannot_be_is_said_in_its_parameters(changes: dict[str, Any], said: str) -> None:
    message = refused(PipelineSearchRegressor(**SMALL | changes), *two(30))
    assert said in message
    assert "--" not in message


def test_a_preset_with_its_own_strategy_is_taken() -> None:
    found = GenregClassifier(preset="tables", strategy="node-perturbation", **QUICK).fit(*two())
    assert found.n_iter_ == 20


def test_rows_are_counted_where_y_has_several_numbers() -> None:
    inputs, _ = two()
    labels = np.zeros((60, 2))
    labels[3, 1] = np.nan
    assert "y, row 3: is missing" in refused(GenregRegressor(**QUICK), inputs, labels)


def test_no_rows_are_refused() -> None:
    pandas = pytest.importorskip("pandas", reason="needs DataFrames")
    inputs, labels = two()
    frame = pandas.DataFrame(inputs, columns=["a", "b"])
    for estimator in (GenregClassifier(**QUICK), PipelineSearchClassifier(**SMALL)):
        found = estimator.fit(frame, labels)
        with pytest.raises(ValueError, match="X: has no rows"):
            found.predict(frame.iloc[:0])


def test_numbers_that_float32_cannot_tell_apart_are_told_of() -> None:
    inputs, labels = two()
    with pytest.warns(RuntimeWarning, match=r"X, column 'x1': float32 resolves its numbers only in steps of 128"):
        GenregClassifier(**QUICK).fit(inputs * 100 + [0, 1.7e9], labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        GenregClassifier(**QUICK).fit(inputs, labels)


def test_a_warm_start_with_other_words_or_units_is_refused_and_changes_nothing() -> None:
    pandas = pytest.importorskip("pandas", reason="needs DataFrames")
    inputs, labels = load_wine(return_X_y=True)
    found = GenregClassifier(warm_start=True, **QUICK).fit(inputs, labels)
    named = pandas.DataFrame(inputs, columns=[f"c{k}" for k in range(13)])
    assert "needs the same classes and columns" in refused(found, named, labels)
    assert not hasattr(found, "feature_names_in_")
    found.set_params(hidden_layer_sizes=3)
    message = refused(found, inputs, labels)
    assert "choose the same hidden_layer_sizes and settings, or warm_start=False" in message
    assert "--" not in message

    def places(*words: str) -> Any:
        return pandas.DataFrame({"place": np.array(words)[np.arange(60) % 2], "x": np.arange(60) % 7 + 0.5})

    labels = two()[1]
    found = GenregClassifier(warm_start=True, **QUICK).fit(places("hill", "shore"), labels)
    found.fit(places("hill", "shore"), labels)
    assert "column 'place' has other words" in refused(found, places("moor", "shore"), labels)
