"""The sections of a page, in their order. A section is a file with a function `section(subject) -> Shown | None`.

Add a file, and a line here. A section that has nothing to show of a subject returns None, and is absent. Where it could
have been there, `lacks(subject) -> str` of that file says in a few words why it is not, and TITLE is what it is called.
"""

from __future__ import annotations

import importlib
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from genreg_np.report.shown import Shown
    from genreg_np.report.subject import Subject

REGISTRY = (
    "verdict",
    "samples",
    "leaderboard",
    "evaluations",
    "lineage",
    "importance",
    "diagram",
    "summary",
    "numbers",
    "curves",
    "classes",
    "confusion",
    "errors",
    "copies",
    "weights",
    "units",
    "histograms",
    "population",
    "embeddings",
)


def shown_of(subject: Subject) -> Iterator[tuple[str, Shown]]:
    """Yield name and content of each section that has something to show, in order."""
    for name in REGISTRY:
        shown = importlib.import_module(f"{__name__}.{name}").section(subject)
        if shown is not None:
            yield name, shown


def absent_of(subject: Subject, shown: Container[str]) -> Iterator[str]:
    """Yield a sentence for each reason for which sections are absent that could be there."""
    reasons: dict[str, list[str]] = {}
    for name in REGISTRY:
        module = importlib.import_module(f"{__name__}.{name}")
        if name not in shown and hasattr(module, "lacks") and (why := module.lacks(subject)):
            reasons.setdefault(why, []).append(module.TITLE)
    for why, titles in reasons.items():
        yield f"Not shown: {', '.join(titles)}: {why}."
