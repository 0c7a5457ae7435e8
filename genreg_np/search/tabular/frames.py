"""Tables in memory as pipelines take them: arrays of numbers, or DataFrames of numbers, words, dates and text.

All columns are taken in, whatever they tell: who has a table in memory has chosen them. What a column is, is found out
once, by the rows that are fitted to; later rows are read the same way.

Shapes: N rows, I inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.columns import EMPTY, NUMBERS, Asked, Odd, describe
from genreg_np.data.stored import Series, Stored
from genreg_np.errors import DataError
from genreg_np.infer import ModelError
from genreg_np.infer_table import Fields, inputs_of, is_missing, text_of
from genreg_np.search.tabular.rows import (
    TEXT,
    UNIQUE,
    Column,
    Rows,
    column_of_text,
    inputs_of_series,
    is_text,
    text_of_series,
)


def is_frame(inputs: Any) -> bool:
    """Whether it has columns with names, as DataFrames do."""
    return hasattr(inputs, "columns") and hasattr(inputs, "dtypes")


def rows_of_array(
    inputs: NDArray[np.float64],
    labels: NDArray[Any],
    class_names: Sequence[str],
    groups: NDArray[np.int64] | None = None,
    names: Sequence[str] = (),
) -> Rows:
    """Return numbers (N, I), NaN where one is missing, with labels (N,) as rows; columns are called x0, x1 ... unless
    they have `names`.
    """
    named = names or [f"x{place}" for place in range(inputs.shape[1])]
    columns = tuple(Column(name, NUMBERS, {"name": name, "kind": NUMBERS}) for name in named)
    return _rows(columns, inputs, {}, labels, class_names, groups)


def rows_of_frame(
    frame: Any, labels: NDArray[Any], class_names: Sequence[str], groups: NDArray[np.int64] | None = None
) -> Rows:
    """Return a DataFrame of N rows with labels (N,) as rows.

    Raises
    ------
    DataError
        For a column that cannot be, or none with a value.
    """
    columns: list[Column] = []
    parts: list[NDArray[np.float64]] = []
    texts: dict[int, list[str]] = {}
    every = np.arange(len(labels))
    for name in _names(frame):
        numbers = _numbers(frame, name)
        if numbers is not None:
            columns.append(Column(name, NUMBERS, {"name": name, "kind": NUMBERS}))
            parts.append(numbers[:, None])
            continue
        series = _series(frame, name)
        try:
            found = describe("X", series, every, Asked(), every)
            if found.why == UNIQUE and is_text(series):
                texts[len(columns)] = text_of_series(series)
                columns.append(column_of_text(name))
                parts.append(np.full((len(labels), 1), np.nan))
                continue
            if found.described is None:
                found = describe("X", series, every, Asked(keep=(name,)), every)
        except Odd as error:
            raise DataError(f"X, row {error.row}, {error.words.partition(', or say --kind')[0]}") from None
        if found.described is None and found.why == EMPTY:
            columns.append(Column(name, NUMBERS, {"name": name, "kind": NUMBERS}))
            parts.append(np.full((len(labels), 1), np.nan))
            continue
        assert found.described is not None
        own, values = inputs_of_series(series, found.described)
        columns += own
        parts.append(values)
    if not columns or (not texts and all(np.isnan(part).all() for part in parts)):
        raise DataError("X: no column has a value to learn from")
    return _rows(tuple(columns), np.concatenate(parts, axis=1), texts, labels, class_names, groups)


def inputs_of_frame(columns: Sequence[Column], frame: Any) -> NDArray[Any]:
    """Return the rows of a DataFrame as inputs (N, I), read as the columns were that pipelines were fitted to.

    Raises
    ------
    DataError
        For a field that cannot be.
    """
    found: list[Any] = []
    done = ""
    for column in columns:
        name = column.source["name"]
        if name == done:  # another part of a date
            continue
        done = name
        if column.kind == TEXT:
            texts = ["" if is_missing(text) else text for text in _texts(frame, name)]
            found.append(np.array(texts, dtype=object)[:, None])
        elif (numbers := _numbers(frame, name)) is not None and column.source["kind"] == NUMBERS:
            found.append(numbers[:, None])
        else:
            found.append(_read(column, _series(frame, name)))
    if not any(column.kind == TEXT for column in columns):
        return np.concatenate(found, axis=1)
    return np.concatenate([part.astype(object) for part in found], axis=1)


def _read(column: Column, series: Series) -> NDArray[np.float64]:
    """Return the inputs (N, parts) that a column's fields are."""
    if series.numbers is not None:
        return series.numbers.astype(np.float64)[:, None]
    fields = Fields(dict(column.source))
    each = np.empty((len(series.texts), len(inputs_of(dict(column.source)))))
    for place, text in enumerate(series.texts):
        try:
            each[place] = fields(text)
        except ModelError as error:
            row = int(np.flatnonzero(series.codes == place)[0])
            raise DataError(f"X, row {row}, column {series.name!r}: {error}") from None
    return each[series.codes]


def _rows(
    columns: tuple[Column, ...],
    values: NDArray[np.float64],
    texts: dict[int, list[str]],
    labels: NDArray[Any],
    class_names: Sequence[str],
    groups: NDArray[np.int64] | None,
) -> Rows:
    lines = np.arange(1, len(labels) + 1)
    return Rows("X", columns, np.ascontiguousarray(values), texts, labels, tuple(class_names), "y", groups, lines)


def _names(frame: Any) -> list[str]:
    names = [str(name) for name in frame.columns]
    if twice := [name for name in names if names.count(name) > 1]:
        raise DataError(f"X: more than one column is called {twice[0]!r}; give each its own name")
    return names


def _column(frame: Any, name: str) -> Any:
    return frame[next(own for own in frame.columns if str(own) == name)]


def _numbers(frame: Any, name: str) -> NDArray[np.float64] | None:
    """Return a column of numbers (N,) as float64; None of other things.

    Raises
    ------
    DataError
        For numbers that are not finite.
    """
    array = np.asarray(_column(frame, name))
    if array.dtype.kind not in "biuf":
        return None
    numbers = array.astype(np.float64)
    if np.isinf(numbers).any():
        row = int(np.flatnonzero(np.isinf(numbers))[0])
        raise DataError(f"X, row {row}, column {name!r}: infinity is no number to learn from")
    return numbers


def _series(frame: Any, name: str) -> Series:
    """Return a column as that of a file would be read."""
    stored = Stored()
    texts = _texts(frame, name)
    stored.extend(texts, partial(_where, name), range(len(texts)))
    return stored.finished(name)


def _texts(frame: Any, name: str) -> list[str]:
    return [text_of(value).strip() for value in _column(frame, name)]


def _where(column: str, row: int) -> str:
    return f"X, row {row}, column {column!r}"
