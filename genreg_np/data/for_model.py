"""Rows of a table as inputs of a model trained on a similar one, matched by name, or by position without names.

Columns that the model does not know are allowed and carried through. For a model trained on numbers of which none was
missing, missing values are filled in with the training mean.

Shapes: N rows, I inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.data.idx import PathLike
from genreg_np.data.labels import label_text, listed, quoted, short_name
from genreg_np.data.rows import Row, read_rows
from genreg_np.data.stored import Table
from genreg_np.errors import DataError, UsageError
from genreg_np.infer_table import Fields

CHUNK_FIELDS = 1 << 18  # converted at a time

Columns = list[dict[str, Any]]  # as a model's header describes them


def columns_of(model: infer.Model) -> Columns:
    """Return a model's columns as described in its header; by default numbers, with their names or positions.

    Raises
    ------
    UsageError
        For a model whose inputs are not rows of a table.
    """
    described = model.header.get("columns")
    if described:
        return list(described)
    if len(model.input_shape) != 1 or model.input_range is not None:
        raise UsageError(f"the model takes inputs of shape {model.input_shape}, not rows of a table")
    names = model.feature_names or [str(place) for place in range(1, model.input_shape[0] + 1)]
    return [{"name": name, "kind": "numbers"} for name in names]


def is_for_tables(model: infer.Model) -> bool:
    """Return whether a model's inputs may be rows of a table."""
    return len(model.input_shape) == 1 and model.input_range is None and model.trained("gan") is None


def _fill(model: infer.Model) -> NDArray[np.float32] | None:
    """Return the replacements for missing numbers, (I,), if the model itself cannot take them; else None."""
    first = model.header["network"]["layers"][0]
    if first["kind"] == "columns":
        return None
    mean: NDArray[np.float32] | None = model.arrays.get("layers.0.mean") if first["kind"] == "standardise" else None
    return mean


class Reader:
    """Converts rows of text to inputs of a model.

    Parameters
    ----------
    model : infer.Model
    path : path-like
        Path of the table, for messages.
    names : sequence of str or None
        Names of its columns; None if there are none, and columns are matched by position.
    width : int
        The number of columns.

    Raises
    ------
    UsageError
        If columns are missing or ambiguous.
    """

    def __init__(self, model: infer.Model, path: PathLike, names: Sequence[str] | None, width: int) -> None:
        self._columns, self._path, self._fill = columns_of(model), path, _fill(model)
        self.filled = 0  # missing numbers so far
        self._rows, self._strange = 0, np.zeros(len(self._columns), np.int64)  # rows so far; those with unknown words
        wanted = [column["name"] for column in self._columns]
        if names is None:
            if width != len(wanted):
                raise UsageError(
                    f"{path}: {width} columns without names, but the model takes {len(wanted)} ({quoted(wanted)}): "
                    "give the table a header"
                )
            self.places = list(range(width))
        else:
            if twice := [name for name in wanted if list(names).count(name) > 1]:
                raise UsageError(f"{path}: two columns are called {short_name(twice[0])!r}: rename or remove one")
            lacking = [name for name in wanted if name not in names]
            if lacking:
                raise UsageError(
                    f"{path}: lacks {quoted(lacking)}, which the model was trained on (it takes {quoted(wanted)}); "
                    "add them; extra columns are allowed"
                )
            self.places = [names.index(name) for name in wanted]
        self._fields = [Fields(column) for column in self._columns]

    def __call__(self, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> NDArray[np.float32]:
        """Return inputs (n, I) of n rows; raises DataError for a field that does not fit its column."""
        values = np.empty((len(rows), sum(field.width for field in self._fields)), np.float32)
        place = 0
        for number, (field, column) in enumerate(zip(self._fields, self.places, strict=True)):
            end = place + field.width
            try:
                values[:, place:end] = [field(row[column]) for row in rows]
            except infer.ModelError:
                self._refuse(field, column, rows, lines)
            if field.kind == "words":
                self._strange[number] += int((values[:, place] == len(self._columns[number]["words"])).sum())
            place = end
        self._rows += len(rows)
        if self._fill is not None and (missing := np.isnan(values)).any():
            self.filled += int(missing.sum())
            values = np.where(missing, self._fill, values)
        return values

    def _refuse(self, field: Fields, column: int, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> None:
        for row, line in zip(rows, lines, strict=True):
            try:
                field(row[column])
            except infer.ModelError as error:
                raise DataError(f"{self._path}, line {line}, column {field.name!r}: {error}") from None

    def note(self) -> str:
        """Return a note on missing values that were filled in and on unknown words; usually an empty one."""
        told = []
        if self.filled:
            values = f"{self.filled:,} missing value{'s were' if self.filled > 1 else ' was'}"
            told.append(f"{values} filled in with the training mean: none was missing in the training data")
        strange = [
            column["name"]
            for column, count in zip(self._columns, self._strange.tolist(), strict=True)
            if count == self._rows and column.get("words")
        ]
        if self._rows and strange:
            told.append(f"the model knows no words of column{'s' if len(strange) > 1 else ''} {quoted(strange)}")
        return "; ".join(told)


@dataclass(frozen=True)
class Batch:
    """Some rows of a table."""

    lines: list[int]  # of the file, from 1
    rows: list[list[str]]  # as in the file
    inputs: NDArray[np.float32]  # (n, I)


@dataclass
class Stream:
    """A table of any length that is read in batches."""

    names: list[str] | None  # of its columns, if it has a header
    reader: Reader
    path: PathLike
    _rows: Iterator[Row]

    @classmethod
    def open(cls, model: infer.Model, path: PathLike, header: bool | None, separator: str | None) -> Stream:
        """Open a table; its first row is a header if it has the names of the model's columns.

        Raises
        ------
        UsageError, DataError
            As Reader, and for a file that cannot be read or is empty.
        """
        rows = read_rows(path, separator)
        wanted = [column["name"] for column in columns_of(model)]
        comment, first = _past_comments(rows)
        if first is None:
            raise DataError(f"{path}: the file is empty; a row for each sample is needed")
        fields = first[1]
        named = model.feature_names and len(comment) == len(fields) and set(wanted) <= set(comment)
        if named and header is not False:  # as numpy.savetxt writes a header
            return cls(comment, Reader(model, path, comment, len(fields)), path, chain([first], rows))
        if header is None:
            header = bool(model.feature_names) and (
                any(name in fields for name in wanted) or len(fields) != len(wanted) or not _may_be_data(model, fields)
            )
            if not model.feature_names and not _may_be_data(model, fields):
                header = True
        if header and not model.feature_names:  # the model has no names to match
            return cls(fields, Reader(model, path, None, len(fields)), path, rows)
        names = fields if header else None
        reader = Reader(model, path, names, len(fields))
        return cls(names, reader, path, rows if header else chain([first], rows))

    def batches(self) -> Iterator[Batch]:
        """Yield all rows; raises DataError for a row of another length or an invalid field."""
        width = 0
        lines: list[int] = []
        rows: list[list[str]] = []
        for line, fields in self._rows:
            width = width or len(self.names or fields)
            if len(fields) != width:
                raise DataError(
                    f"{self.path}, line {line}: {len(fields)} fields, but {width} in the first row; fix the line"
                )
            lines.append(line)
            rows.append(fields)
            if len(rows) * width >= CHUNK_FIELDS:
                yield Batch(lines, rows, self.reader(rows, lines))
                lines, rows = [], []
        if not width:
            raise DataError(f"{self.path}: a header, but no rows to predict")
        if rows:
            yield Batch(lines, rows, self.reader(rows, lines))


def _past_comments(rows: Iterator[Row]) -> tuple[list[str], Row | None]:
    """Return the fields of the last comment at the top, and the row after it."""
    comment: list[str] = []
    for line, fields in rows:
        if not fields[0].startswith("#"):
            return comment, (line, fields)
        comment = [fields[0].lstrip("# "), *fields[1:]]
        comment = comment if comment[0] else comment[1:]
    return comment, None


def _may_be_data(model: infer.Model, fields: Sequence[str]) -> bool:
    """Return whether a row fits the model's columns by position."""
    columns = columns_of(model)
    if len(fields) != len(columns):
        return False
    try:
        for column, field in zip(columns, fields, strict=True):
            Fields(column)(field)
    except infer.ModelError:
        return False
    return True


def inputs_of_table(model: infer.Model, table: Table, targets: Sequence[str] = ()) -> tuple[NDArray[np.float32], str]:
    """Return a table as a model's inputs (N, I), and a note on missing values; raises as Reader.

    If columns have no names to match, all but the targets are matched by position.
    """
    named = table.named and bool(model.feature_names)
    columns = [column for column in table.columns if named or column.name not in targets]
    reader = Reader(model, table.path, [one.name for one in columns] if named else None, len(columns))
    parts: list[NDArray[np.float32]] = []
    for place in reader.places:
        series = columns[place]
        column = columns_of(model)[len(parts)]
        if series.numbers is not None and column["kind"] == "numbers":
            parts.append(series.numbers[:, None])
            continue
        if series.numbers is not None:
            raise DataError(f"{table.path}, column {series.name!r}: numbers, where the model takes {column['kind']}")
        field, rows = Fields(column), []
        for code, text in enumerate(series.texts):
            try:
                rows.append(field(text))
            except infer.ModelError as error:
                line = table.lines[int(np.flatnonzero(series.codes == code)[0])] if (series.codes == code).any() else 0
                raise DataError(f"{table.path}, line {line}, column {series.name!r}: {error}") from None
        parts.append(np.array(rows, np.float32).reshape(-1, field.width)[series.codes])
    values = np.concatenate(parts, axis=1)
    fill = _fill(model)
    if fill is not None and (missing := np.isnan(values)).any():
        reader.filled = int(missing.sum())
        values = np.where(missing, fill, values)
    return values, reader.note()


def classes_of_table(model: infer.Model, table: Table, name: str) -> NDArray[np.int64]:
    """Return the class of each row of a table by the model's class names, (N,).

    Raises
    ------
    UsageError
        For classes that the model does not know.
    """
    series = table.column(name)
    if series.numbers is not None:
        distinct, inverse = np.unique(series.numbers, return_inverse=True)
        texts, codes = [label_text(float(value)) for value in distinct], inverse.astype(np.int64)
    else:
        texts, codes = [label_text(text) for text in series.texts], series.codes.astype(np.int64)
    known = {label: number for number, label in enumerate(model.class_names)}
    known |= {label_text(_plain(label)): number for label, number in known.items()}
    used = {texts[code] for code in np.unique(codes)}
    unknown = sorted(text for text in used if text not in known and _plain(text) not in known)
    if unknown:
        raise UsageError(
            f"{table.path} has {listed(unknown)}, which the model does not know; it knows {listed(model.class_names)}: "
            "name the model's own data with --dataset, or another column with --label"
        )
    numbers = np.array([known.get(text, known.get(_plain(text), 0)) for text in texts], np.int64)
    return numbers[codes]


def _plain(text: str) -> str:
    """Return a number in its shortest form (1.50 as 1.5), and any other text unchanged."""
    try:
        return repr(float(text)) if "_" not in text else text
    except ValueError:
        return text
