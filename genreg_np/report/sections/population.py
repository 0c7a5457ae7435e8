"""Population: the diversity of survivors, and the size of weights, generation by generation.

Survivors that are all alike have nothing to recombine; weights that keep growing are mutations without selection
against them. Recorded at evaluations on the validation split (runs/looked.py); older runs have less of it. For strategy
mixed also the similarity of networks, layer by layer, and their clusters, which report/figures.py draws from cosines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genreg_np.errors import GenregError
from genreg_np.report.figures import MOST_LAYERS, draw_over_time, spread_out
from genreg_np.report.sections.curves import NO_RECORDS, Line, is_number, line_of, thinned
from genreg_np.report.sections.histograms import weights_of
from genreg_np.report.shown import COLOURS, DASHES, MARKS, Picture, Shown, new_figure, png_of
from genreg_np.report.subject import Subject
from genreg_np.runs.looked import MOST_GENES
from genreg_np.strategies.mixed.similarity import CLUSTERED, layer_slices

TITLE = "Population"
COLLAPSED = 0.1  # of the largest distance, below which survivors are nearly identical
GROWING = 0.05  # growth of weights in the last half of a run that is worth reporting
MEAN, LARGEST = "mean size", "largest weight"  # labels in pictures
MOST_COSINE, MOST_CLUSTERS = 1.01, 1e9  # in valid records
FEW = 30  # points of a line that are marked individually


def section(subject: Subject) -> Shown | None:
    """Show what records say about population and weights; None for a model alone, or records without these."""
    if subject.run is None:
        return None
    records = subject.run.records
    distance, sizes = line_of(records, "survivor_distance"), _sizes(subject)
    of_population = [part for part in (_diversity(records), _alike(subject)) if part is not None]
    parts = [*of_population, *_weights(sizes)]
    title = TITLE if of_population else "Growth of weights"
    words = " ".join((*_said(distance, subject), *_grown(sizes.get(MEAN, ([], [])))))
    return Shown(title, words, parts) if parts else None


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return NO_RECORDS if subject.run is not None and not subject.run.records and not subject.is_own else ""


def _sizes(subject: Subject) -> dict[str, Line]:
    """Return the size of weights at each evaluation, and at the start if that is known.

    Records have the largest of weights and biases: it is left out if that is a bias.
    """
    assert subject.run is not None
    found = {MEAN: line_of(subject.run.records, "mean_weight")}
    model = subject.model
    weights = [] if model.is_int8 else weights_of(model.network, model.genes, None)
    if weights and max(np.abs(one.now).max() for one in weights) >= np.abs(model.genes).max():
        found[LARGEST] = line_of(subject.run.records, "largest_weight")
    if subject.initial is not None:
        first = np.abs(subject.initial)
        for name, size in ((MEAN, first.mean(dtype=np.float64)), (LARGEST, first.max())):
            generations, values = found.get(name, ([], []))
            if values and np.isfinite(size):
                found[name] = [0, *generations], [float(size), *values]
    return {name: line for name, line in found.items() if len(line[1]) > 1}  # one point is no line


def _said(distance: Line, subject: Subject) -> list[str]:
    """Return a sentence on the distance between survivors, which is an estimate if there are many genes."""
    generations, values = distance
    if len(values) < 2:
        return []
    share = values[-1] / max(values) if max(values) else 0.0
    sampled = not subject.model.is_int8 and subject.model.network.gene_count > MOST_GENES
    about = "about " if sampled else ""
    said = (
        f"Two survivors are {about}{_three(values[0])} apart at generation {generations[0]:,} and "
        f"{about}{_three(values[-1])} at the end, "
        f"{100 * share:.0f} % of the maximum"
    )
    if share < COLLAPSED:
        return [f"{said}: the population is nearly a single network."]
    return [f"{said}: the population has not collapsed."]


def _three(value: float) -> str:
    """Return a number with three digits, keeping trailing zeros."""
    return f"{value:#.3g}".rstrip(".")


def _grown(mean: Line) -> list[str]:
    """Return a sentence on the size of weights."""
    generations, values = mean
    if len(values) < 2 or not values[0]:
        return []
    since = f"at generation {generations[0]:,}" if generations[0] else "at the start"
    said = f"The mean size of weights and biases goes from {values[0]:.3g} {since} to {values[-1]:.3g}"
    late = values[-1] / values[len(values) // 2] - 1 if len(values) > 3 and values[len(values) // 2] else 0.0
    if late > GROWING:
        return [f"{said}, and still grew by {100 * late:.0f} % in the last half of the run: it has not levelled off."]
    return [f"{said}."]


def _drawn(panel: Any, line: Line, label: str, number: int = 0) -> None:
    mark = MARKS[number] if len(line[1]) <= FEW else ""
    panel.plot(*thinned(line), DASHES[number], color=COLOURS[number], marker=mark, markersize=4, label=label)
    panel.set_ylabel(label)
    panel.grid(alpha=0.25)


def _panels(lines: dict[str, Line]) -> Any:
    """Return a figure with a panel for each line, one above the other."""
    figure = new_figure(height=0.8 + 1.6 * len(lines))
    panels = figure.subplots(len(lines), sharex=True, squeeze=False)[:, 0]
    for number, (panel, (name, line)) in enumerate(zip(panels, lines.items(), strict=True)):
        _drawn(panel, line, name, number)
        panel.set_ylim(0, 1.1 * max(line[1]) or 1)
    panels[-1].set_xlabel("generation")
    panels[-1].xaxis.get_major_locator().set_params(integer=True)
    return figure


def _ends(lines: dict[str, Line]) -> str:
    return "; ".join(f"{name} from {values[0]:.3g} to {values[-1]:.3g}" for name, (_, values) in lines.items())


def _chosen(records: Sequence[dict[str, Any]], names: dict[str, str]) -> dict[str, Line]:
    found = {label: line_of(records, name) for name, label in names.items()}
    return {label: line for label, line in found.items() if len(line[1]) > 1}  # one point is no line


def _diversity(records: Sequence[dict[str, Any]]) -> Picture | None:
    """Draw the diversity of survivors, by genes and by trust."""
    lines = _chosen(records, {"survivor_distance": "distance of two", "trust_deviation": "deviation of trust"})
    if not lines:
        return None
    return Picture(
        "diversity", png_of(_panels(lines)), f"Diversity of survivors by generation: {_ends(lines)}.",
        "Lines that fall to 0 mean that survivors become the same network, or equally good.",
    )  # fmt: skip


def _weights(lines: dict[str, Line]) -> list[Picture]:
    """Draw the size of weights."""
    if not lines:
        return []
    return [Picture(
        "weight-growth", png_of(_panels(lines)), f"Sizes of weights by generation: {_ends(lines)}.",
        "If a line rises to the end, nothing limits the weights; if it levels off, selection or decay does.",
    )]  # fmt: skip


def _alike(subject: Subject) -> Picture | None:
    """Draw the similarity and clusters of networks, layer by layer."""
    assert subject.run is not None
    rows = [record for record in subject.run.records if _lists(record)]
    count = len(rows[-1]["similarity"]) if rows else 0
    rows = [record for record in rows if len(record["similarity"]) == count]
    if len(rows) < 2:
        return None
    names = _layer_names(subject, count)
    shown = spread_out(count, MOST_LAYERS)
    generations = [record["generation"] for record in rows]
    figure = new_figure(height=4.6)
    above, below = figure.subplots(2, sharex=True)
    labels = [names[layer] for layer in shown]
    draw_over_time(above, generations, [[record["similarity"][layer] for layer in shown] for record in rows], labels)
    draw_over_time(below, generations, [[record["clusters"][layer] for layer in shown] for record in rows], labels)
    above.set(xlabel="", ylabel="mean cosine", ylim=(min(0.0, above.dataLim.y0), 1.02))
    below.set(ylabel=f"clusters at {CLUSTERED:g}")
    below.set_ylim(0, 1.1 * below.dataLim.y1)
    below.yaxis.get_major_locator().set_params(integer=True)
    below.get_legend().remove()
    ends = "; ".join(
        f"layer {names[layer]} ends at {rows[-1]['similarity'][layer]:.2f} in {rows[-1]['clusters'][layer]} clusters"
        for layer in shown
    )
    return Picture(
        "similarity", png_of(figure), f"Mean cosine of two networks' weights, and clusters, by generation: {ends}.",
        "A cosine near 1 and one cluster mean that all networks of the population are alike in that layer.",
    )  # fmt: skip


def _lists(record: dict[str, Any]) -> bool:
    """Return whether a record has a cosine and a number of clusters for each layer."""
    cosines, counts = record.get("similarity"), record.get("clusters")
    return (
        isinstance(cosines, list)
        and isinstance(counts, list)
        and 0 < len(cosines) == len(counts)
        and all(is_number(value) and -MOST_COSINE <= value <= MOST_COSINE for value in cosines)
        and all(is_number(value) and 0 <= value <= MOST_CLUSTERS for value in counts)
    )


def _layer_names(subject: Subject, count: int) -> list[str]:
    """Return the layers' names, counted from 0 as everywhere on a page; only numbers if they do not match the model."""
    try:
        names = list(layer_slices(subject.model.network, first=0))
    except GenregError:
        names = []
    return names if len(names) == count else [str(number) for number in range(count)]
