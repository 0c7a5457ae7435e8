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
GAP = 0.03  # training accuracy beyond validation that is worth a word

Line = tuple[list[int], list[float]]


def section(subject: Subject) -> Shown | None:
    """Show the curves of a run; nothing of a model alone, or of a run that has no record yet."""
    if subject.run is None or not subject.run.records:
        return None
    records = subject.run.records
    parts = [part for part in (_accuracy(records), _trust(records)) if part is not None]
    return (
        Shown("Training", " ".join(verdict(records, str(subject.model.training.get("genome")))), parts)
        if parts
        else None
    )


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


def verdict(records: Sequence[dict[str, Any]], genome: str = "") -> list[str]:
    """Return in sentences what the curves say: when validation was best, whether it falls, and whether it overfits.

    Validation is that of the genome which is saved, where it has a line of its own.
    """
    own = line_of(records, f"{genome}_validation_accuracy")
    generations, values = own if own[1] else line_of(records, "validation_accuracy")
    if not values:
        return ["There was no look at the validation split."]
    best = max(range(len(values)), key=lambda index: (values[index], index))
    last = len(values) - 1
    whose = f" of the {genome}" if own[1] else ""
    said = [f"Validation{whose} was best at generation {generations[best]:,}: {100 * values[best]:.1f} %."]
    after = (generations[last] - generations[best]) / max(1, generations[last])
    if best == last and len(values) > 2:
        gain = values[last] - values[max(0, int(len(values) * 0.9) - 1)]
        said.append(
            f"It was still rising ({100 * gain:+.1f} points in the last tenth): a longer run may gain more."
            if gain > 0.001
            else "It hardly rose in the last tenth: a longer run will gain little."
        )
    elif after >= STALE:
        said.append(f"In the last {100 * after:.0f} % of the run it gained nothing: a shorter one would have done.")
    _, training = line_of(records, "mean_accuracy")
    if training and (gap := float(np.mean(training[-20:])) - values[last]) > GAP:
        said.append(
            f"Training images are predicted {100 * gap:.1f} points better than validation ones: some are known by "
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
    figure = new_figure()
    panel = figure.subplots()
    panel.plot(*thinned(best), color=COLOURS[0], label="fitness" if same else "best")
    if not same:
        panel.plot(*thinned(mean), "--", color=COLOURS[1], label="mean of all")
        generations, deviation = line_of(records, "trust_deviation")
        known = dict(zip(*best, strict=True))
        if deviation:
            top = np.array([known.get(generation, math.nan) for generation in generations])
            panel.fill_between(
                generations, top - 2 * np.array(deviation), top, color=COLOURS[0], alpha=0.15, linewidth=0,
                label="two deviations of the survivors' below the best",
            )  # fmt: skip
    panel.set(xlabel="generation", ylabel="fitness" if same else "trust")
    panel.grid(alpha=0.25)
    panel.legend(frameon=False)
    return Picture(
        "trust", png_of(figure),
        f"{'Fitness' if same else 'Trust'} by generation; it ends at {best[1][-1]:.4g}.",
        "What selection goes by: where best and mean run level, there is nothing left to select."
        if not same
        else "What every step is to raise.",
    )  # fmt: skip


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and -MOST < value < MOST
