"""Tables (.csv) with a row per sample: numeric features and one label column.

The label column is the one asked for, else the one named label, class or target, else the last. A first row in which
no field is a number, or in which a field has one of those names, is a header. The fields are separated by commas,
semicolons or tabs, whichever the first line has most of.

Shapes: inputs (N, columns - 1) float32, labels (N,) int64.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset
from genreg_np.data.idx import PathLike
from genreg_np.data.labels import class_order, encode_labels, label_text
from genreg_np.data.splits import stratified_split
from genreg_np.errors import DataError, UsageError, did_you_mean

LABEL_NAMES = ("label", "class", "target")
SEPARATORS = ",;\t"

Row = tuple[int, list[str]]  # line number from 1, fields


def load_csv(path: PathLike, label: str | None = None) -> Dataset:
    """Load a table of numeric features with a label column.

    Parameters
    ----------
    path : path-like
        A .csv file in UTF-8.
    label : str, optional
        The label column: its name in the header, or its number from 1.

    Returns
    -------
    Dataset
        Features float32 with input_range None, split 70/15/15 by class; class names by value if all are numbers.

    Raises
    ------
    DataError
        For a file that cannot be read, a row of another length, a feature that is not a finite number, an empty
        label; the message has the line number.
    UsageError
        For a label column that is not there.
    """
    rows = _rows(path)
    first = next(rows, None)
    if first is None:
        raise DataError(f"{path}: the file is empty; a row of numbers and a label for each sample is needed")
    header = first[1] if _is_header(first[1], label) else None
    width = len(first[1])
    if width < 2:
        raise DataError(f"{path}: one column only; at least one feature and a label are needed, separated by commas")
    column = _label_column(path, header, width, label)
    names = header or [str(number) for number in range(1, width + 1)]
    features: list[NDArray[np.float32]] = []
    labels: list[str] = []
    for line, fields in _chain(None if header else first, rows):
        where = f"{path}, line {line}"
        if len(fields) != width:
            raise DataError(f"{where}: {len(fields)} fields, but {width} in the first row; mend or remove the line")
        name = label_text(fields[column])
        if name.lower() in ("", "nan"):
            raise DataError(f"{where}: no label in column {names[column]!r}; add it or remove the line")
        labels.append(name)
        features.append(_numbers(where, fields, names, column))
    if not features:
        raise DataError(f"{path}: a header, but no rows; add samples")
    class_names = class_order(labels)
    return stratified_split(
        np.stack(features),
        encode_labels(labels, class_names),
        class_names,
        name=Path(path).stem,
        input_range=None,
        note=f"label column {names[column]!r}",
    )


def _rows(path: PathLike) -> Iterator[Row]:
    """Yield the rows that are not blank, with their line numbers."""
    line = 0
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            sample = file.readline(1 << 16)
            separator = max(SEPARATORS, key=sample.count)
            file.seek(0)
            reader = csv.reader(file, delimiter=separator, skipinitialspace=True)
            for fields in reader:
                line = reader.line_num
                if any(field.strip() for field in fields):
                    yield line, [field.strip() for field in fields]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the name") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file in UTF-8 (after line {line}); save it as CSV in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}, line {line + 1}: not readable as CSV ({error}); mend the line") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); check the file") from None


def _chain(first: Row | None, rest: Iterator[Row]) -> Iterator[Row]:
    """Yield `first`, unless it is None, and then the rest."""
    if first is not None:
        yield first
    yield from rest


def _is_number(field: str) -> bool:
    try:
        float(field)
    except ValueError:
        return False
    return True


def _is_header(fields: list[str], label: str | None) -> bool:
    """Tell whether a first row names the columns."""
    known = {*LABEL_NAMES, *([label.strip().lower()] if label and not _is_number(label) else [])}
    return not any(map(_is_number, fields)) or any(field.lower() in known for field in fields)


def _label_column(path: PathLike, header: list[str] | None, width: int, label: str | None) -> int:
    """Return the index of the label column."""
    if label is None:
        lowered = [name.lower() for name in header or []]
        return next((lowered.index(name) for name in LABEL_NAMES if name in lowered), width - 1)
    if header and label in header:
        return header.index(label)
    if label.isdecimal() and 1 <= int(label) <= width:
        return int(label) - 1
    if header:
        raise UsageError(f"{path}: no column {label!r}{did_you_mean(label, header)}")
    raise UsageError(
        f"{path}: no column {label!r}; without a header, a number from 1 to {width} names the label column"
    )


def _numbers(where: str, fields: list[str], names: list[str], column: int) -> NDArray[np.float32]:
    """Return the features of a row, (columns - 1,) float32."""
    texts = fields[:column] + fields[column + 1 :]
    try:
        values = np.array(texts, np.float64)
    except ValueError:
        values = np.array([float(text) if _is_number(text) else np.nan for text in texts])
    with np.errstate(over="ignore"):
        row = values.astype(np.float32)
    if not np.isfinite(row).all():
        wrong = int(np.flatnonzero(~np.isfinite(row))[0])
        name = (names[:column] + names[column + 1 :])[wrong]
        raise DataError(
            f"{where}, column {name!r}: {texts[wrong]!r} is not a finite number; mend it, or remove the line or column"
        )
    return row
