"""Facts about a run on a custom score, or about its model alone: the best ever, and how it was reached.

Folder and model are not trusted: invalid numbers count as unknown.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.data.labels import short_name
from genreg_np.report.sections.curves import MOST, Line, is_number, line_of
from genreg_np.report.subject import Subject
from genreg_np.runs.own_folder import OWN_FITNESS

MOST_TIMES = 1_000_000  # plausible number of episodes, and of repeated scores
LARGE = 1e9  # scores from here on are written with powers of ten
BEST, BEST_GENERATION = "best_ever_fitness", "best_ever_generation"


@dataclass(frozen=True)
class OwnScore:
    """The result of a run on a custom score."""

    name: str  # of the environment or function; "" for a model alone, which does not store the function's name
    facts: dict[str, Any]  # what a function says about itself, plain values
    best: float | None  # score of the best ever, finite or +inf; None if unknown
    generation: int | None  # in which it was found
    generations: int | None  # completed
    episodes: int  # scores per genome in its generation
    rescore: int  # repeated scores of a candidate for the best ever
    seconds: float | None
    count: int | None  # scores without repeated ones; None for a model alone

    @classmethod
    def of(cls, subject: Subject) -> OwnScore:
        """Read the facts from a run and its model."""
        training, run = subject.model.training, subject.run
        origin: dict[str, Any] = training if run is None else run.origin
        episodes = max(1, _times(origin.get("episodes")))
        fitness = training.get("fitness", math.nan)
        done = _whole(training.get("generations"))
        seconds = run.notes.get("seconds") if run is not None else None
        facts = training.get("score")
        facts = facts if isinstance(facts, dict) else {}
        name = facts.get("env", "" if run is None else origin[OWN_FITNESS])
        return cls(
            short_name(str(name).removeprefix("__main__."), 60) if name else "",
            facts,
            math.inf if fitness is None else float(fitness) if is_number(fitness) else None,
            _whole(training.get("generation")),
            done,
            episodes,
            _times(origin.get("rescore")),
            float(seconds) if is_number(seconds) and seconds > 0 else None,
            _scores(subject, done) * episodes if run is not None and done is not None else None,
        )

    @property
    def idle(self) -> int | None:
        """The number of generations at the end without a new best ever; None if unknown."""
        if self.generation is None or self.generations is None or self.generation > self.generations:
            return None
        return self.generations - self.generation


def shown(value: float | None, digits: int = 5) -> str:
    """Return a score as text."""
    if value is None or value == math.inf:
        return "?" if value is None else "+inf"
    return f"{value:,.0f}" if 10**digits <= abs(value) < LARGE else f"{value:.{digits}g}"


def duration(seconds: float) -> str:
    """Return a time as text."""
    return f"{seconds:.2g} s" if seconds < 1 else f"{seconds:,.1f} s"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def best_line(records: Sequence[dict[str, Any]]) -> Line:
    """Return the best ever by generation, while it is finite."""
    return line_of(records, BEST)


def perfect_since(records: Sequence[dict[str, Any]]) -> int | None:
    """Return the generation from which the best ever is +inf, null in records; None if it never is."""
    found = (one for one in records if one.get(BEST, math.nan) is None and type(one.get(BEST_GENERATION)) is int)
    return next((record["generation"] for record in found), None)


def improvements(records: Sequence[dict[str, Any]]) -> int:
    """Return the number of new best-ever genomes."""
    return len({found for record in records if type(found := record.get(BEST_GENERATION)) is int})


def _scores(subject: Subject, done: int) -> int:
    """Return the number of genomes in `done` generations, from the population sizes used during the run."""
    assert subject.run is not None
    config, sizes = subject.run.config, {0: 0}
    changes = [change for change in subject.run.changes if change["setting"] == "population_size"]
    for change in changes:
        sizes[min(max(0, change["generation"]), done)] = _times(change["new"])
    sizes[0] = sizes[0] or (_times(changes[0]["old"]) if changes else config.options.population_size)
    starts = sorted(sizes)
    return sum(
        sizes[start] * (end - start) for start, end in zip(starts, [*starts[1:], done], strict=True)
    )  # fmt: skip


def _times(value: Any) -> int:
    return value if type(value) is int and 0 < value <= MOST_TIMES else 0


def _whole(value: Any) -> int | None:
    return value if type(value) is int and 0 < value < MOST else None
