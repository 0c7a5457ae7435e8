"""Tables in memory with words, days and holes in them: the dataset that their .csv file would be."""

from __future__ import annotations

import dataclasses
import datetime
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import Dataset, load_dataset
from genreg_np.errors import DataError, GenregError
from tests.data.test_in_memory import assert_same
from tests.helpers import one_line

pandas = pytest.importorskip("pandas")

N = 60
rng = np.random.default_rng(1)
LENGTHS = np.where(rng.random(N) < 0.2, np.nan, rng.normal(size=N).round(3))
DAYS = [datetime.date(2024, 1, 1) + datetime.timedelta(days=3 * k) for k in range(N)]
KINDS = rng.choice(["long", "short", "round"], N)


def frame(rows: slice = slice(None)) -> Any:
    """Return a table with a column of each sort."""
    columns = {
        "length": LENGTHS,
        "island": [None if k % 11 == 0 else ("east", "west")[k % 2] for k in range(N)],
        "tagged": [k % 3 == 0 for k in range(N)],
        "count": pandas.array([None if k % 7 == 0 else k for k in range(N)], dtype="Int64"),
        "day": pandas.to_datetime(DAYS),
        "size": pandas.Categorical([("S", "M")[k % 2] for k in range(N)]),
    }
    return pandas.DataFrame(columns)[rows]


@pytest.mark.parametrize("task", ["classes", "values"])
def test_a_table_in_memory_is_what_its_file_is(tmp_path: Path, task: str) -> None:
    """Columns, samples, splits and note; whatever pandas holds its values as."""
    labels = pandas.Series(KINDS if task == "classes" else np.arange(N) * 0.5 + 3, name="target")
    frame().assign(target=labels).to_csv(tmp_path / "d.csv", index=False)
    loaded = load_dataset(tmp_path / "d.csv", label="target", task=task)
    made = Dataset.from_arrays(frame(), labels, name="d", task=task)
    assert made.label == loaded.label
    made, loaded = (dataclasses.replace(data, note="") for data in (made, loaded))
    assert made.columns == loaded.columns
    assert made.value_names == loaded.value_names
    assert_same(made, loaded)


def test_splits_that_are_given_are_kept_and_read_by_name() -> None:
    """Columns may come in another order; words that training rows lack, and holes, are told apart."""
    later = frame(slice(40, N)).iloc[:, ::-1]
    later.loc[later.index[0], "island"] = "north"
    data = Dataset.from_arrays(frame(slice(40)), KINDS[:40], test=(later, KINDS[40:]), name="d")
    assert len(data.test) == N - 40
    assert len(data.train) + len(data.validation) == 40
    alone = Dataset.from_arrays(frame(slice(40)), KINDS[:40], test=(frame(slice(40, N)), KINDS[40:]), name="d")
    assert data.columns == alone.columns, "a test row has no say in what columns are"
    differ = (data.test.inputs != alone.test.inputs) & ~(np.isnan(data.test.inputs) & np.isnan(alone.test.inputs))
    assert np.argwhere(differ)[:, 0].tolist() == [0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop(columns="size"), "a table has other columns than that of train"),
        (lambda table: table.rename(columns={"size": "label"}), "other columns than that of train"),
        (lambda table: table[:5], "5 test inputs, but 20 labels"),
    ],
)
def test_tables_that_do_not_go_together_have_their_line(change: Any, words: str) -> None:
    """Of other columns, or too few rows."""
    with pytest.raises(DataError, match=words) as error:
        Dataset.from_arrays(frame(slice(40)), KINDS[:40], test=(change(frame(slice(40, N))), KINDS[40:]), name="d")
    one_line(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weights": np.ones(5)}, "weights"),
        ({"class_names": ["long", "short"]}, "round"),
        ({"labels": np.eye(3)[np.arange(N) % 3]}, "one-hot"),
        ({"labels": KINDS[:-1]}, "they must pair up"),
        ({"inputs": frame().rename(columns={"size": "day"})}, "more than one column is called 'day'"),
        ({"inputs": frame().assign(count=[np.inf, *range(N - 1)])}, "row 0, column 'count': 'inf' is not a finite"),
        ({"inputs": frame()[["tagged"]].assign(tagged=None)}, "no column has a value"),
        ({"input_range": (0, 1)}, "without a range"),
    ],
)
def test_what_does_not_go_with_a_table_has_its_line(change: dict[str, Any], words: str) -> None:
    """As with arrays."""
    given = {"inputs": frame(), "labels": KINDS, **change}
    with pytest.raises(GenregError, match=words) as error:
        Dataset.from_arrays(given.pop("inputs"), given.pop("labels"), **given)
    one_line(error.value)


def test_all_columns_of_a_table_in_memory_are_taken() -> None:
    """Numbers that count, too, whatever stands beside them."""
    table = pandas.DataFrame({"id": range(N), "same": 1, "length": LENGTHS})
    assert Dataset.from_arrays(table, KINDS).feature_names == ("id", "same", "length")


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ((30, 30, 2), "c has 2 rows at most: too few to learn from and to measure, whatever their weight"),
        ((30, 2, 1), "b, c have 2 rows at most"),
        ((100, 20, 10), r"77 % of all rows are of class a, 10 of class c: accuracy alone says little \(--class-weight"),
        ((30, 20, 10), ""),
    ],
)
def test_rare_classes_are_told_of(tmp_path: Path, counts: tuple[int, ...], words: str) -> None:
    """Where accuracy says little, or a class can hardly be measured."""
    rows = [f"{k},{k % 5},{name}" for name, count in zip("abc", counts, strict=True) for k in range(count)]
    (tmp_path / "d.csv").write_text("\n".join(["one,two,label", *rows]))
    note = load_dataset(tmp_path / "d.csv").note
    assert re.search(words, note) if words else "accuracy" not in note, note
