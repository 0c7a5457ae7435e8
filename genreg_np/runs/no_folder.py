"""A run that is kept nowhere: it takes what a run folder does, and writes nothing."""

from __future__ import annotations

from typing import Any

from genreg_np.runs.config import TrainConfig
from genreg_np.runs.generations import Record
from genreg_np.runs.held_folder import Packs


class NoFolder:
    """Stands in the place of a RunFolder; what would be written is not even packed."""

    path: None = None

    def __enter__(self) -> NoFolder:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def discard(self) -> None:
        """Take away nothing."""

    def save(self, name: str, what: Packs) -> None:
        """Let a file go."""

    def write_config(self, config: TrainConfig, changes: list[dict[str, Any]], origin: dict[str, Any]) -> None:
        """Let the configuration go."""

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Let notes go."""

    def record(self, line: Record) -> None:
        """Let the record of a generation go."""
