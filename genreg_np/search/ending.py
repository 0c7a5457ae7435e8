"""The end of a search for pipelines: the best are judged again, and who is the best then is measured, once.

Shapes: none; rows are told by their places.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from genreg_np.engines.base import OK, Engine, Limits
from genreg_np.errors import RunError
from genreg_np.search.found_table import Judged
from genreg_np.search.genes import Genome
from genreg_np.search.lessons.base import Learned
from genreg_np.search.pipelines import COSTLINESS, PipelineSearch
from genreg_np.search.searching import MOST_BYTES
from genreg_np.search.tabular.folds import Fold
from genreg_np.search.tabular.lesson import ERROR, PipelineLesson, dummy_scores, error_of
from genreg_np.search.tabular.measuring import Measuring
from genreg_np.search.tabular.together import TOGETHER, key_of, words_of
from genreg_np.search.trials import Trial

DUMMY = "no model"  # who always says the most frequent class, or the mean
SHARE_OF_LONGEST = 0.5  # of what one may take at a rung, that it takes at most to measure what columns matter
SHARE_OF_LEFT = 0.75  # of the time that is left, that judging one again may take
CLEARLY = 2.0  # standard errors of the difference, that a winner is better by than what is usual
LEAST_OF_LAST = 10.0  # seconds that one fit to all rows may take at least, however short the budget
PATIENCE = 2.0  # times what one may take at a rung, that judging it again by as many folds may


def is_clearly_better(one: Sequence[float], other: Sequence[float], folds: Sequence[Fold]) -> bool:
    """Whether scores by folds are better than others by more than two standard errors of the difference.

    Rows are fitted to in many of the folds, so that scores by them are alike; the error is corrected for that (Nadeau
    and Bengio, Inference for the generalization error, 2003).
    """
    differences = [mine - theirs for mine, theirs in zip(one, other, strict=True)]
    mean, count = statistics.fmean(differences), len(differences)
    if count < 2:
        return mean > 0
    shared = statistics.fmean(len(judged) / len(fitted) for fitted, judged in folds)
    return mean > CLEARLY * math.sqrt((1 / count + shared) * statistics.variance(differences))


@dataclass(frozen=True)
class Verdict:
    """Who has won, and what is known of it.

    Parameters
    ----------
    genome : mapping
    winner : Trial or None
        The individual; None of what is usual, where nothing was tried in time.
    judged : Judged
        The winner.
    finalists : tuple of Judged
        Those who were judged again, the best first.
    beside : tuple of Judged
        What is usual, and no model at all.
    new_folds : int
        That scores are the means of; 0 where there was no time for any.
    """

    genome: Genome
    winner: Trial | None
    judged: Judged
    finalists: tuple[Judged, ...]
    beside: tuple[Judged, ...]
    new_folds: int


@dataclass(frozen=True)
class End:
    """Judges again, and measures.

    Parameters
    ----------
    search : PipelineSearch
    engine : Engine
    folds : sequence of Fold
        New ones, `RERUNS` times as many as the search had.
    last : Fold or None
        All rows but those held out, and these; None where none are.
    rounds : sequence of int
        How many of the folds are whole rounds: after the first, the second, ...
    """

    search: PipelineSearch
    engine: Engine
    folds: Sequence[Fold]
    last: Fold | None
    rounds: Sequence[int]

    def judge(self, left: float) -> Verdict:
        """Return who wins, within so many seconds: the best by new folds, or what is usual if nobody is clearly better.

        Raises
        ------
        RunError
            If nothing can be fitted.
        """
        search = self.search
        space, usual, genomes = search.space, search.usual, search.judged_again()
        trials = {key_of(space, trial.genome): trial for trial in search.course.trials}  # at its highest rung
        folds = self.folds[: self._affordable(genomes, left)]
        again = self._scores(genomes, folds, most=max(search.longest, SHARE_OF_LEFT * left)) if folds else {}
        if not again:  # there was no time: by what the search found
            folds = ()
        able = [genome for genome in genomes if not folds or key_of(space, genome) in again]
        if not able:
            failures = Counter(trial.why for trial in search.course.trials if trial.why).most_common(1)
            why = f": {failures[0][0]}" if failures else ""
            raise RunError(f"{search.folder.path}: nothing could be fitted{why}")

        def rank(genome: Genome) -> tuple[float, float, float]:
            key, simple = key_of(space, genome), -float(COSTLINESS.index(genome["model"]))
            if folds:
                return 0.0, sum(again[key]) / len(folds), simple
            trial = trials.get(key)
            return (-1.0, -math.inf, simple) if trial is None else (trial.rung, trial.score, simple)

        genome = max(able, key=rank)
        plain = [own for own in usual.values() if key_of(space, own) in again]
        if plain:
            usual_one = max(plain, key=rank)
            if not is_clearly_better(again[key_of(space, genome)], again[key_of(space, usual_one)], folds):
                genome = usual_one
        hopeless = {space.key(trial.genome) for trial in search.course.trials if not (trial.is_ok or trial.rung)}
        shown = [genome, *(own for own in usual.values() if space.key(own) not in hopeless)]
        held = {} if self.last is None else self._scores(shown, [self.last], last=True)
        if self.last is not None and key_of(space, genome) not in held:
            search.tell("the winner could not be scored by the rows that were held out")

        def judged(name: str, own: Genome) -> Judged:
            key = key_of(space, own)
            tried, scores = trials.get(key), again.get(key, ())
            mean = error = math.nan
            if scores:
                mean, error = sum(scores) / len(scores), error_of(scores)
            elif not folds and tried is not None and tried.is_ok:
                mean, error = tried.score, tried.metrics[ERROR] if tried.samples > 1 else math.nan
            return Judged(name, mean, error, held.get(key, (math.nan,))[0])

        dummy = dummy_scores(search.task, folds or search.folds)
        of_held = math.nan if self.last is None else dummy_scores(search.task, [self.last])[0]
        beside = [judged(name, own) for name, own in usual.items()]
        beside.append(Judged(DUMMY, sum(dummy) / len(dummy), error_of(dummy), of_held))

        def name_of(own: Genome) -> str:
            known = trials.get(key_of(space, own))
            return words_of(space, own) if known is None else f"individual {known.child}: {words_of(space, own)}"

        finalists = [
            judged(name_of(own), own)
            for own in sorted(able, key=rank, reverse=True)
            if folds and (own["model"] == TOGETHER or key_of(space, own) in trials)
        ]
        winner = trials.get(key_of(space, genome))
        return Verdict(
            genome, winner, judged("winner", genome), tuple(finalists), tuple(beside), len(folds)
        )  # fmt: skip

    def measured(self, genome: Genome) -> Mapping[str, Mapping[str, float]]:
        """Return what measuring.py tells of a genome by the rows that were held out; of what cannot be, nothing."""
        if self.last is None:
            return {}
        search = self.search
        lesson, found = search.lesson_of(genome, [self.last], last=True), dict[str, Mapping[str, float]]()
        lessons = [Measuring(lesson), Measuring(lesson, SHARE_OF_LONGEST * search.longest)]
        for outcome in self.engine.map(lessons, Limits(PATIENCE * search.longest, MOST_BYTES)):
            learned: Learned | None = outcome.value
            if learned is not None:
                found |= learned.measures
            if why := outcome.why or (learned.why if learned is not None else ""):
                search.tell(f"what the winner answers, or goes by, could not be measured: {why}")
        return found

    def _affordable(self, genomes: Sequence[Genome], left: float) -> int:
        """Return by how many of the new folds there is time to judge: all, whole rounds of them, or none."""
        if left == math.inf:
            return len(self.folds)
        each = sum(map(self.search.pace_of, genomes)) / self.search.workers
        return max((count for count in self.rounds if count * each <= left), default=0)

    def _scores(
        self, genomes: Sequence[Genome], folds: Sequence[Fold], last: bool = False, most: float = math.inf
    ) -> dict[str, tuple[float, ...]]:
        """Return the scores of genomes on folds, by their keys; not of those that fail, or take `most` seconds."""
        search = self.search
        unique = {key_of(search.space, genome): genome for genome in genomes}
        lessons: list[PipelineLesson] = [search.lesson_of(genome, folds, last=last) for genome in unique.values()]
        found = {}
        patience = PATIENCE * search.longest * max(1.0, len(folds) / len(search.folds))
        limits = Limits(max(patience, LEAST_OF_LAST) if last else min(most, patience), MOST_BYTES)
        for key, outcome in zip(unique, self.engine.map(lessons, limits), strict=True):
            learned: Learned | None = outcome.value
            if last and (why := outcome.why or ("" if learned is None else learned.why)):
                search.tell(f"{words_of(search.space, unique[key])} could not be measured by the rows held out: {why}")
            if outcome.status == OK and learned is not None and learned.status == OK:
                measures = learned.measures["search"]
                found[key] = tuple(measures[f"fold {place + 1}"] for place in range(len(folds)))
        return found
