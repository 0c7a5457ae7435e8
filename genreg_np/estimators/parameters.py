"""Errors about settings, in the words of the estimators' parameters in place of the command line's options."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from genreg_np.errors import GenregError, UsageError

OF_TRAINING = {  # longer ones come first
    "choose matching --network, or --hidden and --set activation=..., or leave out --init": (
        "choose the same hidden_layer_sizes and settings, or warm_start=False"
    ),
    "leave out --init": "set warm_start=False",
    " (or name another separator with --separator)": "",
    "choose --generations": "give max_iter instead",
    "a budget of": "a time_budget of",
}
OF_PARAMETERS = {  # settings that are parameters of an estimator
    "seed": "random_state", "strategy": "strategy", "class_weight": "class_weight", "dataset": "X and y",
}  # fmt: skip
OF_SEARCHES = {"--models": "models", "--folds": "folds", "--metric": "metric"}


def check_flags(estimator: Any, *names: str) -> None:
    """Refuse parameters that must be True or False, or numbers that stand for these, but are something else."""
    for name in names:
        value = getattr(estimator, name)
        if not isinstance(value, bool | np.bool_ | int | np.integer):
            raise UsageError(f"{name} = {value!r} must be True or False")


def checked_settings(settings: Any) -> dict[str, Any]:
    """Return the parameter `settings` as a dict.

    Raises
    ------
    UsageError
        If it is no mapping, or has what is a parameter of its own.
    """
    if settings is None:
        return {}
    if not isinstance(settings, Mapping):
        raise UsageError(f"settings = {settings!r} must be a mapping of names to values, such as {{'sigma': 0.1}}")
    for name, parameter in OF_PARAMETERS.items():
        if name in settings:
            raise UsageError(f"settings: leave out {name!r}, which is what {parameter} is for")
    return dict(settings)


@contextlib.contextmanager
def in_parameters(words: Mapping[str, str]) -> Iterator[None]:
    """Raise the errors of the body with some words replaced."""
    try:
        yield
    except GenregError as error:
        text = str(error)
        for option, parameter in words.items():
            text = text.replace(option, parameter)
        if text == str(error):
            raise
        raise type(error)(text) from None
