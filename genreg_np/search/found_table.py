"""The result of a search for pipelines, as search.json stores it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genreg_np.search.genes import Genome

NOT_CLEARLY = "higher, but not clearly so by the new folds"  # ending.py


@dataclass(frozen=True)
class Judged:
    """The scores of a pipeline at the end of a search.

    Parameters
    ----------
    name : str
        A name such as "usual svm".
    score, error : float
        The mean over the new folds, and its standard error.
    held : float
        The score on the held-out rows.
    """

    name: str
    score: float
    error: float
    held: float

    def plain(self) -> dict[str, Any]:
        """Return the values as JSON stores them, with None for NaN."""
        values = dataclasses.asdict(self)
        return {name: None if value != value else value for name, value in values.items()}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Judged:
        """Return what `plain` wrote; raises KeyError, TypeError or ValueError for anything else."""
        numbers = {
            name: math.nan if values[name] is None else float(values[name]) for name in ("score", "error", "held")
        }
        if any(math.isinf(number) for number in numbers.values()):
            raise ValueError("a score is infinite")
        return cls(str(values["name"]), **numbers)


@dataclass(frozen=True)
class FoundTable:
    """The result of a search for pipelines.

    Parameters
    ----------
    winner : int or None
        The individual; None for several together, and for a usual pipeline if nothing was tried in time.
    genome : mapping
    words : str
    metric : str
    called : str
        The metric in words, with its class if it is of one class.
    judged : Judged
        The winner's scores.
    finalists : tuple of Judged
        Those that were judged again, best first.
    beside : tuple of Judged
        The usual pipelines, their mean, and no model at all.
    rows, held_rows : int
        Rows of the table, and how many of them were held out.
    new_folds : int
        The number of folds that `judged.score` is a mean over; 0 if there was no time: then it is the search's score.
    trials : int
    ended : str
        generations, budget, target, crashes.
    seconds : float
    file : str
        pipeline.py, or model.npz for a network.
    folder : Path
    """

    winner: int | None
    genome: Genome
    words: str
    metric: str
    called: str
    judged: Judged
    finalists: tuple[Judged, ...]
    beside: tuple[Judged, ...]
    rows: int
    held_rows: int
    new_folds: int
    trials: int
    ended: str
    seconds: float
    file: str
    folder: Path

    @property
    def path(self) -> Path:
        """The path of the result."""
        return self.folder / self.file

    @property
    def gap(self) -> float:
        """The score on new folds minus the score on held-out rows."""
        return self.judged.score - self.judged.held

    @property
    def not_clearly_better(self) -> Judged | None:
        """The pipeline that beat the winner on new folds, but not clearly; None if there is none."""
        best = self.finalists[0] if self.finalists else None
        return best if best is not None and best.score > self.judged.score else None

    def notes(self) -> dict[str, Any]:
        """Return the fields as plain values; unknown scores are None."""
        found = {name: value for name, value in dataclasses.asdict(self).items() if name != "folder"}
        for name in ("finalists", "beside"):
            found[name] = [one.plain() for one in getattr(self, name)]
        return found | {"judged": self.judged.plain()}

    @classmethod
    def of(cls, notes: Mapping[str, Any], folder: Path) -> FoundTable:
        """Return what `notes` wrote.

        Raises
        ------
        KeyError, TypeError, ValueError
            For anything else.
        """
        several = {name: tuple(Judged.of(one) for one in notes[name]) for name in ("finalists", "beside")}
        found = cls(**{**notes, **several, "judged": Judged.of(notes["judged"])}, folder=folder)
        texts = (found.words, found.metric, found.called, found.ended, found.file)
        counts = (found.rows, found.held_rows, found.new_folds, found.trials)
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("a text is not text")
        if not all(type(count) is int and count >= 0 for count in counts):
            raise TypeError("a count is not a count")
        held = found.judged.held
        if held == held and not (found.held_rows and (found.metric != "accuracy" or 0 <= held <= 1)):
            raise ValueError("the score on held-out rows is not valid")
        return found
