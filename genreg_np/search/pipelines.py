"""A search for pipelines for a table: its trials, and which individuals are judged again.

The lowest rung is one fold, the other all of them: an individual that is bad on one fold is not tried on five. Scores
on one fold are too noisy to compare with those on five, so the best are taken from the highest rung.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from genreg_np.engines.base import TIMEOUT, Engine, Limits
from genreg_np.search.config import SearchConfig
from genreg_np.search.course import Course, Job
from genreg_np.search.folder import SearchFolder
from genreg_np.search.genes import Genome, Space
from genreg_np.search.ladder import ETA, Ladder
from genreg_np.search.lessons.base import Learned
from genreg_np.search.searching import CRASHES, Search, selection_of
from genreg_np.search.selections.base import Bred
from genreg_np.search.tabular.folds import Fold
from genreg_np.search.tabular.lesson import PipelineLesson, Task, scores_of
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.tabular.space import (
    BOOSTING,
    FEATURES,
    FOREST,
    LINEAR,
    NEIGHBOURS,
    NETWORK,
    SVM,
    beginnings,
    models_of,
    plain,
)
from genreg_np.search.tabular.together import MOST_TOGETHER, TOGETHER, key_of, members_of, together, words_of
from genreg_np.search.trials import Trial

FINALISTS = 5  # individuals that are judged again, on folds that nothing was chosen by
RERUNS = 3  # how many times as many new folds there are as folds of the search
LAST = 4  # the time for the last fit and its measurement on held-out rows, in folds
LAST_OF_NETWORK = 12  # the same for a network, which is trained for each of these, and for twice as long
CALIBRATED = 5  # how many times as long a support vector machine takes that has to tell probabilities
MOST_RESERVED = 1 / 3  # of the budget, for the end: with less time fewer are judged again, on fewer folds
SHARE_OF_BUDGET, LONGEST = 0.1, 120.0  # of the budget, or seconds without one, that a trial may take at a rung
FIRST_GUESS = 0.5  # seconds per fold
USUAL = (LINEAR, SVM, BOOSTING)  # models that the winner is compared with, with scikit-learn's usual settings
USUAL_MEAN = "usual together"
COSTLINESS = (LINEAR, NEIGHBOURS, SVM, BOOSTING, FOREST, NETWORK, TOGETHER)  # among equals the simpler model is better


class PipelineSearch(Search[Genome]):
    """A running search for pipelines.

    Parameters
    ----------
    config : SearchConfig
    space : Space
    task : Task
        The data that all lessons share.
    folds : sequence of Fold
        Folds of the rows that are not held out.
    folder : SearchFolder
    engine : Engine
    budget : float, optional
        Seconds for the whole search.
    new_folds : int
        How many folds the finalists will be judged on again.
    save : callable
        save(trial): saves the best so far.
    first : sequence of Bred
        Genomes to try before those made by hand.
    **how
        Arguments of Search.
    """

    def __init__(
        self,
        config: SearchConfig,
        space: Space,
        task: Task,
        folds: Sequence[Fold],
        folder: SearchFolder,
        engine: Engine,
        *,
        budget: float | None = None,
        new_folds: int = 0,
        save: Callable[[Trial], None] = lambda trial: None,
        first: Sequence[Bred] = (),
        **how: Any,
    ) -> None:
        self.task, self.folds, self.new_folds = task, tuple(folds), new_folds
        made = beginnings(space) if config.begin == "hand-made" else []
        bred = (*first, *(Bred(genome, how=words) for genome, words in made))
        rungs = (1, len(self.folds)) if len(self.folds) > 1 else (1,)
        course = Course(
            space, selection_of(config, (FEATURES,)), Ladder(rungs, ETA), config.seed, lambda genome: "", bred
        )
        self._most_reserved = math.inf if budget is None else MOST_RESERVED * budget
        self.longest = config.max_seconds or (LONGEST if budget is None else SHARE_OF_BUDGET * budget)
        self._keep = save
        self._paces: dict[str, list[float]] = defaultdict(list)  # seconds per fold, by model
        super().__init__(config, folder, engine, course, **how)
        self.most_crashes = max(CRASHES, len(bred))  # a metric may not work with some models

    def individual_of(self, job: Job) -> Genome:
        """Return the genome of a job."""
        return job.bred.genome

    def blank(self, job: Job, individual: Genome) -> Trial:
        """Return what is known about a trial before it runs."""
        return Trial(
            job.number, job.child, job.rung, individual, self.space.expressed(individual), job.bred.parents,
            job.bred.how if not job.rung else "promoted", self.course.ladder.samples[job.rung],
            network=words_of(self.space, individual), predicted=round(self.predicted(job, individual), 3),
        )  # fmt: skip

    @property
    def called(self) -> str:
        """The metric in words."""
        return Scoring(self.task.metric).words

    def shown(self, value: float) -> str:
        """Return a score as text; errors lose the minus sign they have here."""
        return Scoring(self.task.metric).shown(value)

    def told(self, trial: Trial) -> str:
        """Return a short description of a trial."""
        return f"{trial.genome['model']}, {trial.samples} fold{'s' * (trial.samples > 1)}"

    def lesson(self, job: Job, individual: Genome) -> PipelineLesson:
        """Return the lesson of a job, for a worker: the folds of its rung that were not done below."""
        done = () if job.before is None else scores_of(job.before.metrics)
        folds = self.folds[len(done) : self.course.ladder.samples[job.rung]]
        return self.lesson_of(individual, folds, done)

    def lesson_of(
        self, genome: Genome, folds: Sequence[Fold], before: tuple[float, ...] = (), last: bool = False
    ) -> PipelineLesson:
        """Return the lesson of a genome on some folds; its random numbers depend on the genome."""
        seed = hashlib.sha256(f"{self.config.seed} {key_of(self.space, genome)}".encode()).digest()
        return PipelineLesson(self.task, genome, tuple(folds), before, int.from_bytes(seed[:4], "big"), last)

    def predicted(self, job: Job, individual: Genome) -> float:
        """Return how long a job is expected to take, in seconds, from the median time of its model's folds."""
        samples = self.course.ladder.samples
        folds = samples[job.rung] - (samples[job.rung - 1] if job.rung else 0)
        return folds * self.pace(individual["model"])

    def pace(self, model: str) -> float:
        """Return the seconds per fold, for the given model if it has been timed."""
        own = self._paces[model] or [pace for paces in self._paces.values() for pace in paces]
        return statistics.median(own) if own else FIRST_GUESS

    def pace_of(self, genome: Genome) -> float:
        """Return the seconds per fold of a pipeline; those of an ensemble, which tells probabilities, are summed."""
        by_labels = self.task.traits.classes and not Scoring(self.task.metric).by_probabilities
        slower = CALIBRATED if genome["model"] == TOGETHER and by_labels else 1
        return sum(
            self.pace(member["model"]) * (slower if member["model"] == SVM else 1) for member in members_of(genome)
        )

    def patience(self, job: Job, individual: Genome) -> float:
        """Return the seconds that a job may take."""
        return self.longest

    def limits(self, job: Job, individual: Genome) -> Limits:
        """Return the limits of a job."""
        return Limits(self.longest, self.most_bytes)

    @property
    def cut_off(self) -> list[str]:
        """The models of which every trial took too long."""
        statuses: dict[str, set[str]] = defaultdict(set)
        for trial in self.course.trials:
            if not trial.rung:
                statuses[trial.genome["model"]].add(trial.status)
        return [model for model, known in statuses.items() if known == {TIMEOUT}]

    def remember(self, trial: Trial, job: Job, individual: Genome) -> None:
        """Learn from a trial of the record how long a fold takes with its model."""
        if trial.is_ok and trial.pace:
            self._paces[individual["model"]].append(trial.pace)

    def scored(self, trial: Trial, job: Job, individual: Genome, learned: Learned) -> Trial:
        """Return a judged trial with its score, the mean over its folds."""
        self._paces[individual["model"]].append(learned.pace)
        tie = -float(COSTLINESS.index(individual["model"]))
        return dataclasses.replace(trial, score=learned.measures["search"][self.task.metric], tie=tie)

    def reaches(self, trial: Trial, target: float) -> bool:
        """Return whether a trial at the highest rung has reached a target."""
        is_high = trial.rung == len(self.course.ladder.samples) - 1
        return is_high and trial.score >= (-abs(target) if self.task.metric.startswith("neg_") else target)

    def finalists(self) -> list[Trial]:
        """Return the individuals to judge again: the best of the highest rung reached."""
        leaders = self.leaders(FINALISTS)
        return [trial for trial in leaders if trial.rung == leaders[0].rung]

    def save(self, trial: Trial, steps: int | None) -> None:
        """Save the best so far."""
        self._keep(trial)

    def reserve(self) -> float:
        """Return the seconds to reserve for judging the finalists again and fitting the winner: a third at most."""
        genomes = self.judged_again()
        again = self.new_folds * sum(map(self.pace_of, genomes)) / min(self.workers, max(1, len(genomes)))
        last = [self.pace_of(one) * (LAST_OF_NETWORK if one["model"] == NETWORK else LAST) for one in genomes]
        return min(again + max(last, default=0.0) + 1.0, self._most_reserved)

    @property
    def usual(self) -> dict[str, Genome]:
        """The usual pipelines by name, for the models in the search."""
        models = models_of(self.config.models)
        names = [name for name in USUAL if name in models] or models[:1]
        return {f"usual {name}": plain(name, self.space) for name in names}

    @property
    def to_beat(self) -> dict[str, Genome]:
        """What nothing was searched for, by name: the usual pipelines, and their mean."""
        usual = self.usual
        return usual | ({USUAL_MEAN: together(list(usual.values()))} if len(usual) > 1 else {})

    def judged_again(self) -> list[Genome]:
        """Return the genomes of the finalists, the ensemble of the best unlike models, and what they have to beat."""
        statuses = {self.space.key(trial.genome): trial.status for trial in self.course.trials if not trial.is_ok}
        genomes = [*(trial.genome for trial in self.finalists()), *self.together()]
        for genome in self.to_beat.values():
            failed = {statuses[key] for member in members_of(genome) if (key := self.space.key(member)) in statuses}
            if not failed or (genome["model"] != TOGETHER and failed == {TIMEOUT}):
                genomes.append(genome)
        return list({key_of(self.space, genome): genome for genome in genomes}.values())

    def together(self) -> list[Genome]:
        """Return an ensemble of the best pipeline of each of the best scikit-learn models; empty if fewer than two."""
        best: dict[str, Genome] = {}
        highest = len(self.course.ladder.samples) - 1
        for trial in self.leaders(len(self.course.trials)):
            if trial.rung == highest and trial.genome["model"] != NETWORK:
                best.setdefault(trial.genome["model"], trial.genome)
        members = list(best.values())[:MOST_TOGETHER]
        return [together(members)] if len(members) > 1 else []
