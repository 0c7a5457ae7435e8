"""Where a table without a header has the columns of its model: the entry `table` of the model's header.

Columns are numbered from 1. A file without a header has the layout of the training file, or that without the label
columns; any other width could only be guessed, and then one input would be read as another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np import infer
from genreg_np.data.labels import quoted, short_name
from genreg_np.data.stored import Series, Table
from genreg_np.errors import UsageError

MALFORMED = "the model's header is malformed: 'table' does not fit its columns; use the model as it was saved"


@dataclass(frozen=True)
class Layout:
    """The layout of a table without a header."""

    width: int  # columns of the file, of all kinds
    columns: tuple[int, ...]  # those of the model, in the order of its inputs
    labels: tuple[int, ...]  # those it was trained to predict

    @classmethod
    def of(cls, width: int, columns: Sequence[str], labels: Sequence[str]) -> Layout:
        """Return the layout of a table whose columns are called by their numbers."""
        return cls(width, tuple(map(int, columns)), tuple(map(int, labels)))

    @classmethod
    def found(cls, header: Mapping[str, Any], count: int) -> Layout | None:
        """Return the layout in the header of a model of so many columns; None if it has none.

        Raises
        ------
        ModelError
            For a malformed one.
        """
        entry = header.get("table")
        if entry is None:
            return None
        infer.require(isinstance(entry, dict) and type(entry.get("width")) is int, MALFORMED)
        parts = [entry.get("columns"), entry.get("labels")]
        for part in parts:
            whole = isinstance(part, list) and all(type(place) is int for place in part)
            infer.require(whole and len(set(part)) == len(part), MALFORMED)
            infer.require(all(1 <= place <= entry["width"] for place in part), MALFORMED)
        infer.require(len(parts[0]) == count and not set(parts[0]) & set(parts[1]), MALFORMED)
        return cls(entry["width"], tuple(parts[0]), tuple(parts[1]))

    def header(self) -> dict[str, Any]:
        """Return the layout as an entry of a model's header."""
        return {"width": self.width, "columns": list(self.columns), "labels": list(self.labels)}

    def places(self, width: int) -> list[int] | None:
        """Return the index of each of the model's columns in a row of so many fields; None if it has another layout."""
        if width == self.width:
            return [place - 1 for place in self.columns]
        if width == self.width - len(self.labels):
            return [place - 1 - sum(label < place for label in self.labels) for place in self.columns]
        return None

    def series(self, table: Table, targets: Sequence[str]) -> list[Series]:
        """Return the columns of a labelled table by which to find those of the model: all, or all but the targets.

        Raises
        ------
        UsageError
            For a table of another width, or whose label was only guessed to be in another place.
        """
        if len(table.columns) != self.width:
            raise UsageError(
                f"{table.path}: {len(table.columns)} columns, but the model was trained on {self.width}: give it all "
                f"of them, with {self.label_words}"
            )
        if {table.names.index(name) + 1 for name in targets} == {*self.labels}:
            return list(table.columns)
        if table.guessed in targets:
            raise UsageError(
                f"{table.path}: the last column, {short_name(table.guessed)!r}, was taken for the label's, but the "
                f"model was trained with {self.label_words}: name it with --label {self.labels[0]}"
            )
        return [column for column in table.columns if column.name not in targets]

    @property
    def label_words(self) -> str:
        """The label columns in words."""
        return f"the label's column{'s' if len(self.labels) > 1 else ''} {quoted([str(one) for one in self.labels])}"

    @property
    def words(self) -> str:
        """What rows must be like, in words."""
        less = self.width - len(self.labels)
        return f"was trained on {self.width} columns: give it all of them, or the {less} without {self.label_words}"
