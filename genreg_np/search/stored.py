"""A stored search: what can be read from its folder without holding it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genreg_np.errors import RunError
from genreg_np.runs.held_folder import json_of
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import read_search_config, trials_in
from genreg_np.search.gan.kept import Growth
from genreg_np.search.genes import Space
from genreg_np.search.kinds import REGISTRY, space_of
from genreg_np.search.metrics import LOWER
from genreg_np.search.standing import standing_of
from genreg_np.search.trials import Trial, leaders_of
from genreg_np.settings import is_number

MOST = 1e300  # of numbers in files: larger integers are no floats


@dataclass(frozen=True)
class StoredSearch:
    """The contents of a search folder.

    Parameters
    ----------
    path : Path
    config : SearchConfig
    origin : mapping
        The origin of its data.
    trials : sequence of Trial
        Ordered by number.
    notes : mapping
        search.json; empty while the search runs.
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
            If the folder holds no search.
        UsageError
            For a setting that is unknown or has a bad value.
        """
        if not is_search(path):
            raise RunError(f"{path}: holds no search; name the folder that search printed")
        config, origin = read_search_config(path / "config.toml")
        space = space_of(config)
        notes = json_of(path / "search.json")
        trials = with_select(trials_in(path / "trials.jsonl"), notes)
        found = {trial.number: trial for trial in trials if space.holds(trial.genome)}
        return cls(path, config, origin, [found[number] for number in sorted(found)], notes)

    @property
    def space(self) -> Space:
        """The genes of the search's individuals."""
        return space_of(self.config)

    @property
    def handed_over(self) -> str:
        """The result of a search for pipelines, in words; "" while it runs, and for other searches."""
        found = self.notes.get("found")
        words = found.get("words") if isinstance(found, Mapping) else ""
        return words if isinstance(words, str) else ""

    @property
    def winner(self) -> Trial | None:
        """The individual that won, at the highest rung it reached; None if there is none yet."""
        child = self.notes.get("winner")
        return next((trial for trial in self.leaders if trial.child == child), None)

    def rung(self, rung: int) -> list[Trial]:
        """Return the judged trials of a rung, ordered by number."""
        return [trial for trial in self.trials if trial.rung == rung and trial.is_ok]

    @property
    def file(self) -> Path:
        """The path of the model."""
        return self.path / REGISTRY[self.config.kind].file

    def growth(self) -> Growth | None:
        """Return how the images of a saved generator developed; None if its state is missing."""
        name = Path(str(self.notes.get("state", ""))).name
        try:
            return Growth.read(self.path / "states" / name)
        except ValueError:
            return None

    @property
    def sign(self) -> float:
        """-1 if scores are negated errors, so that more is better; else 1."""
        metric = self.config.metric
        is_error = metric.startswith("neg_") or metric.partition(":")[0] in LOWER
        return -1.0 if is_error and not self.config.weights else 1.0

    def shown(self, score: float) -> str:
        """Return a score as text, with the metric's usual sign."""
        return f"{self.sign * score:.4f}"

    @property
    def scored_by(self) -> str:
        """The name of the score, in words."""
        return "weighted sum" if self.config.weights else self.config.metric.removeprefix("neg_").replace("_", " ")

    @property
    def has_folds(self) -> bool:
        """Whether networks were judged by cross-validation, as far as a search that has ended says it."""
        return bool(self.notes.get("folds", self.config.folds > 1))

    @property
    def leaders(self) -> list[Trial]:
        """The judged individuals, each at the highest rung it reached, best first."""
        return leaders_of(self.trials, standing_of(self.config))


def with_select(trials: Iterable[Trial], notes: Mapping[str, Any]) -> list[Trial]:
    """Return trials with the measures of finalists that search.json has: those judged on `select` only at the end."""
    known = notes.get("select")
    measures = known if isinstance(known, Mapping) else {}

    def completed(trial: Trial) -> Trial:
        found = measures.get(str(trial.number))
        if trial.select or not isinstance(found, Mapping) or not all(map(is_number, found.values())):
            return trial
        return dataclasses.replace(trial, select=found)

    return [completed(trial) for trial in trials]


def numbers_in(notes: Mapping[str, Any], name: str) -> dict[str, float]:
    """Return the numbers that search.json has under a name, by theirs; none if it has something else there."""
    found = notes.get(name)
    if not isinstance(found, Mapping):
        return {}
    return {key: value for key, value in found.items() if is_number(value) and abs(value) < MOST}


def is_search(path: Path) -> bool:
    """Return whether a folder holds a search."""
    return (path / "trials.jsonl").is_file() and (path / "config.toml").is_file()
