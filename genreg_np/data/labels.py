"""Class names from label values, and label numbers from class names.

Class names are sorted: by value where all of them are numbers (so that "10" follows "9"), alphabetically otherwise.

Shapes: labels (N,) int64 in 0 .. K-1, K class names.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray


def _number(text: str) -> float | None:
    """Return the finite number that `text` writes, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def label_text(value: object) -> str:
    """Return one label as a class name: surrounding space gone, and 3.0 the same class as 3.

    Parameters
    ----------
    value : object
        A string, integer, boolean or float.
    """
    text = str(value).strip()
    number = _number(text)
    # Below 2**53 a float is exactly the integer it prints; identifiers with leading zeros stay as they are.
    if number is not None and "." in text and number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    return text


def short_name(name: str, width: int = 24) -> str:
    """Return a name as it can be printed on a line: no control characters, at most `width` long.

    Parameters
    ----------
    name : str
        A class name, or any text that a file brought.
    width : int
        The longest that may come back, 2 or more.
    """
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split()) or "?"
    return line if len(line) <= width else f"{line[: width - 1]}…"


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names in the order of their classes.

    Parameters
    ----------
    names : iterable of str
        Class names, repeated or not.
    """
    distinct = sorted(set(names))
    numbers = [_number(name) for name in distinct]
    if any(number is None for number in numbers):
        return tuple(distinct)
    return tuple(name for _, name in sorted(zip(numbers, distinct, strict=True)))


def encode_labels(values: Sequence[str], class_names: Sequence[str]) -> NDArray[np.int64]:
    """Return the class number of each value.

    Parameters
    ----------
    values : sequence of str
        N class names.
    class_names : sequence of str
        K distinct names.

    Returns
    -------
    ndarray
        (N,) int64, 0 .. K-1.

    Raises
    ------
    KeyError
        For a value that is not among the class names.
    """
    number = {name: index for index, name in enumerate(class_names)}
    return np.array([number[value] for value in values], np.int64)
