"""The first layer of a network for rows of a table: fills in missing values, and encodes words one-hot.

    Columns   (I,) numbers, places of words, NaN where missing   ->   (O,)

infer_table.py alone contains the arithmetic. The outputs of each input are learned from the training rows alone:

    numbers, dates, flags   the value; missing ones become the median (for flags: the more frequent value)
    frequent numbers        also 1 for the value that a tenth of the training rows have: no rain, no children
    words                   one-hot: one output for each word, and one for all rare words
    missing values          also 1 if it is missing, for columns in which one training row of a hundred lacks it

Shapes: N training rows, I inputs, O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.infer_table import EQUALS, MISSING_FLAG, VALUE, inputs_of
from genreg_np.layers.base import Arrays, Float32
from genreg_np.layers.images import FixedLayer

MISSING_SHARE = 0.01  # of the training rows: a column that lacks this many values gets a flag for missing ones
PILE_SHARE, PILE_VALUES = 0.1, 10  # least share of rows with one number, in a column of more than so many numbers
NO_WORD = -1.0  # stands for a missing word if a flag marks missing values
Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Columns(FixedLayer):
    """Turns the numbers of a row into the inputs of a network."""

    kind: ClassVar[str] = "columns"
    source: Int32 = field(compare=False, repr=False)  # (O,) input that each output is computed from
    mode: Int32 = field(compare=False, repr=False)  # (O,) VALUE, MISSING_FLAG or EQUALS
    value: Float32 = field(compare=False, repr=False)  # (O,) value to compare an input with
    fill: Float32 = field(compare=False, repr=False)  # (I,) replaces missing values

    @classmethod
    def example(cls) -> tuple[Columns, tuple[int, ...]]:
        """Return an example with two inputs: a number that may be missing, and one of two words."""
        source, mode = np.array([0, 0, 1, 1], np.int32), np.array([VALUE, MISSING_FLAG, EQUALS, EQUALS], np.int32)
        return cls(source, mode, np.array([0, 0, 0, 1], np.float32), np.array([0.5, NO_WORD], np.float32)), (2,)

    @classmethod
    def fit(cls, columns: Sequence[Mapping[str, Any]], rows: Float32) -> Columns:
        """Return the layer for training rows (N, I), with columns as described in a model's header."""
        outputs: list[tuple[int, int, float]] = []
        fill = np.zeros(rows.shape[1], np.float32)
        place = 0
        for column in columns:
            for _ in inputs_of(dict(column)):
                found = rows[:, place]
                missing = np.isnan(found)
                told = bool(missing.mean() >= MISSING_SHARE)
                fill[place], own = _of_input(column, found[~missing], told)
                outputs += [(place, mode, value) for mode, value in own]
                outputs += [(place, MISSING_FLAG, 0.0)] if told else []
                place += 1
        source, mode, value = zip(*outputs, strict=True)
        return cls(np.array(source, np.int32), np.array(mode, np.int32), np.array(value, np.float32), fill)

    @property
    def of_values(self) -> NDArray[np.bool_]:
        """Whether each output is a value, not 0 or 1 for a word or flag, (O,)."""
        found: NDArray[np.bool_] = self.mode == VALUE
        return found

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return {"inputs": len(self.fill), "outputs": len(self.source)}

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return how each output is computed, and the values that replace missing ones."""
        return {"source": self.source, "mode": self.mode, "value": self.value, "fill": self.fill}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Columns:
        """Return the layer described in a model file."""
        source, mode = (arrays[f"{where}.{name}"].astype(np.int32) for name in ("source", "mode"))
        return cls(source, mode, *(arrays[f"{where}.{name}"].astype(np.float32) for name in ("value", "fill")))


def _of_input(column: Mapping[str, Any], known: Float32, told: bool) -> tuple[float, list[tuple[int, float]]]:
    """Return the value that replaces an input's missing values, and the modes and values of its outputs."""
    if column["kind"] == "words":
        places = range(len(column["words"]) + bool((known == len(column["words"])).any()))
        fill = NO_WORD if told or not len(known) else float(np.bincount(known.astype(np.int64)).argmax())
        return fill, [(EQUALS, float(place)) for place in places]
    if not len(known):
        return 0.0, [(VALUE, 0.0)]
    if column["kind"] == "flags":
        return float(known.mean() >= 0.5), [(VALUE, 0.0)]
    values, counts = np.unique(known, return_counts=True)
    piles = column["kind"] == "numbers" and len(values) > PILE_VALUES and counts.max() >= PILE_SHARE * len(known)
    pile = [(EQUALS, float(values[counts.argmax()]))] if piles else []
    return float(np.median(known)), [(VALUE, 0.0), *pile]
