"""The errors this package raises.

Every message is one line: what was found, where, and how to fix it. The library raises the error; the command line
prints the line and exits with `exit_code`. Only `infer.ModelError` is defined elsewhere, because the runtime imports
nothing from the package.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GenregError(Exception):
    """Base class of all errors that this package raises on purpose."""

    exit_code = 1


class UsageError(GenregError, ValueError):
    """An argument, option or configuration value that cannot be used as given."""

    exit_code = 2


class DataError(GenregError, ValueError):
    """A dataset, image or table that is missing, damaged or not what it says it is."""


class RunError(GenregError):
    """A run folder that cannot be created, locked, read, written or resumed."""


class BackendError(GenregError, RuntimeError):
    """A backend that cannot run on this machine."""


class FitnessError(GenregError, ValueError):
    """Fitness values that selection cannot use (wrong count, none finite)."""


class MissingExtraError(GenregError, ImportError):
    """An optional dependency that is not installed."""


def missing_extra(package: str, extra: str, purpose: str) -> MissingExtraError:
    """Return the error for an optional package that is not installed.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of genreg-np that installs it.
    purpose : str
        What it is needed for, worded to follow "... is needed to".
    """
    return MissingExtraError(f"{package} is needed to {purpose}: pip install 'genreg-np[{extra}]'")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" for the nearest known name, or "" if none is near."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" for the nearest known name, or the list of known names."""
    known = sorted(known)
    return nearest(name, known) or f" (known: {', '.join(known)})"
