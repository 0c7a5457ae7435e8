"""Attained: the best ever of a run on a custom score, when it last improved, and the rate of scoring."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from genreg_np.report.own_score import OwnScore, counted, duration, improvements, shown
from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Subject
from genreg_np.runs.stored import Record

TITLE = "Best ever"
MOST_COUNTED = 1_000_000  # plausible number of scores, or processes, of a generation


def section(subject: Subject) -> Shown | None:
    """Show these three facts; None for runs judged by a dataset."""
    if not subject.is_own:
        return None
    score, records = OwnScore.of(subject), subject.run.records if subject.run is not None else []
    rows = [
        (name, text)
        for name, text in (
            ("Reached", _reached(score)),
            ("Improved", _improved(score, records)),
            ("Scores", " ".join([*_counted(score), *_not_finite(records), *_where(records)])),
        )
        if text
    ]
    return Shown(TITLE, "", [Table(("", ""), rows)])


def _reached(score: OwnScore) -> str:
    """Return the score of the best ever, and how reliable it is."""
    if score.best is None:
        return "not known: the model does not say."
    when = "" if score.generation is None else f", at generation {score.generation:,}"
    said = f"{shown(score.best)}{' (perfect)' if score.best == math.inf else ''}{when}"
    if score.rescore:
        return f"{said}: the mean of {counted(score.rescore, 'score')} taken again."
    if score.best == math.inf or score.generations == 1:
        return f"{said}."
    of = f"the highest of {score.count:,}" if score.count else "the highest of all"
    return f"{said}: {of}, not taken again. If scores are noisy, it is the luckiest one."


def _improved(score: OwnScore, records: Sequence[Record]) -> str:
    """Return how often, and when last, a new best ever was found."""
    times, idle = improvements(records), score.idle
    often = f"{counted(times, 'time')}, last" if times > 1 else "last"
    if score.generations == 1 or idle is None:
        return ""
    said = f"{often} at generation {score.generation:,} of {score.generations:,}"
    if score.best == math.inf:
        return f"{said}: nothing is better than +inf."
    if idle == 0:
        return f"{said}, which is the end: a longer run may gain more."
    after = "the last one" if idle == 1 else f"the {idle:,} generations after it"
    return f"{said}: {after} brought nothing better."


def _counted(score: OwnScore) -> list[str]:
    """Return a sentence on the number of scores, and the rate per second."""
    if not score.count:
        return []
    again = ", not counting those taken again" if score.rescore else ""
    if score.seconds is None:
        return [f"{score.count:,}{again}."]
    rate = score.count / score.seconds
    return [f"{score.count:,} in {duration(score.seconds)}{again}: {_rate(rate)} a second, including selection."]


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _not_finite(records: Sequence[Record]) -> list[str]:
    """Return sentences on scores that were infinite or NaN."""
    said = []
    for name, what in (("fitness_infinite", "+inf"), ("fitness_invalid", "NaN or -inf")):
        found = [number for record in records if (number := _number(record.get(name)))]
        if found:
            verb = "was" if sum(found) == 1 else "were"
            said.append(f"{sum(found):,} {verb} {what}, in {counted(len(found), 'generation')}.")
    return said


def _where(records: Sequence[Record]) -> list[str]:
    """Return a sentence on the number of processes that scored generations, if records say it."""
    found = [workers for record in records if (workers := _number(record.get("workers"))) is not None]
    if not found:
        return []
    each = (f"{times:,} in {_processes(workers)}" for workers, times in sorted(Counter(found).items()))
    return [f"Generations scored: {', '.join(each)}."]


def _processes(workers: int) -> str:
    return f"{workers:,} other process{'es' * (workers != 1)}" if workers else "the run's own process"


def _number(value: Any) -> int | None:
    return value if type(value) is int and 0 <= value <= MOST_COUNTED else None
