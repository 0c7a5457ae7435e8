"""Columns that keep rows apart, by group or by time; and dates that other readers read differently.

Shapes: N rows.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.columns import DATES, NUMBERS, WORDS, Asked, Odd, describe, order_in_words
from genreg_np.data.stored import Series, Table
from genreg_np.errors import DataError
from genreg_np.infer_table import DATE, Fields, is_missing

OFFSETS, CENTURIES = "offsets", "centuries"  # dates with a time zone's offset, and years without a century
OFFSET = re.compile(r":\d\d(?:\.\d+)? ?(?:Z|[+-]\d\d:?\d\d)$")
TWO_DIGITS = re.compile(r"(?:\d{1,2}\W+\w+|[^\W\d]+\W+\d{1,2})\W+\d\d(?!\d)")
IN_ORDER = re.compile(r"\d{4}-?(?:Q[1-4]|W\d\d|\d\d)")  # text that sorts chronologically: 2023-01, 2023-Q1


def ways_of(series: Series, order: str) -> frozenset[str]:
    """Return how some dates of a column are written that other readers read differently.

    Where the year is not first, one of two digits may come later, as `date_of` takes both.
    """
    ways = {OFFSETS: OFFSET.search, CENTURIES: TWO_DIGITS.match}
    found = {way for way, finds in ways.items() if any(map(finds, series.texts))}
    return frozenset(found | (set() if order == "ymd" else {CENTURIES}))


def formats_of(series: Series, order: str) -> tuple[str, ...]:
    """Return the formats, as of strftime, in which the dates of a column are written, usual ones first.

    Time zones are left out, and all years have four digits (`ways_of`). Empty if a date fits no format.

    Parameters
    ----------
    series : Series
    order : str
        Of year, month and day.
    """
    counts: dict[str, int] = {}
    for text, count in zip(series.texts, series.counts().tolist(), strict=True):
        if not is_missing(text):
            own = _format_of(text.strip(), order)
            counts[own] = counts.get(own, 0) + count
    return () if "" in counts else tuple(sorted(counts, key=lambda own: (-counts[own], own)))


def _format_of(text: str, order: str) -> str:
    """Return the format of a date, or "" if there is none."""
    text = OFFSET.sub(lambda found: re.split(r" ?(?:Z|[+-])", found[0])[0], text)
    found = DATE.fullmatch(text)
    if not found:
        return ""
    parts = list(found.groups()[:3])
    signs = list(order)
    named = [place for place, part in enumerate(parts) if not part.isdigit()]
    if named:
        signs.remove("m")
        signs.insert(named[0], "m")
    codes = [_code_of(part, sign) for part, sign in zip(parts, signs, strict=True)]
    if not all(codes):
        return ""
    pieces, end = [], 0
    for number, code in enumerate([*codes, "%H", "%M", "%S"], 1):
        if found[number] is not None:
            pieces += [text[end : found.start(number)], code]
            end = found.end(number)
    rest = re.sub(r"^\.\d{1,9}$", ".%f", text[end:])
    return "" if rest not in ("", ".", ".%f") else re.sub(" +", " ", "".join(pieces)) + rest


def _code_of(part: str, sign: str) -> str:
    """Return the directive of a year, month or day, or "" if there is none."""
    if part.isdigit():
        fits = len(part) in (2, 4) if sign == "y" else len(part) <= 2
        return {"y": "%Y", "m": "%m", "d": "%d"}[sign] if fits else ""
    name = part.capitalize()
    return "%b" if len(part) == 3 else "%B" if name in calendar.month_name else ""


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
    formats : tuple of str
        As for Column.
    """

    kind: str
    described: Mapping[str, Any] = field(default_factory=dict)
    ways: frozenset[str] = frozenset()
    formats: tuple[str, ...] = ()

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
            return cls(DATES, found, ways_of(series, found["order"]), formats_of(series, found["order"]))
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
