"""Searches for pipelines as estimators of scikit-learn: its own checks, frames of words and text, what is kept."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")

from sklearn.base import clone, is_classifier, is_regressor
from sklearn.datasets import load_diabetes, load_wine
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from genreg_np import PipelineSearchClassifier, PipelineSearchRegressor
from genreg_np.errors import MissingExtraError
from genreg_np.model import Model
from genreg_np.search.stored import StoredSearch
from genreg_np.search.tabular import space
from tests.helpers import one_line

QUICK: dict[str, Any] = {"generations": 1, "population": 2, "models": "linear", "folds": 2, "random_state": 0}
BOTH = (PipelineSearchClassifier, PipelineSearchRegressor)


@pytest.mark.parametrize("kind", BOTH)
def test_the_checks_of_scikit_learn_pass(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, with no expected failures; the best are judged again once, not three times, in each fit."""
    monkeypatch.setattr("genreg_np.search.choosing.RERUNS", 1)
    check_estimator(kind(**QUICK))


def test_a_pipeline_is_found_and_says_how_good_it_is() -> None:
    inputs, labels = load_wine(return_X_y=True)
    names = np.array(["barolo", "grignolino", "barbera"])[labels]
    changes = {"models": ("linear", "neighbours"), "population": 6, "folds": 3, "metric": "f1_macro"}
    found = PipelineSearchClassifier(**QUICK | changes).fit(inputs[::2], names[::2])
    assert is_classifier(found)
    assert found.classes_.tolist() == ["barbera", "barolo", "grignolino"]
    predicted = found.predict(inputs[1::2])
    assert found.score(inputs[1::2], names[1::2]) == pytest.approx(f1_score(names[1::2], predicted, average="macro"))
    assert found.best_score_ > 0.9 > 2 * found.beside_["no model"]
    assert 0 < found.best_score_error_ < 0.05
    assert found.new_folds_ == 9
    assert found.ended_ == "generations"
    assert found.genome_["model"] in changes["models"]
    assert {trial["genome"]["model"] for trial in found.trials_} == {*changes["models"]}
    np.testing.assert_allclose(found.predict_proba(inputs[:5]).sum(axis=1), 1)
    np.testing.assert_array_equal(found.pipeline_.predict(inputs[:5]), found.classes_.searchsorted(predicted_of(found)))
    again = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(again.predict(inputs), found.predict(inputs))


def predicted_of(found: Any) -> Any:
    return found.predict(load_wine(return_X_y=True)[0][:5])


def test_jobs_change_nothing(tmp_path: Path) -> None:
    inputs, labels = load_diabetes(return_X_y=True)
    changes = {"models": "linear,neighbours", "population": 4, "folds": 3}
    one = PipelineSearchRegressor(**QUICK | changes).fit(inputs, labels)
    two = PipelineSearchRegressor(**QUICK | changes, n_jobs=2, folder=tmp_path / "kept").fit(inputs, labels)
    assert is_regressor(one)
    assert one.genome_ == two.genome_
    assert one.best_score_ == two.best_score_
    np.testing.assert_array_equal(one.predict(inputs), two.predict(inputs))
    assert len(StoredSearch.read(tmp_path / "kept").trials) == len(two.trials_)


def test_it_works_where_estimators_do() -> None:
    inputs, labels = load_wine(return_X_y=True)
    scores = cross_val_score(make_pipeline(StandardScaler(), PipelineSearchClassifier(**QUICK)), inputs, labels, cv=3)
    assert scores.mean() > 0.9
    grid = GridSearchCV(PipelineSearchClassifier(**QUICK), {"models": ["linear", "neighbours"]}, cv=2, n_jobs=2)
    assert grid.fit(inputs, labels).best_score_ > 0.9
    assert clone(grid.best_estimator_).get_params()["folds"] == 2


def frame(rows: int = 60) -> tuple[Any, Any]:
    """Return a DataFrame of everything, and classes that a word tells and numbers that a text does."""
    pandas = pytest.importorskip("pandas", reason="needs DataFrames")
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, rows)
    found = pandas.DataFrame({
        "size": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows)),
        "place": np.array(["hill", "shore"])[kinds],
        "day": pandas.Timestamp("2024-01-01") + pandas.to_timedelta(rng.integers(0, 700, rows), "D"),
        "said": [f"note {row} on the {'warm' if kind else 'cold'} water there" for row, kind in enumerate(kinds)],
        "is_new": rng.random(rows) < 0.5,
    })  # fmt: skip
    found.loc[3, "place"] = None
    return found, np.array(["low", "high"])[kinds]


def test_a_frame_of_words_dates_and_text() -> None:
    """A word that was never seen, and what is missing, are taken later."""
    table, labels = frame()
    found = PipelineSearchClassifier(**QUICK).fit(table, labels)
    assert found.feature_names_in_.tolist() == list(table.columns)
    later = table.copy()
    later.loc[0, "place"] = "moor"
    later.loc[1, "said"] = None
    later.loc[2, "day"] = None
    assert (found.predict(later) == labels).mean() > 0.9
    assert found.score(table, labels) == 1.0
    assert (found.predict(table.iloc[:1]) == labels[:1]).all()
    with pytest.raises(ValueError, match="feature names should match"):
        found.predict(table.rename(columns={"place": "where"}))
    broken = table.astype({"size": object})
    broken.loc[4, "size"] = "big"
    with pytest.raises(ValueError, match="X, row 4, column 'size'") as caught:
        found.predict(broken)
    assert one_line(caught.value)


def test_a_network_that_wins_is_a_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(space.PLAIN, "generations", 300)  # of what is usual
    table, labels = frame()
    found = PipelineSearchClassifier(**QUICK | {"models": "network"}).fit(table.drop(columns="said"), labels)
    assert isinstance(found.model_, Model)
    found.model_.save(tmp_path / "model.npz")
    assert (found.predict(table.drop(columns="said")) == labels).mean() > 0.9


def test_groups_are_never_on_both_sides() -> None:
    """Where groups are what is to be told, nothing can be learned of those on the other side."""
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 10)
    inputs, labels = rng.normal(size=(12, 3))[groups] + 0.01 * rng.normal(size=(120, 3)), groups % 2
    changes = {"models": "neighbours", "folds": 3}
    apart = PipelineSearchClassifier(**QUICK | changes).fit(inputs, labels, groups=groups)
    mixed = PipelineSearchClassifier(**QUICK | changes).fit(inputs, labels)
    assert mixed.best_score_ > 0.99
    assert apart.best_score_ < 0.85


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metric": "f2"}, "unknown metric 'f2'"),
        ({"models": "svn"}, "did you mean 'svm'"),
        ({"generations": None, "time_budget": 0}, "time_budget = 0"),
        ({"selection": "best"}, "selection"),
        ({"folds": 90}, "fewer than 90 folds"),
        ({"metric": "r2"}, "does not fit classes"),
        ({"metric": f1_score}, "must be the name of a scikit-learn scorer"),
        ({"models": ["svm", 3]}, "models"),
        ({"models": 5}, "must be a list of names"),
        ({"folds": 1}, "folds = 1 must be at least 2"),
        ({"folds": 1000}, "folds = 1000 must be at least 2 and at most 100"),
        ({"models": ""}, "models = '' names none"),
        ({"models": []}, "models = [] names none"),
        ({"models": " , "}, "models: ' , ' names no model"),
        ({"metric": ""}, "must be the name of a scikit-learn scorer"),
        ({"folds": "2"}, "must be a whole number"),
        ({"generations": 0}, "generations = 0 must be at least 1"),
        ({"generations": None, "time_budget": float("inf")}, "time_budget = inf"),
        ({"generations": None, "time_budget": None}, "time_budget = None"),
        ({"n_jobs": 0}, "n_jobs = 0 is not allowed"),
        ({"n_jobs": 1.5}, "n_jobs = 1.5 must be a whole number"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, Any], said: str) -> None:
    inputs, labels = load_wine(return_X_y=True)
    with pytest.raises(ValueError, match=r"\w") as caught:
        PipelineSearchClassifier(**QUICK | changes).fit(inputs[::2], labels[::2])
    assert said in one_line(caught.value)


def test_a_budget_that_is_too_short_gives_what_is_usual() -> None:
    inputs, labels = load_wine(return_X_y=True)
    found = PipelineSearchClassifier(time_budget=0.01, models="linear", random_state=0).fit(inputs, labels)
    assert found.new_folds_ == 0
    assert found.predict(inputs).shape == labels.shape


@pytest.mark.soak
def test_ten_thousand_columns_of_noise_tell_nothing() -> None:
    """Who takes the columns that fit by chance finds .76 by folds that these were chosen with; here it is chance."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(200, 10_000)), rng.permutation(np.arange(200) % 2)
    changes = {"models": "linear,svm", "population": 8, "folds": 5, "n_jobs": 2, "max_seconds": 20.0}
    found = PipelineSearchClassifier(**QUICK | changes).fit(inputs, labels)
    assert any(trial["genome"]["select"] != "none" for trial in found.trials_)
    chance = 2 * np.sqrt(0.25 / len(labels))
    assert abs(found.best_score_ - 0.5) < chance
    assert abs(np.mean([trial["score"] for trial in found.trials_ if trial["rung"]]) - 0.5) < chance


def test_without_scikit_learn_or_with_an_old_one_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import genreg_np

    monkeypatch.delitem(sys.modules, "genreg_np.estimators.pipelines")
    monkeypatch.delitem(sys.modules, "genreg_np.estimators.checked")
    monkeypatch.delattr("sklearn.utils.validation.validate_data")
    with pytest.raises(MissingExtraError, match=r"scikit-learn 1\.6 or newer is needed to use"):
        _ = genreg_np.PipelineSearchRegressor
