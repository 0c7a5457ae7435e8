"""The end of a search for pipelines: the best are judged again, and who is the best then is measured, once.

Shapes: none; rows are told by their places.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.engines.base import OK, Engine, Limits
from genreg_np.errors import RunError
from genreg_np.search.genes import Genome
from genreg_np.search.lessons.base import Learned
from genreg_np.search.pipelines import COSTLINESS, PipelineSearch
from genreg_np.search.searching import MOST_BYTES
from genreg_np.search.tabular.folds import Fold
from genreg_np.search.tabular.lesson import ERROR, PipelineLesson, dummy_scores, error_of
from genreg_np.search.trials import Trial

DUMMY = "no model"  # who always says the most frequent class, or the mean
PATIENCE = 2.0  # times what one may take at a rung, that judging it again by as many folds may


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
        """Return what `plain` wrote; raises KeyError or TypeError for anything else."""
        numbers = {
            name: math.nan if values[name] is None else float(values[name]) for name in ("score", "error", "held")
        }
        return cls(str(values["name"]), **numbers)


@dataclass(frozen=True)
class End:
    """Judges again, and measures.

    Parameters
    ----------
    search : PipelineSearch
    engine : Engine
    folds : sequence of Fold
        New ones, `RERUNS` times as many as the search had.
    last : Fold
        All rows but those held out, and these.
    """

    search: PipelineSearch
    engine: Engine
    folds: Sequence[Fold]
    last: Fold

    def judge(self, left: float) -> tuple[Genome, Trial | None, Judged, tuple[Judged, ...], int]:
        """Return the winner, its trial, what is known of it, what is usual beside it, and by how many new folds.

        Raises
        ------
        RunError
            If nothing can be fitted.
        """
        search = self.search
        space, usual, genomes = search.space, search.usual, search.judged_again()
        trials = {space.key(trial.genome): trial for trial in search.course.trials}  # at its highest rung
        folds = self.folds[: self._affordable(genomes, left)]
        again = self._scores(genomes, folds) if folds else {}
        able = [genome for genome in genomes if not folds or space.key(genome) in again]
        if not able:
            raise RunError(f"{search.folder.path}: nothing could be fitted; trials.jsonl says why")

        def rank(genome: Genome) -> tuple[float, float]:
            key, simple = space.key(genome), -float(COSTLINESS.index(genome["model"]))
            if folds:
                return sum(again[key]) / len(folds), simple
            return (trials[key].score if key in trials else -math.inf), simple

        genome = max(able, key=rank)
        failed = {key for key, trial in trials.items() if not trial.is_ok}
        shown = [genome, *(own for own in usual.values() if space.key(own) not in failed)]
        held = self._scores(shown, [self.last], last=True)
        if space.key(genome) not in held:
            search.tell(
                "the winner could not be scored by the rows that were held out: is a class of a single row in it?"
            )

        def judged(name: str, own: Genome) -> Judged:
            key = space.key(own)
            tried, scores = trials.get(key), again.get(key, ())
            mean = error = math.nan
            if scores:
                mean, error = sum(scores) / len(scores), error_of(scores)
            elif not folds and tried is not None and tried.is_ok:
                mean, error = tried.score, tried.metrics[ERROR] if tried.samples > 1 else math.nan
            return Judged(name, mean, error, held.get(key, (math.nan,))[0])

        dummy, (of_held,) = dummy_scores(search.task, folds or search.folds), dummy_scores(search.task, [self.last])
        beside = [judged(name, own) for name, own in usual.items()]
        beside.append(Judged(DUMMY, sum(dummy) / len(dummy), error_of(dummy), of_held))
        return genome, trials.get(space.key(genome)), judged("winner", genome), tuple(beside), len(folds)

    def _affordable(self, genomes: Sequence[Genome], left: float) -> int:
        """Return by how many of the new folds there is time to judge: all, whole rounds of them, or none."""
        if left == math.inf:
            return len(self.folds)
        each = sum(self.search.pace(genome["model"]) for genome in genomes) / self.search.workers
        count = len(self.search.folds)
        rounds = int(left / max(1e-9, each * count))
        return min(len(self.folds), count * rounds)

    def _scores(
        self, genomes: Sequence[Genome], folds: Sequence[Fold], last: bool = False
    ) -> dict[str, tuple[float, ...]]:
        """Return the scores of genomes on folds, by their keys; not of those that fail."""
        search = self.search
        unique = {search.space.key(genome): genome for genome in genomes}
        lessons: list[PipelineLesson] = [search.lesson_of(genome, folds, last=last) for genome in unique.values()]
        found = {}
        limits = Limits(PATIENCE * search.longest * max(1.0, len(folds) / len(search.folds)), MOST_BYTES)
        for key, outcome in zip(unique, self.engine.map(lessons, limits), strict=True):
            learned: Learned | None = outcome.value
            if outcome.status == OK and learned is not None and learned.status == OK:
                measures = learned.measures["search"]
                found[key] = tuple(measures[f"fold {place + 1}"] for place in range(len(folds)))
        return found
