"""Real numbers as whole numbers: how rows of weights, sums, activations and logits are scaled and rounded.

`step` is the real value of 1 in 8-bit integers; docs/int8.md explains where the numbers come from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer_int8, infer_layers
from genreg_np.errors import UsageError

Float64 = NDArray[np.float64]
Whole = NDArray[np.int64]
Int8 = NDArray[np.int8]

LARGEST = infer_int8.MOST_INT8
WIDEST_TABLE = 4096  # entries on either side of 0
BIAS_BITS = 23  # a larger bias would leave too few bits for its row's multiplier
LOGIT_BITS = 22  # logits stay below 2**22 units
MULTIPLIER_BITS = 30
PRODUCT_BITS = 52  # acc * multiplier stays below 2**52
UNITS = (-40, 40)  # exponents of two allowed for a logit's unit
BEYOND = "the model cannot be computed in 8-bit integers"


def step_of(largest: float) -> float:
    """Return the real value of one unit, so that the largest magnitude is 127."""
    if not math.isfinite(largest):
        raise UsageError(f"{BEYOND}: weights are so large that layers give infinite values")
    return (largest or 1) / LARGEST


def rows_of(weight: Float64, bias: Float64, step: float, largest: int, sum_bits: float) -> tuple[Float64, Whole]:
    """Return each row's scale, and its weights (O, I) as whole numbers, for inputs within `largest` units.

    A bias far larger than its row's weights makes the scale coarser, since these weights hardly matter. So do large
    sums, which stay below 2**sum_bits except for rounding.
    """
    magnitude, target = np.abs(weight), np.abs(bias) / step
    sums = (largest * magnitude.sum(axis=1) + target) / 2.0**sum_bits
    row = np.max([magnitude.max(axis=1) / LARGEST, target / 2.0**BIAS_BITS, sums], axis=0)
    row[row == 0] = row.max() or 1  # all zeros: any scale will do
    return row, np.rint(weight / row[:, None]).astype(np.int64)


def unit_of(largest: float) -> float:
    """Return the real value of one unit of the logits, a power of two; no logit is larger than `largest`."""
    exponent = math.ceil(math.log2(largest or 1)) - LOGIT_BITS
    if exponent > UNITS[1]:
        raise UsageError(f"{BEYOND}: its logits may reach {largest:.0e}")
    return 2.0 ** max(exponent, UNITS[0])


def multipliers(ratio: Float64, most: Whole) -> tuple[NDArray[np.int32], int]:
    """Return m (O,) and shift with m / 2**shift close to the ratios, as precise as the bits of m and acc * m allow.

    A ratio beyond those bits is cut, without effect: acc is then 0, or 1 already lies past the end of any table.
    """
    room = MULTIPLIER_BITS - math.log2(ratio.max()), PRODUCT_BITS - math.log2(max(float((most * ratio).max()), 1))
    shift = max(0, min(infer_int8.MOST_SHIFT, math.floor(min(room))))
    largest = np.minimum(2.0**MULTIPLIER_BITS, np.floor(2.0**PRODUCT_BITS / np.maximum(most, 1)))
    return np.minimum(np.rint(ratio * 2.0**shift), largest).astype(np.int32), shift


def rounded(values: Float64, step: float) -> Int8:
    """Return values as 8-bit integers with a step, rounding halves up."""
    return np.clip(np.floor(values / step + 0.5), -LARGEST, LARGEST).astype(np.int8)


@dataclass(frozen=True)
class Grid:
    """How integers represent the pre-activations and outputs of a layer."""

    unit: float  # pre-activation for t = 1
    low: int  # smallest t that matters
    high: int  # largest t that matters
    step: float  # output for q = 1
    table: Int8 | None  # q for each t; None if q is t, cut to low .. 127


BOUNDED = {"tanh": (1 / 128, 512), "sigmoid": (1 / 64, 512)}  # function: unit, largest |t| in its table
SWITCHES = ("step", "sign")  # only the sign of acc matters: t = acc


def output_step(function: str, largest: float) -> float:
    """Return the real value of one unit of a function's output, given the largest magnitude."""
    if function in SWITCHES:
        return 1.0
    return 1 / LARGEST if function in BOUNDED else step_of(largest)


def grid_of(function: str, before: float, after: float) -> Grid:
    """Return the grid of an activation, or "linear" for none.

    Parameters
    ----------
    before, after : float
        The largest magnitudes observed before and after the activation.
    """
    step = output_step(function, after)
    if function in SWITCHES:
        return _tabled(function, 1.0, 0, 1, step)
    if function in BOUNDED:
        unit, most = BOUNDED[function]
        return _tabled(function, unit, -most, most, step)
    if function in ("linear", "relu"):
        return Grid(step, 0 if function == "relu" else -LARGEST, LARGEST, step, None)
    return _tabled(function, step, -math.ceil(min(WIDEST_TABLE, before / step)), LARGEST, step)


def _tabled(function: str, unit: float, low: int, high: int, step: float) -> Grid:
    """Return a grid whose table has the activation of each t, without the constant parts at its ends."""
    table = rounded(infer_layers.FUNCTIONS[function](np.arange(low, high + 1, dtype=np.float64) * unit), step)
    changes = np.flatnonzero(np.diff(table))
    first, last = (changes[0], changes[-1] + 1) if changes.size else (0, 0)
    return Grid(unit, low + int(first), low + int(last), step, table[first : last + 1])
