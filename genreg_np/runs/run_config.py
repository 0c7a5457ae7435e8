"""config.toml of a run folder: current settings, [[changes]] that led to them, the [origin] of data and arithmetic.

The file is not trusted. The settings check themselves; changes and origin, which are passed on to the model's header
and to the readers of datasets, are accepted only in the form that train writes.
"""

from __future__ import annotations

import math
import tomllib
from pathlib import Path
from typing import Any

from genreg_np.errors import RunError
from genreg_np.files import read_text
from genreg_np.runs.config import MOST_TOML_BYTES, TrainConfig

CHANGES, ORIGIN = "changes", "origin"  # tables beside the settings
TEXTS = (
    "source",
    "data_dir",
    "backend",
    "data",
    "columns",
    "network",
)  # text entries of the origin; load_dataset checks the others


def pack_run_config(config: TrainConfig, changes: list[dict[str, Any]], origin: dict[str, Any]) -> bytes:
    """Return the file's bytes; entries of `origin` that are None are left out."""
    values = config.to_dict() | {ORIGIN: {name: value for name, value in origin.items() if value is not None}}
    values |= {CHANGES: changes} if changes else {}
    import tomli_w  # imported here: only saved runs need it

    return tomli_w.dumps(values).encode("utf-8")


def read_run_config(path: Path) -> tuple[TrainConfig, list[dict[str, Any]], dict[str, Any]]:
    """Return settings, changes and origin.

    Raises
    ------
    RunError
        If the file cannot be read, is not TOML, or its changes or origin are not in the form that train writes.
    UsageError
        For a setting that is unknown or has a bad value.
    """
    try:
        values = tomllib.loads(read_text(path, MOST_TOML_BYTES, follow_links=False))
    except OSError as error:
        raise RunError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: is not TOML ({' '.join(str(error).split())})") from None
    changes, origin = values.pop(CHANGES, []), values.pop(ORIGIN, {})
    if not are_changes(changes):
        raise RunError(f"{path}: its {CHANGES} are not what train writes; restore them")
    if not _is_origin(origin):
        raise RunError(f"{path}: its {ORIGIN} is not what train writes; restore it")
    return TrainConfig.from_dict(values, str(path)), changes, origin


def is_plain(value: Any) -> bool:
    """Return whether a TOML value is text, a finite number, a boolean, or a list of them, which JSON can hold too."""
    if isinstance(value, list):
        return all(not isinstance(part, list) and is_plain(part) for part in value)
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


def are_changes(changes: Any) -> bool:
    """Return whether a value is a log of changes, as train and checkpoints write it."""
    return isinstance(changes, list) and all(map(_is_change, changes))


def _is_change(change: Any) -> bool:
    """Return whether a value is an entry of changes, as train writes it."""
    return (
        isinstance(change, dict)
        and change.keys() == {"generation", "setting", "old", "new"}
        and type(change["generation"]) is int
        and isinstance(change["setting"], str)
        and all(map(is_plain, change.values()))
    )


def _is_origin(origin: Any) -> bool:
    """Return whether a value is the origin of data and arithmetic, as train writes it."""
    if not isinstance(origin, dict) or not all(map(is_plain, origin.values())):
        return False
    return all(isinstance(origin.get(name, ""), str) for name in TEXTS)
