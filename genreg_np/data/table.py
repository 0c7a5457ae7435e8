"""Tables (.csv, .tsv) with a row per sample: numeric features and one label column.

The label column is the one asked for, else the one named label, class or target, else the last. Whether the first row
is a header is told by header.py, or by the user; how fields are separated, by rows.py. A line at the top that begins
with # is the header where it has a name for each column of the row directly below, as numpy.savetxt writes it; else a
comment. One that would move the label away from the last column is asked about.

Shapes: inputs (N, columns - 1) float32, labels (N,) int64.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset
from genreg_np.data.header import Others, counts, names_columns
from genreg_np.data.idx import PathLike
from genreg_np.data.labels import class_order, encode_labels, label_text, merge_numbers, merged_note, short_name
from genreg_np.data.quantities import counting_note
from genreg_np.data.rows import DECIMAL_COMMA, THOUSANDS, Row, is_number, read_rows
from genreg_np.data.splits import stratified_split
from genreg_np.errors import DataError, UsageError, did_you_mean

LABEL_NAMES = ("label", "class", "target")
LIMIT_BYTES = 4 << 30  # all features together
SAMPLE_ROWS = 100  # that a header is told by
MOST_LABELS = 1 << 16  # different ones, far more than the classes that can be told apart


def load_csv(
    path: PathLike, label: str | None = None, *, header: bool | None = None, separator: str | None = None
) -> Dataset:
    """Load a table of numeric features with a label column.

    Parameters
    ----------
    path : path-like
        A text file in UTF-8.
    label : str, optional
        The label column: its name in the header, or its number from 1.
    header : bool, optional
        Whether the first row names the columns; by default told by what it looks like.
    separator : str, optional
        comma, semicolon, tab, pipe or blank, or the sign; by default found.

    Returns
    -------
    Dataset
        Features float32 with input_range None, split 70/15/15 by class; class names by value if all are numbers;
        feature names from the header.

    Raises
    ------
    DataError
        For a file that cannot be read, a first row of which it cannot be told whether it is a header, a row of another
        length, a feature that is not a finite number, an empty label; the message has the line number.
    UsageError
        For a label column that is not there, or a separator that is none.
    """
    rows = read_rows(path, separator)
    first, rows, header = _first_row(path, rows, label, header)
    width = len(first[1])
    if width < 2:
        raise DataError(
            f"{path}: one column only; at least one feature and a label are needed, separated by commas (or name the "
            "separator with --separator)"
        )
    column = _label_column(path, first[1], label, header)
    numbered = [str(number) for number in range(1, width + 1)]
    sure = header if header is not None else not all(map(_numeric, first[1][:column] + first[1][column + 1 :]))
    names = first[1] if sure else numbered
    features, codes = bytearray(4 * (width - 1)), array("q", [0])  # of which the first row has its place
    known: dict[str, int] = {}  # labels, numbered as they come
    whole = False  # whether a whole number is written without a point
    for line, fields in rows:
        where = f"{path}, line {line}"
        codes.append(known.setdefault(_label(where, fields, names, column), len(known)))
        features += _numbers(where, fields, names, column).tobytes()
        if len(known) > MOST_LABELS:
            raise DataError(
                f"{where}: more than {MOST_LABELS:,} different labels in column {names[column]!r}: a quantity or "
                "identifiers, not classes; name the column of classes with --label"
            )
        if not whole and len(codes) <= SAMPLE_ROWS:
            whole = any(field.isdecimal() for index, field in enumerate(fields) if index != column)
        if len(features) > LIMIT_BYTES:
            raise DataError(f"{where}: more than {LIMIT_BYTES:,} bytes of features; take a part of the rows")
    inputs, numbers = np.frombuffer(features, np.float32).reshape(-1, width - 1), np.frombuffer(codes, np.int64)
    if header is None:
        occurring = np.bincount(numbers[1:], minlength=len(known)).tolist()
        others = Others(dict(zip(known, occurring, strict=True)), inputs[1:], whole)
        header = _told(path, first[1], column, label, others)
    names = first[1] if header else numbered
    if header:
        inputs, numbers = inputs[1:], numbers[1:]
    else:
        where = f"{path}, line {first[0]}"
        numbers[0] = known.setdefault(_label(where, first[1], names, column), len(known))
        inputs[0] = _numbers(where, first[1], names, column)
    if not len(inputs):
        raise DataError(f"{path}: a header, but no rows; add samples, or say --no-header")
    if names.count(names[column]) > 1:
        raise DataError(f"{path}: two columns are called {names[column]!r}, one of them the labels'; rename one")
    merged = merge_numbers(known)
    class_names = class_order(merged.values())
    classes = encode_labels([merged[name] for name in known], class_names)
    feature_names = (*names[:column], *names[column + 1 :])
    notes = [f"label column {names[column]!r}", merged_note(merged), counting_note(inputs, feature_names)]
    return stratified_split(
        inputs,
        classes[numbers],
        class_names,
        name=Path(path).stem,
        input_range=None,
        note="; ".join(filter(None, notes)),
        feature_names=feature_names if header else (),
    )


def _first_row(
    path: PathLike, rows: Iterator[Row], label: str | None, header: bool | None
) -> tuple[Row, Iterator[Row], bool | None]:
    """Return the first row past comments, the rows after it, and whether it is a header, as far as that is known."""
    comment: Row = 0, []
    for line, fields in rows:
        if fields[0].startswith("#"):
            named = [fields[0].lstrip("# "), *fields[1:]]
            comment = line, named if named[0] else named[1:]
            continue
        numeric = sum(map(is_number, fields)) >= len(fields) - 1 > 0
        if header is not False and numeric and len(comment[1]) == len(fields):
            if header is None and label is None and _label_column(path, comment[1], None, None) != len(fields) - 1:
                raise _ask(path, f"the comment in line {comment[0]}", comment[1], "a comment only")
            if header or (comment[0] == line - 1 and _names(comment[1])):
                return comment, _chain((line, fields), rows), True
        return (line, fields), rows, header
    raise DataError(f"{path}: the file is empty; a row of numbers and a label for each sample is needed")


def _names(fields: list[str]) -> bool:
    """Tell whether the fields of a comment are names of columns: all different, words or numbers that count."""
    numbers = [field for field in fields if is_number(field)]
    return all(fields) and len(set(fields)) == len(fields) and (not numbers or counts(numbers))


def _chain(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    """Yield `first`, and then the rest."""
    yield first
    yield from rest


def _label_column(path: PathLike, first: list[str], label: str | None, header: bool | None) -> int:
    """Return the index of the label column."""
    width = len(first)
    if label is None:
        lowered = [field.lower() for field in first]
        named = (lowered.index(name) for name in LABEL_NAMES if name in lowered)
        return width - 1 if header is False else next(named, width - 1)
    number = int(label) - 1 if label.isdecimal() and 1 <= int(label) <= width else None
    if header is not False and label in first:
        named_so = first.index(label)
        if number is None or header or number == named_so:
            return named_so
        if counts(first):
            raise _ask(path, "the first row", first)
    if number is not None:
        return number
    if header is False or label.isdecimal() or all(map(is_number, first)):
        raise UsageError(
            f"{path}: no column {label!r}; without a header, a number from 1 to {width} names the label column"
        )
    raise UsageError(f"{path}: no column {label!r}{did_you_mean(label, first)}")


def _told(path: PathLike, first: list[str], column: int, label: str | None, others: Others) -> bool:
    """Tell whether the first row is a header."""
    fields = [*first[:column], label_text(first[column]), *first[column + 1 :]]
    header: bool | None
    if first[column].lower() in LABEL_NAMES or first[column] == label != str(column + 1):  # the label column's name
        recurs = fields[column] in others.labels
        header = None if recurs and column != len(first) - 1 else not recurs
    else:
        header = names_columns(fields, column, others)
    if header is None:
        raise _ask(path, "the first row", first)
    return header


def _numeric(field: str) -> bool:
    return is_number(field) or bool(DECIMAL_COMMA.fullmatch(field))


def _ask(path: PathLike, what: str, fields: list[str], otherwise: str = "a sample") -> DataError:
    """Word the refusal of a row or comment that may be a header."""
    shown = ", ".join(map(short_name, fields[:6])) + (", ..." if len(fields) > 6 else "")
    return DataError(
        f"{path}: it cannot be told whether {what} ({shown}) is a header or {otherwise}: say --header or --no-header"
    )


def _label(where: str, fields: list[str], names: list[str], column: int) -> str:
    """Return the label of a row, which must have as many fields as there are names."""
    if len(fields) != len(names):
        raise DataError(f"{where}: {len(fields)} fields, but {len(names)} in the first row; mend or remove the line")
    name = label_text(fields[column])
    if name.lower() in ("", "nan"):
        raise DataError(f"{where}: no label in column {names[column]!r}; add it or remove the line")
    return name


def _numbers(where: str, fields: list[str], names: list[str], column: int) -> NDArray[np.float32]:
    """Return the features of a row, (columns - 1,) float32."""
    texts = fields[:column] + fields[column + 1 :]
    try:
        values = np.array(texts if "_" not in "".join(texts) else [""], np.float64)
    except ValueError:
        values = np.array([float(text) if is_number(text) else np.nan for text in texts])
    with np.errstate(over="ignore"):
        row = values.astype(np.float32)
    if not np.isfinite(row).all():
        wrong = int(np.flatnonzero(~np.isfinite(row))[0])
        name = (names[:column] + names[column + 1 :])[wrong]
        mend = "mend it, or remove the line or column"
        if THOUSANDS.fullmatch(texts[wrong]):
            mend = "write thousands without commas, and decimals with a point"
        elif DECIMAL_COMMA.fullmatch(texts[wrong]):
            mend = "write a decimal point (or name another separator with --separator)"
        elif not is_number(texts[wrong]) and texts[wrong]:
            mend += " (a column of classes is named with --label)"
        raise DataError(f"{where}, column {name!r}: {texts[wrong]!r} is not a finite number; {mend}")
    return row
