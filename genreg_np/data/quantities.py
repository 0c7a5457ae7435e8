"""Detect labels that are a quantity (prices, ages, lengths) instead of classes, by how often numbers recur.

Fractions with more than 50 distinct values, and numbers that hardly ever recur, are numbers to predict unless the user
says otherwise. Many whole numbers that fill their range may be either, like ages and the 62 characters of EMNIST: they
are taken as classes, with a warning; numbers rounded to tens or to 25 fill their range in steps of that. Columns that
only count the rows, up or down and in steps of any size, cause a warning, too.

Shapes: K class names, counts (K,) int64 samples of each; N rows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.labels import finite_number

FEW_WHOLE, FEW_FRACTIONS = 20, 5  # distinct numbers as labels: fewer are classes, however rare
MANY_WHOLE = 100  # fewer whole numbers may be mostly rare classes, such as word numbers
MANY_FRACTIONS = 50  # more distinct fractions are a quantity, however often each occurs
DOUBTFUL_WHOLE = 50  # this many whole numbers that fill their range cause a warning
LEAST_COUNTING = 10  # rows: fewer may be 0, 1, 2, ... by chance
DENSE_STEP = 2  # largest median distance of neighbours, in units of what divides all distances, if a range is filled


def quantity(class_names: Sequence[str], counts: NDArray[np.int64]) -> str:
    """Return why labels are a quantity, as part of a sentence; "" if they are classes.

    Parameters
    ----------
    class_names : sequence of str
        K names.
    counts : (K,) int64
        Samples of each class.
    """
    numbers = [finite_number(name) for name in class_names]
    if any(number is None for number in numbers):
        return ""
    fractional = any(number is not None and not number.is_integer() for number in numbers)
    samples, distinct, once = int(counts.sum()), int((counts > 0).sum()), int((counts == 1).sum())
    rare = 4 * once > distinct and samples < 3 * distinct
    if fractional or distinct > MANY_WHOLE:
        rare = rare or (2 * once > distinct and samples < 10 * distinct)
    if (fractional and distinct > MANY_FRACTIONS) or (
        rare and distinct >= (FEW_FRACTIONS if fractional else FEW_WHOLE)
    ):
        return f"{distinct:,} distinct numbers in {samples:,} samples, {once:,} of them only once"
    return ""


def quantity_note(class_names: Sequence[str]) -> str:
    """Return a warning about many classes that are whole numbers and fill their range; "" otherwise.

    Parameters
    ----------
    class_names : sequence of str
        K names.
    """
    numbers = [finite_number(name) for name in class_names] if len(class_names) >= DOUBTFUL_WHOLE else []
    whole = sorted(number for number in numbers if number is not None and number.is_integer())
    if not whole or len(whole) < len(numbers):
        return ""
    distances = [int(after) - int(before) for before, after in itertools.pairwise(whole)]
    unit = math.gcd(*distances) or 1
    if np.median(distances) > DENSE_STEP * unit or (unit == max(distances) > 1):  # codes, such as 100, 200, 300
        return ""
    steps = f" in steps of {unit}" if unit > 1 else ""
    return (
        f"warning: {len(whole):,} classes which are all whole numbers from {whole[0]:.0f} to {whole[-1]:.0f}{steps}: "
        "if the label column is a quantity, use task values (--task values) to predict numbers"
    )


def told_as_numbers(why: str) -> str:
    """Return a note on labels that are taken as numbers to predict by their looks; "" without a reason."""
    return f"the labels are numbers to predict ({why}); --task classes learns them as classes" if why else ""


def counting_step(numbers: NDArray[np.float64], places: NDArray[np.integer]) -> int:
    """Return the step from row to row of a column of whole numbers that only counts the rows; 0 for any other.

    Parameters
    ----------
    numbers : (N,) float64
        A column; NaN where a value is missing.
    places : (N,) int
        The positions of the rows in their file, all different.
    """
    if len(numbers) < LEAST_COUNTING:
        return 0
    step = (numbers[1] - numbers[0]) / (places[1] - places[0])
    whole = np.isfinite(step) and float(step).is_integer() and float(numbers[0]).is_integer()
    return int(step) if whole and np.array_equal(numbers, numbers[0] + step * (places - places[0])) else 0


def rises(numbers: NDArray[np.float64], places: NDArray[np.integer]) -> str:
    """Return "rises" or "falls" for whole numbers that always do so from row to row; "" for any other column.

    Parameters
    ----------
    numbers : (N,) float64
        A column; NaN where a value is missing.
    places : (N,) int
        The positions of the rows in their file, all different.
    """
    if len(numbers) < LEAST_COUNTING:
        return ""
    in_order = bool((np.diff(places) > 0).all())
    steps = np.diff(numbers if in_order else numbers[np.argsort(places)])
    if not ((steps > 0).all() or (steps < 0).all()) or not (numbers == np.rint(numbers)).all():
        return ""
    return "rises" if steps[0] > 0 else "falls"


def counting_note(inputs: NDArray[np.generic], names: Sequence[str] = ()) -> str:
    """Return a warning about features that only count the rows; "" if there are none.

    Parameters
    ----------
    inputs : (N, I) ndarray
        All samples in the order of the file; arrays of other ranks have no columns.
    names : sequence of str
        I names; if empty, columns are named by their numbers from 1.
    """
    if inputs.ndim != 2 or len(inputs) < LEAST_COUNTING:
        return ""
    begin = inputs[:3].astype(np.float64)
    likely = np.flatnonzero((begin[1] != begin[0]) & (begin[2] - begin[1] == begin[1] - begin[0]))
    places = np.arange(len(inputs))
    counting = [int(k) for k in likely if counting_step(inputs[:, k].astype(np.float64), places)]
    if not counting:
        return ""
    shown = ", ".join(repr(names[k] if names else str(k + 1)) for k in counting[:3])
    return (
        f"warning: column {shown} counts the rows: if they are sorted by class it gives the class away, but not in new "
        "data: leave it out (pandas: to_csv(..., index=False))"
    )
