"""The columns of a table, while it is read and afterwards: each distinct text once, and a code for each row.

A column with thousands of distinct texts, all of them numbers, continues as float32 to save memory; from then on,
anything but a number is an error with its line. A field thus takes 4 bytes while a table is read.

Shapes: N rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError
from genreg_np.infer_table import is_missing, number_of

MOST_TEXTS = 1 << 13  # distinct texts, after which a column of numbers stores only the numbers
TEXT_BYTES = 60  # overhead of a stored text, besides its characters


@dataclass(frozen=True)
class Series:
    """A column that was read: texts and codes, or numbers."""

    name: str
    texts: tuple[str, ...]  # the distinct texts, stripped; empty if numbers are stored
    codes: NDArray[np.int32]  # (N,) indices into texts
    numbers: NDArray[np.float32] | None = None  # (N,) NaN where one is missing
    unnamed: bool = False  # whether its table names other columns, but not this one

    def __len__(self) -> int:
        return len(self.codes if self.numbers is None else self.numbers)

    def of(self, rows: NDArray[np.integer] | slice) -> Series:
        """Return some of the rows, with only the texts that occur in them."""
        if self.numbers is not None:
            return replace(self, numbers=self.numbers[rows])
        codes = self.codes[rows]
        used = np.bincount(codes, minlength=len(self.texts)) > 0
        if used.all():
            return replace(self, codes=codes)
        texts = tuple(text for text, is_used in zip(self.texts, used.tolist(), strict=True) if is_used)
        return replace(self, texts=texts, codes=(np.cumsum(used) - 1).astype(np.int32)[codes])

    def fields(self) -> list[str]:
        """Return the text of each row; empty if numbers are stored."""
        return [self.texts[code] for code in self.codes]

    def counts(self) -> NDArray[np.int64]:
        """Return how often each text occurs."""
        return np.bincount(self.codes, minlength=len(self.texts)).astype(np.int64)

    def missing(self) -> NDArray[np.bool_]:
        """Return where the value is missing, (N,)."""
        if self.numbers is not None:
            return np.isnan(self.numbers)
        return np.array([is_missing(text) for text in self.texts], np.bool_)[self.codes]

    def as_numbers(self) -> NDArray[np.float64] | None:
        """Return the numbers of a column (N,), NaN where one is missing; None if it has words."""
        if self.numbers is not None:
            return self.numbers.astype(np.float64)
        found = [np.nan if is_missing(text) else number_of(text) for text in self.texts]
        if any(number is None for number in found):
            return None
        return np.array(found, np.float64)[self.codes] if found else np.empty(0)


@dataclass(frozen=True)
class Table:
    """A table as it was read: its columns, and the line of each row."""

    path: str
    columns: tuple[Series, ...]
    lines: NDArray[np.int64]  # (N,) lines of the file, from 1
    rows: NDArray[np.int64]  # (N,) rows of the file, from 0
    first: int  # the line of the header, or of the first row if there is none
    named: bool  # whether the columns' names come from a header; otherwise they are numbers
    guessed: str = ""  # the label's column if it was only taken for being the last
    width: int = 0  # the number of columns in the file

    def __len__(self) -> int:
        return len(self.lines)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, or numbers from 1."""
        return tuple(column.name for column in self.columns)

    def of(self, rows: NDArray[np.integer]) -> Table:
        """Return some of the rows."""
        return replace(
            self, columns=tuple(one.of(rows) for one in self.columns), lines=self.lines[rows], rows=self.rows[rows]
        )

    def without(self, name: str) -> Table:
        """Return the table without one column."""
        return replace(self, columns=tuple(one for one in self.columns if one.name != name))

    def column(self, name: str) -> Series:
        """Return the column called `name`."""
        return self.columns[self.names.index(name)]


class Stored:
    """A column while it is read.

    Parameters
    ----------
    words : bool
        Whether it is a column of words, so that numbers stay as they are written.
    """

    def __init__(self, words: bool = False) -> None:
        self._texts: dict[str, int] = {}
        self._codes = array("i")
        self._numbers: array[float] | None = None
        self._words = words
        self._letters = 0

    @property
    def bytes(self) -> int:
        """Approximate memory in bytes."""
        rows = len(self._codes if self._numbers is None else self._numbers)
        return 4 * rows + TEXT_BYTES * len(self._texts) + self._letters

    def extend(self, fields: Sequence[str], where: Callable[[int], str], lines: Sequence[int]) -> None:
        """Add the fields of some rows; raises DataError with `where(line)` for a word after many numbers."""
        if self._numbers is not None:
            self._numbers.extend(self._read(fields, where, lines))
            return
        texts, before = self._texts, len(self._texts)
        self._codes.extend([texts.setdefault(field, len(texts)) for field in fields])
        if len(texts) > before:
            self._letters += sum(map(len, islice(reversed(texts), len(texts) - before)))
        if len(texts) > MOST_TEXTS and not self._words and before <= MOST_TEXTS:
            self._keep_numbers()

    def _keep_numbers(self) -> None:
        found = [float("nan") if is_missing(text) else number_of(text) for text in self._texts]
        if any(number is None for number in found):
            return
        numbers = np.array(found, np.float32)[np.frombuffer(self._codes, np.int32)]
        self._numbers = array("f", numbers.tobytes())
        self._texts, self._codes, self._letters = {}, array("i"), 0

    @staticmethod
    def _read(fields: Sequence[str], where: Callable[[int], str], lines: Sequence[int]) -> list[float]:
        numbers = []
        for field, line in zip(fields, lines, strict=True):
            number = float("nan") if is_missing(field) else number_of(field)
            if number is None:
                raise DataError(
                    f"{where(line)}: {field[:40]!r} is not a finite number, unlike the thousands before it: "
                    "fix it, or remove the line"
                )
            numbers.append(number)
        return numbers

    def finished(self, name: str) -> Series:
        """Return what was read."""
        if self._numbers is not None:
            return Series(name, (), np.empty(0, np.int32), np.frombuffer(self._numbers, np.float32))
        return Series(name, tuple(self._texts), np.frombuffer(self._codes, np.int32))
