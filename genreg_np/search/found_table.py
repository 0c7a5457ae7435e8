"""What a search for pipelines came to, as search.json keeps it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genreg_np.search.genes import Genome

NOT_CLEARLY = "not better than that by more than two standard errors of the difference"  # CLEARLY of ending.py


@dataclass(frozen=True)
class Judged:
    """What is known of a pipeline in the end.

    Parameters
    ----------
    name : str
        Such as usual svm.
    score, error : float
        By the new folds: their mean, and its standard error.
    held : float
        By the rows that were held out.
    """

    name: str
    score: float
    error: float
    held: float

    def plain(self) -> dict[str, Any]:
        """Return it as values of JSON, in which nothing is NaN."""
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
    """What a search came to.

    Parameters
    ----------
    winner : int or None
        The individual; None of what is usual, where nothing was tried in time.
    genome : mapping
    words : str
    metric : str
    called : str
        The metric in words, with the class that it is of.
    judged : Judged
        The winner.
    finalists : tuple of Judged
        Those who were judged again, the best first.
    beside : tuple of Judged
        What is usual, and no model at all.
    rows, held_rows : int
        Of the table, and of them those that were held out.
    new_folds : int
        That `judged.score` is the mean of; 0 where there was no time for any: then it is that of the search.
    trials : int
    ended : str
        generations, budget, target, crashes.
    seconds : float
    file : str
        pipeline.py, or model.npz of a network.
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
        """The file that is handed over."""
        return self.folder / self.file

    @property
    def gap(self) -> float:
        """By how much the score of the new folds is above that of the hold-out."""
        return self.judged.score - self.judged.held

    @property
    def not_clearly_better(self) -> Judged | None:
        """Who was better than the winner by the new folds, but not clearly: where what is usual has won."""
        best = self.finalists[0] if self.finalists else None
        return best if best is not None and best.score > self.judged.score else None

    def notes(self) -> dict[str, Any]:
        """Return it as plain values; a score that is not known is None."""
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
            raise TypeError("what is text is none")
        if not all(type(count) is int and count >= 0 for count in counts):
            raise TypeError("what is a count is none")
        held = found.judged.held
        if held == held and not (found.held_rows and (found.metric != "accuracy" or 0 <= held <= 1)):
            raise ValueError("the score by rows held out is none")
        return found
