"""The end of a search for pipelines: the best are judged again, and the best of these is measured once.

Shapes: none; rows are given by their indices.
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
from genreg_np.search.tabular.lesson import ERROR, PipelineLesson, dummy_scores
from genreg_np.search.tabular.measuring import Measuring
from genreg_np.search.tabular.together import TOGETHER, key_of, members_of, words_of
from genreg_np.search.trials import Trial

DUMMY = "no model"  # always predicts the most frequent class, or the mean
SHARE_OF_LONGEST = 0.5  # the most time for measuring column importance, relative to the longest trial allowed
SHARE_OF_LEFT = 0.75  # the share of the remaining time that judging one pipeline again may take
SURE = 0.95  # how sure it must be, by the folds, that a winner is better than what is usual
MOSTLY, ENOUGH = 0.9, 10  # or the share of folds on which it must be better, of so many at least
LEAST_OF_LAST = 10.0  # seconds always allowed for a fit to all rows, however short the budget
PATIENCE = 2.0  # how many times the longest trial allowed judging again may take, for the same number of folds


def is_clearly_better(one: Sequence[float], other: Sequence[float], folds: Sequence[Fold]) -> bool:
    """Return whether scores on folds are clearly better than others.

    That is by the corrected resampled t-test (`error_on`), or because nine in ten are better: where one model fails on
    some folds, differences vary too much for a test of their mean.
    """
    from scipy.stats import t

    differences = [mine - theirs for mine, theirs in zip(one, other, strict=True)]
    mean, count = statistics.fmean(differences), len(differences)
    if count < 2:
        return mean > 0
    if count >= ENOUGH and mean > 0 and sum(gap > 0 for gap in differences) >= MOSTLY * count:
        return True
    return mean > float(t.ppf((1 + SURE) / 2, count - 1)) * error_on(folds, differences)


def error_on(folds: Sequence[Fold], scores: Sequence[float]) -> float:
    """Return the standard error of the mean of scores on folds; 0 for a single one, for which it is unknown.

    Folds share the rows that are fitted to, so scores on them are correlated; the error is corrected for that (Nadeau
    and Bengio, Inference for the generalization error, 2003).
    """
    if len(scores) < 2:
        return 0.0
    shared = statistics.fmean(len(judged) / len(fitted) for fitted, judged in folds)
    return math.sqrt((1 / len(scores) + shared) * statistics.variance(scores))


@dataclass(frozen=True)
class Verdict:
    """The winner, and what is known about it.

    Parameters
    ----------
    genome : mapping
    winner : Trial or None
        The individual; None for several together, and for a usual pipeline if nothing was tried in time.
    judged : Judged
        The winner's scores.
    finalists : tuple of Judged
        Those that were judged again, best first.
    beside : tuple of Judged
        The usual pipelines, their mean, and no model at all.
    new_folds : int
        The number of folds that scores are means over; 0 if there was no time for any.
    """

    genome: Genome
    winner: Trial | None
    judged: Judged
    finalists: tuple[Judged, ...]
    beside: tuple[Judged, ...]
    new_folds: int


@dataclass(frozen=True)
class End:
    """Judges the best again, and measures the winner.

    Parameters
    ----------
    search : PipelineSearch
    engine : Engine
    folds : sequence of Fold
        New folds, `RERUNS` times as many as the search used.
    last : Fold or None
        All rows except the held-out ones, and the held-out rows; None if no rows are held out.
    rounds : sequence of int
        How many folds complete the first round, the second, ...
    """

    search: PipelineSearch
    engine: Engine
    folds: Sequence[Fold]
    last: Fold | None
    rounds: Sequence[int]

    def judge(self, left: float) -> Verdict:
        """Return the best on new folds, or the best that is usual if none is clearly better, within `left` seconds.

        Raises
        ------
        RunError
            If no pipeline can be fitted.
        """
        search = self.search
        space, to_beat = search.space, search.to_beat
        trials = {key_of(space, trial.genome): trial for trial in search.course.trials}  # at its highest rung
        genomes, count = self._affordable(left)
        folds = self.folds[:count]
        again = self._scores(genomes, folds, most=max(search.longest, SHARE_OF_LEFT * left)) if folds else {}
        if not again:  # there was no time: use the search's scores
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
        usual = [own for own in to_beat.values() if key_of(space, own) in again]
        if usual:
            usual_one = max(usual, key=rank)
            if not is_clearly_better(again[key_of(space, genome)], again[key_of(space, usual_one)], folds):
                genome = usual_one
        hopeless = {space.key(trial.genome) for trial in search.course.trials if not (trial.is_ok or trial.rung)}
        told = {
            name: own for name, own in to_beat.items() if own["model"] != TOGETHER or key_of(space, own) in again
        }  # fmt: skip
        shown = [genome, *(own for own in told.values() if key_of(space, own) not in hopeless)]
        held = {} if self.last is None else self._scores(shown, [self.last], last=True)
        if self.last is not None and key_of(space, genome) not in held:
            search.tell("the winner could not be scored on the held-out rows")

        def judged(name: str, own: Genome) -> Judged:
            key = key_of(space, own)
            tried, scores = trials.get(key), again.get(key, ())
            mean = error = math.nan
            if scores:
                mean, error = sum(scores) / len(scores), error_on(folds, scores)
            elif not folds and tried is not None and tried.is_ok:
                mean, error = tried.score, tried.metrics[ERROR] if tried.samples > 1 else math.nan
            return Judged(name, mean, error, held.get(key, (math.nan,))[0])

        dummy = dummy_scores(search.task, folds or search.folds)
        of_held = math.nan if self.last is None else dummy_scores(search.task, [self.last])[0]
        beside = [judged(name, own) for name, own in told.items()]
        beside.append(Judged(DUMMY, sum(dummy) / len(dummy), error_on(folds or search.folds, dummy), of_held))

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
        """Return what measuring.py measures of a genome on the held-out rows; what fails is left out."""
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
                search.tell(f"the winner's predictions or column importance could not be measured: {why}")
        return found

    def _affordable(self, left: float) -> tuple[list[Genome], int]:
        """Return who can be judged again in the time that is left, and on how many folds: whole rounds of them.

        If there is no time for a round of all, ensembles are left out; then all but the best and the usual pipelines.
        Without any time it is all of them, on none.
        """
        search = self.search
        genomes, usual = search.judged_again(), [key_of(search.space, own) for own in search.usual.values()]
        single = [genome for genome in genomes if genome["model"] != TOGETHER]
        few = [*single[:1], *(genome for genome in single[1:] if key_of(search.space, genome) in usual)]
        for some in (genomes, single, few):
            each = sum(map(search.pace_of, some)) / search.workers
            if count := max((count for count in self.rounds if count * each <= left), default=0):
                return some, count
        return genomes, 0

    def _scores(
        self, genomes: Sequence[Genome], folds: Sequence[Fold], last: bool = False, most: float = math.inf
    ) -> dict[str, tuple[float, ...]]:
        """Return the scores of genomes on folds by key, without those that fail or take longer than `most` seconds."""
        search = self.search
        unique = {key_of(search.space, genome): genome for genome in genomes}
        lessons: list[PipelineLesson] = [search.lesson_of(genome, folds, last=last) for genome in unique.values()]
        found, lost = {}, dict[str, str]()
        most_together = max((len(members_of(genome)) for genome in unique.values()), default=1)
        patience = PATIENCE * search.longest * most_together * max(1.0, len(folds) / len(search.folds))
        limits = Limits(max(patience, LEAST_OF_LAST) if last else min(most, patience), MOST_BYTES)
        for key, outcome in zip(unique, self.engine.map(lessons, limits), strict=True):
            learned: Learned | None = outcome.value
            if why := outcome.why or ("" if learned is None else learned.why):
                lost[words_of(search.space, unique[key])] = why
            if outcome.status == OK and learned is not None and learned.status == OK:
                measures = learned.measures["search"]
                found[key] = tuple(measures[f"fold {place + 1}"] for place in range(len(folds)))
        for words, why in lost.items():
            search.tell(f"{words} could not be {'measured on the held-out rows' if last else 'judged again'}: {why}")
        return found
