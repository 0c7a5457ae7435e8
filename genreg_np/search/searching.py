"""A running search: individuals are bred, judged by workers, and the best promoted, until the time is up.

    breed and promote     course.py        which trial is next: a function of results, not of time
    judge                 lessons/         in separate processes, killed when they exceed their limits
    what is searched for  networks.py      networks with their optimisers
                          pipelines.py     pipelines for tables

Every trial is written to trials.jsonl as soon as it ends, and the best so far is saved, so an interrupted search can
continue.
"""

from __future__ import annotations

import dataclasses
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from genreg_np.backends.base import Told
from genreg_np.engines.base import CANCELLED, CRASH, FAILED, OK, TIMEOUT, Engine, Limits, Outcome
from genreg_np.errors import RunError
from genreg_np.search.config import SearchConfig
from genreg_np.search.course import Course, Job
from genreg_np.search.folder import SearchFolder
from genreg_np.search.lessons.base import Learned
from genreg_np.search.selections import create as create_selection
from genreg_np.search.selections.base import Selection
from genreg_np.search.selections.paired import Paired
from genreg_np.search.standing import standing_of
from genreg_np.search.trials import UNSAVED, Trial, leaders_of

AHEAD = 1  # queued jobs, so that no worker has to wait for one
MOST_BYTES = 4 << 30  # memory limit of an individual
PATIENCE, LEAST_PATIENCE = 20.0, 60.0  # times the prediction, and seconds: a job that takes longer is stuck
BUDGET_PATIENCE = 10.0, 0.1, 10.0  # under a budget at most: times the prediction, share of the budget, and seconds
END_SHARE = 0.5  # the most of a budget that is kept for the end
CRASHES = 3  # in a row, at the start: then the fault is not the individuals'
LATE, LEAST_LATE = 3.0, 10.0  # times the prediction, and seconds, that a job may take after the deadline
I = TypeVar("I")  # noqa: E741 - what a genome stands for


@dataclass(frozen=True)
class Watcher:
    """Callbacks that follow a search; they do nothing by default."""

    on_trial: Callable[[Trial, Search[Any]], None] = lambda trial, search: None  # a trial that has just ended
    on_phase: Callable[[str], None] = lambda phase: None
    on_remark: Callable[[str], None] = lambda remark: None  # about the data
    on_compiling: Told | None = None  # kernels that are not cached: Backend.warm_up


class Search(ABC, Generic[I]):
    """A running search.

    Parameters
    ----------
    config : SearchConfig
    folder : SearchFolder
    engine : Engine
        Runs lessons.base.learn.
    course : Course
        Decides what is bred and judged next.
    workers : int
        How many lessons the engine runs at a time.
    deadline : float
        The clock's time by which everything should have ended; inf without a budget.
    target : float, optional
        The value of the metric at which the search stops.
    watcher : Watcher
    clock : callable
        Returns seconds; must be monotonic.
    """

    def __init__(
        self,
        config: SearchConfig,
        folder: SearchFolder,
        engine: Engine,
        course: Course,
        *,
        workers: int = 1,
        deadline: float = math.inf,
        target: float | None = None,
        watcher: Watcher | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config, self.folder, self.course, self.space = config, folder, course, course.space
        self.workers, self.deadline, self.clock = workers, deadline, clock
        self.ended = ""  # why breeding stopped: generations, budget, target, crashes
        self.best: Trial | None = None
        self._begun = clock()
        self.standing = standing_of(config)  # what trials are compared by
        self.most_crashes, self.most_bytes = CRASHES, MOST_BYTES
        self._last = math.inf  # the number of the first trial that reached the target
        self._over = ""  # why nothing new begins: the budget or the target; the record is still gone through
        self._replayed = 0  # how many children the record has, counted up to its last
        self._recorded: dict[int, Trial] = {}  # trials of the folder that have not been used yet
        self._engine, self._target = engine, target
        self._watcher = watcher or Watcher()
        self._under_way: dict[int, tuple[Job, I]] = {}
        self._hurried: set[int] = set()  # those that may take no longer than the time that is left
        self._new: set[int] = set()  # the trials that this process has recorded
        self._unsaved = False  # whether the best so far was taken from the record
        self._known: dict[tuple[str, int], Trial] = {}  # by genome and rung: never repeated
        self._lost: set[int] = set()  # children that were lost at some rung
        self._crashes = 0

    # What is searched for

    @abstractmethod
    def individual_of(self, job: Job) -> I:
        """Return the individual that a job's genome stands for."""

    @abstractmethod
    def blank(self, job: Job, individual: I) -> Trial:
        """Return what is known about a trial before it runs."""

    @property
    def called(self) -> str:
        """The name of the score, in words."""
        return self.config.metric

    def shown(self, value: float) -> str:
        """Return a score as text, with its usual sign."""
        return f"{value:.4f}"

    @abstractmethod
    def told(self, trial: Trial) -> str:
        """Return a short description of a trial."""

    @abstractmethod
    def lesson(self, job: Job, individual: I) -> Any:
        """Return the lesson of a job, for a worker."""

    @abstractmethod
    def predicted(self, job: Job, individual: I) -> float:
        """Return how long a job is expected to take, in seconds."""

    def patience(self, job: Job, individual: I) -> float:
        """Return the seconds that a job may take, however much time is left: after these it is stuck."""
        return self.config.max_seconds or patience(self.predicted(job, individual), self.deadline - self._begun)

    def limits(self, job: Job, individual: I) -> Limits:
        """Return the limits of a job; under a budget, little more than the time that is left."""
        left = self.time_for(self.predicted(job, individual), self._until)
        return Limits(min(self.patience(job, individual), left), self.most_bytes)

    def time_for(self, predicted: float, until: float) -> float:
        """Return the seconds until a time of the clock, or a little more for what should take `predicted` seconds."""
        return max(until - self.clock(), LATE * predicted, LEAST_LATE)

    @abstractmethod
    def scored(self, trial: Trial, job: Job, individual: I, learned: Learned) -> Trial:
        """Return a judged trial with its score and its tie-breaker."""

    @abstractmethod
    def reaches(self, trial: Trial, target: float) -> bool:
        """Return whether a trial has reached a target."""

    @abstractmethod
    def save(self, trial: Trial, steps: int | None) -> None:
        """Save the best so far; `steps` is the number of steps of its lesson, None if it is from the record."""

    def is_saved(self, trial: Trial) -> bool:
        """Return whether the folder holds a trial of its record as the best so far."""
        return False

    def remember(self, trial: Trial, job: Job, individual: I) -> None:
        """Learn from a trial of the record how long trials take."""

    @abstractmethod
    def reserve(self) -> float:
        """Return the seconds to reserve for the end of the search."""

    # Trials

    def run(self) -> None:
        """Breed and judge until nothing is left to do or the time is up; resume from the folder's trials."""
        recorded = self.folder.read_trials(self.space, self.tell)
        self._recorded = {trial.number: trial for trial in recorded}
        self._replayed = 1 + max((trial.child for trial in recorded), default=-1)
        is_reached = any(map(self._is_on_target, recorded))
        if not self.folder.ends_at(self._target, is_reached) and is_reached:
            self._over = "target"  # reached by a search that went on: all of its trials count
        self._remark_idle()
        self._fill()
        for outcome in self._engine.completed():
            self._took(outcome)
            self._fill()
        if self._last < math.inf:
            self.ended = "target"
            self.folder.forget(self.space, {number for number in self._new if number > self._last})
        self.ended = self.ended or "generations"

    def _remark_idle(self) -> None:
        """Say so if there are more workers than the selection can use."""
        busy, children, population = self.course.at_once(self.workers), self.config.children, self.config.population
        if not self._over and busy < self.workers and (children is None or children > population):
            self.tell(
                f"--selection {self.config.selection} with a --population of {population} keeps about {busy} of "
                f"{self.workers} workers busy: give fewer --workers, or --selection crossover with a --population of "
                f"{self.workers} or more"
            )

    def _fill(self) -> None:
        """Hand out jobs until every worker has one and one is queued."""
        while not self.ended and len(self._under_way) < self.workers + AHEAD:
            if not self._recorded:  # else each job is held to it as it begins
                self._has_time()
            job = next(self.course.jobs(self._children()), None)
            if job is not None and job.number < self._last:
                self._begin(job)
            if self._over and (job is None or not self._recorded):
                self.ended = self._over
            if job is None:
                break
        if self._unsaved and self.best is not None:  # a process may stop between recording a trial and saving it
            self._unsaved = False
            if not self.is_saved(self.best):
                self.save(self.best, None)
        if self.ended:  # withdraw jobs that have not started
            for number in list(self._under_way):
                self._engine.withdraw(number)

    def _children(self) -> int:
        """Return how many individuals to breed at most.

        Once the target is reached, these are those before it; once nothing new may begin, those of the record.
        """
        children = 1 << 40 if self.config.children is None else self.config.children
        if self._over:
            return min(children, self._replayed)
        if self._last == math.inf:
            return children
        bred = len(self.course.bred)
        while bred < children and self.course.ladder.number(0, bred) < self._last:
            bred += 1
        return bred

    def _begin(self, job: Job) -> None:
        individual = self.individual_of(job)
        key = self.space.key(job.bred.genome)
        twin = self._known.get((key, job.rung))
        known = self._recorded.pop(job.number, None)
        blank = self.blank(job, individual)
        if known is not None and (self.space.key(known.genome), known.samples) == (key, blank.samples):
            self.remember(known, job, individual)
            self._judged(known, is_new=False)
        elif twin is not None:
            self._judged(dataclasses.replace(blank, **_found(twin), cached=True, seconds=0.0))
        elif job.before is not None and not job.before.is_ok:
            why = f"not tried: {job.before.status} at the rung below"
            self._judged(dataclasses.replace(blank, status=job.before.status, why=why))
        elif self._has_time(self.predicted(job, individual), is_last=not job.rung):
            limits = self.limits(job, individual)
            if limits.seconds < self.patience(job, individual):
                self._hurried.add(job.number)
            self._under_way[job.number] = job, individual
            self._engine.submit(job.number, self.lesson(job, individual), limits)

    def _took(self, outcome: Outcome) -> None:
        """Take the outcome of a job."""
        assert isinstance(outcome.name, int)
        job, individual = self._under_way.pop(outcome.name)
        if outcome.status == CANCELLED:
            return
        if outcome.status == TIMEOUT and job.number in self._hurried:  # not its fault: it is tried again with more time
            self._over = self._over or "budget"
            return
        trial = self.blank(job, individual)
        if outcome.status != OK:
            trial = dataclasses.replace(trial, status=outcome.status, why=outcome.why)
        else:
            learned: Learned = outcome.value
            if learned.status == UNSAVED:  # not recorded, so that it is tried again once there is room
                raise RunError(f"{self.folder.path}: {learned.why}")
            trial = dataclasses.replace(
                trial, status=learned.status, why=learned.why, seconds=learned.seconds, pace=learned.pace,
                metrics=learned.measures.get("search", {}),
            )  # fmt: skip
            if trial.is_ok:
                trial = self.scored(trial, job, individual, learned)
        self._judged(trial, steps=outcome.value.steps if trial.is_ok else 0)

    def _judged(self, trial: Trial, is_new: bool = True, steps: int = 0) -> None:
        self.course.judged(trial)
        self._known[self.space.key(trial.genome), trial.rung] = trial
        if is_new:
            self.folder.record(trial)
            self._new.add(trial.number)
        self._crashes = self._crashes + 1 if trial.status in (CRASH, FAILED) else 0
        if trial.is_lost:
            self._lost.add(trial.child)
            if self.best is not None and trial.child == self.best.child:
                self.best, self._unsaved = self.leaders(1)[0], True
        elif trial.is_ok and self.is_best(trial):
            self.best, self._unsaved = trial, not is_new
            if is_new:
                self.save(trial, steps)
        if self._over != "target" and self._is_on_target(trial):
            self._last = min(self._last, trial.number)
        if self._crashes >= self.most_crashes and self.best is None:
            self.ended = "crashes"
        if is_new:
            self._watcher.on_trial(trial, self)
        for number in list(self._under_way):
            if number > self._last or self.ended == "crashes":
                self._engine.cancel(number)

    def _is_on_target(self, trial: Trial) -> bool:
        return trial.is_ok and self._target is not None and self.reaches(trial, self._target)

    @property
    def running(self) -> int:
        """How many individuals are being judged."""
        return min(self.workers, len(self._under_way))

    def is_best(self, trial: Trial) -> bool:
        """Return whether a trial is better than the best so far; any is if that was lost at a higher rung."""
        if self.best is None or self.best.child in self._lost:
            return True
        return self.standing(trial) > self.standing(self.best)

    def leaders(self, count: int) -> list[Trial]:
        """Return the best individuals so far, best first."""
        return leaders_of(self.trials, self.standing)[:count]

    @property
    def trials(self) -> list[Trial]:
        """All trials by number, up to the first that reached the target.

        So the result does not depend on what else was running at that moment.
        """
        return [trial for trial in self.course.trials if trial.number <= self._last]

    def tell(self, remark: str) -> None:
        """Pass a remark to the watcher."""
        self._watcher.on_remark(remark)

    def _has_time(self, seconds: float = 0.0, is_last: bool = True) -> bool:
        """Return whether there is time for the end, and `seconds` before it; without, nothing begins if `is_last`.

        There always is at the start. The prediction for a job stops nothing in the first half of the time, when little
        is known about how long jobs take; a promotion that an earlier budget left out is held to it all the same.
        """
        if self._over:
            return False
        if self.deadline == math.inf or not self.course.trials:
            return True
        now, until = self.clock(), self._until
        is_early = now < (self._begun + until) / 2
        if now + seconds < until or (is_early and (is_last or not self._replayed)):
            return True
        if is_last or now >= until:
            self._over = "budget"
        return False

    @property
    def _until(self) -> float:
        """The clock's time at which judging should stop, so that there is time for the end."""
        if self.deadline == math.inf or not self.course.trials:
            return self.deadline
        return self.deadline - min(self.reserve(), END_SHARE * (self.deadline - self._begun))


def selection_of(config: SearchConfig, policy: tuple[str, ...]) -> Selection:
    """Return the configured selection, of one population or of two; `policy` names the second's blocks."""
    inner = create_selection(config.selection, config.population)
    if config.augmentation != "evolved":
        return inner
    return Paired(inner, create_selection(config.selection, config.population), policy)


def patience(predicted: float, budget: float = math.inf) -> float:
    """Return the seconds after which what should take `predicted` seconds is stuck; fewer under a short budget.

    A selection may wait for it, and nothing else is bred then.
    """
    times, share, least = BUDGET_PATIENCE
    return min(LEAST_PATIENCE + PATIENCE * predicted, max(times * predicted, share * budget, least))


def _found(trial: Trial) -> dict[str, Any]:
    """Return the results of a trial, for an individual with an equal genome."""
    return {name: getattr(trial, name) for name in ("score", "tie", "metrics", "select", "status", "why")}
