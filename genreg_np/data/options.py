"""Options for reading files: what each applies to and which values it accepts.

A run folder stores the options given as its origin; the command line has an option for each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from genreg_np.data.checked import TASKS
from genreg_np.data.fitting import COLOURS, FITS
from genreg_np.errors import UsageError

TABLE, ARRAYS, IMAGES, IDX = "a table", "an .npz file", "a folder of images", "a folder of IDX files"


def _pair(*kinds: type) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, tuple | list) and len(value) == 2 and all(type(one) in kinds for one in value)
    )


def _texts(value: Any) -> bool:
    return isinstance(value, tuple | list) and all(isinstance(one, str) for one in value)


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


NAMES, WORD, FLAG = 'a list of column names, as ["age"]', "a word", "True or False"
READER_OPTIONS: dict[str, tuple[str, Callable[[Any], bool], str]] = {  # what it applies to, a check, accepted values
    "label": (
        TABLE,
        lambda value: _text(value) or _texts(value),
        'the name of a column, as "class", or a list of names',
    ),
    "task": (TABLE, _text, WORD),
    "keep": (TABLE, _texts, NAMES),
    "drop": (TABLE, _texts, NAMES),
    "kind": (TABLE, _texts, 'a list such as ["zip=words"]'),
    "weight": (TABLE, _text, "the name of a column"),
    "header": (TABLE, _flag, FLAG),
    "separator": (TABLE, _text, WORD),
    "size": (IMAGES, _pair(int), "two whole numbers: height and width"),
    "range": (IMAGES, _pair(int, float), "two numbers: the smallest and the largest"),
    "color": (IMAGES, _text, WORD),
    "fit": (IMAGES, _text, WORD),
    "skip_bad": (IMAGES, _flag, FLAG),
}
CHOICES = {"color": COLOURS, "fit": FITS, "task": TASKS}
TABLE_OPTIONS = ("header", "separator", "task", "keep", "drop", "kind", "weight")  # besides label


def check_options(reading: Mapping[str, Any], source: str, name: str) -> None:
    """Refuse options that do not apply to a source of data or have the wrong type.

    Parameters
    ----------
    reading : mapping
        All of READER_OPTIONS, with None for those not given.
    source : str
        The kind of data.
    name : str
        The name of the data in errors.

    Raises
    ------
    UsageError
        For the first option that does not apply or has a wrong value.
    """
    for option, (target, fits, said) in READER_OPTIONS.items():
        value = reading[option]
        if value is None:
            continue
        if not fits(value):
            raise UsageError(f"{option} = {value!r}: must be {said}")
        if source != target:
            raise UsageError(f"{option} applies to {target} only, not to {name}; leave it out")
        if option in CHOICES and value not in CHOICES[option]:
            raise UsageError(f"{option} = {value!r}: must be one of {', '.join(CHOICES[option])}")


def reader_arguments(origin: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `load_dataset` stored in a run's origin; TOML has lists instead of tuples.

    Parameters
    ----------
    origin : mapping
        The [origin] of a run's config.toml.
    """
    kept = {name: origin[name] for name in READER_OPTIONS if origin.get(name) is not None}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in kept.items()}
