"""Looking things up by name: each registry maps a name to "module:attribute", imported when it is asked for.

Strategies, backends, layers, built-in datasets and export targets are found so, and nothing else has a list of them.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from genreg_np.errors import UsageError, did_you_mean


def look_up(registry: Mapping[str, str], name: str, what: str) -> Any:
    """Return what a name stands for: an attribute of a module, or a module where no attribute is named.

    Parameters
    ----------
    registry : mapping
        Name to "module:attribute", or to "module".
    name : str
    what : str
        What the names are of, as the error says it: "strategy".

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
