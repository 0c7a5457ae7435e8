"""A search for an image classifier: individuals are bred, learn in workers, are judged, and the best learns anew.

    breed and promote     course.py        which trial is next: a function of results, not of time
    learn                 lessons/         in processes of their own, killed past their limits
    choose                here             the best of the highest rung, by a split that nobody was selected by
    train                 images.py        the winner from scratch, on everything but the test split

Every trial is a line of trials.jsonl as soon as it has ended, and the best so far a model file: whatever ends the
process, a search goes on from there.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from genreg_np.backends.base import Told
from genreg_np.data.dataset import Dataset
from genreg_np.engines.base import CANCELLED, CRASH, FAILED, OK, Engine, Limits, Outcome
from genreg_np.model import Model
from genreg_np.search.config import SearchConfig
from genreg_np.search.cost import Cost
from genreg_np.search.course import Course, Job
from genreg_np.search.folder import SearchFolder
from genreg_np.search.genes import Genome
from genreg_np.search.kinds.base import Individual, Kind
from genreg_np.search.lessons.base import Learned, Lesson, Part
from genreg_np.search.metrics import Goal
from genreg_np.search.pareto import by_levels
from genreg_np.search.selections import create as create_selection
from genreg_np.search.selections.base import Bred, Selection
from genreg_np.search.selections.paired import Paired
from genreg_np.search.trials import Trial

AHEAD = 1  # jobs that wait for a worker, so that none waits for a job
MOST_BYTES = 4 << 30  # an individual may take
PATIENCE, LEAST_PATIENCE = 20.0, 60.0  # of what is predicted, and seconds: longer than that is not learning
SPARED = 1.1  # of what the end is predicted to take
END_SHARE = 0.5  # of a budget is kept for the end, at most
FINALISTS = 3  # individuals that the select split chooses among
CRASHES = 3  # one after the other, at the start: something is wrong that is no individual's


@dataclass(frozen=True)
class Watcher:
    """What is told of a search; by default nothing."""

    on_trial: Callable[[Trial, Search], None] = lambda trial, search: None  # one that has just ended
    on_phase: Callable[[str], None] = lambda phase: None
    on_remark: Callable[[str], None] = lambda remark: None  # on the data
    on_compiling: Told | None = None  # kernels that no cache has: Backend.warm_up


class Search:
    """A search under way.

    Parameters
    ----------
    config : SearchConfig
    dataset : Dataset
    parts : mapping of str to Part
        Its parts, as sharing.py wrote them.
    folder : SearchFolder
    engine : Engine
        Runs lessons.base.learn.
    kind : Kind
        What is searched for, prepared.
    workers : int
        How many lessons it does at once.
    backend : str
    deadline : float
        When the last of it shall have ended, by the clock; inf without a budget.
    target : float, optional
        A value of the metric on the search split with which it is done.
    watcher : Watcher
    clock : callable
        Seconds, which never go back.
    """

    def __init__(
        self,
        config: SearchConfig,
        dataset: Dataset,
        parts: Mapping[str, Part],
        folder: SearchFolder,
        engine: Engine,
        kind: Kind,
        *,
        workers: int = 1,
        backend: str = "numba",
        deadline: float = math.inf,
        target: float | None = None,
        watcher: Watcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.dataset, self.parts, self.folder = config, dataset, parts, folder
        self.workers, self.deadline, self.clock = workers, deadline, clock
        self._begun = clock()
        self._most_for_end = END_SHARE * (deadline - self._begun)
        self.cost = Cost()
        self.ended = ""  # why no more are bred: generations, budget, target, crashes
        self._engine, self._backend, self._target = engine, backend, target
        self._watcher = watcher or Watcher()
        self.kind = kind
        self.space = self.kind.space
        self._goal = Goal.of(config.metric, config.weights, dataset.class_names, self.kind.metrics)
        images, self._whole = (len(parts[name].read()[1]) for name in ("train", kind.retrained))
        self._folds = config.folds_for(images) if "search" not in parts else 0
        first = [Bred(genome, how="given") for genome in kind.given()]
        if config.begin == "hand-made":
            names = itertools.chain(["the default network"], itertools.repeat("made by hand"))
            first += [Bred(genome, how=name) for genome, name in zip(kind.beginnings(), names, strict=False)]
        ranked = {"ranked": by_levels(config.second)} if config.second else {}
        selection, ladder = selection_of(config, kind.policy), config.ladder(images, kind.is_validated_by_folds)
        self.course = Course(self.space, selection, ladder, config.seed, kind.fault_of, tuple(first), **ranked)
        self._under_way: dict[int, tuple[Job, Individual]] = {}
        self._known: dict[tuple[str, int], Trial] = {}  # by genome and rung: what never is done twice
        self._crashes = 0
        self.best: Trial | None = None

    # Trials

    def run(self) -> None:
        """Breed and judge until there is no more to do or no more time; go on from what the folder has."""
        recorded = {trial.number: trial for trial in self.folder.read_trials(self.space)}
        self._fill(recorded)
        for outcome in self._engine.completed():
            self._took(outcome)
            self._fill(recorded)
        self.ended = self.ended or "generations"

    def _fill(self, recorded: Mapping[int, Trial]) -> None:
        """Hand out jobs until all workers have one, and one waits."""
        while not self.ended and len(self._under_way) < self.workers + AHEAD:
            children = self.config.children if self._has_time() else 0
            job = next(self.course.jobs(1 << 40 if children is None else children), None)
            if job is None:
                return
            self._begin(job, recorded)

    def _begin(self, job: Job, recorded: Mapping[int, Trial]) -> None:
        individual = self.kind.individual_of(job.bred.genome)
        key = self.space.key(job.bred.genome)
        twin = self._known.get((key, job.rung))
        if (known := recorded.get(job.number)) is not None and self.space.key(known.genome) == key:
            self._judged(known, is_new=False)
        elif twin is not None:
            self._judged(dataclasses.replace(self._trial(job, individual), **_found(twin), cached=True, seconds=0.0))
        elif job.before is not None and not job.before.is_ok:
            why = f"not tried: {job.before.status} at the rung below"
            self._judged(dataclasses.replace(self._trial(job, individual), status=job.before.status, why=why))
        elif self._has_time(self.predicted(job, individual)):
            self._under_way[job.number] = job, individual
            seconds = self.config.max_seconds or LEAST_PATIENCE + PATIENCE * self.predicted(job, individual)
            self._engine.submit(job.number, self._lesson(job, individual), Limits(seconds, MOST_BYTES))

    def _took(self, outcome: Outcome) -> None:
        """Take what came of a job."""
        assert isinstance(outcome.name, int)
        job, individual = self._under_way.pop(outcome.name)
        if outcome.status == CANCELLED:
            return
        trial = self._trial(job, individual)
        if outcome.status != OK:
            trial = dataclasses.replace(trial, status=outcome.status, why=outcome.why)
        else:
            learned: Learned = outcome.value
            trial = dataclasses.replace(
                trial, status=learned.status, why=learned.why, seconds=learned.seconds, pace=learned.pace,
                metrics=learned.measures.get("search", {}),
            )  # fmt: skip
            if trial.is_ok:
                self.cost.took(self._work(job, individual), learned.seconds)
                measures = learned.measures["search"]
                score = self._goal.score(measures, individual.parameters, individual.macs)
                trial = dataclasses.replace(
                    trial, score=score, tie=-measures[self.kind.tie],
                    select=learned.measures.get("select", {}),
                )  # fmt: skip
        self._judged(trial, steps=outcome.value.steps if trial.is_ok else 0)

    def _judged(self, trial: Trial, is_new: bool = True, steps: int = 0) -> None:
        self.course.judged(trial)
        self._known[self.space.key(trial.genome), trial.rung] = trial
        if is_new:
            self.folder.record(trial)
        self._crashes = self._crashes + 1 if trial.status in (CRASH, FAILED) else 0
        if trial.is_ok and self._is_best(trial):
            self.best = trial
            if is_new:
                self._save(trial, steps)
            if self._target is not None and self._goal.metric.reaches(trial.metrics, self._target):
                self.ended = "target"
        if self._crashes >= CRASHES and self.best is None:
            self.ended = "crashes"
        if is_new:
            self._watcher.on_trial(trial, self)
        if self.ended in ("target", "crashes"):
            for number in list(self._under_way):
                self._engine.cancel(number)

    def _is_best(self, trial: Trial) -> bool:
        return self.best is None or trial.rank > self.best.rank

    def _trial(self, job: Job, individual: Individual) -> Trial:
        """Return what is known of a trial before it is done."""
        genome = job.bred.genome
        return Trial(
            job.number, job.child, job.rung, genome, self.space.expressed(genome), job.bred.parents,
            job.bred.how if not job.rung else "promoted", self.course.ladder.samples[job.rung],
            network=self.kind.answering(genome), parameters=individual.parameters, macs=individual.macs,
            predicted=round(self.predicted(job, individual), 3),
        )  # fmt: skip

    def _lesson(self, job: Job, individual: Individual) -> Lesson:
        judged = ("search", "select") if job.rung or len(self.course.ladder.samples) == 1 else ("search",)
        return self.lesson_of(
            job.bred.genome, individual, self.course.ladder.samples[: job.rung + 1], "train", judged, "",
        )  # fmt: skip

    def lesson_of(
        self, genome: Mapping[str, Any], individual: Individual, rungs: tuple[int, ...], train: str,
        judged: tuple[str, ...], salt: str,
    ) -> Lesson:  # fmt: skip
        """Return what a worker is told: an individual, what it learns from and is judged on; `salt` is in its seed."""
        key = self.space.key(genome)
        seed = hashlib.sha256(f"{self.config.seed} {key} {salt}".encode()).digest()
        files = tuple(str(self.folder.states / f"{key}{salt and '-'}{salt}-{rung}.npz") for rung in range(len(rungs)))
        return self.kind.lesson(
            genome, individual, 0 if salt else self._folds,
            seed=int.from_bytes(seed[:8], "big"), rungs=rungs, train=self.parts[train],
            judged={name: self.parts.get(name, self.parts[train]) for name in judged},
            states=files, backend=self._backend,
        )  # fmt: skip

    def _save(self, trial: Trial, steps: int) -> None:
        """Make the best so far the folder's model: of cross-validation, what learned from all but the first fold."""
        individual = self.kind.individual_of(trial.genome)
        lesson = self._lesson(Job(trial.number, trial.rung, 0, trial.child, Bred(trial.genome)), individual)
        if (model := self.model_of(lesson, steps, {"trial": trial.number, "search": dict(trial.metrics)})) is not None:
            self.folder.reopened()
            for name, one in {self.kind.file: model, **self.kind.pieces(model)}.items():
                self.folder.save(name, one)

    def model_of(self, lesson: Lesson, steps: int, told: Mapping[str, Any]) -> Model | None:
        """Return what an individual knows after so many steps of a lesson as a model; None where its state is gone."""
        if (finished := lesson.finished(steps)) is None:
            return None
        training: dict[str, Any] = {
            "method": "search", "seed": self.config.seed, "samples": lesson.rungs[-1], **lesson.described(), **told,
        }  # fmt: skip
        training["config"] |= {"dataset": self.dataset.name}
        return self.kind.model(*finished, self.dataset, training)

    def tell(self, remark: str) -> None:
        """Tell whoever watches."""
        self._watcher.on_remark(remark)

    # Time

    def _work(self, job: Job, individual: Individual) -> tuple[float, float, float]:
        return individual.work(self._new_samples(job.rung))

    def _new_samples(self, rung: int) -> int:
        """Return how many samples a trial of a rung learns from, over all folds where there are any."""
        samples = self.course.ladder.samples
        times = self._folds * self.config.repeats * (2 if rung else 1) if self._folds else 1
        return (samples[rung] - (samples[rung - 1] if rung else 0)) * times

    def predicted(self, job: Job, individual: Individual) -> float:
        """Return how long a job will take, in seconds."""
        return self.cost.seconds(self._work(job, individual))

    def finals(self, genome: Genome, winner: Trial | None) -> tuple[int, int]:
        """Return how many samples a network learns from in the end, and how many times: as there is time for.

        Parameters
        ----------
        genome : Genome
        winner : Trial or None
            Where it was judged; None of the default network.
        """
        most, seeds = self._most_samples, self.config.final_seeds
        if self.deadline == math.inf:
            return most, seeds
        pace, time_left = self._pace(genome, winner), (self.deadline - self.clock()) / SPARED
        least = winner.samples if winner else self.course.ladder.samples[0]
        seeds = min(seeds, max(1, self.workers * int(time_left / (least * pace))))
        affordable = time_left / (-(-seeds // self.workers) * pace)
        return int(min(most, max(affordable, least))), seeds

    @property
    def _most_samples(self) -> int:
        top = self.course.ladder.samples[-1]
        return max(self.config.final_epochs * self._whole or self.kind.longest * top, top)

    def _pace(self, genome: Genome, trial: Trial | None) -> float:
        """Return the seconds that an individual takes for a sample, by its own trial where it has one."""
        if trial is not None and (trial.pace or trial.seconds):
            return trial.pace or trial.seconds / self._new_samples(trial.rung)
        return self.cost.seconds(self.kind.individual_of(genome).work(1))

    def _reserve(self) -> float:
        """Return the seconds that are kept for the end, whoever of the leaders wins."""
        leaders = self.course.leaders(FINALISTS)
        rounds = -(-self.config.final_seeds // self.workers)
        end = max((rounds * self._most_samples * self._pace(trial.genome, trial) for trial in leaders), default=0.0)
        return min(SPARED * end, self._most_for_end)

    def _has_time(self, seconds: float = 0.0) -> bool:
        """Whether there is time for the end, and so many seconds before it.

        At the start there always is; and what is predicted for a job ends nothing in the first half of the time, when
        little is known yet of what jobs take.
        """
        if self.deadline == math.inf or not self.course.trials:
            return True
        now, until = self.clock(), self.deadline - self._reserve()
        if now + seconds < until or now < (self._begun + until) / 2:
            return True
        self.ended = "budget"
        return False

    # The end

    def finalists(self) -> list[Trial]:
        """Return the best individuals, in the order in which the select split has them: the first one wins."""
        finalists = self.course.leaders(FINALISTS)
        if not all(trial.select for trial in finalists):
            return finalists
        return sorted(
            finalists,
            key=lambda trial: (
                -self._goal.score(trial.select, trial.parameters, trial.macs),
                trial.select[self.kind.tie],
                trial.number,
            ),
        )


def selection_of(config: SearchConfig, policy: tuple[str, ...]) -> Selection:
    """Return the selection that a configuration asks for, of one population or of two; `policy` is the second's."""
    inner = create_selection(config.selection, config.population)
    if config.augmentation != "evolved":
        return inner
    return Paired(inner, create_selection(config.selection, config.population), policy)


def _found(trial: Trial) -> dict[str, Any]:
    """Return what an individual was found to be, for one that is equal."""
    return {name: getattr(trial, name) for name in ("score", "tie", "metrics", "select", "status", "why")}
