"""Class names from label values, and label numbers from class names.

Class names are sorted by value if all of them are numbers (so that "10" follows "9"), and alphabetically otherwise.

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
    """Return `text` as a finite number, or None; 1_0, which Python accepts, is not a number."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def label_text(value: object) -> str:
    """Return one label as a class name: stripped, and 3.0 as 3.

    Parameters
    ----------
    value : object
        A string, integer, boolean or float.
    """
    text = str(value).strip()
    number = finite_number(text)
    # Below 2**53 a float is exactly the integer it prints; identifiers with leading zeros are unchanged.
    if number is not None and "." in text and number.is_integer() and abs(number) < 2**53:
        return str(int(number))
    return text


def short_name(name: str, width: int = 24) -> str:
    """Return a name in a form that can be printed on a line: no control characters, at most `width` long.

    Parameters
    ----------
    name : str
        A class name, or any text from a file.
    width : int
        The greatest length of the result, 2 or more.
    """
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split()) or "?"
    return line if len(line) <= width else f"{line[: width - 1]}…"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Return class names as part of a sentence: class a; classes a, b, ...

    Parameters
    ----------
    names : sequence of str
        Class names.
    most : int
        The number of names written out.
    """
    shown = ", ".join(short_name(name) for name in names[:most])
    if not names:
        return "no classes"
    return ("class " if len(names) == 1 else "classes ") + shown + (", ..." if len(names) > most else "")


def quoted(names: Sequence[str], most: int = 8) -> str:
    """Return column names as part of a sentence: 'a', 'b' and 3 more.

    Parameters
    ----------
    names : sequence of str
        Any text from a file; a column may have no name.
    most : int
        The number of names written out.
    """
    shown = ", ".join(repr(short_name(name)) if name else "one without a name" for name in names[:most])
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def merge_numbers(texts: Iterable[str]) -> dict[str, str]:
    """Return the class of each distinct label, merging equal numbers: 1.50 with 1.5, and 1e0 with 1.

    Words are classes as they are. Nothing is merged if any label has a leading zero, as identifiers do (007 is not 7).

    Parameters
    ----------
    texts : iterable of str
        Labels as `label_text` returns them, repeated or not.
    """
    from decimal import Decimal  # imported here: infer, which only shortens names, must start quickly

    distinct = sorted(set(texts), key=lambda text: (len(text), text))
    if any(IDENTIFIER.match(text) for text in distinct):
        return {text: text for text in distinct}
    numbers = {text for text in distinct if NUMBER.fullmatch(text)}
    shortest: dict[Decimal, str] = {}  # exact, unlike floats for neighbouring whole numbers beyond 2**53
    return {text: shortest.setdefault(Decimal(text), text) if text in numbers else text for text in distinct}


def merged_note(classes: dict[str, str]) -> str:
    """Return a note on labels that `merge_numbers` merged into one class; "" if there are none."""
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
