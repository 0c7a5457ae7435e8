"""A search under way: individuals are bred, judged in workers, and the best goes on, until there is no more time.

    breed and promote     course.py        which trial is next: a function of results, not of time
    judge                 lessons/         in processes of their own, killed past their limits
    what is searched for  networks.py      networks with their optimisers
                          pipelines.py     what is done with tables

Every trial is a line of trials.jsonl as soon as it has ended, and the best so far is saved: whatever ends the process,
a search goes on from there.
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
from genreg_np.engines.base import CANCELLED, CRASH, FAILED, OK, Engine, Limits, Outcome
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

AHEAD = 1  # jobs that wait for a worker, so that none waits for a job
MOST_BYTES = 4 << 30  # an individual may take
PATIENCE, LEAST_PATIENCE = 20.0, 60.0  # of what is predicted, and seconds: longer than that is not learning
END_SHARE = 0.5  # of a budget is kept for the end, at most
CRASHES = 3  # one after the other, at the start: something is wrong that is no individual's
LATE, LEAST_LATE = 3.0, 10.0  # times what is predicted, and seconds, that a job may take though the time is over
I = TypeVar("I")  # noqa: E741 - what a genome stands for


@dataclass(frozen=True)
class Watcher:
    """What is told of a search; by default nothing."""

    on_trial: Callable[[Trial, Search[Any]], None] = lambda trial, search: None  # one that has just ended
    on_phase: Callable[[str], None] = lambda phase: None
    on_remark: Callable[[str], None] = lambda remark: None  # on the data
    on_compiling: Told | None = None  # kernels that no cache has: Backend.warm_up


class Search(ABC, Generic[I]):
    """A search under way.

    Parameters
    ----------
    config : SearchConfig
    folder : SearchFolder
    engine : Engine
        Runs lessons.base.learn.
    course : Course
        Who is bred and judged next.
    workers : int
        How many lessons the engine does at once.
    deadline : float
        When the last of it shall have ended, by the clock; inf without a budget.
    target : float, optional
        A value of the metric with which it is done.
    watcher : Watcher
    clock : callable
        Seconds, which never go back.
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
        self.ended = ""  # why no more are bred: generations, budget, target, crashes
        self.best: Trial | None = None
        self._begun = clock()
        self.standing = standing_of(config)  # what trials are compared by
        self.most_crashes = CRASHES
        self._last = math.inf  # the number of the first trial that reached the target
        self._recorded: dict[int, Trial] = {}  # what the folder has and has not been gone through yet
        self._engine, self._target = engine, target
        self._watcher = watcher or Watcher()
        self._under_way: dict[int, tuple[Job, I]] = {}
        self._known: dict[tuple[str, int], Trial] = {}  # by genome and rung: what never is done twice
        self._crashes = 0

    # What is searched for

    @abstractmethod
    def individual_of(self, job: Job) -> I:
        """Return what the genome of a job stands for."""

    @abstractmethod
    def blank(self, job: Job, individual: I) -> Trial:
        """Return what is known of a trial before it is done."""

    @property
    def called(self) -> str:
        """What individuals are measured by, in words."""
        return self.config.metric

    def shown(self, value: float) -> str:
        """Return a value of it as people know it."""
        return f"{value:.4f}"

    @abstractmethod
    def told(self, trial: Trial) -> str:
        """Return in a few words what a trial was."""

    @abstractmethod
    def lesson(self, job: Job, individual: I) -> Any:
        """Return what a worker is told."""

    @abstractmethod
    def predicted(self, job: Job, individual: I) -> float:
        """Return how long a job will take, in seconds."""

    def limits(self, job: Job, individual: I) -> Limits:
        """Return what a job may take at most: of a search under a budget little more than there is time for."""
        predicted = self.predicted(job, individual)
        seconds = self.config.max_seconds or LEAST_PATIENCE + PATIENCE * predicted
        left = max(self._until - self.clock(), LATE * predicted, LEAST_LATE)
        return Limits(min(seconds, left), MOST_BYTES)

    @abstractmethod
    def scored(self, trial: Trial, job: Job, individual: I, learned: Learned) -> Trial:
        """Return a trial that was judged, with its score and what decides between equals."""

    @abstractmethod
    def reaches(self, trial: Trial, target: float) -> bool:
        """Whether a trial has reached a target."""

    @abstractmethod
    def save(self, trial: Trial, steps: int) -> None:
        """Save the best so far; `steps` are those of its lesson."""

    @abstractmethod
    def reserve(self) -> float:
        """Return the seconds that the end will take."""

    # Trials

    def run(self) -> None:
        """Breed and judge until there is no more to do or no more time; go on from what the folder has."""
        self._recorded = {trial.number: trial for trial in self.folder.read_trials(self.space)}
        self._fill()
        for outcome in self._engine.completed():
            self._took(outcome)
            self._fill()
        if self._last < math.inf:
            self.ended = "target"
        self.ended = self.ended or "generations"

    def _fill(self) -> None:
        """Hand out jobs until all workers have one, and one waits."""
        while not self.ended and len(self._under_way) < self.workers + AHEAD:
            job = next(self.course.jobs(self._children() if self._has_time() else 0), None)
            if job is None:
                break
            if job.number < self._last:
                self._begin(job)
        if self.ended:  # whoever has not begun will not
            for number in list(self._under_way):
                self._engine.withdraw(number)

    def _children(self) -> int:
        """Return how many individuals are bred at most: once the target was reached, those before."""
        children = 1 << 40 if self.config.children is None else self.config.children
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
        if known is not None and self.space.key(known.genome) == key:
            self._judged(known, is_new=False)
        elif twin is not None:
            self._judged(dataclasses.replace(self.blank(job, individual), **_found(twin), cached=True, seconds=0.0))
        elif job.before is not None and not job.before.is_ok:
            why = f"not tried: {job.before.status} at the rung below"
            self._judged(dataclasses.replace(self.blank(job, individual), status=job.before.status, why=why))
        elif self._has_time(self.predicted(job, individual)):
            self._under_way[job.number] = job, individual
            self._engine.submit(job.number, self.lesson(job, individual), self.limits(job, individual))

    def _took(self, outcome: Outcome) -> None:
        """Take what came of a job."""
        assert isinstance(outcome.name, int)
        job, individual = self._under_way.pop(outcome.name)
        if outcome.status == CANCELLED:
            return
        trial = self.blank(job, individual)
        if outcome.status != OK:
            trial = dataclasses.replace(trial, status=outcome.status, why=outcome.why)
        else:
            learned: Learned = outcome.value
            if learned.status == UNSAVED:  # not recorded: when there is room again, it is tried again
                raise RunError(f"{self.folder.path}: {learned.why}: make room, and go on with --resume")
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
        self._crashes = self._crashes + 1 if trial.status in (CRASH, FAILED) else 0
        if trial.is_ok and self.is_best(trial):
            self.best = trial
            if is_new:
                self.save(trial, steps)
        if trial.is_ok and self._target is not None and self.reaches(trial, self._target):
            self._last = min(self._last, trial.number)
        if self._crashes >= self.most_crashes and self.best is None:
            self.ended = "crashes"
        if is_new:
            self._watcher.on_trial(trial, self)
        for number in list(self._under_way):
            if number > self._last or self.ended == "crashes":
                self._engine.cancel(number)

    @property
    def running(self) -> int:
        """How many individuals are being judged."""
        return min(self.workers, len(self._under_way))

    def is_best(self, trial: Trial) -> bool:
        """Whether a trial is better than the best so far."""
        return self.best is None or self.standing(trial) > self.standing(self.best)

    def leaders(self, count: int) -> list[Trial]:
        """Return the best individuals so far, the best first: of those up to the first one that reached the target.

        So it does not matter who else was under way then.
        """
        trials = [trial for trial in self.course.trials if trial.number <= self._last]
        return leaders_of(trials, self.standing)[:count]

    def tell(self, remark: str) -> None:
        """Tell whoever watches."""
        self._watcher.on_remark(remark)

    def _has_time(self, seconds: float = 0.0) -> bool:
        """Whether there is time for the end, and so many seconds before it.

        At the start there always is, and for what the folder has; and what is predicted for a job ends nothing in the
        first half of the time, when little is known yet of what jobs take.
        """
        if self.deadline == math.inf or not self.course.trials or self._recorded:
            return True
        now, until = self.clock(), self._until
        if now + seconds < until or now < (self._begun + until) / 2:
            return True
        self.ended = "budget"
        return False

    @property
    def _until(self) -> float:
        """When individuals shall have been judged, by the clock, so that there is time for the end."""
        if self.deadline == math.inf or not self.course.trials:
            return self.deadline
        return self.deadline - min(self.reserve(), END_SHARE * (self.deadline - self._begun))


def selection_of(config: SearchConfig, policy: tuple[str, ...]) -> Selection:
    """Return the selection that a configuration asks for, of one population or of two; `policy` is the second's."""
    inner = create_selection(config.selection, config.population)
    if config.augmentation != "evolved":
        return inner
    return Paired(inner, create_selection(config.selection, config.population), policy)


def _found(trial: Trial) -> dict[str, Any]:
    """Return what an individual was found to be, for one that is equal."""
    return {name: getattr(trial, name) for name in ("score", "tie", "metrics", "select", "status", "why")}
