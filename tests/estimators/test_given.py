"""What networks take as estimators: pixels of any type, fitness functions, settings; and what they say themselves."""

from __future__ import annotations

import functools
import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="estimators are scikit-learn's")

from sklearn.datasets import load_wine
from sklearn.metrics import f1_score

from genreg_np import Dataset, GenregClassifier, PipelineSearchClassifier
from genreg_np.errors import DataError, UsageError
from tests.helpers import one_line

QUICK: dict[str, Any] = {"max_iter": 300, "random_state": 0}


@pytest.mark.parametrize("holds", [True, False])
def test_no_accuracy_is_of_what_was_learned_from(tmp_path: Path, holds: bool) -> None:
    """Nothing is tested in `fit`; and where nothing is held out, nothing is validated."""
    inputs, labels = load_wine(return_X_y=True)
    found = GenregClassifier(**QUICK | {"early_stopping": holds, "run_folder": tmp_path / "run"}).fit(inputs, labels)
    assert set(found.model_.training["accuracies"]) == ({"validation"} if holds else set())
    assert json.loads((tmp_path / "run" / "run.json").read_text())["test"] == {}


def pictures(dtype: Any, high: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Return images whose upper half is bright in the second class, and their classes."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, high // 2, (60, 6, 6)), np.arange(60) % 2
    images[labels == 1, :3] += high // 2
    return images.astype(dtype), labels


@pytest.mark.parametrize("stored", [np.uint8, np.int64, np.uint16, np.float64])
@pytest.mark.parametrize("asked", [np.uint8, np.int32, np.float32])
def test_pixels_are_pixels_in_whatever_type(stored: Any, asked: Any) -> None:
    """The same images of any type have the same answers; brighter ones than in fit count as the brightest."""
    images, labels = pictures(stored)
    found = GenregClassifier(**QUICK).fit(images, labels)
    assert found.score(images.astype(asked), labels) > 0.9
    np.testing.assert_array_equal(found.predict(images.astype(asked)), found.predict(images))
    brighter = images.astype(np.int64)
    brighter[0, 0, 0] = 255
    assert len(found.predict(brighter)) == len(labels)


@pytest.mark.parametrize(("stored", "least"), [(np.int16, -20), (np.int16, 10), (np.uint16, 300)])
def test_pixels_outside_the_range_of_fit_are_its_nearest(stored: Any, least: int) -> None:
    """Wherever that range lies, and in whatever type they come."""
    images, labels = pictures(np.int64)
    images = (images + least).astype(stored)
    found = GenregClassifier(**QUICK).fit(images, labels)
    black = np.zeros((1, *images.shape[1:]), np.uint8)
    nearest = np.full_like(images[:1], max(least, 0) if least < 0 else images.min())
    np.testing.assert_array_equal(found.predict_proba(black), found.predict_proba(nearest))


def test_fractions_and_pixels_are_not_mistaken_for_each_other() -> None:
    images, labels = pictures(np.uint8)
    found = GenregClassifier(**QUICK).fit(images / 255, labels)
    assert found.score(images / 255, labels) > 0.9
    with pytest.raises(DataError, match="divide them as there") as no:
        found.predict(images)
    one_line(no.value)
    found = GenregClassifier(**QUICK).fit(images, labels)
    assert found.score(images / 255, labels) > 0.9


def test_the_curve_of_a_metric_is_its_mean() -> None:
    """Not of what sets equal ones apart; and what nothing can be better than is said to be infinite."""
    inputs, labels = load_wine(return_X_y=True)
    how = QUICK | {"fitness_iter": 3, "max_iter": 20}
    assert GenregClassifier(**how, fitness=lambda y, scores: 1.0).fit(inputs, labels).fitness_curve_ == [1.0] * 3
    assert max(GenregClassifier(**how, fitness="accuracy").fit(inputs, labels).fitness_curve_) <= 1
    assert GenregClassifier(**how, fitness=lambda y, scores: np.inf).fit(inputs, labels).fitness_curve_ == [np.inf] * 3


def test_a_fitness_cannot_change_what_it_is_given() -> None:
    inputs, labels = load_wine(return_X_y=True)

    def sorting(y: Any, scores: Any) -> float:
        y.sort()
        return 0.0

    def doubling(y: Any, scores: Any) -> float:
        scores *= 2
        return 0.0

    for fitness in (sorting, doubling):
        with pytest.raises(ValueError, match="changes y or scores, which are read-only") as error:
            GenregClassifier(**QUICK, fitness=fitness).fit(inputs, labels)
        assert one_line(str(error.value))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"fitness": f1_score}, "make_scorer(f1_score)"),
        ({"fitness": functools.partial(f1_score, average="macro")}, "make_scorer(f1_score)"),
        ({"fitness": lambda estimator, inputs, labels: 0.0}, "(y, scores) -> number"),
        ({"fitness": ""}, "must be the name of a scikit-learn scorer"),
        ({"settings": [1]}, "must be a mapping"),
        ({"settings": {"seed": 1}}, "random_state"),
        ({"early_stopping": "yes"}, "must be True or False"),
    ],
)
def test_what_cannot_be_meant_is_refused(changes: dict[str, Any], said: str) -> None:
    inputs, labels = load_wine(return_X_y=True)
    with pytest.raises(UsageError) as no:
        GenregClassifier(**QUICK | changes).fit(inputs, labels)
    assert said in one_line(no.value)


def test_one_class_is_told_of_y() -> None:
    inputs, _ = load_wine(return_X_y=True)
    with pytest.raises(DataError) as no:
        GenregClassifier(**QUICK).fit(inputs, np.zeros(len(inputs)))
    assert one_line(no.value).startswith("y: ")


def test_a_constant_column_is_nothing_to_warn_of() -> None:
    """Nor numbers that are far from zero and far apart."""
    inputs, labels = load_wine(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        GenregClassifier(max_iter=5, random_state=0).fit(np.c_[inputs, np.ones(len(inputs))], labels)
    with pytest.warns(RuntimeWarning, match="only in steps of 64: subtract"):
        GenregClassifier(max_iter=5, random_state=0).fit(np.c_[inputs, inputs[:, 0] + 1e9], labels)


@pytest.mark.parametrize(
    "estimator",
    [
        GenregClassifier(max_iter=5, random_state=0),
        PipelineSearchClassifier(generations=1, population=2, models="linear", folds=2, random_state=0),
    ],
)
def test_columns_of_text_that_may_be_misread_are_warned_of(estimator: Any) -> None:
    """As for a file, with the way out that a DataFrame has, at the line that called fit; a category is not."""
    pandas = pytest.importorskip("pandas", reason="needs DataFrames")
    rows = np.arange(60)
    codes = [f"0{1000 + row % 40}" for row in rows]
    frame = pandas.DataFrame({
        "seen": [f"0{1 + row % 9}/0{1 + row % 7}/2024" for row in rows],
        "area code": codes,
        "zone": pandas.Categorical(codes),
        "price": [f"${row % 7}.50" for row in rows],
        "stamp": [str(1_700_000_000 + row % 7) for row in rows],
    })  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(frame, rows % 2)
    told = [str(one.message) for one in caught if issubclass(one.category, RuntimeWarning)]
    others = [one for one in told if "'stamp'" not in one]
    assert [one.split("'")[1] for one in others] == ["seen", "area code", "price"]
    assert all(one.startswith("X, column ") and " --" not in one for one in others)
    assert "read as day-month-year; convert it to datetimes to decide" in others[0]
    assert "without their leading zeros (make it a category" in others[1]
    assert "are read as words" in others[2]
    blurred = [one for one in told if "'stamp': float32 resolves" in one]
    assert len(blurred) == isinstance(estimator, GenregClassifier)  # a pipeline computes in float64
    assert {one.filename for one in caught if issubclass(one.category, RuntimeWarning)} == {__file__}


@pytest.mark.parametrize("written", ["%d.%m.%Y", "%m/%d/%Y"])
def test_typed_dates_are_those_that_fit_had_as_text(written: str) -> None:
    """Whatever type pandas has for them."""
    pandas = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    days = pandas.Series(pandas.Timestamp(2021, 1, 1) + pandas.to_timedelta(rng.integers(0, 700, 60), "D"))
    frame = pandas.DataFrame({"day": days.dt.strftime(written), "x": rng.normal(size=60)})
    found = GenregClassifier(**QUICK | {"max_iter": 20}).fit(frame, days.dt.month < 7)
    expected = found.predict_proba(frame)
    for typed in (days, days.dt.date, days.dt.to_period("D")):
        np.testing.assert_array_equal(found.predict_proba(frame.assign(day=typed)), expected)
    np.testing.assert_array_equal(found.model_.predict(frame.assign(day=days)), found.model_.predict(frame))
    with pytest.raises(DataError, match=r"is not of the format .* that the model was trained on"):
        found.predict(frame.assign(day="2021-02-28"))


def beyond() -> list[tuple[Any, str]]:
    """Return rows with a number that float32 cannot hold, and what is said of it."""
    rows = np.random.default_rng(0).normal(size=(40, 2))
    rows[3, 1] = -1e39
    return [(rows, "row 3, column 'x1': -1e+39 is beyond float32"), (rows[3:] * 1e200, "row 0, column 'x0': ")]


@pytest.mark.parametrize("framed", [False, True])
@pytest.mark.parametrize("place", [0, 1])
def test_numbers_beyond_float32_are_refused_with_row_and_column(place: int, framed: bool) -> None:
    """In fit and at prediction, without a warning."""
    rows, said = beyond()[place]
    if framed:
        rows = pytest.importorskip("pandas").DataFrame(rows, columns=["x0", "x1"])
    labels = np.arange(len(rows)) % 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=re.escape(said)):
            GenregClassifier(**QUICK).fit(rows, labels)
        found = GenregClassifier(**QUICK | {"max_iter": 5}).fit(rows * 0 + labels[:, None], labels)
        with pytest.raises(DataError, match=re.escape(said)) as error:
            found.predict(rows)
    assert one_line(str(error.value))


@pytest.mark.parametrize("images", [False, True])
def test_classes_with_hardly_any_samples_are_warned_of(images: bool) -> None:
    inputs, labels = pictures(np.uint8)
    inputs = inputs if images else inputs.reshape(len(inputs), -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = GenregClassifier(**QUICK | {"max_iter": 5}).fit(inputs, labels)
    labels[[3, 9]] = 2
    with pytest.warns(RuntimeWarning, match="y: class 2 has 2 rows at most: too few to learn from") as warned:
        found.fit(inputs, labels)
    assert warned[0].filename == __file__


@pytest.mark.parametrize("field", [[1, 2], {"a": 1}, np.zeros(2)])
def test_a_field_of_several_values_is_no_word(field: Any) -> None:
    """In fit, at prediction, and for the model alone."""
    pandas = pytest.importorskip("pandas")
    labels = np.arange(40) % 2
    frame = pandas.DataFrame({"x": labels, "tags": ["a", "b"] * 20})
    lists = frame.assign(tags=pandas.Series(["a", field] * 20, dtype=object))
    said = "row 1, column 'tags': holds a"
    found = GenregClassifier(**QUICK | {"max_iter": 5}).fit(frame, labels)
    for failing in (found.predict, found.model_.predict, lambda X: found.fit(X, labels)):
        with pytest.raises(ValueError, match=said) as error:
            failing(lists)
        assert one_line(str(error.value))
    with pytest.raises(DataError, match=said):
        Dataset.from_arrays(lists, labels)
