"""Answers: predictions of the winner of a search for pipelines for the rows held out, against their labels."""

from __future__ import annotations

import numpy as np

from genreg_np.report.pipelines import PipelineSubject
from genreg_np.report.sections.confusion import shown_of
from genreg_np.report.sections.numbers import scatter
from genreg_np.report.shown import Shown
from genreg_np.runs.numbers import NumberEvaluation
from genreg_np.search.tabular.measuring import CONFUSION, PREDICTED, WANTED

TITLE = "Rows held out"


def section(subject: PipelineSubject) -> Shown | None:
    """Show the confusion of classes, or numbers against their targets; None if that was not measured."""
    names, measured = subject.class_names, subject.measured
    if counts := measured.get(CONFUSION):
        confusion = np.zeros((len(names), len(names)), np.int64)
        for pair, count in counts.items():
            confusion[tuple(int(place) for place in pair.split())] = count
        return shown_of(confusion, names, TITLE)
    wanted, predicted = (measured.get(name, {}) for name in (WANTED, PREDICTED))
    if not wanted:
        return None
    so, said = (np.array([values[row] for row in wanted])[:, None] for values in (wanted, predicted))
    found = NumberEvaluation.of(said, so, (subject.label,), so.mean(axis=0))
    few = f"{len(so):,} of the " if len(so) < subject.found.held_rows else ""
    return Shown(
        TITLE, f"On {few}{subject.found.held_rows:,} rows R2 is {found.score:.4f}.", [scatter(said, so, found)]
    )


def lacks(subject: PipelineSubject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return "" if {CONFUSION, WANTED} & set(subject.measured) else "the winner's predictions were not measured"
