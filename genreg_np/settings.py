"""Settings that check themselves, and registries of things by name.

Settings are a frozen dataclass whose fields declare their meaning and allowed values. A registry maps a name to
"module:attribute", imported on first use: strategies, backends, layers, built-in datasets, engines and export targets.
Layers are listed elsewhere too: the runtime, which imports nothing from the package, has its own list (LAYERS of
infer.py, which the files in its ELSEWHERE extend), and each export target lists the kinds it can express.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import math
import operator
import os
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genreg_np.errors import UsageError, did_you_mean


def option(
    default: Any,
    help: str,
    *,
    low: float = -math.inf,
    high: float = math.inf,
    above: float | None = None,
    most: int | None = None,
    choices: tuple[str, ...] = (),
    fixed: str = "",
) -> Any:
    """Declare a configuration field with its meaning, its allowed range and whether a resumed run may change it.

    Parameters
    ----------
    default : Any
    help : str
        Its meaning, with its unit.
    low, high : float
        Smallest and largest value.
    above : float, optional
        The value must be greater than this.
    most : int, optional
        The most numbers that a list may have.
    choices : tuple of str
        The allowed words.
    fixed : str
        Why a resumed run cannot change it; empty if it can.
    """
    limits = {"help": help, "low": low, "high": high, "above": above, "most": most, "choices": choices, "fixed": fixed}
    return field(default=default, metadata=limits)


def usable_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_number(value: Any) -> bool:
    """Return whether a value is a Python or NumPy number, but not a boolean."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


@dataclass(frozen=True)
class Settings:
    """Base class of all settings.

    Raises
    ------
    UsageError
        For a value of the wrong type or outside its range; the message names both.
    """

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            if "help" in item.metadata:
                object.__setattr__(self, item.name, _checked(self, item))

    @property
    def spent(self) -> dict[str, str]:
        """Splits on which accuracy does not measure what was learned, each with the reason; none by default."""
        return {}

    @property
    def annealed(self) -> bool:
        """Whether a generation depends on the total number of generations."""
        return False

    @property
    def effort(self) -> float:
        """The average cost of a generation over a run, as a multiple of the first."""
        return 1.0


@functools.cache
def _kinds(settings: type[Settings]) -> dict[str, Any]:
    """Return the declared types of all fields."""
    return typing.get_type_hints(settings)


def _checked(part: Settings, item: dataclasses.Field[Any]) -> Any:
    """Return a field's value as its declared type, or raise an error that names field, value and allowed range."""
    value, limits = getattr(part, item.name), item.metadata
    if isinstance(value, np.generic):
        value = value.item()
    kind = _kinds(type(part))[item.name]  # type: ignore[arg-type]  # mypy asks the instances whether their class is hashable
    if kind is int:
        with contextlib.suppress(UsageError):  # left unchanged, and refused below
            value = whole_number(value, item.name)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # left as a whole number, and refused below
            value = float(value)
    if kind == tuple[int, ...]:
        value = _widths(value)
        numbers, fits = value, isinstance(value, tuple) and all(type(width) is int for width in value)
    else:
        numbers, fits = (value,), isinstance(value, kind) and not (kind is int and isinstance(value, bool))
    if not fits:
        word = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}.get(
            kind, "widths like 64 or 64,32"
        )
        raise UsageError(f"{item.name} = {_shown(value)} must be {word}")
    if limits["choices"] and value not in limits["choices"]:
        raise UsageError(f"{item.name} = {value!r} must be one of {', '.join(limits['choices'])}")
    if limits["most"] is not None and len(value) > limits["most"]:
        raise UsageError(f"{item.name} has {len(value):,} numbers, but must have at most {limits['most']:,}")
    if not isinstance(value, str):
        for number in numbers:
            if not limits["low"] <= number <= limits["high"] or (
                limits["above"] is not None and number <= limits["above"]
            ):
                raise UsageError(f"{item.name} = {number} must be {_range_words(limits)}")
    return value


def _range_words(limits: Mapping[str, Any]) -> str:
    words = []
    if limits["above"] is not None:
        words.append(f"greater than {_limit(limits['above'])}")
    if limits["low"] > -math.inf:
        words.append(f"at least {_limit(limits['low'])}")
    if limits["high"] < math.inf:
        words.append(f"at most {_limit(limits['high'])}")
    return " and ".join(words) or "finite"


def _limit(value: float) -> str:
    """Return a limit as text, with all digits if it is a whole number."""
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _widths(value: Any) -> Any:
    """Turn 64, "64,32", [64, 32] or "" into a tuple of int; return anything else unchanged."""
    if isinstance(value, str):
        try:
            return tuple(int(width) for width in value.split(",")) if value.strip() else ()
        except ValueError:
            return value
    with contextlib.suppress(UsageError):  # returned unchanged: the caller refuses it by its setting's name
        return whole_numbers(value, "widths")
    return value


def whole_number(value: Any, name: str, least: int | None = None) -> int:
    """Return a Python or NumPy whole number as an int; booleans are refused.

    Raises
    ------
    UsageError
        For anything else, or for a number below `least`.
    """
    if isinstance(value, bool | np.bool_) or not hasattr(value, "__index__"):
        raise UsageError(f"{name} = {_shown(value)} must be a whole number")
    try:
        number = operator.index(value)
    except TypeError:  # an array of several numbers, or of floats
        raise UsageError(f"{name} = {_shown(value)} must be a whole number") from None
    if least is not None and number < least:
        raise UsageError(f"{name} = {number} must be at least {least}")
    return number


def whole_numbers(values: Any, name: str, least: int | None = None) -> tuple[int, ...]:
    """Return a list, tuple or array of whole numbers, or one number, as a tuple of int; raises as whole_number does."""
    if isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim == 1):
        return tuple(whole_number(value, name, least) for value in values)
    return (whole_number(values, name, least),)


def names_of(values: Any, name: str) -> tuple[str, ...]:
    """Return a list of names as a tuple of str, converting each with str(); a single string is refused.

    Raises
    ------
    UsageError
        For a string, or anything else that is not a list.
    """
    if isinstance(values, str | bytes) or not np.iterable(values):
        raise UsageError(f"{name} = {_shown(values)} must be a list of names")
    return tuple(str(value) for value in values)


def _shown(value: Any) -> str:
    """Return a value as short text for a one-line message."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def look_up(registry: Mapping[str, str], name: str, what: str) -> Any:
    """Return what a name stands for: an attribute of a module, or the module if no attribute is given.

    Parameters
    ----------
    registry : mapping
        Name to "module:attribute", or to "module".
    name : str
    what : str
        The kind of thing, for the error message: "strategy".

    Raises
    ------
    UsageError
        For an unknown name, with the nearest known one.
    """
    if not isinstance(name, str) or name not in registry:
        raise UsageError(f"unknown {what} {name!r}" + did_you_mean(str(name), registry))
    module, _, attribute = registry[name].partition(":")
    found = importlib.import_module(module)
    return getattr(found, attribute) if attribute else found
