"""DataFrames as people have them, for estimators that search for a pipeline: types, missing values, later rows."""

from __future__ import annotations

import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")
pytest.importorskip("pandas", reason="needs DataFrames")

import pandas

from genreg_np import PipelineSearchClassifier
from genreg_np.search.tabular.frames import inputs_of_frame, rows_of_frame
from genreg_np.search.tabular.rows import Rows
from tests.helpers import one_line

COUNT = 30
LABELS = np.arange(COUNT) % 2
QUICK: dict[str, Any] = {"generations": 1, "population": 2, "models": "linear", "folds": 2, "random_state": 0}


def rows_of(column: Any) -> tuple[Rows, Any]:
    """Return the rows of a frame of one column beside numbers, and the frame."""
    frame = pandas.DataFrame({"number": np.arange(len(column)) * 7 % 31, "it": column})
    return rows_of_frame(frame, np.arange(len(column)) % 2, ("a", "b")), frame


COLUMNS: dict[str, tuple[Any, str, list[float]]] = {  # values, what they are taken for, and the first three inputs
    "numbers": ([1.5, None, 3] * 10, "numbers", [1.5, np.nan, 3]),
    "objects": (pandas.Series([1, None, decimal.Decimal("2.5")] * 10, dtype=object), "numbers", [1, np.nan, 2.5]),
    "whole numbers that may be missing": (pandas.array([1, None, 3] * 10, "Int64"), "numbers", [1, np.nan, 3]),
    "lengths of time": (pandas.to_timedelta([1, None, 90] * 10, "s"), "numbers", [1, np.nan, 90]),
    "yes and no": ([True, False, True] * 10, "numbers", [1, 0, 1]),
    "yes and no that may be missing": (pandas.array([True, None, False] * 10, "boolean"), "numbers", [1, np.nan, 0]),
    "words": (["low", None, "high"] * 10, "words", [1, np.nan, 0]),
    "a category of numbers": (pandas.Categorical([10, 20, 10] * 10), "words", [0, 1, 0]),
    "codes with zeros": (pandas.Categorical(["01", "1", "01"] * 10), "words", [0, 1, 0]),
    "text of numbers": (pandas.array(["1", "2", None] * 10, "string"), "numbers", [1, 2, np.nan]),
    "dates": (pandas.to_datetime(["2024-03-01", "2025-04-02", None] * 10), "numbers", [2024, 2025, np.nan]),
    "dates with a zone": (pandas.to_datetime(["2024-03-01"] * 29 + ["2025-01-01"], utc=True), "numbers", [2024] * 3),
    "months": (pandas.PeriodIndex(["2024-03", "2025-04", "2026-05"] * 10, freq="M"), "numbers", [2024, 2025, 2026]),
    "nothing": ([None] * 30, "words", [np.nan] * 3),
    "no number": ([np.nan] * 30, "numbers", [np.nan] * 3),
}


@pytest.mark.parametrize("name", list(COLUMNS))
def test_a_column_is_what_its_type_says(name: str) -> None:
    """And the same rows are the same inputs later, whatever else is among them."""
    column, kind, expected = COLUMNS[name]
    rows, frame = rows_of(pandas.Series(column))
    assert rows.columns[1].kind == kind
    np.testing.assert_array_equal(rows.values[:3, 1], np.array(expected, float))
    np.testing.assert_array_equal(inputs_of_frame(rows.columns, frame), rows.inputs)
    np.testing.assert_array_equal(inputs_of_frame(rows.columns, frame.iloc[::-1]), rows.inputs[::-1])


def test_what_comes_later_need_not_have_been_seen() -> None:
    """An unknown word has a place of its own, however many; of a column without values nothing is known."""
    rows, frame = rows_of([f"w{k % 7}" for k in range(COUNT)])
    later = pandas.DataFrame({"number": np.arange(9000), "it": np.arange(9000)})
    np.testing.assert_array_equal(inputs_of_frame(rows.columns, later)[:, 1], np.full(9000, 7.0))
    empty, _ = rows_of([np.nan] * COUNT)
    assert np.isnan(inputs_of_frame(empty.columns, frame)[:, 1]).all()
    exact, frame = rows_of(pandas.Series([1_700_000_000 + k for k in range(9000)] + [None], dtype=object))
    assert len(np.unique(exact.values[:-1, 1])) == 9000


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ([1 + 2j] * COUNT, "column 'it': complex numbers"),
        ([np.inf] * COUNT, "row 0, column 'it': infinity"),
        ([*map(str, range(29)), "12a"], "row 29, column 'it': '12a' is not a finite number"),
    ],
)
def test_columns_that_cannot_be(column: list[Any], said: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        rows_of(column)
    assert said in one_line(caught.value)


def test_columns_go_by_their_names() -> None:
    """In any order; without names, numbers go by their places, and all else is refused, as are names given twice."""
    frame = pandas.DataFrame({"a": np.arange(COUNT) % 2, "w": np.array(["low", "high"])[LABELS]})
    found = PipelineSearchClassifier(**QUICK).fit(frame, LABELS)
    with pytest.raises(ValueError, match="same order"):
        found.predict(frame[["w", "a"]])
    plain = PipelineSearchClassifier(**QUICK).fit(frame[["a"]].set_axis([0], axis=1), LABELS)
    assert (plain.predict(frame[["a"]].to_numpy()) == LABELS).all()
    for odd, said in (
        (frame.set_axis([0, 1], axis=1), "is not a string"),
        (frame.set_axis(["a", "a"], axis=1), "more than one"),
    ):
        with pytest.raises(ValueError, match=said) as caught:
            PipelineSearchClassifier(**QUICK).fit(odd, LABELS)
        assert one_line(caught.value)
    with pytest.raises(ValueError, match="must be a DataFrame, as in fit"):
        found.predict(frame.to_numpy())


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (pandas.Series(["a", "b", None] * 10), "y, row 2: is missing"),
        (pandas.Series(pandas.Categorical(["a", "b", None] * 10)), "y, row 2: is missing"),
        (np.array(["a", "b", None] * 10, dtype=object), "y, row 2: is missing"),
        (["a"] * COUNT, "the label is the same in all rows, of class 'a'"),
    ],
)
def test_labels_that_cannot_be(labels: Any, said: str) -> None:
    for inputs in (np.arange(COUNT)[:, None], pandas.DataFrame({"x": np.arange(COUNT)})):
        with pytest.raises(ValueError, match=r"\w") as caught:
            PipelineSearchClassifier(**QUICK).fit(inputs, labels)
        assert said in one_line(caught.value)


def test_a_network_answers_as_its_model_does_to_a_word_that_it_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from genreg_np.search.tabular import space

    monkeypatch.setitem(space.PLAIN, "generations", 300)
    frame = pandas.DataFrame({"w": ["low", "high", None] * 20, "x": np.arange(60) % 5})
    found = PipelineSearchClassifier(**QUICK | {"models": "network"}).fit(frame, (frame["w"] == "low").to_numpy())
    later = pandas.DataFrame({"w": ["never", "low", None], "x": [0, 1, 2]})
    expected = found.model_.predict_proba({"w": ["never", "low", ""], "x": ["0", "1", "2"]})
    np.testing.assert_allclose(found.predict_proba(later), expected, rtol=1e-6)


def test_a_folder_keeps_the_record_and_goes_on(tmp_path: Path) -> None:
    """With its own seed where none is given; what is refused leaves none, and a fit that fails keeps the last one."""
    inputs, own = np.arange(COUNT)[:, None], QUICK | {"random_state": None, "folder": tmp_path / "run"}
    found = PipelineSearchClassifier(**own).fit(inputs, LABELS)
    assert PipelineSearchClassifier(**own).fit(inputs, LABELS).best_score_ == found.best_score_
    assert (tmp_path / "run" / "search.json").exists()
    with pytest.raises(ValueError, match="svn"):
        PipelineSearchClassifier(**own | {"models": "svn", "folder": tmp_path / "other"}).fit(inputs, LABELS)
    assert not (tmp_path / "other").exists()
    with pytest.raises(ValueError, match="fewer than 29 folds"):
        found.set_params(folds=29).fit(inputs[:20], np.array(["p", "q"])[LABELS[:20]])
    assert set(found.predict(inputs)) <= {0, 1}
