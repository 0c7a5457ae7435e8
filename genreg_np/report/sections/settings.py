"""The relevant settings of a run on a custom score, and what was changed during the run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from genreg_np.data.labels import short_name
from genreg_np.errors import UsageError
from genreg_np.report.own_score import OwnScore
from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Subject
from genreg_np.strategies import strategy_class

TITLE = "Settings"
OF_DATA = (  # settings that a custom score replaces
    "fitness", "prediction", "correct_reward", "wrong_penalty", "batch_size", "images_per_class", "final_images",
)  # fmt: skip
MOST_CHANGES, MOST_FACTS = 30, 20  # shown


def section(subject: Subject) -> Shown | None:
    """Show the settings; None for runs judged by a dataset, or if none are known."""
    if not subject.is_own:
        return None
    given = subject.model.training.get("config") if subject.run is None else subject.run.config.to_dict()
    rows = _rows(given) if isinstance(given, dict) else []
    if not rows:
        return None
    score = OwnScore.of(subject)
    rows += [("episodes", f"{score.episodes:,}")] if score.episodes > 1 else []
    rows += [("rescore", f"{score.rescore:,}")]
    rows += [(_text(name), _text(value)) for name, value in list(score.facts.items())[:MOST_FACTS]]
    parts = [Table(("setting", "value"), rows)]
    changes = subject.run.changes if subject.run is not None else []
    if changes:
        told = [
            (f"{one['generation']:,}", *(_text(one[name]) for name in ("setting", "old", "new")))
            for one in changes[:MOST_CHANGES]
        ]
        parts.append(Table(("after generation", "setting", "before", "then"), told, "changed during the run"))
    more = len(changes) - MOST_CHANGES
    words = f"{more:,} more changes were made during the run." if more > 0 else ""
    return Shown(TITLE, words, parts)


def _rows(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the settings of the strategy from a config that may contain anything."""
    try:
        options = strategy_class(str(config.get("strategy"))).Options
    except UsageError:
        return []
    names = [item.name for item in dataclasses.fields(options) if item.name not in OF_DATA]
    return [("strategy", str(config["strategy"])), *((name, _text(config[name])) for name in names if name in config)]


def _text(value: Any) -> str:
    return short_name(str(value), 60)
