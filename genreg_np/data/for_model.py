"""Rows of a table as inputs of a model trained on a similar one, matched by name, or by position without names.

Columns of a table without a header are called 1, 2, 3, ..., and a model that was trained on one knows them so: it
takes rows that are laid out like those of its training table, with or without the label (`layout.py`).
Columns that the model does not know are allowed and carried through. For a model trained on numbers of which none was
missing, missing values are filled in with the training mean.

Shapes: N rows, I inputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.data.first_row import beginning, names_in, past_comments
from genreg_np.data.header import counts
from genreg_np.data.idx import PathLike
from genreg_np.data.labels import label_text, listed, quoted, short_name
from genreg_np.data.layout import Layout
from genreg_np.data.rows import Row, is_number, read_rows
from genreg_np.data.stored import Series, Table
from genreg_np.errors import DataError, UsageError
from genreg_np.infer_table import Fields, is_missing, word_of

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
    layout = Layout.found(model.header, model.input_shape[0])
    places = range(1, model.input_shape[0] + 1) if layout is None else layout.columns
    return [{"name": name, "kind": "numbers"} for name in model.feature_names or map(str, places)]


def is_for_tables(model: infer.Model) -> bool:
    """Return whether a model's inputs may be rows of a table; a generator's are noise."""
    return len(model.input_shape) == 1 and model.input_range is None and model.trained("generator") is None


def _fill(model: infer.Model) -> NDArray[np.float32] | None:
    """Return the replacements for missing numbers, (I,), if the model itself cannot take them; else None."""
    first = model.header["network"]["layers"][0]
    if first["kind"] == "columns":
        return None
    mean: NDArray[np.float32] | None = model.arrays.get("layers.0.mean") if first["kind"] == "standardise" else None
    return mean


def has_names(model: infer.Model) -> bool:
    """Return whether a model knows its columns by names, not by their numbers in a table without a header."""
    return bool(model.feature_names) and not all(column["name"].isdecimal() for column in columns_of(model))


class Reader:
    """Converts rows of text to inputs of a model.

    Parameters
    ----------
    model : infer.Model
    path : path-like
        Path of the table, for messages.
    names : sequence of str or None
        Names of its columns; without them, or if the model knows none, columns are matched by position.
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
        layout = Layout.found(model.header, len(wanted))
        named = bool(model.feature_names) and (has_names(model) or set(wanted) <= set(names or ()))
        self._why = ""  # columns are matched by position
        if names is None or not named or layout is not None:  # whose numbers are not those of pandas, from 0
            if names is not None or has_names(model):
                why = "model has no column names" if names else "table has no column names, the model has"
                self._why = f"columns are matched by position: the {why}"
            self.places = _positions(model, path, wanted, width)
        else:
            occurring = Counter(names)
            if twice := [name for name in wanted if occurring[name] > 1]:
                raise UsageError(f"{path}: two columns are called {short_name(twice[0])!r}: rename or remove one")
            lacking = [name for name in wanted if not occurring[name]]
            if lacking:
                raise UsageError(
                    f"{path}: lacks {quoted(lacking)}, which the model was trained on (it takes {quoted(wanted)}); "
                    "add them; extra columns are allowed"
                )
            place_of = {name: place for place, name in enumerate(names)}
            self.places = [place_of[name] for name in wanted]
        self._fields = [Fields(column) for column in self._columns]

    def __call__(self, rows: Sequence[Sequence[str]], lines: Sequence[int]) -> NDArray[np.float32]:
        """Return inputs (n, I) of n rows; raises DataError for a field that does not fit its column."""
        parts: list[NDArray[np.float32]] = []
        for field, column in zip(self._fields, self.places, strict=True):
            try:
                found = np.array([field(row[column]) for row in rows], np.float32)
            except infer.ModelError:
                self._refuse(field, column, rows, lines)
            parts.append(found.reshape(-1, field.width))
        return self._joined(parts)

    def of(self, table: Table, columns: Sequence[Series]) -> NDArray[np.float32]:
        """Return a table's rows as inputs (N, I), given the columns that `names` called so; raises as a call does."""
        parts: list[NDArray[np.float32]] = []
        for field, place in zip(self._fields, self.places, strict=True):
            series = columns[place]
            if series.numbers is not None and field.kind == "numbers":
                parts.append(series.numbers[:, None])
                continue
            if series.numbers is not None:
                raise DataError(f"{self._path}, column {series.name!r}: numbers, where the model takes {field.kind}")
            rows = []
            for code, text in enumerate(series.texts):
                try:
                    rows.append(field(text))
                except infer.ModelError as error:
                    there = series.codes == code
                    line = table.lines[int(there.argmax())] if there.any() else 0
                    raise DataError(f"{self._path}, line {line}, column {series.name!r}: {error}") from None
            parts.append(np.array(rows, np.float32).reshape(-1, field.width)[series.codes])
        return self._joined(parts)

    def _joined(self, parts: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Return the inputs (n, I) of all columns, missing numbers filled in; unknown words are counted."""
        for number, (column, values) in enumerate(zip(self._columns, parts, strict=True)):
            if column["kind"] == "words":
                self._strange[number] += int((values == len(column["words"])).sum())
        values = np.concatenate(parts, axis=1)
        self._rows += len(values)
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
        """Return a note on how columns were matched, on missing values and on unknown words; usually an empty one."""
        told = []
        if self._why:
            told.append(self._why)
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


def _positions(model: infer.Model, path: PathLike, wanted: Sequence[str], width: int) -> list[int]:
    """Return the places of a model's columns in a table without names, which may also have others if they are numbered.

    Raises
    ------
    UsageError
        For a table of another width.
    """
    if (layout := Layout.found(model.header, len(wanted))) is not None:
        if (places := layout.places(width)) is None:
            raise UsageError(f"{path}: {width} columns, but the model {layout.words}")
        return places
    if width == len(wanted):
        return list(range(width))
    numbered = bool(model.feature_names) and not has_names(model)
    if numbered and width > len(wanted) and all(1 <= int(name) <= width for name in wanted):
        return [int(name) - 1 for name in wanted]
    takes = f"takes {len(wanted)} ({quoted(wanted)})"
    if has_names(model):
        way = " (or remove the others, such as the label's)" if width > len(wanted) else ""
        raise UsageError(f"{path}: {width} columns without names, but the model {takes}: give the table a header{way}")
    raise UsageError(
        f"{path}: {width} columns, but the model {takes} and does not know their names: remove the others, as the "
        "label's column"
    )


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
        blank: list[Row] = []
        comments, first, rows = past_comments(_without_blank_top(read_rows(path, separator, keep_empty=True), blank))
        below = [row for row in blank if not comments or row[0] > comments[-1][0]]
        below += [] if first is None else [first]
        if not below or (header and first is None and not comments):
            raise DataError(f"{path}: the file is empty; a row for each sample is needed")
        fields = below[-1][1]
        wanted = [column["name"] for column in columns_of(model)]
        if comments and header is not False and model.feature_names:  # as numpy.savetxt writes a header
            names = names_in(comments[-1][1], len(fields))
            if len(names) == len(fields) and set(wanted) <= set(_filled(names)):
                return cls(names, Reader(model, path, _filled(names), len(fields)), path, chain(below, rows))
        if header is None:
            header = first is not None and _is_header(model, path, wanted, fields)
        if header:
            return cls(fields, Reader(model, path, _filled(fields), len(fields)), path, rows)
        return cls(None, Reader(model, path, None, len(fields)), path, chain(below, rows))

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


def _without_blank_top(rows: Iterator[Row], blank: list[Row]) -> Iterator[Row]:
    """Yield rows; those above the first that is no comment go to `blank` instead if all their fields are empty."""
    for row in rows:
        if not any(row[1]):
            blank.append(row)
            continue
        yield row
        if not row[1][0].startswith("#"):
            break
    yield from rows


def _filled(names: Sequence[str]) -> list[str]:
    """Return the names of columns as training has them: those without one are named by their numbers."""
    return [name or f"column {number}" for number, name in enumerate(names, start=1)]


def _is_header(model: infer.Model, path: PathLike, wanted: Sequence[str], fields: Sequence[str]) -> bool:
    """Return whether the first row of a table names its columns.

    Raises
    ------
    DataError
        If it has none of the model's names, and nothing that the model knows from a row either.
    """
    layout, present = Layout.found(model.header, len(wanted)), set(fields)
    if model.feature_names and layout is not None:
        is_named = len(fields) > 2 and counts(fields)  # as pandas names columns
    else:
        is_named = bool(model.feature_names) and (any if has_names(model) else all)(name in present for name in wanted)
    if is_named:
        return True
    try:
        places = _positions(model, path, wanted, len(fields))
        pairs = [(column, fields[place]) for column, place in zip(columns_of(model), places, strict=True)]
        for column, field in pairs:
            Fields(column)(field)
    except (UsageError, infer.ModelError):  # no row that the model could take
        words = {word for column in columns_of(model) for word in column.get("words", ())}.union(model.class_names)
        if has_names(model) and any(is_number(field) or field in words for field in fields):
            way = {
                0: "; or, if its columns are the model's in their order, pass --no-header",
                1: "; or remove its other columns, such as the label's, and pass --no-header",
            }.get(np.sign(len(fields) - len(wanted)), "")
            raise DataError(
                f"{path}: the first row ({beginning(fields)}) has values, not the names of the model's columns "
                f"({quoted(wanted)}): give the table a header{way}"
            ) from None
        places = [] if layout is None else layout.places(len(fields)) or []
        return not any(is_number(fields[place]) for place in places)  # a sample with a fault, to be reported
    if not model.feature_names or any(_is_known(column, field) for column, field in pairs):
        return False
    raise DataError(
        f"{path}: unclear whether the first row ({beginning(fields)}) is a header or a sample: it "
        f"has none of the model's names ({quoted(wanted)}), and no word that it knows: pass --header or --no-header"
    )


def _is_known(column: dict[str, Any], field: str) -> bool:
    """Return whether a field that fits a column could hardly be its name: a number, a date, or a known word."""
    return not is_missing(field) and (column["kind"] != "words" or word_of(field) in column["words"])


def inputs_of_table(model: infer.Model, table: Table, targets: Sequence[str] = ()) -> tuple[NDArray[np.float32], str]:
    """Return a table as a model's inputs (N, I), and a note on how it was read; raises as Reader.

    If columns have no names to match, all but the targets are matched by position.
    """
    wanted = {column["name"] for column in columns_of(model)}
    layout = Layout.found(model.header, len(wanted))
    if layout is not None:
        columns, known = layout.series(table, targets), table.named
        names = [column.name for column in columns]
    else:
        by_name = has_names(model) and table.named  # targets may then be inputs as well
        columns = [column for column in table.columns if by_name or column.name not in targets]
        names = [column.name for column in columns]
        known = table.named or (bool(model.feature_names) and wanted <= set(names))
    reader = Reader(model, table.path, names if known else None, len(columns))
    return reader.of(table, columns), reader.note()


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
