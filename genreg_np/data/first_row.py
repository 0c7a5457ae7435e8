"""The first row of a table: whether it names the columns, and which column is the label.

A line at the top that begins with # is the header if it has a name for each column of the row directly below and that
row is a sample, as numpy.savetxt writes it, or if # is itself the name of the first column; otherwise it is a comment.
Decisions that need the rows below are made in header.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.header import Others, counts, first_is_header, names_columns
from genreg_np.data.idx import PathLike
from genreg_np.data.labels import label_text, short_name
from genreg_np.data.rows import Row, is_number
from genreg_np.data.stored import Series
from genreg_np.errors import DataError, UsageError, did_you_mean

MOST_TOLD = 100_000  # rows used to detect a header
MOST_COMMENTS = 1000  # at the top
MOST_BELOW = 200  # rows by which a row below a comment is judged
LABEL_NAMES = ("label", "class", "target")


def past_comments(rows: Iterator[Row]) -> tuple[list[Row], Row | None, Iterator[Row]]:
    """Return the lines at the top that begin with #, the first row after them, and the rows after that.

    If a table has nothing but such lines, or thousands of them, all with as many fields, they are its rows.
    """
    comments: list[Row] = []
    for row in rows:
        if not row[1][0].startswith("#"):
            return comments, row, rows
        comments.append(row)
        if len(comments) > MOST_COMMENTS:
            break
    widths = {len(fields) for _, fields in comments}
    if len(comments) > 1 and len(widths) == 1 and widths != {1}:
        return [], comments[0], chain(comments[1:], rows)
    first = next((row for row in rows if not row[1][0].startswith("#")), None)
    return comments, first, rows


def names_in(comment: Sequence[str], width: int) -> list[str]:
    """Return the fields of a line that begins with #, as the names of so many columns; # alone may be such a name."""
    if comment[0] == "#" and len(comment) == width:
        return list(comment)
    named = [comment[0].lstrip("# "), *comment[1:]]
    return named if named[0] else named[1:]


def first_row(
    path: PathLike, rows: Iterator[Row], label: str | None, header: bool | None
) -> tuple[Row, Iterator[Row], bool | None]:
    """Return the first row after comments, the rows after it, and whether it is a header (None if not yet known)."""
    comments, first, rows = past_comments(rows)
    if first is None:
        raise DataError(f"{path}: the file is empty; a row for each sample is needed, with a label")
    line, fields = first
    if not comments or header is False:
        return first, rows, header
    above, names = comments[-1][0], names_in(comments[-1][1], len(fields))
    if names[:1] == ["#"] and above == line - 1 and _may_name(names[1:]):
        return (above, names), chain([first], rows), True
    if len(names) != len(fields) or len(fields) < 2:
        return first, rows, header
    what = f"the comment in line {above}"
    numeric = sum(map(is_number, fields)) >= len(fields) - 1
    below = [] if numeric else list(islice(rows, MOST_BELOW))
    rows = chain(below, rows)
    is_header = None if numeric else _is_header(fields, below)
    is_usable = is_header is not True and above == line - 1 and _names(names)
    moves = label is None and label_column(path, names, None, None) != len(fields) - 1
    if header is None and moves and (numeric or is_usable):
        raise _ask(path, what, names, "a comment only")
    if (header and (numeric or is_usable)) or (is_usable and (numeric or is_header is False)):
        return (above, names), chain([first], rows), True
    if header is None and is_usable:
        raise _ask(path, what, names, "a comment only")
    return first, rows, header


def _is_header(fields: Sequence[str], below: Sequence[Row]) -> bool | None:
    """Return whether a row below a comment is a header, judged by some rows below it; None if undecided."""
    same = [others for _, others in below if len(others) == len(fields)]
    return first_is_header(fields, [set(texts) for texts in zip(*same, strict=True)], len(same)) if same else None


def _names(fields: list[str]) -> bool:
    """Return whether the fields of a comment are column names: all distinct, words or numbers that count up."""
    return all(fields) and len(set(fields)) == len(fields) and _may_name(fields)


def _may_name(fields: list[str]) -> bool:
    """Return whether fields may be column names: there are some, words or numbers that count up."""
    numbers = [field for field in fields if is_number(field)]
    return any(fields) and (not numbers or counts(numbers))


def label_column(path: PathLike, first: list[str], label: str | None, header: bool | None) -> int:
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
            f"{path}: no column {label!r}; without a header, name the label column by a number from 1 to {width}"
        )
    raise UsageError(f"{path}: no column {label!r}{did_you_mean(label, first)}")


def last_columns(first: Sequence[str], column: int, label: str | None) -> range:
    """Return the columns of which one is the label by default, if the first row ends with empty fields; else none.

    Spreadsheets write such fields for columns that once had something in them: the label is then the last column with
    a name or a value.
    """
    if label is not None or column != len(first) - 1 or first[column]:
        return range(0)
    return range(max(number for number, field in enumerate(first) if field), len(first))


def told(path: PathLike, first: list[str], column: int, label: str | None, series: Sequence[Series]) -> bool:
    """Return whether the first row is a header, judged by all others."""
    features = [one.of(slice(MOST_TOLD)) for one in (*series[:column], *series[column + 1 :])]
    numbers = [one.as_numbers() for one in features]
    below = series[column]
    labels = {label_text(text): int(count) for text, count in zip(below.texts, below.counts(), strict=True)}
    fields = [*first[:column], label_text(first[column]), *first[column + 1 :]]
    if first[column].lower() in LABEL_NAMES or first[column] == label != str(column + 1):  # the label column's name
        recurs = fields[column] in labels
        header: bool | None = None if recurs and column != len(first) - 1 else not recurs
    elif any(one is None for one in numbers):
        header = first_is_header(first, [one.texts for one in series], len(below))
    else:
        inputs = np.stack([_filled(one) for one in numbers], axis=1).astype(np.float32)  # type: ignore[arg-type]
        whole = any(text.isdecimal() for one in features for text in one.texts)
        header = names_columns(fields, column, Others(labels, inputs, whole))
    if header is None:
        raise _ask(path, "the first row", first)
    return header


def _filled(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers with the median in place of missing ones."""
    known = numbers[~np.isnan(numbers)]
    return np.where(np.isnan(numbers), np.median(known) if len(known) else 0.0, numbers)


def _ask(path: PathLike, what: str, fields: list[str], otherwise: str = "a sample") -> DataError:
    """Return the error for a row or comment that may be a header."""
    return DataError(
        f"{path}: unclear whether {what} ({beginning(fields)}) is a header or {otherwise}: pass --header or --no-header"
    )


def beginning(fields: Sequence[str]) -> str:
    """Return the first fields of a row, for messages."""
    return ", ".join(map(short_name, fields[:6])) + (", ..." if len(fields) > 6 else "")
