"""What there is to know of a run on a score of one's own, or of its model alone: the best ever, and how it came to be.

Folder and model may come from anybody: what is no number that can be is taken for unknown.
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

MOST_TIMES = 1_000_000  # episodes, and scores taken again, that are believed
LARGE = 1e9  # scores that are written by powers of ten
BEST, BEST_GENERATION = "best_ever_fitness", "best_ever_generation"


@dataclass(frozen=True)
class OwnScore:
    """What a run on a score of one's own came to."""

    name: str  # of the environment, or the function; "" where only the model is at hand, which does not tell the latter
    facts: dict[str, Any]  # what a function tells of itself, plain values
    best: float | None  # of the best ever, finite or +inf; None where it is not known
    generation: int | None  # it is of
    generations: int | None  # that were done
    episodes: int  # scores of a genome in its generation
    rescore: int  # scores that were taken again of whoever would be the best ever
    seconds: float | None
    count: int | None  # scores, those taken again not counted; None of a model alone

    @classmethod
    def of(cls, subject: Subject) -> OwnScore:
        """Read what a run and its model tell."""
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
        """The generations at the end in which nothing was better than the best ever; None where that is not known."""
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
    """Return how many of something there are."""
    return f"{count:,} {noun}{'s' * (count != 1)}"


def best_line(records: Sequence[dict[str, Any]]) -> Line:
    """Return the best ever by generation, as long as it is finite."""
    return line_of(records, BEST)


def perfect_since(records: Sequence[dict[str, Any]]) -> int | None:
    """Return the generation from which on the best ever is +inf, which records have as null; None where it never is."""
    found = (one for one in records if one.get(BEST, math.nan) is None and type(one.get(BEST_GENERATION)) is int)
    return next((record["generation"] for record in found), None)


def improvements(records: Sequence[dict[str, Any]]) -> int:
    """Return how often there was a new best ever."""
    return len({found for record in records if type(found := record.get(BEST_GENERATION)) is int})


def _scores(subject: Subject, done: int) -> int:
    """Return how many genomes so many generations had, by the sizes of the population that the run went through."""
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
