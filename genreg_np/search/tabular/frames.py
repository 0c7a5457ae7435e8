"""Tables in memory for pipelines: arrays of numbers, or DataFrames of numbers, words, dates and text.

All columns are used, whatever they contain: the caller has chosen them. A column with a numeric dtype is one of
numbers, a categorical one is one of words; all others (objects, text, booleans) are read like fields of a file. The
kind of a column is determined once, on the rows that are fitted to; later rows are read the same way.

Shapes: N rows, I inputs.
"""

from __future__ import annotations

import numbers
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.columns import DATES, EMPTY, MOST_NOTES, NUMBERS, WORDS, Asked, Found, Odd, blurred_note, describe
from genreg_np.data.labels import short_name
from genreg_np.data.stored import Series, Stored
from genreg_np.errors import DataError
from genreg_np.infer import ModelError
from genreg_np.infer_table import Fields, inputs_of, is_missing, number_of, text_of
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
    """Return whether the inputs are a DataFrame with named columns; one of numbers may have none.

    Raises
    ------
    DataError
        For duplicate names, and for unnamed columns that are not numbers.
    """
    if not (hasattr(inputs, "columns") and hasattr(inputs, "dtypes")):
        return False
    names = list(inputs.columns)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataError(f"X: more than one column is called {twice!r}; rename them")
    odd = [name for name in names if not isinstance(name, str)]
    if odd and any(np.asarray(inputs[name]).dtype.kind not in "biuf" for name in names):
        raise DataError(f"X: the name of column {odd[0]!r} is not a string; name all columns, as in X.columns = [...]")
    return not odd


def rows_of_array(
    inputs: NDArray[np.float64],
    labels: NDArray[Any],
    class_names: Sequence[str],
    groups: NDArray[np.int64] | None = None,
) -> Rows:
    """Return numbers (N, I), NaN if missing, with labels (N,) as rows; columns are named x0, x1 ..."""
    names = [f"x{place}" for place in range(inputs.shape[1])]
    columns = tuple(Column(name, NUMBERS, {"name": name, "kind": NUMBERS}) for name in names)
    return _rows(columns, inputs, {}, labels, class_names, groups)


def rows_of_frame(
    frame: Any, labels: NDArray[Any], class_names: Sequence[str], groups: NDArray[np.int64] | None = None
) -> Rows:
    """Return a DataFrame of N rows with labels (N,) as rows; `notes` are on columns that may have been misread.

    Raises
    ------
    DataError
        For a column that cannot be read, or if no column has a value.
    """
    columns: list[Column] = []
    parts: list[NDArray[np.float64]] = []
    texts: dict[int, list[str]] = {}
    notes: list[str] = []
    for name in frame.columns:
        values = _numbers(frame, name)
        if values is not None:
            source = {"name": name, "kind": NUMBERS}
            columns.append(Column(name, NUMBERS, source, is_empty=bool(np.isnan(values).all())))
            parts.append(values[:, None])
            continue
        series = _series(frame, name)
        source, as_text, note = _described(series, name, _is_category(frame, name))
        notes += [note] if note else []
        if as_text:
            texts[len(columns)] = text_of_series(series)
            columns.append(column_of_text(name))
            parts.append(np.full((len(labels), 1), np.nan))
        else:
            own, found = inputs_of_series(series, source)
            columns += own
            parts.append(found)
    if not columns or (not texts and all(np.isnan(part).all() for part in parts)):
        raise DataError("X: no column has a value to learn from")
    rows = _rows(tuple(columns), np.concatenate(parts, axis=1), texts, labels, class_names, groups)
    return replace(rows, notes=tuple(notes[:MOST_NOTES]))


def inputs_of_frame(columns: Sequence[Column], frame: Any) -> NDArray[Any]:
    """Return the rows of a DataFrame as inputs (N, I), read in the same way as the columns that were fitted to.

    Raises
    ------
    DataError
        For a field that cannot be read.
    """
    found: list[Any] = []
    for place, column in enumerate(columns):
        name = column.source["name"]
        if place and name == columns[place - 1].source["name"]:  # another part of a date
            continue
        if column.is_empty:
            found.append(np.full((len(frame), 1), np.nan))
        elif column.kind == TEXT:
            found.append(np.array(text_of_series(_series(frame, name)), dtype=object)[:, None])
        elif column.source["kind"] == NUMBERS and (values := _numbers(frame, name)) is not None:
            found.append(values[:, None])
        else:
            found.append(_read(column, _series(frame, name)))
    if not any(column.kind == TEXT for column in columns):
        return np.concatenate(found, axis=1)
    return np.concatenate([part.astype(object) for part in found], axis=1)


def _described(series: Series, name: str, is_category: bool) -> tuple[dict[str, Any], bool, str]:
    """Return how a column is read, whether as text, and a remark if it may have been misread, usually ""."""
    every = np.arange(len(series))
    kinds = {name: WORDS} if is_category else {}
    try:
        found = describe("X", series, every, Asked(kinds=kinds), every)
        if found.why == UNIQUE and is_text(series):
            return {}, True, ""
        if found.described is None and found.why != EMPTY:
            found = describe("X", series, every, Asked(keep=(name,), kinds=kinds), every)
    except Odd as error:
        words = error.words.partition(", or say --kind")[0]
        raise DataError(f"X, row {error.row}, {words}, or make the column a category of words") from None
    return dict(found.described or {"name": name, "kind": WORDS}), False, _remark(series, found)


def _remark(series: Series, found: Found) -> str:
    """Return the remark on a column, with the way out that there is for a DataFrame.

    Those on numbers that float32 cannot tell apart are left to estimators that compute in float32.
    """
    kind = found.described["kind"] if found.described else WORDS
    if kind == NUMBERS:
        each = [number_of(text) for text in series.texts if not is_missing(text)]
        values = np.array(each, np.float64) if series.numbers is None else series.numbers
        if found.note == blurred_note(short_name(series.name), values):
            return ""
    way = "; convert it to datetimes to decide" if kind == DATES and found.note else ""
    note = re.sub(r" \(--drop .*\)$", "", found.note)
    return re.sub(r"--kind .*?=words", "make it a category", note) + way


def _read(column: Column, series: Series) -> NDArray[np.float64]:
    """Return the inputs (N, parts) for a column's fields."""
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


def _is_category(frame: Any, name: str) -> bool:
    return str(getattr(frame[name], "dtype", "")).lower().startswith(("category", "categorical", "enum"))


def _numbers(frame: Any, name: str) -> NDArray[np.float64] | None:
    """Return a column of numbers (N,) as float64, durations in seconds; None for other columns.

    Raises
    ------
    DataError
        For numbers that are not finite, or not real.
    """
    if _is_category(frame, name):
        return None
    array = np.asarray(frame[name])
    if array.dtype.kind == "O":
        known = [value for value in array if not _is_nothing(value)]
        if not known or not all(isinstance(value, numbers.Number) and not isinstance(value, bool) for value in known):
            return None
        array = np.array([np.nan if _is_nothing(value) else value for value in array])
    if array.dtype.kind == "c":
        raise DataError(f"X, column {name!r}: complex numbers are not supported; put their parts in separate columns")
    if array.dtype.kind == "m":
        found = array.astype("timedelta64[ns]").astype(np.float64) / 1e9
        return np.where(np.isnat(array), np.nan, found)
    if array.dtype.kind not in "iufO":
        return None
    found = array.astype(np.float64)
    if np.isinf(found).any():
        row = int(np.flatnonzero(np.isinf(found))[0])
        raise DataError(f"X, row {row}, column {name!r}: infinity is not supported; replace it")
    return found


def _is_nothing(value: Any) -> bool:
    """Return whether a value stands for a missing one: None, NaN or pandas' own."""
    return value is None or (value != value) is True or is_missing(text_of(value))


def _series(frame: Any, name: str) -> Series:
    """Return a column as it would be read from a file; numbers stay as they are written."""
    column = frame[name]
    if str(getattr(column, "dtype", "")).startswith("period"):
        column = column.dt.to_timestamp()
    stored = Stored(words=True)
    texts = [text_of(value).strip() for value in column]
    stored.extend(texts, str, range(len(texts)))
    return stored.finished(name)
