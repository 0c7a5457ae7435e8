"""Measures a study: every case for every seed not measured yet, in processes of one thread each.

Seed 0 of all cases comes first, then seed 1: a limited budget gives a smaller study, not half of one. Each result is
saved immediately; a study that is stopped or killed continues where it was.
"""

from __future__ import annotations

import json
import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from genreg_np import engines
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.engines.base import OK
from genreg_np.engines.worker import line_of
from genreg_np.experiments import study as study_called
from genreg_np.experiments.base import Case, Settings
from genreg_np.experiments.record import Record
from genreg_np.settings import usable_processors

Task = tuple[str, Settings, int]  # study, settings, seed


@dataclass(frozen=True)
class Told:
    """The report to a caller when a measurement ends."""

    case: Case
    seed: int
    done: int  # measurements of this call that have ended
    total: int
    seconds: float
    failed: str = ""  # the reason, if it failed


@dataclass(frozen=True)
class Ended:
    """The result of a call."""

    measured: int
    left: int  # not started within the budget
    failed: dict[str, str] = field(default_factory=dict)  # reasons, by case and seed


def measured(task: Task) -> tuple[float, dict[str, Any] | str]:
    """Measure one case for one seed; return seconds, and values or the reason why there are none."""
    name, settings, seed = task
    begun = time.perf_counter()
    try:
        with warnings.catch_warnings(), single_threaded_blas():
            warnings.simplefilter("ignore")  # a study also tries settings that nobody would choose
            values: dict[str, Any] | str = study_called(name).measure(settings, seed)
        json.dumps(values, allow_nan=False)  # values that cannot be saved are a failure
    except Exception as error:  # in one case, which must not stop the others
        values = line_of(error)
    return time.perf_counter() - begun, values


def to_measure(
    record: Record, cases: Sequence[Case], seeds: int | None = None, anew: bool = False
) -> list[tuple[Case, int]]:
    """Return the cases and seeds without a result, seed by seed; with `anew` all of them.

    `seeds` is the number of seeds per case; by default that of the size, and more for some cases.
    """
    wanted = {case.name: seeds or record.size.seeds + case.more_seeds for case in cases}
    return [
        (case, seed)
        for seed in range(max(wanted.values(), default=0))
        for case in cases
        if seed < wanted[case.name] and (anew or not record.known(case, seed))
    ]


def run_study(
    record: Record,
    due: Sequence[tuple[Case, int]],
    *,
    budget: float = math.inf,
    workers: int | None = None,
    told: Callable[[Told], None] = lambda told: None,
    clock: Callable[[], float] = time.monotonic,
) -> Ended:
    """Measure what is due, and save each result immediately.

    Parameters
    ----------
    record : Record
    due : sequence of (Case, int)
        As returned by `to_measure`.
    budget : float
        Seconds after which no further measurement is started.
    workers : int, optional
        Number of processes, by default one per processor; 0: this process alone.
    told : callable
        Called after each measurement.
    clock : callable
        Returns the time in seconds, from any origin.

    Raises
    ------
    UsageError, RunError
        If processes cannot be started, or a result cannot be saved.
    """
    count = usable_processors() if workers is None else workers
    begun, waiting, failed, done = clock(), list(due), {}, 0
    named = {f"{case.name}, seed {seed}": (case, seed) for case, seed in due}
    with engines.create("processes" if count else "serial", measured, max(1, count)) as engine:

        def hand_out() -> None:
            if waiting and clock() - begun < budget:
                case, seed = waiting.pop(0)
                engine.submit(f"{case.name}, seed {seed}", (record.study.name, dict(case.settings), seed))

        for _ in range(max(1, count)):
            hand_out()
        for outcome in engine.completed():
            case, seed = named[str(outcome.name)]
            seconds, values = outcome.value if outcome.status == OK else (0.0, outcome.why)
            if isinstance(values, str):
                failed[str(outcome.name)] = values
            else:
                record.add(case, seed, seconds, values)
            done += 1
            told(Told(case, seed, done, len(due), seconds, failed.get(str(outcome.name), "")))
            hand_out()
    return Ended(done - len(failed), len(waiting), failed)
