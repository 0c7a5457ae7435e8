"""Read a run folder without holding it, so that a run in progress can be read too.

The folder is not trusted: lines and notes that are not in the form that train writes are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genreg_np import infer
from genreg_np.errors import RunError
from genreg_np.files import open_regular
from genreg_np.runs.checkpoint import MOST_GENERATIONS
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.held_folder import json_of
from genreg_np.runs.run_config import read_run_config
from genreg_np.runs.run_folder import MOST_LINE_BYTES

MOST_RECORDS = 1_000_000

Record = dict[str, Any]


@dataclass(frozen=True)
class StoredRun:
    """The contents of a run folder, apart from its model and its checkpoint."""

    path: Path
    config: TrainConfig
    changes: list[dict[str, Any]]
    origin: dict[str, Any]
    records: list[Record]  # by generation, each with at least its number
    notes: dict[str, Any]  # run.json, or {}

    @classmethod
    def read(cls, path: Path) -> StoredRun:
        """Read a run folder.

        Raises
        ------
        RunError
            If it holds no run, or its config.toml is damaged.
        """
        if not (path / "config.toml").is_file():
            raise RunError(f"{path}: holds no run (no config.toml); name the folder that train printed, or a model")
        config, changes, origin = read_run_config(path / "config.toml")
        return cls(path, config, changes, origin, records_of(path), json_of(path / "run.json"))


def records_of(path: Path) -> list[Record]:
    """Return the records of a run's metrics.jsonl by generation, the last one for each, without invalid lines."""
    found: dict[int, Record] = {}
    for line in _lines(path / "metrics.jsonl"):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        number = record.get("generation") if isinstance(record, dict) else None
        if (
            type(number) is int
            and 0 < number <= MOST_GENERATIONS
            and len(found) < MOST_RECORDS
            and infer.is_shallow(record)
        ):
            found[number] = record
    return [found[number] for number in sorted(found)]


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with open_regular(path, follow_links=False) as file:
            yield from iter(lambda: file.readline(MOST_LINE_BYTES), b"")
    except OSError:
        return
