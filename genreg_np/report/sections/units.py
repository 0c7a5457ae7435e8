"""Units: how often those of each hidden layer are saturated, which never change, and how many states they have.

    saturated     |h| > .95 for tanh and sign; |2 h - 1| > .95 for sigmoid and step
    at rest       h <= 0 for all other activations, as of an inactive relu
    dead          h is the same, to a millionth, for all inputs shown
    patterns      number of distinct patterns h > 0 (h > .5 for sigmoid and step) of a layer over the inputs; with k
                  units there are at most 2^k

A unit that is always saturated is a switch: a layer of k such units has at most 2^k states, and later layers see
nothing else. In maps, a unit is a channel: its share is over all its places; patterns are of individual values.

Shapes: n inputs, C units or channels.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.report.chance import LEAST
from genreg_np.report.figures import spread_out
from genreg_np.report.hidden import LEFT_OUT, Hidden, has_hidden
from genreg_np.report.shown import COLOURS, SMALL, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject

TITLE = "Hidden units"
SATURATED = 0.95
SAME = 1e-6
SIGNED, UNSIGNED = ("tanh", "sign"), ("sigmoid", "step")  # the bounded activations: -1 .. 1, and 0 .. 1
MOST_SHOWN = 4  # layers in words and in the picture; the table has all


@dataclass(frozen=True)
class Units:
    """The measures of a layer."""

    shares: NDArray[np.float64]  # (C,) of the inputs, and places, at which each is saturated or at rest
    dead: int
    codes: int  # distinct patterns
    inputs: int  # n
    size: float  # mean |h|

    @classmethod
    def of(cls, hidden: Hidden) -> Units:
        """Measure a layer."""
        values = hidden.units
        if hidden.function in SIGNED:
            counted = np.abs(values) > SATURATED
        elif hidden.function in UNSIGNED:
            counted = np.abs(2 * values - 1) > SATURATED
        else:
            counted = values <= 0
        active = hidden.values > (0.5 if hidden.function in UNSIGNED else 0)
        return cls(
            counted.mean(axis=(0, 2)),
            int((np.ptp(values, axis=0).max(axis=1) <= SAME).sum()),
            len(np.unique(np.packbits(active, axis=1), axis=0)),
            len(values),
            float(np.abs(values).mean(dtype=np.float64)),
        )


def section(subject: Subject) -> Shown | None:
    """Show the trainable hidden layers; None for a linear head, or without data."""
    layers = [hidden for hidden in subject.hidden if hidden.learned and len(hidden.values)]
    if not layers:
        return None
    measured = [Units.of(hidden) for hidden in layers]
    rows = [_row(hidden, found) for hidden, found in zip(layers, measured, strict=True)]
    head = ("layer", "units", "share", "dead", "patterns", "mean |h|")
    table = Table(
        head,
        rows,
        f"over {measured[0].inputs:,} inputs; patterns: distinct sets of units that are high (h > 0; sigmoid: 0.5)",
    )
    shown = spread_out(len(layers), MOST_SHOWN)
    layers, measured = [layers[number] for number in shown], [measured[number] for number in shown]
    words = " ".join(_words(hidden, found) for hidden, found in zip(layers, measured, strict=True))
    return Shown(TITLE, words, [_picture(layers, measured), table])


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    if not has_hidden(subject.model):
        return ""
    return LEFT_OUT if subject.dataset is not None and not subject.hidden else subject.lacks_data


def _bounded(hidden: Hidden) -> bool:
    return hidden.function in SIGNED + UNSIGNED


def _counted(hidden: Hidden) -> str:
    return "saturated" if _bounded(hidden) else "at 0 or below"


def _row(hidden: Hidden, found: Units) -> tuple[str, ...]:
    return (
        f"{hidden.name}, {hidden.function}",
        f"{len(found.shares):,}",
        f"{100 * found.shares.mean():.1f} % {_counted(hidden)}",
        f"{found.dead:,}",
        f"{found.codes:,}",
        f"{found.size:.3g}",
    )


def _words(hidden: Hidden, found: Units) -> str:
    """Return a sentence or two on a layer."""
    share, units = 100 * found.shares.mean(), len(found.shares)
    channels = "channels" if hidden.values.shape[1] > units else "units"
    said = f"{hidden.name.capitalize()}: its {channels} are {_counted(hidden)} {share:.0f} % of the time"
    if _bounded(hidden) and share > 90 and found.inputs >= LEAST:
        said += ", so they work as switches"
    said += f"; {found.inputs:,} inputs give {found.codes:,} distinct patterns of high units."
    if found.dead and found.inputs >= LEAST:
        said += f" {found.dead:,} of {units:,} {channels} never change{'s' if found.dead == 1 else ''}."
    return said


def _picture(layers: list[Hidden], measured: list[Units]) -> Picture:
    """Draw a bar for each unit, sorted, a panel for each layer."""
    figure = new_figure(height=0.9 + 1.7 * len(layers))
    says = []
    panels = figure.subplots(len(layers), squeeze=False)[:, 0]
    for panel, hidden, found in zip(panels, layers, measured, strict=True):
        shares = 100 * np.sort(found.shares)[::-1]
        edges = np.arange(len(shares) + 1)
        panel.stairs(shares, edges, fill=True, color=COLOURS[0], alpha=0.35)
        panel.stairs(shares, edges, color=COLOURS[0], linewidth=1.5)
        panel.axhline(shares.mean(), color="0.25", linestyle=":", linewidth=1.2)
        panel.set(xlim=(0, len(shares)), ylim=(0, 102), ylabel=f"{_counted(hidden)}, %")
        panel.set_title(f"{hidden.name}, {hidden.function}", fontsize=SMALL, loc="left")
        says.append(
            f"{hidden.name}: {_counted(hidden)} {shares[-1]:.0f} to {shares[0]:.0f} % of the time, "
            f"{shares.mean():.0f} % on average"
        )
    figure.axes[-1].set_xlabel("units, sorted")
    return Picture(
        "units", png_of(figure), f"How often each unit is saturated or at rest, sorted. {'; '.join(says)}.",
        "Each unit's share of the inputs, largest first; the dotted line is the mean. A saturated unit is a switch; "
        "a unit that is always at 0 or below is never active.",
    )  # fmt: skip
