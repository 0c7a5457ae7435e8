"""The input that an application passes to the C functions: raw whole numbers in the model's range, or features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.export import c_text
from genreg_np.model import Float32, Model, mapped

# Smallest and largest number of each type; the first type that holds the model's range is used.
LIMITS = {
    "uint8_t": (0, 2**8 - 1),
    "int16_t": (-(2**15), 2**15 - 1),
    "uint16_t": (0, 2**16 - 1),
    "int32_t": (-(2**31), 2**31 - 1),
    "int64_t": (-(2**63), 2**63 - 1),
}
MOST_TABLE = 256  # raw values for which a table is worth it


@dataclass(frozen=True)
class Input:
    """One input: its numbers and their range."""

    ctype: str
    name: str  # of the parameter
    count: int  # I
    shape: tuple[int, ...]
    bounds: tuple[float, float] | None  # the model's input_range; None for features
    low: int = 0  # the smallest whole number in bounds
    high: int = 0  # the largest whole number in bounds
    of_rows: bool = False  # whether a number may be NAN, for a missing value in a row of a table
    dates: str = ""  # how a row has dates, in words; "" if it has none

    @classmethod
    def of(cls, model: Model) -> Input:
        """Return the input of a model.

        Raises
        ------
        UsageError
            If the range exceeds 64 bits, or contains no whole number.
        """
        shape, count = model.input_shape, math.prod(model.input_shape)
        if model.input_range is None:
            columns = model.header.get("columns") or ()
            return cls("float", "features", count, shape, None, of_rows=bool(columns), dates=_dates(columns))
        least, most = model.input_range
        low, high = math.ceil(least), math.floor(most)
        fitting = [ctype for ctype, (first, last) in LIMITS.items() if first <= low and high <= last]
        if not fitting or low > high:
            raise UsageError(
                f"input_range {least:g} .. {most:g} cannot be expressed in c: no integers of 64 bits fit it"
            )
        name = "pixels" if len(shape) == 2 else "values"
        return cls(fitting[0], name, count, shape, model.input_range, low, high)

    @property
    def raw(self) -> bool:
        """Whether inputs are raw values instead of features."""
        return self.bounds is not None

    @property
    def range(self) -> str:
        """The allowed values in words."""
        if self.raw:
            return f"{self.low} .. {self.high}"
        return "finite, or NAN for a missing value" if self.of_rows else "finite"

    @property
    def channels(self) -> int:
        """The number of maps in an input; 0 if it is flat."""
        return {2: 1, 3: self.shape[0]}.get(len(self.shape), 0)

    @property
    def order(self) -> str:
        """The order of the numbers of maps or of an image in words; "" for flat inputs."""
        if self.channels == 1:
            return "row by row"
        return "channel after channel, each row by row" if self.channels else ""

    @property
    def unusable(self) -> str:
        """What is wrong with an input that is refused, in words."""
        if self.raw:
            return f"a value is not in {self.range}"
        return "a value is infinite" if self.of_rows else "a value is infinite or not a number"

    def mapped(self) -> Float32:
        """Return the mapped value of every raw value, (high - low + 1,); empty if there are too many for a table."""
        if not self.raw or self.high - self.low >= MOST_TABLE:
            return np.empty(0, np.float32)
        values: NDArray[np.int64] = np.arange(self.low, self.high + 1)
        return mapped(values[:, None], self.bounds)[:, 0]

    def check(self) -> str:
        """Return the function that checks whether an input is allowed; "" if every input is."""
        conditions = ["values[i] >= -FLT_MAX", "values[i] <= FLT_MAX"]
        if self.of_rows:
            conditions = ["!(values[i] < -FLT_MAX)", "!(values[i] > FLT_MAX)"]
        if self.raw:
            first, last = LIMITS[self.ctype]
            conditions = [f"values[i] >= {literal(self.low)}"] if self.low > first else []
            conditions += [f"values[i] <= {literal(self.high)}"] if self.high < last else []
        if not conditions:
            return ""
        return (
            f"/* 0 if {self.unusable}, else 1. */\n"
            f"static int usable(const {self.ctype} *values, int count)\n{{\n"
            f"    for (int i = 0; i < count; i++)\n        if (!({' && '.join(conditions)}))\n            return 0;\n"
            "    return 1;\n}\n"
        )

    def scale(self) -> str:
        """Return the function that maps raw values to 0 .. 1."""
        least, most = self.bounds or (0.0, 1.0)
        raised = f"((float)raw[i] - {c_text.number(least)})" if least else "(float)raw[i]"
        return (
            f"/* Map raw values {self.range} to 0 .. 1. */\n"
            f"static void scale(const {self.ctype} *restrict raw, int count, float *restrict values)\n{{\n"
            f"    for (int i = 0; i < count; i++)\n        values[i] = {raised} / {c_text.number(most - least)};\n}}\n"
        )

    @property
    def entry(self) -> str:
        """The index of a raw value's entry in a table."""
        sign = "-" if self.low > 0 else "+"
        return f"raw[i] {sign} {literal(abs(self.low))}" if self.low else "raw[i]"

    def look_up(self, kind: str) -> str:
        """Return the function that turns raw values into a table's entries of a type."""
        return (
            "/* Replace every raw value by its entry in a table. */\n"
            f"static void look_up(const {self.ctype} *restrict raw, int count, const {kind} *restrict table,\n"
            f"                    {kind} *restrict values)\n{{\n"
            f"    for (int i = 0; i < count; i++)\n        values[i] = table[{self.entry}];\n}}\n"
        )


def literal(value: int) -> str:
    """Return a whole number as a literal; the smallest has none in C."""
    return "INT64_MIN" if value == -(2**63) else str(value)


def _dates(columns: Sequence[dict[str, Any]]) -> str:
    """Return how a row of a table has its dates, as part of a sentence; "" if it has none."""
    kinds = {tuple(column["parts"]) for column in columns if column["kind"] == "dates"}
    if len(kinds) != 1:
        return "a date is a field for each of its parts" if kinds else ""
    (parts,) = kinds
    return f"a date is {len(parts)} field{'' if len(parts) == 1 else 's'}: {', '.join(parts)}"
