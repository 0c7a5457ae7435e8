"""A trial: one individual judged at one rung, with everything known about it; a line of trials.jsonl."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from genreg_np.engines.base import OK

REMOVED = "removed"  # a pair that was stopped early: gan/health.py
UNSAVED = "unsaved"  # of a lesson, never of a trial: its state could not be written
DIVERGED = "diverged"  # in addition to the engines' statuses: the loss or the weights stopped being finite


@dataclass(frozen=True)
class Trial:
    """An individual judged at a rung.

    Parameters
    ----------
    number : int
        Its index among all trials of the search.
    child : int
        The individual: the child-th that was bred.
    rung : int
    genome : mapping
        All its genes.
    expressed : mapping
        The genes that are expressed.
    parents : tuple of int
        The children that were its parents.
    how : str
        How it was bred, such as "mutated: filters_2".
    samples : int
        The number of samples it had learned from when it was judged.
    score : float
        By the chosen metric, higher is better; -inf if the trial failed.
    tie : float
        The tie-breaker between equal scores: minus the log loss, or another loss.
    metrics : mapping
        All measures on the search split.
    select : mapping
        The same measures on the split that chooses among finalists; not used before.
    network : str
        The network in words.
    parameters, macs : int
        Weights and biases, and multiply-adds per image.
    seconds, predicted : float
        The time it took at this rung, and the predicted time.
    pace : float
        Seconds per sample learned from, without one-off delays; 0 if unknown.
    cached : bool
        Whether the result was copied from an earlier individual with an equal genome.
    status : str
        ok, diverged, removed, timeout, memory, crash, failed.
    why : str
        Why it ended, in a line.
    """

    number: int
    child: int
    rung: int
    genome: Mapping[str, Any]
    expressed: Mapping[str, Any]
    parents: tuple[int, ...] = ()
    how: str = ""
    samples: int = 0
    score: float = -math.inf
    tie: float = -math.inf
    metrics: Mapping[str, float] = field(default_factory=dict)
    select: Mapping[str, float] = field(default_factory=dict)
    network: str = ""
    parameters: int = 0
    macs: int = 0
    seconds: float = 0.0
    predicted: float = 0.0
    pace: float = 0.0
    cached: bool = False
    status: str = OK
    why: str = ""

    @property
    def is_ok(self) -> bool:
        """Whether the trial was judged."""
        return self.status == OK

    @property
    def is_lost(self) -> bool:
        """Whether the individual came to nothing at this rung: it diverged, or was removed."""
        return self.status in (DIVERGED, REMOVED)

    @property
    def rank(self) -> tuple[float, float, float, int]:
        """The key that orders trials of one rung, higher is better; among equals the first ranks higher.

        Pairs that break rules come after all others, whatever they are selected by.
        """
        broken = self.metrics.get("violations", 0.0) if self.is_ok else math.inf
        return -broken, self.score, self.tie, -self.number

    def line(self) -> str:
        """Return the trial as a line of JSON; non-finite numbers become null."""
        values = dataclasses.asdict(self)
        return json.dumps({name: _plain(value) for name, value in values.items()}) + "\n"

    @classmethod
    def read(cls, line: bytes | str) -> Trial | None:
        """Return what `line` wrote; None for anything else."""
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            return None
        kinds = {item.name: kind for item, kind in zip(dataclasses.fields(cls), _KINDS.values(), strict=True)}
        if not isinstance(values, dict) or values.keys() != kinds.keys():
            return None
        for name in ("score", "tie"):
            values[name] = -math.inf if values[name] is None else values[name]
        if not all(_is(values[name], kind) for name, kind in kinds.items()):
            return None
        parents = values.pop("parents")
        return cls(parents=tuple(parents), **values)


Standing = Callable[[Trial], tuple[float, ...]]  # the key that ranks trials, higher is better


def leaders_of(trials: Iterable[Trial], standing: Standing = lambda trial: trial.rank) -> list[Trial]:
    """Return the judged individuals, each at the highest rung it reached, best first.

    Those that were lost at a higher rung are left out, unless all were.
    """
    highest: dict[int, Trial] = {}
    lost: set[int] = set()
    for trial in trials:
        if trial.is_lost:
            lost.add(trial.child)
        if trial.is_ok and (trial.child not in highest or trial.rung > highest[trial.child].rung):
            highest[trial.child] = trial
    found = [trial for child, trial in highest.items() if child not in lost] or highest.values()
    return sorted(found, key=standing, reverse=True)


_KINDS = {item.name: typing.get_type_hints(Trial)[item.name] for item in dataclasses.fields(Trial)}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is(value: Any, kind: Any) -> bool:
    """Return whether a JSON value is valid for a field."""
    if kind is int:
        return type(value) is int and 0 <= value < 1 << 60
    if kind is float:
        return type(value) in (int, float) and bool(-1e300 < value < 1e300 or value == -math.inf)
    if kind in (str, bool):
        return isinstance(value, kind)
    if kind == tuple[int, ...]:
        return isinstance(value, list) and all(_is(one, int) for one in value)
    if not isinstance(value, dict):
        return False
    return kind == Mapping[str, Any] or all(type(one) in (int, float) for one in value.values())
