"""A table's rows for pipelines: nothing is learned from them, not even which words get a place.

    numbers, flags, dates   as numbers; NaN if missing
    words                   the index of the word among all words of the column in alphabetical order; NaN likewise
    text                    unchanged: columns in which hardly any field recurs and most have several words

Shapes: N rows, I columns.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.columns import DATES, NUMBERS, WORDS, Asked, Found, Odd, describe, described_notes
from genreg_np.data.labels import quoted
from genreg_np.data.stored import Series, Table
from genreg_np.data.table import labelled
from genreg_np.data.table_labels import targets_of, told_of
from genreg_np.errors import DataError, UsageError, did_you_mean
from genreg_np.infer_table import Fields, inputs_of, is_missing, word_of
from genreg_np.search.tabular.apart import formats_of, groups_of, in_order, ways_of
from genreg_np.search.tabular.building import Layout
from genreg_np.search.tabular.space import Traits

TEXT = "text"
WORDS_OF_TEXT = 3  # words in most fields that distinguish text from names
UNIQUE = "words of which hardly any recurs"  # why columns.py leaves such a column out
BY_METRIC = "metrics such as balanced_accuracy and f1_macro give classes equal weight"
COPY = 0.9999  # the correlation with the label above which a column counts as its copy
KNOWN = 0.5  # share of rows in which a column must be known to be called a copy


@dataclass(frozen=True)
class Column:
    """An input column of pipelines.

    Parameters
    ----------
    name : str
    kind : str
        numbers, words or text.
    source : mapping
        The column of the table as its reader describes it; each part of a date is an input.
    part : str
        For dates: the part.
    is_empty : bool
        Whether it had no value in any row, so that its kind is unknown.
    ways : frozenset of str
        For dates: how some are written that other readers read differently (apart.py).
    formats : tuple of str
        For dates: the formats in which they are written, as of strftime; empty if one has none.
    """

    name: str
    kind: str
    source: Mapping[str, Any]
    part: str = ""
    is_empty: bool = False
    ways: frozenset[str] = frozenset()
    formats: tuple[str, ...] = ()


@dataclass(frozen=True)
class Rows:
    """A table for pipelines.

    Parameters
    ----------
    name : str
    columns : tuple of Column
        The I inputs.
    values : (N, I) float64
        Numbers, and indices of words; NaN for missing values and in columns of text.
    texts : mapping of int to list of str
        The texts of text columns, by column index.
    labels : (N,) int64 classes or float64 numbers
    class_names : tuple of str
        Empty if numbers are predicted.
    label : str
        The name of the label's column.
    groups : (N,) int64, optional
        Rows of one group are never on both sides of a fold.
    lines : (N,) int64
        Line numbers in the file.
    notes : tuple of str
        Remarks on the table.
    spellings : mapping of str to str
        The class that a label means, for labels that are written otherwise than their class is called.
    """

    name: str
    columns: tuple[Column, ...]
    values: NDArray[np.float64]
    texts: Mapping[int, list[str]]
    labels: NDArray[Any]
    class_names: tuple[str, ...]
    label: str
    groups: NDArray[np.int64] | None
    lines: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    spellings: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def layout(self) -> Layout:
        """The places of columns, by kind."""
        places = {
            kind: [k for k, one in enumerate(self.columns) if one.kind == kind] for kind in (NUMBERS, WORDS, TEXT)
        }
        return Layout(places[NUMBERS], places[WORDS], places[TEXT])

    @property
    def traits(self) -> Traits:
        """The traits that determine the genes."""
        layout = self.layout
        missing = bool(np.isnan(self.values[:, layout.numbers]).any())
        columns = len(self.columns)
        return Traits(bool(self.class_names), len(self), missing, bool(layout.words), bool(layout.texts), columns)

    @property
    def inputs(self) -> NDArray[Any]:
        """The inputs (N, I) of pipelines: float64, or Python objects if there is text."""
        if not self.texts:
            return self.values
        found = self.values.astype(object)
        for place, texts in self.texts.items():
            found[:, place] = texts
        return found

    def with_positive(self, name: str) -> Rows:
        """Return the same rows with the given class as the second of two.

        Raises
        ------
        UsageError
            If there are not two classes, or the name is not one of them.
        """
        if len(self.class_names) != 2:
            what = f"{len(self.class_names)} classes" if self.class_names else "numbers"
            raise UsageError(f"{self.name}: positive = {name!r} needs two classes, but {what} are predicted")
        if name not in self.class_names:
            raise UsageError(f"{self.name}: no class {name!r}{did_you_mean(name, self.class_names)}")
        if name == self.class_names[1]:
            return self
        return replace(self, class_names=self.class_names[::-1], labels=1 - self.labels)

    def of(self, some: NDArray[np.integer]) -> Rows:
        """Return the given rows."""
        texts = {place: [texts[k] for k in some] for place, texts in self.texts.items()}
        groups = None if self.groups is None else self.groups[some]
        return replace(
            self, values=self.values[some], texts=texts, labels=self.labels[some], groups=groups, lines=self.lines[some]
        )

    @property
    def digest(self) -> str:
        """A digest of inputs, labels and groups that identifies the rows."""
        found = hashlib.sha256(repr([(one.name, one.kind) for one in self.columns]).encode())
        for array in (self.values, self.labels, np.empty(0) if self.groups is None else self.groups):
            found.update(np.ascontiguousarray(array).tobytes())
        found.update(json.dumps([[place, texts] for place, texts in self.texts.items()]).encode())
        return found.hexdigest()

    def save(self, folder: Path) -> Shared:
        """Write the arrays that workers need to a folder."""
        np.save(folder / "values.npy", self.values)
        np.save(folder / "labels.npy", self.labels)
        (folder / "texts.json").write_text(json.dumps({str(place): texts for place, texts in self.texts.items()}))
        return Shared(str(folder))


@dataclass(frozen=True)
class Shared:
    """The files of a table's arrays, shared by processes."""

    folder: str

    def read(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return inputs (N, I) and labels (N,)."""
        folder = Path(self.folder)
        values, labels = np.load(folder / "values.npy", mmap_mode="r"), np.load(folder / "labels.npy")
        texts = {int(place): texts for place, texts in json.loads((folder / "texts.json").read_text()).items()}
        if not texts:
            return values, labels
        found = values.astype(object)
        for place, own in texts.items():
            found[:, place] = own
        return found, labels


def rows_of(
    table: Table,
    targets: Sequence[str],
    asked: Asked,
    task: str,
    name: str,
    group: str | None = None,
    time: str | None = None,
) -> Rows:
    """Return a table's rows for pipelines, without rows that have no label.

    Parameters
    ----------
    table : Table
    targets : sequence of str
        The label's column, a single one.
    asked : Asked
    task : str
        classes, values or auto.
    name : str
    group : str, optional
        The column whose values are groups of rows.
    time : str, optional
        The column by which rows are ordered.

    Raises
    ------
    DataError
        For a column that cannot be read, or a table with nothing to learn from.
    """
    table, notes = labelled(table, targets)
    if time is not None:
        order, as_what = in_order(table, time)
        table = table.of(order)
        notes = [*notes, f"in order of {time!r}, read as {as_what}"]
    names, value_names, labels, why = targets_of(table, targets, task)
    if names:
        why = [*why, told_of(names, np.bincount(labels, minlength=len(names)).astype(np.int64), BY_METRIC)]
    columns: list[Column] = []
    parts: list[NDArray[np.float64]] = []
    texts: dict[int, list[str]] = {}
    left_out: dict[str, list[str]] = {}
    said_of: list[Found] = []
    everything = np.arange(len(table))
    for series in table.columns:
        if series.name in (*targets, group, time):
            continue
        is_asked = (asked.kinds or {}).get(series.name) == TEXT
        if is_asked and series.as_numbers() is not None:
            raise UsageError(f"{table.path}: column {series.name!r} has numbers, and cannot be read as text")
        try:
            found = None if is_asked else describe(table.path, series, everything, asked, table.rows)
        except Odd as error:
            raise DataError(f"{table.path}, line {table.lines[error.row]}, {error.words}") from None
        if found is None or (found.why == UNIQUE and is_text(series)):
            texts[len(columns)] = text_of_series(series)
            columns.append(column_of_text(series.name))
            parts.append(np.full((len(table), 1), np.nan))
        elif found.described is not None:
            own, values = inputs_of_series(series, found.described)
            columns += own
            parts.append(values)
            said_of.append(found)
        elif found.why != "dropped":
            left_out.setdefault(found.why, []).append(series.name)
    said = ", ".join(f"{quoted(some)} ({reason})" for reason, some in left_out.items())
    if not columns:
        if len(table) == 1:
            raise DataError(f"{table.path}: a single row, from which nothing can be learned; add samples")
        way = "; --keep includes one, and --kind COLUMN=text reads free text" if said else ""
        raise DataError(f"{table.path}: no column is left to learn from ({said or 'all are dropped'}){way}")
    notes += [*why, *described_notes(said_of), f"left out: {said} (--keep includes one)" if said else ""]
    if texts:
        notes.append(f"text: {quoted([columns[place].name for place in texts])}")
    rows = Rows(
        name, tuple(columns), np.concatenate(parts, axis=1), texts, labels[:, 0] if value_names else labels, names,
        targets[0], None if group is None else groups_of(table.column(group)), table.lines,
        spellings=_spellings(table.column(targets[0]), labels, names) if names else {},
    )  # fmt: skip
    copies = [rows.columns[place].name for place in _copies(rows)]
    if copies:
        notes.append(
            f"{quoted(copies)}: determines the label of every row by itself: if it is a copy, leave it out with --drop"
        )
    return replace(rows, notes=tuple(filter(None, notes)))


def _spellings(series: Series, labels: NDArray[np.int64], names: Sequence[str]) -> dict[str, str]:
    """Return the class of each distinct label that is written otherwise than its class is called: 1.0 for 1."""
    codes, first = np.unique(series.codes, return_index=True)
    classes = {series.texts[code]: names[label] for code, label in zip(codes, labels[first], strict=True)}
    return {text: name for text, name in classes.items() if text != name}


def inputs_of_series(series: Series, described: Mapping[str, Any]) -> tuple[list[Column], NDArray[np.float64]]:
    """Return the inputs that a column becomes, and their values (N, 1) or (N, parts)."""
    if described["kind"] == WORDS:
        known = sorted({word_of(text) for text in series.texts if not is_missing(text)})
        source = {**described, "words": known}
        place = {word: float(number) for number, word in enumerate(known)}
        each = np.array([np.nan if is_missing(text) else place[word_of(text)] for text in series.texts], np.float64)
        return [Column(series.name, WORDS, source)], each[series.codes][:, None]
    if series.numbers is not None:
        return [Column(series.name, NUMBERS, described)], series.numbers.astype(np.float64)[:, None]
    read = Fields(dict(described))
    each = np.array([read(text) for text in series.texts], np.float64).reshape(-1, read.width)
    parts = described.get("parts", [""])
    is_date = described["kind"] == DATES
    ways = ways_of(series, described["order"]) if is_date else frozenset()
    formats = formats_of(series, described["order"]) if is_date else ()
    names = inputs_of(dict(described))
    own = [
        Column(name, NUMBERS, described, part, ways=ways, formats=formats)
        for name, part in zip(names, parts, strict=True)
    ]
    return own, each[series.codes]


def text_of_series(series: Series) -> list[str]:
    """Return the text of each row; "" if it is missing."""
    return ["" if is_missing(text) else text for text in series.fields()]


def column_of_text(name: str) -> Column:
    """Return the input for a column of text."""
    return Column(name, TEXT, {"name": name, "kind": TEXT})


def is_text(series: Series) -> bool:
    """Return whether most fields of a column have several words."""
    known = [text for text in series.texts if not is_missing(text)]
    return sum(len(text.split()) >= WORDS_OF_TEXT for text in known) > len(known) / 2


def _copies(rows: Rows) -> list[int]:
    """Return the columns that tell the label of every row in which they are known: one value per class, or in line."""
    found = []
    for place, column in enumerate(rows.columns):
        known = ~np.isnan(rows.values[:, place])
        values, labels = rows.values[known, place], rows.labels[known]
        if column.kind == TEXT or len(values) < max(3, KNOWN * len(rows)):
            continue
        if rows.class_names:
            pairs = {*zip(values.tolist(), labels.tolist(), strict=True)}
            if len(pairs) == len(np.unique(values)) == len(np.unique(labels)) > 1:
                found.append(place)
        elif values.std() * labels.std() > 0:
            found += [place] if abs(float(np.corrcoef(values, labels)[0, 1])) >= COPY else []
    return found
