"""Columns: which columns the winner uses, by how much worse it is when a column's values are shuffled."""

from __future__ import annotations

from collections.abc import Sequence

from genreg_np.report.names import PLAIN, drawn, written
from genreg_np.report.pipelines import PipelineSubject
from genreg_np.report.shown import COLOURS, Picture, Shown, new_figure, png_of
from genreg_np.search.tabular.measuring import IMPORTANCE, SPREAD

TITLE = "Columns that matter"
SHOWN, NAMED = 14, 3
Important = tuple[str, float, float]  # a column, the loss of score, its standard error


def section(subject: PipelineSubject) -> Shown | None:
    """Show the columns by importance; None if it was not measured."""
    means, spreads = (subject.measured.get(name, {}) for name in (IMPORTANCE, SPREAD))
    found = sorted(((name, mean, spreads[name]) for name, mean in means.items()), key=lambda one: -one[1])
    if not found:
        return None
    names = written([name for name, *_ in found[:NAMED]])
    told = ", ".join(f"{name} ({mean:.4f})" for name, (_, mean, _) in zip(names, found, strict=False) if mean > 0)
    words = f"When a column is shuffled, the score falls most for {told}." if told else "No single column is missed."
    idle = sum(mean <= spread for _, mean, spread in found)
    if idle:
        some = f"{idle} of {len(found)} columns are" if idle > 1 else f"One of {len(found)} columns is"
        words += f" {some} not missed."
    return Shown(TITLE, words, [_picture(found[:SHOWN], subject.found.called)])


def lacks(subject: PipelineSubject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return "" if IMPORTANCE in subject.measured else "the importance of columns was not measured"


def _picture(found: Sequence[Important], metric: str) -> Picture:
    figure = new_figure(height=0.9 + 0.22 * len(found))
    panel = figure.subplots()
    panel.barh(
        range(len(found)), [mean for _, mean, _ in found], xerr=[spread for *_, spread in found], color=COLOURS[0],
        error_kw={"elinewidth": 1, "ecolor": "0.3"},
    )  # fmt: skip
    panel.set_yticks(range(len(found)), drawn([name for name, *_ in found]), **PLAIN)
    panel.invert_yaxis()
    panel.axvline(0, color="0.4", linewidth=0.8)
    panel.set_xlabel(f"{metric}: how much worse without it", **PLAIN)
    names = written([name for name, *_ in found])
    told = ", ".join(f"{name} {mean:.4f}" for name, (_, mean, _) in zip(names, found, strict=True))
    return Picture(
        "columns", png_of(figure), f"How much worse the winner is without each column: {told}.",
        "A bar for each column: how much the score on the rows held out falls when its values are shuffled among them. "
        "If two columns say the same, each looks less important than it is.",
    )  # fmt: skip
