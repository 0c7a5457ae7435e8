"""Errors about settings, in the words of the estimators' parameters in place of the command line's options."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from genreg_np.errors import GenregError

OF_TRAINING = {  # longer ones come first
    "choose matching --network, or --hidden and --set activation=..., or leave out --init": (
        "choose the same hidden_layer_sizes and settings, or warm_start=False"
    ),
    "leave out --init": "set warm_start=False",
    "choose --generations": "give max_iter instead",
    "a budget of": "a time_budget of",
}
OF_SEARCHES = {"--models": "models", "--folds": "folds", "--metric": "metric"}


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
