"""Looking things up by name: each registry maps a name to "module:attribute", imported when it is asked for.

Strategies, backends, layers, built-in datasets, engines and export targets are found so. Layers have other lists
too: the runtime, which imports nothing of the package, has its own (LAYERS of infer.py, to
which the files in its ELSEWHERE add theirs), and each export target says which kinds it can express.
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
