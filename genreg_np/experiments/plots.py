"""Plots of studies: lines with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from genreg_np.experiments.summary import interval
from genreg_np.report.shown import COLOURS, DASHES, MARKS, new_figure, png_of

MOST_NAMED = 9  # places on an axis that are all labelled
Line = tuple[Sequence[float], Sequence[Sequence[float]]]  # places, and the values of all seeds at each


def lines(
    named: Mapping[str, Line],
    across: str,
    up: str,
    *,
    logarithmic: bool = False,
    scale: float = 1.0,
    expected: Mapping[str, tuple[ArrayLike, ArrayLike]] | None = None,
    ticks: Sequence[float] = (),
) -> bytes:
    """Draw the mean of each line with a band of its 95 % interval, as PNG.

    Parameters
    ----------
    named : mapping of Line
        The lines, by their names in the legend.
    across, up : str
        Labels of the axes.
    logarithmic : bool
        Whether the first axis is logarithmic.
    scale : float
        Factor of all values.
    expected : mapping, optional
        Predictions, by name: places and values, drawn as thin black lines.
    ticks : sequence of float
        What is labelled on the first axis; by default all places, if they are few.
    """
    figure = new_figure()
    panel = figure.subplots()
    for number, (name, (places, values)) in enumerate(named.items()):
        means = np.array([scale * np.mean(some) for some in values])
        off = np.array([scale * np.nan_to_num(interval(some)) for some in values])
        colour = COLOURS[number % len(COLOURS)]
        panel.plot(
            places, means, DASHES[number % len(DASHES)], color=colour, marker=MARKS[number % len(MARKS)],
            markersize=4 if len(places) < 30 else 0, label=name,
        )  # fmt: skip
        panel.fill_between(places, means - off, means + off, color=colour, alpha=0.15, linewidth=0)
    for number, (name, (where, heights)) in enumerate((expected or {}).items()):
        panel.plot(where, np.asarray(heights) * scale, DASHES[(number + 1) % len(DASHES)], color="0.1", linewidth=1,
                   label=name)  # fmt: skip
    places = sorted({place for where, _ in named.values() for place in where})
    if logarithmic:
        _logarithmic(panel)
    if ticks or len(places) <= MOST_NAMED:
        panel.set_xticks(ticks or places)
    panel.set(xlabel=across, ylabel=up)
    panel.grid(alpha=0.25)
    if labelled := len(named) + len(expected or {}):
        figure.legend(frameon=False, loc="outside upper center", ncols=2 if labelled > 1 else 1)
    return png_of(figure)


def _logarithmic(panel: Any) -> None:
    """Make the first axis of a panel logarithmic, with labels at powers of ten."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    panel.set_xscale("log")
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}"))
