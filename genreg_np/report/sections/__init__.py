"""The sections of a page, in order. A section is a file with a function `section(subject) -> Shown | None`.

To add one, add a file, and a line here with the pages it is for. A section with nothing to show for a subject returns
None and is left out. If it could have been there, `lacks(subject) -> str` of its file says in a few words why it is
not, and TITLE names it.
"""

from __future__ import annotations

import importlib
from collections.abc import Container, Iterator
from typing import TYPE_CHECKING

from genreg_np.report.pipelines import PipelineSubject

if TYPE_CHECKING:
    from genreg_np.report.shown import Shown
    from genreg_np.report.subject import Subject

MODELS, PIPELINES = "models", "pipelines"  # kinds of pages: for networks, or for pipelines found for a table
REGISTRY = {
    "judged": (PIPELINES,),
    "attained": (MODELS,),
    "verdict": (MODELS,),
    "samples": (MODELS,),
    "leaderboard": (MODELS, PIPELINES),
    "evaluations": (MODELS, PIPELINES),
    "lineage": (MODELS, PIPELINES),
    "importance": (MODELS, PIPELINES),
    "columns": (PIPELINES,),
    "answers": (PIPELINES,),
    "diagram": (MODELS,),
    "summary": (MODELS,),
    "numbers": (MODELS,),
    "scores": (MODELS,),
    "curves": (MODELS,),
    "classes": (MODELS,),
    "confusion": (MODELS,),
    "errors": (MODELS,),
    "copies": (MODELS,),
    "weights": (MODELS,),
    "units": (MODELS,),
    "histograms": (MODELS,),
    "population": (MODELS,),
    "embeddings": (MODELS,),
    "settings": (MODELS,),
}


def sections_of(subject: Subject | PipelineSubject) -> tuple[str, ...]:
    """Return the names of the sections that a subject may have, in order."""
    kind = PIPELINES if isinstance(subject, PipelineSubject) else MODELS
    return tuple(name for name, kinds in REGISTRY.items() if kind in kinds)


def shown_of(subject: Subject | PipelineSubject) -> Iterator[tuple[str, Shown]]:
    """Yield the name and content of each section that has something to show, in order."""
    for name in sections_of(subject):
        shown = importlib.import_module(f"{__name__}.{name}").section(subject)
        if shown is not None:
            yield name, shown


def absent_of(subject: Subject | PipelineSubject, shown: Container[str]) -> Iterator[str]:
    """Yield a sentence for each reason why possible sections are absent."""
    reasons: dict[str, list[str]] = {}
    for name in sections_of(subject):
        module = importlib.import_module(f"{__name__}.{name}")
        if name not in shown and hasattr(module, "lacks") and (why := module.lacks(subject)):
            reasons.setdefault(why, []).append(module.TITLE)
    for why, titles in reasons.items():
        yield f"Not shown: {', '.join(titles)}: {why}."
