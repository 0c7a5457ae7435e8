"""Tables (.csv, .tsv, compressed or not) with a row per sample: columns of any kind, and one or more label columns.

The label column is the one given, else the one named label, class or target, else the last. Unless the user says so,
header.py detects whether the first row is a header, rows.py the separator, and columns.py the kinds of columns. Lines
at the top that begin with # are comments, unless first_row.py takes one for the header. If such a header would move the
label away from the last column, the user is asked.

Several label columns, or labels that are numbers and hardly ever recur, are numbers to predict. Rows without a label
are left out.

Shapes: N rows, inputs (N, I) float32, labels (N,) int64 or (N, K) float64.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.checked import AUTO, TASKS
from genreg_np.data.columns import (
    UNIQUE,
    Asked,
    Description,
    Found,
    Odd,
    check_known,
    describe,
    described_notes,
    encode,
    kinds_note,
    left_out_note,
)
from genreg_np.data.dataset import Dataset
from genreg_np.data.first_row import LABEL_NAMES, first_row, label_column, last_columns, told
from genreg_np.data.held_out import completed
from genreg_np.data.idx import PathLike
from genreg_np.data.labels import quoted
from genreg_np.data.layout import Layout
from genreg_np.data.rows import PACKED_SUFFIXES, Row, read_rows
from genreg_np.data.split import Split
from genreg_np.data.stored import Series, Stored, Table
from genreg_np.data.table_labels import targets_of, told_of, weights_of
from genreg_np.errors import DataError, UsageError, did_you_mean
from genreg_np.files import digest_of
from genreg_np.infer_table import inputs_of, is_missing

LIMIT_BYTES = 4 << 30  # all columns together
CHUNK_FIELDS = 1 << 13  # stored at a time


def load_csv(
    path: PathLike,
    label: str | Sequence[str] | None = None,
    *,
    header: bool | None = None,
    separator: str | None = None,
    task: str = AUTO,
    keep: Sequence[str] = (),
    drop: Sequence[str] = (),
    kind: Sequence[str] = (),
    weight: str | None = None,
) -> Dataset:
    """Load a table with a label column.

    Parameters
    ----------
    path : path-like
        A text file in UTF-8, which may be compressed (.gz, .bz2, .xz).
    label : str or sequence of str, optional
        The label column: its name in the header, or its number from 1. Several columns are numbers to predict.
    header : bool, optional
        Whether the first row names the columns; by default detected.
    separator : str, optional
        comma, semicolon, tab, pipe or blank, or the character; by default detected.
    task : str
        classes, values, or auto, which decides by the labels.
    keep, drop : sequence of str
        Columns to keep although they carry no information, and columns to leave out.
    kind : sequence of str
        COLUMN=KIND for columns that look like something else: numbers, words, flags or dates.
    weight : str, optional
        A column of numbers that say how much each row counts in training.

    Returns
    -------
    Dataset
        Features float32 with input_range None, split 70/15/15 by class; class names in order of value if all are
        numbers; feature names from the header; `columns` if not all are numbers.

    Raises
    ------
    DataError
        For a file that cannot be read, a first row that may or may not be a header, a row of another length, or a
        field that does not fit its column; the message has the line number.
    UsageError
        For a column that does not exist, or an unknown separator or kind.
    """
    if task not in TASKS:
        raise UsageError(f"task = {task!r}: must be one of {', '.join(TASKS)}")
    labels = [label] if isinstance(label, str) else list(label or ())
    asked = Asked.of(keep, drop, kind)
    table, targets = read_table(path, labels, header, separator, asked)
    asked.check(path, table.names, (*targets, weight))
    table, weights = apart(table, targets, weight)
    dataset, _ = dataset_of(table, targets, asked, task, weights)
    return replace(dataset, origin={"sha256": digest_of(path)})


def apart(table: Table, targets: Sequence[str], weight: str | None) -> tuple[Table, NDArray[np.float64] | None]:
    """Return a table without its column of weights, and the weights.

    Raises
    ------
    UsageError
        For a column that does not exist, or is a label column.
    """
    if weight is None:
        return table, None
    if weight not in table.names:
        raise UsageError(f"{table.path}: no column {weight!r}{did_you_mean(weight, table.names)}")
    if weight in targets:
        raise UsageError(
            f"{table.path}: column {weight!r} is both the label and the weight: name the label with --label"
        )
    return table.without(weight), weights_of(table, weight)


def dataset_of(
    table: Table,
    targets: Sequence[str],
    asked: Asked,
    task: str,
    weights: NDArray[np.float64] | None = None,
) -> tuple[Dataset, list[Found]]:
    """Return a table as a dataset, and what was found about its columns; raises as `load_csv`.

    Parameters
    ----------
    table : Table
        All rows.
    targets : sequence of str
        The label columns.
    asked, task
        As for `load_csv`.
    weights : (N,) float64, optional
        How much each row counts.
    """
    path = table.path
    table, notes = labelled(table, targets)
    names, value_names, labels, why = targets_of(table, targets, task)
    if names:
        why = [*why, told_of(names, np.bincount(labels, minlength=len(names)).astype(np.int64))]
    notes = [f"label column{'s' if len(targets) > 1 else ''} {', '.join(map(repr, targets))}", *notes, *why]
    weights = None if weights is None else weights[table.rows]
    whole = Split(np.arange(len(table))[:, None], labels, weights)
    fields = completed(whole, None, None, names, name=stem(path), note="")
    train = fields["train"].inputs[:, 0]
    found = [_described(table, column, train, asked) for column in table.columns if column.name not in targets]
    check_known(path, found, asked)
    inputs, described = encode(found, len(table)), [one.described for one in found if one.described is not None]
    if not described:
        if len(table) == 1:
            raise DataError(f"{path}: a single row, from which nothing can be learned; add samples")
        free = any(one.why == UNIQUE for one in found)
        way = "; genreg-np search table reads free text, with --kind COLUMN=text" if free else ""
        raise DataError(f"{path}: no column is left to learn from ({left_out_note(found) or 'all are dropped'}){way}")
    for name in ("train", "validation", "test"):
        part = fields[name]
        fields[name] = Split(inputs[part.inputs[:, 0]], part.labels, part.weights)
    plain = all(column["kind"] == "numbers" for column in described) and not np.isnan(inputs).any()
    notes += [left_out_note(found), kinds_note(described), *described_notes(found)]
    feature_names = tuple(name for column in described for name in inputs_of(column))
    dataset = Dataset(
        **fields | {"note": "; ".join(filter(None, [*notes, fields["note"]]))},
        input_range=None,
        feature_names=feature_names if table.named or not plain else (),
        value_names=value_names,
        columns=() if plain else tuple(described),
        label="" if value_names else targets[0],
        table=None if table.named else _layout(table, targets, described),
    )
    return dataset, found


def _layout(table: Table, targets: Sequence[str], described: Sequence[Description]) -> dict[str, Any]:
    """Return where a table without a header has its columns, as in a model's header."""
    return Layout.of(table.width, [column["name"] for column in described], targets).header()


def stem(path: str) -> str:
    """Return the name of a table: that of its file without extensions."""
    name = Path(path)
    return (name.with_suffix("") if name.suffix.lower() in PACKED_SUFFIXES else name).stem


def _described(table: Table, column: Series, train: NDArray[np.int64], asked: Asked) -> Found:
    try:
        return describe(table.path, column, train, asked, table.rows)
    except Odd as error:
        raise DataError(f"{table.path}, line {table.lines[error.row]}, {error.words}") from None


def labelled(table: Table, targets: Sequence[str]) -> tuple[Table, list[str]]:
    """Return the rows that have all labels, and notes on the others.

    Raises
    ------
    DataError
        If no row has all labels, or most have none in a column that was only guessed to be the label.
    """
    lacking = np.zeros(len(table), np.bool_)
    written: set[str] = set()  # what stands for a missing label besides an empty field
    for name in targets:
        series = table.column(name)
        lacking |= series.missing()
        written |= {text for text in series.texts if text and is_missing(text)}
    count = int(lacking.sum())
    if not count:
        return table, []
    if count == len(table):
        raise DataError(f"{table.path}: no row has a label in column {targets[0]!r}; name another with --label")
    lines = ", ".join(str(line) for line in table.lines[lacking][:3])
    note = (
        f"{count:,} row{'s' if count > 1 else ''} without a label left out (line{'s' if count > 1 else ''} {lines}"
        f"{', ...' if count > 3 else ''})"
    )
    if written:
        note += f": {quoted(sorted(written))} means that it is missing"
        if len(targets) == 1 and table.column(targets[0]).as_numbers() is None:
            note += ", and a class needs another name in the file"
    if targets[0] == table.guessed:
        if 2 * count > len(table):
            raise DataError(
                f"{table.path}: column {targets[0]!r} was taken for the label because it is the last, but "
                f"{100 * count / len(table):.0f} % of its rows are empty: name the label's column with --label"
            )
        note += f"; {targets[0]!r} was taken for the label because it is the last: --label names another column"
    return table.of(np.flatnonzero(~lacking)), [note]


def read_table(
    path: PathLike,
    labels: Sequence[str] = (),
    header: bool | None = None,
    separator: str | None = None,
    asked: Asked | None = None,
    as_written: Collection[str] = (),
) -> tuple[Table, list[str]]:
    """Read a table and find its label columns.

    Parameters
    ----------
    path, labels, header, separator
        As for `load_csv`.
    asked : Asked, optional
        Says which columns are words, whatever they look like.
    as_written : collection of str
        Columns whose fields are kept as they are written.

    Returns
    -------
    table : Table
        All rows.
    targets : list of str
        The names of the label columns.
    """
    label = labels[0] if labels else None
    rows = read_rows(path, separator)
    first, rows, header = first_row(path, rows, label, header)
    width = len(first[1])
    if width < 2:
        raise DataError(
            f"{path}: only one column; at least one feature and a label are needed, separated by commas (or name the "
            "separator with --separator)"
        )
    column = label_column(path, first[1], label, header)
    last = last_columns(first[1], column, label)
    words = {name for name, kind in ((asked.kinds if asked else None) or {}).items() if kind == "words"}
    stored = [
        Stored(number == column or number in last or not {name, str(number + 1)}.isdisjoint((*words, *as_written)))
        for number, name in enumerate(first[1])
    ]
    lines = _read(path, rows, stored, first)
    series = [one.finished(name) for one, name in zip(stored, first[1], strict=True)]
    column = next((number for number in reversed(last) if first[1][number] or any(series[number].texts)), column)
    if header is None:
        header = told(path, first[1], column, label, series)
    names = first[1] if header else [str(number) for number in range(1, width + 1)]
    if not header:
        series = [_with_first(one, field, path, first[0]) for one, field in zip(series, first[1], strict=True)]
        lines.insert(0, first[0])
    if not len(lines):
        raise DataError(f"{path}: a header, but no rows; add samples, or pass --no-header")
    if names[column] and names.count(names[column]) > 1:
        raise DataError(f"{path}: two columns are called {names[column]!r}, one of them the label; rename one")
    columns = [label_column(path, first[1], one, header) for one in labels] or [column]
    if len(set(columns)) < len(columns):
        raise UsageError(f"{path}: a label column is named twice")
    each = zip(series, _different(path, names), names, strict=True)
    unique = tuple(replace(one, name=name, unnamed=not own) for one, name, own in each)
    guessed = not labels and not (header and names[column].lower() in LABEL_NAMES)
    table = Table(
        str(path), unique, np.frombuffer(lines, np.int64), np.arange(len(lines)), first[0], bool(header),
        unique[column].name if guessed else "", width,
    )  # fmt: skip
    return table, [table.names[number] for number in columns]


def _different(path: PathLike, names: list[str]) -> list[str]:
    """Return the columns' names, which must be distinct; unnamed columns are named by their numbers."""
    filled = [name or f"column {number}" for number, name in enumerate(names, start=1)]
    if twice := [name for name, count in Counter(filled).items() if count > 1]:
        raise DataError(f"{path}: more than one column is called {twice[0]!r}; give each its own name")
    return filled


def _read(path: PathLike, rows: Iterator[Row], stored: list[Stored], first: Row) -> array[int]:
    """Store the fields of all rows by column, and return the rows' line numbers."""
    width, size = len(stored), max(1, CHUNK_FIELDS // len(stored))
    lines, begin = array("q"), 0
    chunk: list[list[str]] = []
    names = first[1]

    def take() -> None:
        some = lines[begin:]
        for number, (column, fields) in enumerate(zip(stored, zip(*chunk, strict=True), strict=True)):
            column.extend(fields, partial(_where, path, names[number]), some)
        taken = sum(column.bytes for column in stored)
        if taken > LIMIT_BYTES:
            fit = len(lines) * LIMIT_BYTES // taken
            raise DataError(
                f"{path}, line {lines[-1]}: more than {LIMIT_BYTES:,} bytes of columns; about {fit:,} rows would fit: "
                "use fewer rows, or remove columns from the file"
            )

    for line, fields in rows:
        if len(fields) != width:
            raise DataError(
                f"{path}, line {line}: {len(fields)} fields, but {width} in the first row; fix or remove the line"
            )
        lines.append(line)
        chunk.append(fields)
        if len(chunk) == size:
            take()
            chunk, begin = [], len(lines)
    if chunk:
        take()
    return lines


def _where(path: PathLike, name: str, line: int) -> str:
    return f"{path}, line {line}, column {name!r}"


def _with_first(series: Series, field: str, path: PathLike, line: int) -> Series:
    """Return a column with the first row's field put before all others."""
    if series.numbers is not None:
        stored = Stored()
        stored.extend([field], partial(_where, path, series.name), [line])
        number = stored.finished(series.name).as_numbers()
        if number is None:
            raise DataError(
                f"{path}, line {line}, column {series.name!r}: {field[:40]!r} is not a finite number; fix it"
            )
        return replace(series, numbers=np.concatenate([number.astype(np.float32), series.numbers]))
    texts = series.texts if field in series.texts else (*series.texts, field)
    code = np.array([texts.index(field)], np.int32)
    return replace(series, texts=texts, codes=np.concatenate([code, series.codes]))
