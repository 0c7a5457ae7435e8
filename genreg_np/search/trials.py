"""A trial: one individual judged at one rung, and all that is known of it; a line of trials.jsonl."""

from __future__ import annotations

import dataclasses
import json
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from genreg_np.engines.base import OK

REMOVED = "removed"  # a pair that nobody needs to wait for: gan/health.py
UNSAVED = "unsaved"  # of a lesson, never of a trial: what it had learned could not be written
DIVERGED = "diverged"  # beside the endings of engines: its loss or its weights were no numbers any more


@dataclass(frozen=True)
class Trial:
    """An individual at a rung.

    Parameters
    ----------
    number : int
        Its place among all trials of the search.
    child : int
        Which individual it is: the child-th that was bred.
    rung : int
    genome : mapping
        All its genes.
    expressed : mapping
        Those that mean something.
    parents : tuple of int
        Children that it was bred of.
    how : str
        In words, such as "mutated: filters_2".
    samples : int
        That it had learned from when it was judged.
    score : float
        By the metric that was chosen, higher is better; -inf of one that failed.
    tie : float
        What decides between equal scores: minus the log loss, or another loss.
    metrics : mapping
        All measures on the search split.
    select : mapping
        The same on the split by which finalists are chosen; nobody looks at it before.
    network : str
        In words.
    parameters, macs : int
        Weights and biases, and multiply-adds for one image.
    seconds, predicted : float
        That it took at this rung, and that were expected.
    pace : float
        Seconds for a sample it learned from, whatever held it up for once; 0 where that is not known.
    cached : bool
        Whether an equal genome had been there before, whose result this is.
    status : str
        ok, diverged, removed, timeout, memory, crash, failed.
    why : str
        What ended it, in a line.
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
        """Whether it was judged."""
        return self.status == OK

    @property
    def rank(self) -> tuple[float, float, int]:
        """What trials of one rung are ordered by, higher is better: of equals the first counts more."""
        return self.score, self.tie, -self.number

    def line(self) -> str:
        """Return it as a line of JSON; numbers that are none are null."""
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


Standing = Callable[[Trial], tuple[float, ...]]  # what trials are compared by, more is better


def leaders_of(trials: Iterable[Trial], standing: Standing = lambda trial: trial.rank) -> list[Trial]:
    """Return the individuals that were judged, each at the highest rung that it has reached, the best first."""
    highest: dict[int, Trial] = {}
    for trial in trials:
        if trial.is_ok and (trial.child not in highest or trial.rung > highest[trial.child].rung):
            highest[trial.child] = trial
    return sorted(highest.values(), key=standing, reverse=True)


_KINDS = {item.name: typing.get_type_hints(Trial)[item.name] for item in dataclasses.fields(Trial)}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _is(value: Any, kind: Any) -> bool:
    """Whether a value of JSON is what a field holds."""
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
