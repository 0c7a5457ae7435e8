"""Columns that keep rows apart, by group or by time; and dates that other readers read differently.

Shapes: N rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.columns import DATES, NUMBERS, WORDS, Asked, Odd, describe, order_in_words
from genreg_np.data.stored import Series, Table
from genreg_np.errors import DataError
from genreg_np.infer_table import Fields

OFFSETS, CENTURIES = "offsets", "centuries"  # dates with a time zone's offset, and years without a century
OFFSET = re.compile(r":\d\d(?:\.\d+)? ?(?:Z|[+-]\d\d:?\d\d)$")
TWO_DIGITS = re.compile(r"(?:\d{1,2}\W+\w+|[^\W\d]+\W+\d{1,2})\W+\d\d(?!\d)")
IN_ORDER = re.compile(r"\d{4}-?(?:Q[1-4]|W\d\d|\d\d)")  # text that sorts chronologically: 2023-01, 2023-Q1


def ways_of(series: Series) -> frozenset[str]:
    """Return how some dates of a column are written that other readers read differently."""
    ways = {OFFSETS: OFFSET.search, CENTURIES: TWO_DIGITS.match}
    return frozenset(way for way, finds in ways.items() if any(map(finds, series.texts)))


def groups_of(series: Series) -> NDArray[np.int64]:
    """Return the groups (N,), numbered in order of appearance; rows with a missing value form one group."""
    numbers = series.as_numbers()
    values: NDArray[Any] = np.where(series.missing(), -1, series.codes) if numbers is None else numbers
    _, first, groups = np.unique(values, return_index=True, return_inverse=True)
    rank: NDArray[np.int64] = np.argsort(np.argsort(first))[groups]
    return rank


@dataclass(frozen=True)
class Apart:
    """What a column that keeps rows apart contains.

    Parameters
    ----------
    kind : str
        numbers, dates or words.
    described : mapping
        For dates: their description.
    ways : frozenset of str
        As for Column.
    """

    kind: str
    described: Mapping[str, Any] = field(default_factory=dict)
    ways: frozenset[str] = frozenset()

    @classmethod
    def of(cls, table: Table, name: str, in_time: bool) -> Apart:
        """Return what a column contains; groups are numbers or else words."""
        series = table.column(name)
        if series.as_numbers() is not None:
            return cls(NUMBERS)
        if not in_time:
            return cls(WORDS)
        try:
            found = describe(table.path, series, np.arange(len(table)), Asked(keep=(name,)), table.rows).described
        except Odd:  # some are numbers
            found = None
        if found is not None and found["kind"] == DATES:
            return cls(DATES, found, ways_of(series))
        return cls(WORDS)


def in_order(table: Table, name: str) -> tuple[NDArray[np.int64], str]:
    """Return the rows in the order of a column, numbers by size and dates by time; and how it was read.

    Raises
    ------
    DataError
        If the column has no chronological order, or misses a value.
    """
    series, apart = table.column(name), Apart.of(table, name, True)
    if (missing := series.missing()).any():
        line = table.lines[int(missing.argmax())]
        raise DataError(
            f"{table.path}, line {line}, column {name!r}: is empty, but rows are ordered by this column: fill it in, "
            f"or leave such rows out ({int(missing.sum()):,} in all)"
        )
    if apart.kind == NUMBERS:
        numbers = series.as_numbers()
        assert numbers is not None
        return np.argsort(numbers, kind="stable"), "numbers"
    if apart.kind == DATES:
        read = Fields({**apart.described, "parts": ["year", "month", "day", "hour"]})
        each = np.array([read(text) for text in series.texts], np.float64)[series.codes]
        return np.lexsort(each.T[::-1]), f"dates, {order_in_words(dict(apart.described))}"
    odd = next((row for row, text in enumerate(series.fields()) if not IN_ORDER.fullmatch(text)), None)
    if odd is not None:
        field = series.fields()[odd][:40]
        raise DataError(
            f"{table.path}, line {table.lines[odd]}, column {name!r}: {field!r} has no order in time: "
            "write numbers, or dates such as 2023-01-31 or 2023-01, the same way in all rows"
        )
    return np.argsort(np.array(series.fields()), kind="stable"), "periods"
