"""The runtime reads rows of a table as they are: words, yes and no, dates, and what is missing."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import infer, infer_table
from genreg_np.infer import ModelError
from genreg_np.layers.table import Columns
from genreg_np.model import Model, Network
from genreg_np.strategies.problem import standardised
from tests.helpers import one_line

COLUMNS: list[dict[str, Any]] = [
    {"name": "island", "kind": "words", "words": ["Biscoe", "Dream"]},
    {"name": "bill", "kind": "numbers"},
    {"name": "tagged", "kind": "flags"},
    {"name": "seen", "kind": "dates", "order": "dmy", "parts": ["month", "weekday"]},
]
ROWS = [
    ["Dream", "39.5", "yes", "24.12.2007"],
    ["Elsewhere", "", "N", "1.2.2008"],
    ["NA", "1e1", "?", ""],
    [" Biscoe ", "-3", "TRUE", "29.02.2008"],
]
NUMBERS = np.array(
    [[1, 39.5, 1, 12, 0], [2, np.nan, 0, 2, 4], [np.nan, 10, np.nan, np.nan, np.nan], [0, -3, 1, 2, 4]], np.float32
)


def row_model(seed: int = 0) -> Model:
    """Return a model of such rows, with weights that are drawn."""
    columns = Columns.fit(COLUMNS, np.tile(NUMBERS, (3, 1)))
    scaling = standardised(columns.apply(NUMBERS), columns.of_values)
    network = Network.build((5,), (6,), 3, "tanh", (columns, scaling))
    genes = np.random.default_rng(seed).normal(size=network.gene_count).astype(np.float32)
    names = tuple(name for column in COLUMNS for name in infer_table.inputs_of(column))
    return Model.build(network, genes, ("a", "b", "c"), None, feature_names=names, columns=COLUMNS)


def test_fields_become_what_the_header_says() -> None:
    np.testing.assert_array_equal(infer_table.read_rows(COLUMNS, ROWS), NUMBERS)


def test_rows_may_come_in_any_form() -> None:
    """Text in order, a mapping of columns, rows of mappings, a table with more columns, one row, numbers already."""
    pandas = pytest.importorskip("pandas")
    model, names = row_model(), [column["name"] for column in COLUMNS]
    expected = model.outputs(NUMBERS)
    mapping = {name: [row[place] for row in ROWS] for place, name in enumerate(names)}
    frame = pandas.DataFrame({**mapping, "extra": 1})[["extra", *reversed(names)]]
    for given_rows in (ROWS, np.array(ROWS), mapping, [dict(zip(names, row, strict=True)) for row in ROWS], frame):
        np.testing.assert_array_equal(model.outputs(given_rows), expected)
    np.testing.assert_allclose(model.outputs(dict(zip(names, ROWS[0], strict=True))), expected[:1], rtol=1e-5)
    assert model.predict(ROWS).tolist() == expected.argmax(axis=1).tolist()


def test_a_data_frames_own_values_are_those_of_its_file() -> None:
    """Numbers that are words, booleans, time stamps, None and NaN."""
    pandas = pytest.importorskip("pandas")
    columns = [
        {"name": "zone", "kind": "words", "words": ["1", "2"]},
        {"name": "ok", "kind": "flags"},
        {"name": "day", "kind": "dates", "order": "ymd", "parts": ["year", "hour"]},
    ]
    frame = pandas.DataFrame(
        {
            "zone": [1.0, None, 2.0],
            "ok": [True, None, False],
            "day": pandas.to_datetime(["2020-01-01 06:30", None, "2021-05-05 00:00"]),
        }
    )
    expected = np.array([[0, 1, 2020, 6.5], [np.nan] * 4, [1, 0, 2021, 0]], np.float32)
    np.testing.assert_array_equal(infer_table.read_rows(columns, frame), expected)


@pytest.mark.parametrize(
    ("text", "order", "parts"),
    [
        ("2012/01/31", "ymd", (2012, 1, 31)),
        ("31.1.2012", "dmy", (2012, 1, 31)),
        ("1/31/12", "mdy", (2012, 1, 31)),
        ("11/11/07", "mdy", (2007, 11, 11)),
        ("Jan 31 2012", "mdy", (2012, 1, 31)),
        ("31 January 2012", "mdy", (2012, 1, 31)),
        ("2012-01-31T23:59:59.5Z", "ymd", (2012, 1, 31)),
        ("2012-01-31 23:59:59+01:00", "ymd", (2012, 1, 31)),
        ("2012-13-31", "ymd", None),
        ("2012-02-30", "ymd", None),
        ("2012-01-31 25:00", "ymd", None),
        ("12", "ymd", None),
        ("a-b-c", "ymd", None),
        ("Monday 31 2012", "mdy", None),
    ],
)
def test_dates(text: str, order: str, parts: tuple[int, int, int] | None) -> None:
    found = infer_table.date_of(text, order)
    assert (found and (found["year"], found["month"], found["day"])) == parts


def attempt(read: infer_table.Fields, text: str) -> tuple[float, ...] | str:
    """Return what a field becomes, or the line that refuses it."""
    try:
        return read(text)
    except ModelError as error:
        return str(error)


@given(st.dates())
def test_weekdays_are_the_calendars(day: datetime.date) -> None:
    parts = infer_table.date_of(day.isoformat(), "ymd")
    assert parts is not None
    assert (parts["year"], parts["month"], parts["day"], parts["weekday"]) == (*day.timetuple()[:3], day.weekday())


@pytest.mark.parametrize("order", infer_table.ORDERS)
def test_typed_dates_are_dates_of_any_format(order: str) -> None:
    """Those of datetime and NumPy, with a time or without; also one that could be day-month or month-day."""
    columns = [{"name": "seen", "kind": "dates", "order": order, "parts": ["year", "month", "day"]}]
    for day in (datetime.date(2021, 2, 28), datetime.datetime(2021, 3, 4, 14, 30)):
        typed = [day, np.datetime64(day), np.datetime64(day, "ns")]
        for column in (typed, np.array([day], "datetime64[ns]"), np.array([day], "datetime64[s]")):
            found = infer_table.read_rows(columns, {"seen": column})
            assert found.tolist() == [[day.year, day.month, day.day]] * len(column)
    assert np.isnan(infer_table.read_rows(columns, {"seen": [np.datetime64("NaT"), None]})).all()


@given(st.text(max_size=20))
def test_any_text_is_a_number_nothing_or_a_line(text: str) -> None:
    for column in COLUMNS:
        found = attempt(infer_table.Fields(column), text)
        if isinstance(found, str):
            assert one_line(found)
        else:
            assert len(found) == len(infer_table.inputs_of(column))
            assert not np.isinf(found).any()


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([["Dream", "x", "yes", "1.1.2000"]], "row 0, column 'bill': 'x' is not a finite number"),
        ([ROWS[0], ["Dream", "inf", "yes", ""]], "row 1, column 'bill': 'inf' is not a finite number"),
        ([["Dream", "1", "perhaps", ""]], "'perhaps' is not yes or no"),
        ([["Dream", "39,1", "yes", ""]], "'39,1' is not a finite number; write a decimal point"),
        ([["Dream", "1", "Ja", ""]], "'Ja' is not yes or no; write one of them, or leave the field empty"),
        ([["Dream", "1", "yes", "tomorrow"]], "'tomorrow' is not a date like 31.12.2024; leave the field empty"),
        ([["Dream", "1", "yes", "2000-01-31"]], "'2000-01-31' is not of the format 31.12.2024 that the model was"),
        ([["Dream", "1"]], "the model takes 4 columns"),
        ({"island": ["Dream"]}, "lack 'bill', 'tagged', 'seen'"),
        ({"island": ["Dream"], "bill": ["1", "2"], "tagged": [""], "seen": [""]}, "column 'bill' has 2 rows"),
        (np.zeros((2, 4), np.float32), "inputs have shape"),
        (np.full((2, 5), np.inf, np.float32), "infinite"),
    ],
)
def test_rows_that_cannot_be_have_their_line(rows: Any, words: str) -> None:
    with pytest.raises(ModelError, match=words) as error:
        row_model().outputs(rows)
    assert one_line(str(error.value))


@pytest.mark.parametrize(
    "columns",
    [
        "words",
        [1],
        [{"kind": "words"}],
        [{"name": "a", "kind": "colours"}],
        [{"name": "a", "kind": "words", "words": [1]}],
        [{"name": "a", "kind": "dates", "order": "ymd"}],
        [{"name": "a", "kind": "dates", "order": "xyz", "parts": ["year"]}],
        [{"name": "a", "kind": "numbers"}],
    ],
)
def test_a_header_that_describes_no_columns_is_refused(columns: Any) -> None:
    model = row_model()
    with pytest.raises(ModelError, match="malformed"):
        infer.Model({**model.header, "columns": columns}, dict(model.arrays))


@pytest.mark.parametrize(
    ("array", "value"),
    [("source", 9), ("source", -1), ("mode", 3), ("value", np.nan), ("fill", np.inf)],
)
def test_a_layer_that_reads_what_is_not_there_is_refused(array: str, value: float) -> None:
    model = row_model()
    arrays = {name: part.copy() for name, part in model.arrays.items()}
    arrays[f"layers.0.{array}"][0] = value
    with pytest.raises(ModelError):
        infer.Model(model.header, arrays)


def test_a_model_with_columns_survives_its_file(tmp_path: Path) -> None:
    model = row_model()
    model.save(tmp_path / "m.npz")
    read = infer.load(tmp_path / "m.npz")
    np.testing.assert_array_equal(read.outputs(ROWS), model.outputs(ROWS))
    assert read.header["columns"] == COLUMNS


def test_missing_values_are_filled_in_with_what_training_rows_had() -> None:
    """The median of numbers; a flag where one row in a hundred lacks one; a word's most frequent place otherwise."""
    rng = np.random.default_rng(0)
    rows = np.stack([np.arange(1000.0), rng.integers(0, 2, 1000), np.arange(1000) % 3 == 0], axis=1).astype(np.float32)
    rows[:200, 0] = np.nan
    columns = [
        {"name": "n", "kind": "numbers"},
        {"name": "w", "kind": "words", "words": ["a", "b"]},
        {"name": "f", "kind": "flags"},
    ]
    layer = Columns.fit(columns, rows)
    usual = float(rows[:, 1].mean() > 0.5)
    assert layer.fill.tolist() == [np.median(rows[200:, 0]), usual, 0.0]
    assert layer.apply(np.full((1, 3), np.nan, np.float32)).tolist() == [[599.5, 1.0, 1 - usual, usual, 0.0]]
    assert layer.apply(np.array([[5, 2, 1]], np.float32)).tolist() == [[5.0, 0.0, 0.0, 0.0, 1.0]]


def test_numbers_that_pile_up_are_told_where_they_do() -> None:
    """One that a tenth of the training rows have, in a column of more than ten numbers; dates and flags have none."""
    rows = np.stack([np.arange(1000.0)] * 3, axis=1).astype(np.float32)
    rows[:100, 0], rows[:99, 1], rows[:, 2] = 0, 0, np.arange(1000) % 10
    columns = [{"name": name, "kind": "numbers"} for name in ("rain", "wind", "tens")]
    layer = Columns.fit(columns, rows)
    assert layer.of_values.tolist() == [True, False, True, True]
    assert layer.apply(np.array([[0, 0, 0], [1, 0, 0]], np.float32)).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    rows[:500, 0] = np.nan  # the number is filled in for missing ones where it is in the middle, and then counts as one
    rows[500:900, 0] = 7
    layer = Columns.fit(columns, rows)
    assert layer.apply(np.array([[np.nan, 0, 0]], np.float32)).tolist() == [[7, 1, 1, 0, 0]]
    dates = [{"name": "when", "kind": "dates", "order": "ymd", "parts": ["year"]}, {"name": "f", "kind": "flags"}]
    assert Columns.fit(dates, rows[:, 1:]).of_values.all()
