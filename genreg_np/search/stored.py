"""A search that is not held: what its folder tells whoever only looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genreg_np.errors import RunError
from genreg_np.runs.held_folder import json_of
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import read_search_config, trials_in
from genreg_np.search.genes import Space
from genreg_np.search.kinds import REGISTRY, space_of
from genreg_np.search.lessons.gan import Growth
from genreg_np.search.metrics import LOWER
from genreg_np.search.standing import standing_of
from genreg_np.search.trials import Trial, leaders_of


@dataclass(frozen=True)
class StoredSearch:
    """A search folder's contents.

    Parameters
    ----------
    path : Path
    config : SearchConfig
    origin : mapping
        Of its data.
    trials : sequence of Trial
        By their numbers.
    notes : mapping
        search.json; empty while it goes on.
    """

    path: Path
    config: SearchConfig
    origin: Mapping[str, Any]
    trials: Sequence[Trial]
    notes: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> StoredSearch:
        """Read a folder.

        Raises
        ------
        RunError
            If it holds no search.
        UsageError
            For a setting that is unknown or has a bad value.
        """
        if not is_search(path):
            raise RunError(f"{path}: holds no search; name the folder that search printed")
        config, origin = read_search_config(path / "config.toml")
        space = space_of(config)
        found = {trial.number: trial for trial in trials_in(path / "trials.jsonl") if space.holds(trial.genome)}
        return cls(path, config, origin, [found[number] for number in sorted(found)], json_of(path / "search.json"))

    @property
    def space(self) -> Space:
        """The genes of its individuals."""
        return space_of(self.config)

    @property
    def handed_over(self) -> str:
        """What a search for pipelines has handed over, in words; "" while it goes on, and of others."""
        found = self.notes.get("found")
        words = found.get("words") if isinstance(found, Mapping) else ""
        return words if isinstance(words, str) else ""

    @property
    def winner(self) -> Trial | None:
        """The individual that won, once one has, as it was at the highest rung that it reached."""
        child = self.notes.get("winner")
        return next((trial for trial in self.leaders if trial.child == child), None)

    def rung(self, rung: int) -> list[Trial]:
        """Return the trials of a rung that were judged, by their numbers."""
        return [trial for trial in self.trials if trial.rung == rung and trial.is_ok]

    @property
    def file(self) -> Path:
        """Its model's."""
        return self.path / REGISTRY[self.config.kind].file

    def growth(self) -> Growth | None:
        """Return how the images of a saved generator came about; None where its state is gone."""
        name = Path(str(self.notes.get("state", ""))).name
        try:
            return Growth.of((self.path / "states" / name).read_bytes())
        except (OSError, ValueError):
            return None

    @property
    def sign(self) -> float:
        """-1 where scores are errors turned round, so that more is better; else 1."""
        metric = self.config.metric
        is_error = metric.startswith("neg_") or metric.partition(":")[0] in LOWER
        return -1.0 if is_error and not self.config.weights else 1.0

    def shown(self, score: float) -> str:
        """Return a score as a metric's users know it."""
        return f"{self.sign * score:.4f}"

    @property
    def scored_by(self) -> str:
        """What scores are of, in words."""
        return "weighted sum" if self.config.weights else self.config.metric.removeprefix("neg_").replace("_", " ")

    @property
    def leaders(self) -> list[Trial]:
        """The individuals that were judged, each at the highest rung that it has reached, the best first."""
        return leaders_of(self.trials, standing_of(self.config))


def is_search(path: Path) -> bool:
    """Whether a folder holds a search."""
    return (path / "trials.jsonl").is_file() and (path / "config.toml").is_file()
