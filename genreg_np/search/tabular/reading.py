"""How a table is read for a search, and what a script needs to read it in the same way."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.data.columns import Asked
from genreg_np.data.rows import names_separator, read_rows, separator_of
from genreg_np.data.stored import Table
from genreg_np.data.table import read_table, stem
from genreg_np.errors import DataError, UsageError
from genreg_np.files import digest_of
from genreg_np.search.tabular.apart import Apart
from genreg_np.search.tabular.rows import TEXT, Rows, rows_of
from genreg_np.search.tabular.script_reading import Header, Source


@dataclass(frozen=True)
class Reading:
    """The options for reading a table.

    Parameters
    ----------
    path : str
    label : str, optional
    keep, drop, kind : sequence of str
        As for `load_csv`.
    task : str
        classes, values or auto.
    header : bool, optional
    separator : str, optional
    group, time : str, optional
        Columns that keep rows apart: a group is never on both sides, and rows to score on come later.
    positive : str, optional
        The one of two classes that single-class metrics refer to; by default the second in alphabetical order.
    """

    path: str
    label: str | None = None
    keep: Sequence[str] = ()
    drop: Sequence[str] = ()
    kind: Sequence[str] = ()
    task: str = "auto"
    header: bool | None = None
    separator: str | None = None
    group: str | None = None
    time: str | None = None
    positive: str | None = None

    def plain(self) -> dict[str, Any]:
        """Return the options except the path, as TOML values."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "path"}
        told = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {name: value for name, value in told.items() if value not in (None, [])}

    @property
    def digest(self) -> str:
        """A digest that identifies the table.

        Raises
        ------
        DataError
            If the file cannot be read.
        """
        try:
            return digest_of(self.path)
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file; check the name") from None
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}); check the file") from None

    def read(self, seed: int) -> tuple[Rows, Source]:
        """Return the rows, and what a script needs to read them in the same way; raises as `load_csv`."""
        asked = Asked.of(self.keep, self.drop, self.kind, TEXT)
        labels = [] if self.label is None else [self.label]
        apart = [name for name in (self.group, self.time) if name is not None]
        table, targets = read_table(self.path, labels, self.header, self.separator, asked, apart)
        asked.check(self.path, table.names, (*targets, *apart))
        if len(apart) > 1:
            raise UsageError("--group-column and --time-column are alternatives: give one of them")
        for name in apart:
            if name not in table.names or name in targets:
                raise UsageError(f"{self.path}: no column {name!r} besides the label's")
        rows = rows_of(table, targets, asked, self.task, stem(self.path), self.group, self.time)
        if self.positive is not None:
            rows = rows.with_positive(self.positive)
        source = Source(
            self.path, separator_of(self.path, self.separator), table.names, self._header(table), self.group, self.time,
            Apart.of(table, apart[0], self.time is not None) if apart else None, seed % 2**32,
        )  # fmt: skip
        return rows, source

    def _header(self, table: Table) -> Header:
        """Return how the header is written."""
        says_separator = names_separator(self.path)
        if not table.named:
            return Header(False, table.first - 1, says_separator=says_separator)
        _, fields = next(row for row in read_rows(self.path, self.separator) if row[0] == table.first)
        is_comment = fields[0] == "#" or (fields[0].startswith("#") and fields[0] != table.names[0])
        return Header(
            True, table.first - 1, is_comment, has_gaps=not all(fields),
            has_lines=int(table.lines.min()) > table.first + 1, says_separator=says_separator,
        )  # fmt: skip
