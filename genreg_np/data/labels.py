"""Class names from label values, and label numbers from class names.

Class names are sorted: by value where all of them are numbers (so that "10" follows "9"), alphabetically otherwise.

Shapes: labels (N,) int64 in 0 .. K-1, K class names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
IDENTIFIER = re.compile(r"[+-]?0\d")


def finite_number(text: str) -> float | None:
    """Return the finite number that `text` writes, or None; 1_0 is one to Python alone."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def label_text(value: object) -> str:
    """Return one label as a class name: surrounding space gone, and 3.0 the same class as 3.

    Parameters
    ----------
    value : object
        A string, integer, boolean or float.
    """
    text = str(value).strip()
    number = finite_number(text)
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


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return names as a part of a sentence: class a; classes a, b, ...

    Parameters
    ----------
    names : sequence of str
        Class names.
    most : int
        How many are written out.
    """
    shown = ", ".join(short_name(name) for name in names[:most])
    if not names:
        return "no classes"
    return ("class " if len(names) == 1 else "classes ") + shown + (", ..." if len(names) > most else "")


def quoted(names: Sequence[str], most: int = 8) -> str:
    """Return names of columns as a part of a sentence: 'a', 'b' and 3 more.

    Parameters
    ----------
    names : sequence of str
        Any text that a file brought; a column may have no name.
    most : int
        How many are written out.
    """
    shown = ", ".join(repr(short_name(name)) if name else "one without a name" for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def merge_numbers(texts: Iterable[str]) -> dict[str, str]:
    """Return for each distinct label the class it is of: 1.50 and 1e0 are 1.5 and 1 where both ways are in use.

    Words among them are classes as they are. Nothing is merged where a label has a leading zero, as identifiers do
    (007 is not 7).

    Parameters
    ----------
    texts : iterable of str
        Labels as `label_text` returns them, repeated or not.
    """
    from decimal import Decimal  # here: infer, which only shortens names, must start soon

    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    if any(IDENTIFIER.match(text) for text in distinct):
        return {text: text for text in distinct}
    numbers = {text for text in distinct if NUMBER.fullmatch(text)}
    shortest: dict[Decimal, str] = {}  # exact: neighbouring whole numbers beyond 2**53 are one float
    return {text: shortest.setdefault(Decimal(text), text) if text in numbers else text for text in distinct}


def merged_note(classes: dict[str, str]) -> str:
    """Return what to say of labels that `merge_numbers` made one class; nothing where it did not."""
    pairs = [f"{text} is {name}" for text, name in classes.items() if text != name]
    return f"equal numbers are one class: {', '.join(pairs[:3])}{', ...' if len(pairs) > 3 else ''}" if pairs else ""


def class_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names in the order of their classes.

    Parameters
    ----------
    names : iterable of str
        Class names, repeated or not.
    """
    distinct = sorted(set(names))
    numbers = [finite_number(name) for name in distinct]
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
