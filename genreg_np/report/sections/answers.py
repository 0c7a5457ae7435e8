"""Answers: what the winner of a search for pipelines says of the rows that were held out, beside what is so."""

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
    """Show who is taken for whom, or numbers beside what is so; nothing where that was not measured."""
    names = subject.class_names
    if counts := subject.measured(CONFUSION):
        confusion = np.zeros((len(names), len(names)), np.int64)
        for pair, count in counts.items():
            confusion[tuple(int(place) for place in pair.split())] = count
        return shown_of(confusion, names, TITLE)
    wanted, predicted = subject.measured(WANTED), subject.measured(PREDICTED)
    if not wanted or wanted.keys() != predicted.keys():
        return None
    so, said = (np.array([values[row] for row in wanted])[:, None] for values in (wanted, predicted))
    found = NumberEvaluation.of(said, so, (str(subject.search.notes.get("label", "")),), so.mean(axis=0))
    return Shown(TITLE, f"Of {len(so):,} rows R2 is {found.score:.4f}.", [scatter(said, so, found)])


def lacks(subject: PipelineSubject) -> str:
    """Return why it is absent though it could be there, or ""."""
    return "" if subject.measured(CONFUSION) or subject.measured(WANTED) else "what the winner answers was not measured"
