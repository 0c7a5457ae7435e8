"""Scores: lowest, mean and highest of each generation of a run on a custom score, and the best ever.

For a strategy that adapts its step size, such as cma-es, that is drawn below.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from genreg_np.report.figures import spread_out
from genreg_np.report.own_score import OwnScore, best_line, perfect_since, shown
from genreg_np.report.scales import Scale, scale_of
from genreg_np.report.sections.curves import NO_RECORDS, Line, is_number, line_of, thinned
from genreg_np.report.shown import COLOURS, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject
from genreg_np.runs.stored import Record

TITLE = "Scores"
NAMES = ("fitness_minimum", "fitness_mean", "fitness_maximum")
TOLD = 5  # generations in the table, evenly spread


def section(subject: Subject) -> Shown | None:
    """Show the scores of a run on a custom score; None for a model alone, or if records have none."""
    if subject.run is None or not subject.is_own:
        return None
    records = subject.run.records
    told = [record for record in records if all(is_number(record.get(name)) for name in NAMES)]
    perfect = perfect_since(records)
    if not told:
        said = "No generation had a finite score, all were +inf." if perfect is not None else ""
        return Shown(TITLE, said) if said else None
    parts: list[Picture | Table] = [_table(records, told)]
    if len(told) > 1:
        parts.insert(0, _picture(records, told, perfect, OwnScore.of(subject).rescore > 0))
    return Shown(TITLE, _words(records, told), parts)


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return NO_RECORDS if subject.is_own and subject.run is not None and not subject.run.records else ""


def _words(records: Sequence[Record], told: Sequence[Record]) -> str:
    """Return a sentence on the course of the mean."""
    if len(records) == 1:
        return "There was a single generation, so there is no curve."
    first, last = told[0], told[-1]
    means = [shown(record["fitness_mean"]) for record in (first, last)]
    said = (
        f"The mean of a generation goes from {means[0]} at generation {first['generation']:,} to {means[1]} at "
        f"generation {last['generation']:,}."
    )
    few = len(records) - len(told)
    return f"{said} {few:,} of {len(records):,} generations had no finite score." if few else said


def _table(records: Sequence[Record], told: Sequence[Record]) -> Table:
    """Return the scores of some generations, and the numbers of infinite and invalid ones, if any."""
    columns = {"lowest": NAMES[0], "mean": NAMES[1], "highest": NAMES[2], "deviation": "fitness_deviation"}
    others = {"+inf": "fitness_infinite", "NaN, -inf": "fitness_invalid"}
    columns |= {what: name for what, name in others.items() if any(_known(record, name) for record in records)}
    rows = [
        (f"{told[place]['generation']:,}", *(shown(_known(told[place], name), 3) for name in columns.values()))
        for place in spread_out(len(told), TOLD)
    ]
    return Table(("generation", *columns), rows, "scores of the generation's genomes")


def _known(record: Record, name: str) -> float | None:
    value = record.get(name)
    return float(value) if is_number(value) else None


def band_of(told: Sequence[Record]) -> tuple[list[int], list[float], list[float]]:
    """Return generations, lowest and highest scores; neighbours are combined if there are many."""
    (generations, low), (_, high) = (
        thinned(line_of(told, name), of) for name, of in ((NAMES[0], min), (NAMES[2], max))
    )
    return generations, low, high


def _picture(records: Sequence[Record], told: Sequence[Record], perfect: int | None, again: bool) -> Picture:
    """Draw a band from the lowest to the highest, the mean, the best ever, and the step size if recorded."""
    generations, low, high = band_of(told)
    mean, best, step = thinned(line_of(told, NAMES[1])), best_line(records), thinned(line_of(records, "sigma"))
    figure = new_figure(height=4.8 if len(step[1]) > 1 else 3.6)
    panel, below = (
        figure.subplots(2, sharex=True, height_ratios=(3, 1)) if len(step[1]) > 1 else (figure.subplots(), None)
    )
    panel.fill_between(
        generations, low, high, color=COLOURS[0], alpha=0.22, linewidth=0, label="lowest to highest",
    )  # fmt: skip
    panel.plot(*mean, "--", color=COLOURS[0], linewidth=1.2, label="mean")
    end = records[-1]["generation"]
    draw_best(panel, best, end if perfect is None else perfect, COLOURS[1], "best ever")
    if perfect is not None:
        panel.axvline(perfect, color=COLOURS[1], linestyle=":", linewidth=1.4, label="perfect (+inf)")
    scale = scale_of([*low, *high, *mean[1], *best[1]], best[1] or high)
    scale.put_on(panel)
    panel.set_ylabel("score")
    panel.grid(alpha=0.25)
    if below is not None:
        below.plot(*step, color=COLOURS[2], linewidth=1.2)
        scale_of(step[1], step[1]).put_on(below)
        below.set_ylabel("step, sigma")
        below.grid(alpha=0.25)
    lowest = panel if below is None else below
    lowest.set_xlabel("generation")
    lowest.xaxis.get_major_locator().set_params(integer=True)
    figure.legend(loc="outside upper left", frameon=False, ncols=3 if perfect is None else 2)
    return Picture("scores", png_of(figure), _says(told, best, step, perfect), _caption(scale, step, perfect, again))


def draw_best(panel: Any, best: Line, end: int, colour: str, label: str, dash: str = "-") -> None:
    """Draw the best ever as steps, up to a generation; nothing if it was never finite."""
    generations, values = thinned(best, lambda some: some[-1])
    if not values:
        return
    if end > generations[-1]:
        generations, values = [*generations, end], [*values, values[-1]]
    mark = "o" if len(values) == 1 else ""
    panel.step(generations, values, dash, where="post", color=colour, marker=mark, linewidth=1.8, label=label)


def _says(told: Sequence[Record], best: Line, step: Line, perfect: int | None) -> str:
    """Return the alternative text of the picture."""
    first, last = (
        f"{shown(record[NAMES[0]])} to {shown(record[NAMES[2]])}, mean {shown(record[NAMES[1]])}"
        for record in (told[0], told[-1])
    )
    said = f"Scores by generation: {first} at generation {told[0]['generation']:,}; {last} at the last"
    if best[1]:
        said += f"; the best ever goes from {shown(best[1][0])} to {shown(best[1][-1])}"
    if perfect is not None:
        said += f"; it is +inf from generation {perfect:,} on"
    if len(step[1]) > 1:
        said += f"; sigma goes from {shown(step[1][0])} to {shown(step[1][-1])}"
    return f"{said}."


def _caption(scale: Scale, step: Line, perfect: int | None, again: bool) -> str:
    """Return how to read the picture."""
    parts = [
        "The best ever can only rise; where band and mean come near it, genomes have become alike.",
        "Scores above it were not confirmed when taken again." if again else "",
        scale.words,
        "From the dotted line on, the best ever is +inf." if perfect is not None else "",
        "Below: how far genomes are spread around their mean; it falls as the search converges."
        if len(step[1]) > 1
        else "",
    ]
    return " ".join(part for part in parts if part)
