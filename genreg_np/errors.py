"""What can go wrong, each error with its way out.

The message of every error is one line: what was found, where, and how to mend it. The command line prints that
line and exits with `exit_code`; the library raises it. The one error that is not here is `infer.ModelError`:
the tiny runtime stands alone and brings its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class GenregError(Exception):
    """Base of all errors raised on purpose by this package."""

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
    """Fitness values that cannot be selected on (wrong count, none finite)."""


class MissingExtraError(GenregError, ImportError):
    """An optional dependency that is not installed."""


def missing_extra(package: str, extra: str, purpose: str) -> MissingExtraError:
    """Word the error for an optional package that is absent.

    Parameters
    ----------
    package : str
        The package that could not be imported.
    extra : str
        The extra of genreg-np that brings it.
    purpose : str
        What it was needed for, as the end of "... is needed to".
    """
    return MissingExtraError(f"{package} is needed to {purpose}: pip install 'genreg-np[{extra}]'")


def nearest(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" for the nearest known name; nothing where none is near."""
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean ...?)" for the nearest known name, or the list of known names."""
    known = sorted(known)
    return nearest(name, known) or f" (known: {', '.join(known)})"
