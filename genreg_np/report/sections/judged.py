"""Judged: a pipeline's scores on new folds and on the rows held out, compared with usual models."""

from __future__ import annotations

import math

from genreg_np.report.pipelines import PipelineSubject
from genreg_np.report.shown import Shown, Table
from genreg_np.runs.measures import interval
from genreg_np.search.found_table import NOT_CLEARLY
from genreg_np.search.tabular.scoring import Scoring


def section(subject: PipelineSubject) -> Shown:
    """Show the winner's scores, and those of the usual models."""
    found, scoring = subject.found, Scoring(subject.found.metric)
    judged = found.judged
    folds = f"{found.new_folds} new folds" if found.new_folds else "the search's folds"
    rows = []
    for one in (judged, *found.beside):
        spread = "" if math.isnan(one.error) else f" ± {one.error:.4f}"
        score = "not judged" if math.isnan(one.score) else f"{scoring.shown(one.score)}{spread}"
        held = ("failed" if math.isnan(one.held) else scoring.shown(one.held),) if found.held_rows else ()
        rows.append((one.name, score, *held))
    said = [f"Result: {found.words}."]
    if not math.isnan(judged.held):
        about = ""
        if found.metric == "accuracy":
            low, high = interval(judged.held, found.held_rows)
            about = f" (95 % interval {low:.4f} to {high:.4f})"
        said.append(
            f"Its {found.called} on {found.held_rows:,} rows that were not used for any choice is "
            f"{scoring.shown(judged.held)}{about}."
        )
    if not found.new_folds:
        said.append("There was no time to judge the best again: their scores in the search are too good.")
    elif not math.isnan(found.gap):
        said.append(f"On {folds} it was {abs(found.gap):.4f} {'better' if found.gap > 0 else 'worse'}.")
    caption = "± is the standard error, corrected for folds that share rows."
    if found.held_rows:
        caption = f"{caption} Rows held out are predicted after fitting to all other rows."
    if (other := found.not_clearly_better) is not None:
        said.append(f"{NOT_CLEARLY.capitalize()}: {other.name}.")
    parts = [Table(("", folds, *(["held out"] if found.held_rows else [])), rows, caption)]
    if found.finalists:
        again = [(one.name, f"{scoring.shown(one.score)} ± {one.error:.4f}") for one in found.finalists]
        parts.append(Table(("finalists", folds), again, "the best of the search, judged once more; the best first"))
    return Shown("In short", " ".join(said), parts)
