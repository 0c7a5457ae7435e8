"""A stand-in for the run folder of a run that is not saved: it has the same methods and writes nothing."""

from __future__ import annotations

from typing import Any

from genreg_np.runs.config import TrainConfig
from genreg_np.runs.generations import Record
from genreg_np.runs.held_folder import Packs


class NoFolder:
    """Takes the place of a RunFolder; what would be written is not even packed."""

    path: None = None

    def __enter__(self) -> NoFolder:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def discard(self) -> None:
        """Do nothing."""

    def save(self, name: str, what: Packs) -> None:
        """Ignore a file."""

    def write_config(self, config: TrainConfig, changes: list[dict[str, Any]], origin: dict[str, Any]) -> None:
        """Ignore the configuration."""

    def write_json(self, name: str, values: dict[str, Any]) -> None:
        """Ignore notes."""

    def record(self, line: Record) -> None:
        """Ignore the record of a generation."""
