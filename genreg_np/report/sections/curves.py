"""Curves: what the population earned and got right, generation by generation, beside validation; and what they say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from genreg_np.report.shown import COLOURS, Picture, Shown, new_figure, png_of
from genreg_np.report.subject import Subject

MOST = 1e300  # a record's whole number may have any number of digits
MOST_POINTS = 400  # of a line: more are averaged
STALE = 0.25  # of a run, after its best look, in which nothing was gained
GAP, ERRORS = 0.03, 2  # training accuracy beyond validation that is worth a word: so much, and so many standard errors

Line = tuple[list[int], list[float]]


def section(subject: Subject) -> Shown | None:
    """Show the curves of a run; nothing of a model alone, or of a run that has no record yet."""
    if subject.run is None or not subject.run.records:
        return None
    records = subject.run.records
    parts = [part for part in (_accuracy(records), _trust(records)) if part is not None]
    looked = None if subject.dataset is None else len(subject.dataset.validation)
    words = verdict(records, subject.recorded_as("validation_accuracy"), looked)
    return Shown("Training", " ".join(words), parts) if parts else None


def line_of(records: Sequence[dict[str, Any]], name: str) -> Line:
    """Return generations and values of a measure, where it is a finite number."""
    found = [(record["generation"], record[name]) for record in records if _is_number(record.get(name))]
    return [generation for generation, _ in found], [float(value) for _, value in found]


def thinned(line: Line) -> Line:
    """Return a line of at most so many points: means of as many neighbours each."""
    generations, values = line
    if len(values) <= MOST_POINTS:
        return line
    groups = np.array_split(np.arange(len(values)), MOST_POINTS)
    return (
        [generations[group[-1]] for group in groups],
        [float(np.mean([values[index] for index in group])) for group in groups],
    )


def verdict(
    records: Sequence[dict[str, Any]], measure: str = "validation_accuracy", looked: int | None = None
) -> list[str]:
    """Return in sentences what the curves say: when validation was best, whether it falls, and whether it overfits.

    Parameters
    ----------
    records : sequence of dict
    measure : str
        What records call the accuracy on the validation split of the genome that is saved.
    looked : int, optional
        Inputs of that split: a difference of less than two standard errors is no word worth.
    """
    generations, values = line_of(records, measure)
    if not values:
        return ["There was no look at the validation split."]
    best = max(range(len(values)), key=lambda index: (values[index], index))
    last = len(values) - 1
    genome = measure.removesuffix("validation_accuracy").rstrip("_")
    whose = f" of the {genome}" if genome else ""
    said = [f"Validation{whose} was best at generation {generations[best]:,}: {100 * values[best]:.1f} %."]
    after = (generations[last] - generations[best]) / max(1, generations[last])
    if best == last and len(values) > 2:
        before = max(0, int(len(values) * 0.9) - 1)
        gain, since = values[last] - values[before], f"since generation {generations[before]:,}"
        said.append(
            f"It was still rising ({100 * gain:+.1f} points {since}): a longer run may gain more."
            if gain > 0.001
            else f"It hardly rose {since}: a longer run will gain little."
        )
    elif after >= STALE:
        said.append(f"In the last {100 * after:.0f} % of the run it gained nothing: a shorter one would have done.")
    _, training = line_of(records, "mean_accuracy")
    error = math.sqrt(max(0.0, values[last] * (1 - values[last])) / looked) if looked else 0.0
    if training and (gap := float(np.mean(training[-20:])) - values[last]) > max(GAP, ERRORS * error):
        said.append(
            f"Training inputs are predicted {100 * gap:.1f} points better than validation ones: some are known by "
            "heart; more data, fewer units or weight_decay help."
        )
    return said


def _accuracy(records: Sequence[dict[str, Any]]) -> Picture | None:
    """Draw accuracy in training and on validation."""
    lines = {
        "training (its batches)": thinned(line_of(records, "mean_accuracy")),
        "validation": line_of(records, "validation_accuracy"),
        "validation, consensus": line_of(records, "consensus_validation_accuracy"),
    }
    if not any(values for _, values in lines.values()):
        return None
    figure = new_figure()
    panel = figure.subplots()
    for (name, (generations, values)), colour, dash in zip(lines.items(), COLOURS, ("-", "-", "--"), strict=False):
        if values:
            mark = "o" if name != "training (its batches)" and len(values) <= 30 else ""
            panel.plot(
                generations, [100 * value for value in values], dash, color=colour, marker=mark, markersize=3,
                linewidth=1 if name.startswith("training") else 1.8, label=name,
            )  # fmt: skip
    panel.set(xlabel="generation", ylabel="right, %")
    panel.grid(alpha=0.25)
    panel.legend(frameon=False)
    ends = "; ".join(f"{name} ends at {100 * values[-1]:.1f} %" for name, (_, values) in lines.items() if values)
    return Picture(
        "accuracy", png_of(figure), f"Accuracy by generation: {ends}.",
        "A training line that leaves the validation line below it shows what is learned by heart.",
    )  # fmt: skip


def _trust(records: Sequence[dict[str, Any]]) -> Picture | None:
    """Draw the best and the mean trust, and the spread of the survivors'."""
    best, mean = (line_of(records, name) for name in ("best_trust", "mean_trust"))
    if not best[1]:
        return None
    same = best[1] == mean[1]
    what = "fitness" if same or "fitness" in records[-1] else "trust"
    figure = new_figure()
    panel = figure.subplots()
    panel.plot(*thinned(best), color=COLOURS[0], label=what if same else "best")
    if not same:
        panel.plot(*thinned(mean), "--", color=COLOURS[1], label="mean of all")
        generations, deviation = line_of(records, "trust_deviation")
        known = dict(zip(*best, strict=True))
        if deviation:
            top = np.array([known.get(generation, math.nan) for generation in generations])
            panel.fill_between(
                generations, top - 2 * np.array(deviation), top, color=COLOURS[0], alpha=0.15, linewidth=0,
                label="survivors, two deviations",
            )  # fmt: skip
    panel.set(xlabel="generation", ylabel=what)
    panel.grid(alpha=0.25)
    panel.legend(frameon=False)
    return Picture(
        "trust", png_of(figure),
        f"{what.capitalize()} by generation; it ends at {best[1][-1]:.4g}.",
        "What selection goes by: where best and mean run level, there is nothing left to select."
        if not same
        else "What every step is to raise.",
    )  # fmt: skip


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -MOST < value < MOST
