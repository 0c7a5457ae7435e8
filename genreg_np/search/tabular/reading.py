"""How a table is read for a search, and what a script needs to read it again."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.data.columns import Asked
from genreg_np.data.rows import read_rows, separator_of
from genreg_np.data.stored import Table
from genreg_np.data.table import read_table, stem
from genreg_np.errors import DataError, UsageError
from genreg_np.files import digest_of
from genreg_np.search.tabular.apart import Apart
from genreg_np.search.tabular.rows import TEXT, Rows, rows_of
from genreg_np.search.tabular.script import Header, Source


@dataclass(frozen=True)
class Reading:
    """How a table is read.

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
        Columns by which rows are held apart: a group is never on both sides, and what is judged comes later.
    positive : str, optional
        Of two classes the one that metrics of one class are of; by default the second in the order of their names.
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
        """Return how it is read, but for where it lies, as values of TOML."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "path"}
        told = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
        return {name: value for name, value in told.items() if value not in (None, [])}

    @property
    def digest(self) -> str:
        """What tells the table from others.

        Raises
        ------
        DataError
            For a file that cannot be read.
        """
        try:
            return digest_of(self.path)
        except FileNotFoundError:
            raise DataError(f"{self.path}: no such file; check the name") from None
        except OSError as error:
            raise DataError(f"{self.path}: cannot be read ({error.strerror}); check the file") from None

    def read(self, seed: int) -> tuple[Rows, Source]:
        """Return the rows, and what a script needs to read them again; raises as `load_csv`."""
        asked = Asked.of(self.keep, self.drop, self.kind, TEXT)
        labels = [] if self.label is None else [self.label]
        apart = [name for name in (self.group, self.time) if name is not None]
        table, targets = read_table(self.path, labels, self.header, self.separator, asked, apart)
        asked.check(self.path, table.names, (*targets, *apart))
        if len(apart) > 1:
            raise UsageError("--group-column and --time-column are two ways to hold rows apart: give one of them")
        for name in apart:
            if name not in table.names or name in targets:
                raise UsageError(f"{self.path}: no column {name!r} beside the label's")
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
        if not table.named:
            return Header(False, table.first - 1)
        _, fields = next(row for row in read_rows(self.path, self.separator) if row[0] == table.first)
        return Header(
            True, table.first - 1, is_comment=fields[0].startswith("#"), has_gaps=not all(fields),
            has_lines=int(table.lines.min()) > table.first + 1,
        )  # fmt: skip
