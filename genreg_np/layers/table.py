"""The first layer of a network that takes rows of a table: missing values filled in, words as a place each.

    Columns   (I,) numbers, places of words, NaN where missing   ->   (O,)

What comes of each input is told in infer_table.py, the one place of the arithmetic, and is learned from the training
rows alone:

    numbers, dates, flags   the value, missing ones as the median (of flags: the more frequent one)
    numbers that pile up    and 1 where it is the one that a tenth of the training rows have: no rain, no children
    words                   1 for the word it is and 0 for all others: one for each word, one for all rare ones
    what may be missing     and 1 where it is missing, of columns where that is so in one training row of a hundred

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

MISSING_SHARE = 0.01  # of the training rows: a column that lacks so many values tells where it does
PILE_SHARE, PILE_VALUES = 0.1, 10  # of the rows that have one number, in a column of more numbers than that
NO_WORD = -1.0  # what a missing word is filled in with where a place of its own says that it is missing
Int32 = NDArray[np.int32]


@dataclass(frozen=True)
class Columns(FixedLayer):
    """Numbers of a row to what a network sees."""

    kind: ClassVar[str] = "columns"
    source: Int32 = field(compare=False, repr=False)  # (O,) which input each is made of
    mode: Int32 = field(compare=False, repr=False)  # (O,) VALUE, MISSING_FLAG or EQUALS
    value: Float32 = field(compare=False, repr=False)  # (O,) what an input is compared with
    fill: Float32 = field(compare=False, repr=False)  # (I,) in place of a missing one

    @classmethod
    def example(cls) -> tuple[Columns, tuple[int, ...]]:
        """Return one of two inputs: a number that may be missing, and one of two words."""
        source, mode = np.array([0, 0, 1, 1], np.int32), np.array([VALUE, MISSING_FLAG, EQUALS, EQUALS], np.int32)
        return cls(source, mode, np.array([0, 0, 0, 1], np.float32), np.array([0.5, NO_WORD], np.float32)), (2,)

    @classmethod
    def fit(cls, columns: Sequence[Mapping[str, Any]], rows: Float32) -> Columns:
        """Learn from training rows (N, I), of columns as a model's header describes them."""
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
        """Which outputs are values, not 0 or 1 as a word or flag says, (O,)."""
        found: NDArray[np.bool_] = self.mode == VALUE
        return found

    def header(self) -> dict[str, Any]:
        """Return the layer as the model file's header describes it."""
        return {"inputs": len(self.fill), "outputs": len(self.source)}

    def arrays(self, values: Sequence[NDArray[np.generic]] = ()) -> Arrays:
        """Return what each output is made of, and what is filled in."""
        return {"source": self.source, "mode": self.mode, "value": self.value, "fill": self.fill}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Columns:
        """Return the layer that a model file describes."""
        source, mode = (arrays[f"{where}.{name}"].astype(np.int32) for name in ("source", "mode"))
        return cls(source, mode, *(arrays[f"{where}.{name}"].astype(np.float32) for name in ("value", "fill")))


def _of_input(column: Mapping[str, Any], known: Float32, told: bool) -> tuple[float, list[tuple[int, float]]]:
    """Return what an input's missing values are filled in with, and the modes and values of what is made of it."""
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
