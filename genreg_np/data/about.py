"""A summary of a table before training: a line for each column, and its labels."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genreg_np.data.checked import AUTO
from genreg_np.data.columns import Asked, Found, order_in_words
from genreg_np.data.dataset import SPLITS, Dataset
from genreg_np.data.labels import short_name
from genreg_np.data.table import apart, dataset_of, read_table
from genreg_np.infer_table import is_missing

MOST_WORDS = 6  # shown per column
MOST_CLASSES = 12  # shown


def about_table(path: str, reading: Mapping[str, Any]) -> list[str]:
    """Return lines about a table, read with the options of `load_dataset`.

    Raises
    ------
    DataError, UsageError
        As `load_csv`.
    """
    label = reading.get("label")
    labels = [label] if isinstance(label, str) else list(label or ())
    asked = Asked.of(reading.get("keep", ()), reading.get("drop", ()), reading.get("kind", ()))
    table, targets = read_table(path, labels, reading.get("header"), reading.get("separator"), asked)
    asked.check(path, table.names, (*targets, reading.get("weight")))
    table, _ = apart(table, targets, reading.get("weight"))
    dataset, found = dataset_of(table, targets, asked, reading.get("task", AUTO))
    width = max(len(short_name(one.series.name)) for one in found)
    rows = [f"{short_name(one.series.name):<{width}}  {_about(one)}" for one in found]
    sizes = ", ".join(f"{len(dataset.split(name)):,} {name}" for name in SPLITS)
    rows_told = f"{len(table):,} row{'' if len(table) == 1 else 's'}"
    columns = f"{len(found)} column{'' if len(found) == 1 else 's'}"
    head = f"{dataset.name}: {rows_told}, {columns} beside {', '.join(map(repr, targets))} ({sizes})"
    return [head, *(f"  {row}" for row in rows), *_labels(dataset, targets)]


def _about(found: Found) -> str:
    """Return a column's kind and a summary of its values."""
    series, column = found.series, found.described
    missing = int(series.missing().sum())
    lacking = f", {missing:,} missing" if missing else ""
    if column is None:
        return f"left out: {found.why}{lacking}"
    if column["kind"] == "words":
        shown = ", ".join(_name(word, 16) for word in column["words"][:MOST_WORDS])
        more = len(column["words"]) - MOST_WORDS
        return f"words    {shown}{f' and {more} more' if more > 0 else ''}{lacking}"
    if column["kind"] == "dates":
        known = [text for text in series.texts if not is_missing(text)]
        shown = f"{order_in_words(column)}, such as {short_name(known[0], 24)}"
        return f"dates    {shown}: {', '.join(column['parts'])}{lacking}"
    numbers = series.as_numbers()
    if numbers is None:
        known = [short_name(text, 8) for text in series.texts if not is_missing(text)]
        return f"{column['kind']:<8} {', '.join(known[:MOST_WORDS])}{lacking}"
    if np.isnan(numbers).all():
        return f"{column['kind']:<8} none{lacking}"
    low, middle, high = _told_apart(np.nanmin(numbers), np.nanmedian(numbers), np.nanmax(numbers))
    return f"{column['kind']:<8} {low} to {high}, median {middle}{lacking}"


def _name(text: str, width: int = 24) -> str:
    """Return a word for a list separated by commas: in quotes if it has a comma itself."""
    shown = short_name(text, width)
    return f'"{shown}"' if "," in shown else shown


def _told_apart(*values: float) -> list[str]:
    """Return numbers with as many digits as show how they differ, 6 at least: 1700000000 and not 1.7e+09."""
    spread, size = max(values) - min(values), max(map(abs, values))
    digits = math.ceil(math.log10(size / spread)) + 3 if spread > 0 else 6
    if digits > 6:
        digits = min(max(digits, math.ceil(math.log10(size))), 17)  # those before the point, so that no power of ten is
    return [f"{value:.{max(digits, 6)}g}" for value in values]


def _labels(dataset: Dataset, targets: Sequence[str]) -> list[str]:
    """Return lines about the labels."""
    parts = np.concatenate([dataset.split(name).labels for name in SPLITS])
    if dataset.of_numbers:
        lines = []
        for name, column in zip(dataset.value_names, parts.T, strict=True):
            low, mean, high = _told_apart(column.min(), column.mean(), column.max())
            lines.append(f"{short_name(name)}: numbers to predict, {low} to {high}, mean {mean}")
        return lines + _notes(dataset)
    counts = np.bincount(parts, minlength=len(dataset.class_names))
    order = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
    shown = ", ".join(f"{_name(dataset.class_names[k])} {counts[k]:,}" for k in order)
    more = f" and {len(counts) - MOST_CLASSES} more" if len(counts) > MOST_CLASSES else ""
    return [
        f"{targets[0]}: {len(counts)} {'class' if len(counts) == 1 else 'classes'}: {shown}{more}",
        *_notes(dataset),
    ]


def _notes(dataset: Dataset) -> list[str]:
    """Return the remaining notes of a dataset, without those that the lines above repeat."""
    told = ("label column", "left out: ", "columns: ", "split ")
    return [note for note in dataset.note.split("; ") if note and not note.startswith(told)]
