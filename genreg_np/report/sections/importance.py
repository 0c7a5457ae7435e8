"""Importance of genes: how much of the difference between individuals is explained by a gene's value.

The share of the variance of scores at the first rung between groups of individuals with one value of a gene (eta
squared), minus that expected of as many random groups; numbers are divided into thirds. Only individuals in which a
gene is expressed count for it. Individuals were bred, not drawn at random, so genes that selection settled early have
little variance left.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genreg_np.report.shown import COLOURS, Picture, Shown, new_figure, png_of
from genreg_np.report.subject import Searched
from genreg_np.search.genes import Number
from genreg_np.search.stored import StoredSearch

FEWEST, SHOWN = 20, 14  # individuals, genes
THIRDS = 3


def section(subject: Searched) -> Shown | None:
    """Show the genes that matter; None for fewer than twenty individuals."""
    search = subject.search
    if search is None or len(search.rung(0)) < FEWEST:
        return None
    found = importances(search)[:SHOWN]
    if not found or found[0][1] <= 0:
        return None
    best = [f"{name} ({100 * share:.0f} %; best {value})" for name, share, value in found[:3] if share > 0]
    words = f"Most of the difference between individuals is explained by {', '.join(best)}."
    return Shown("Genes that matter", words, [_picture(found)])


def importances(search: StoredSearch) -> list[tuple[str, float, str]]:
    """Return each gene's share of the variance and the value of its best group, the largest share first."""
    trials = search.rung(0)
    found = []
    for gene in search.space.genes:
        own = [trial for trial in trials if gene.name in trial.expressed]
        if len(own) < FEWEST:
            continue
        scores = np.array([trial.score for trial in own])
        values = [trial.expressed[gene.name] for trial in own]
        groups = _thirds(values) if isinstance(gene, Number) else [str(value) for value in values]
        share, best = explained(scores, groups)
        found.append((gene.name, share, best))
    return sorted(found, key=lambda one: -one[1])


def explained(scores: Any, groups: Sequence[str]) -> tuple[float, str]:
    """Return the adjusted share of the variance of scores (n,) between groups, and the group with the best median."""
    names = sorted(set(groups))
    whole = float(((scores - scores.mean()) ** 2).sum())
    medians = {}
    within = 0.0
    for name in names:
        own = scores[[group == name for group in groups]]
        within += float(((own - own.mean()) ** 2).sum())
        medians[name] = float(np.median(own))
    best = max(medians, key=lambda name: medians[name])
    free = len(scores) - len(names)
    if whole <= 0 or free <= 0 or len(names) < 2:
        return 0.0, best
    return max(0.0, 1 - (within / free) / (whole / (len(scores) - 1))), best


def _thirds(values: Sequence[float]) -> list[str]:
    edges = np.quantile(values, [1 / THIRDS, 2 / THIRDS])
    names = (f"up to {edges[0]:.3g}", f"{edges[0]:.3g} to {edges[1]:.3g}", f"from {edges[1]:.3g}")
    return [names[int(np.searchsorted(edges, value))] for value in values]


def _picture(found: Sequence[tuple[str, float, str]]) -> Picture:
    figure = new_figure(height=0.8 + 0.22 * len(found))
    panel = figure.subplots()
    bars = panel.barh(range(len(found)), [100 * share for _, share, _ in found], color=COLOURS[0])
    panel.bar_label(bars, [value for *_, value in found], fontsize=8, padding=3)
    panel.set_yticks(range(len(found)), [name for name, *_ in found])
    panel.invert_yaxis()
    panel.set(xlabel="of the variance of scores, %", xlim=(0, max(1.0, 135 * found[0][1])))
    told = ", ".join(f"{name} {100 * share:.0f} % (best {value})" for name, share, value in found)
    return Picture(
        "importance", png_of(figure), f"How much of the variance each gene explains: {told}.",
        "A bar for each gene: how much of the difference between individuals it explains, beside its best value.",
    )  # fmt: skip
