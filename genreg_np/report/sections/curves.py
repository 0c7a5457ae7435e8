"""Curves: the population's trust and accuracy, generation by generation, and accuracy on validation.

sections/verdict.py interprets them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import numpy as np

from genreg_np.report.shown import COLOURS, Picture, Shown, new_figure, png_of
from genreg_np.report.subject import Subject
from genreg_np.runs.stored import StoredRun
from genreg_np.strategies import strategy_class

TITLE = "Training"
NO_RECORDS = "the run has no records (metrics.jsonl)"
MOST = 1e300  # limit, as whole numbers in records may have any number of digits
MOST_POINTS = 400  # of a line: more are averaged

Line = tuple[list[int], list[float]]


def section(subject: Subject) -> Shown | None:
    """Show the curves of a run; None for a model alone, or a run without records."""
    if subject.run is None or not subject.run.records:
        return None
    trust = None if _is_trust_told(subject) else _trust(subject.run.records)
    parts = [part for part in (_accuracy(subject, subject.run), trust) if part is not None]
    return Shown(TITLE, _words(subject), parts) if parts else None


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return NO_RECORDS if subject.run is not None and not subject.run.records and not subject.is_own else ""


def _is_trust_told(subject: Subject) -> bool:
    """Return whether trust equals a custom score, which scores.py draws, or is known for only one generation."""
    assert subject.run is not None
    best = line_of(subject.run.records, "best_trust")
    return subject.is_own and (len(best[1]) < 2 or best == line_of(subject.run.records, "fitness_maximum"))


def training_of(run: StoredRun) -> Line:
    """Return accuracy in training by generation; empty for strategies that record that of another split."""
    return ([], []) if run.config.strategy == "mixed" else line_of(run.records, "mean_accuracy")


def line_of(records: Sequence[dict[str, Any]], name: str) -> Line:
    """Return generations and values of a measure, skipping values that are not finite numbers."""
    found = [(record["generation"], record[name]) for record in records if is_number(record.get(name))]
    return [generation for generation, _ in found], [float(value) for _, value in found]


def thinned(line: Line, of: Callable[[list[float]], Any] = np.mean) -> Line:
    """Return a line of at most MOST_POINTS points, as means of neighbours or another function `of` them."""
    generations, values = line
    if len(values) <= MOST_POINTS:
        return line
    groups = np.array_split(np.arange(len(values)), MOST_POINTS)
    return (
        [generations[group[-1]] for group in groups],
        [float(of([values[index] for index in group])) for group in groups],
    )


def _words(subject: Subject) -> str:
    """Return a sentence on how to read the curves."""
    assert subject.run is not None
    kinds = ("validation_accuracy", "validation_score")
    looks = max(len(line_of(subject.run.records, kind)[0]) for kind in kinds)
    if not looks and subject.is_own:
        return "Selection uses what genomes and their parents have accumulated over generations, not the last score."
    if not looks:
        return "There was no look at the validation split."
    count = 0 if subject.dataset is None else len(subject.dataset.validation)
    of_these = f", of {count:,} inputs that are not learned from," if count else ","
    return (
        f"There was a single look at validation{of_these} so there is no curve of it."
        if looks == 1
        else f"{looks:,} looks at validation{of_these.rstrip(',')}."
    )


def _measured(run: StoredRun) -> tuple[str, str]:
    """Return the name of the line of mean accuracy, and a sentence on how to read it, by strategy."""
    if run.config.strategy == "mixed":
        return (
            f"mean of all networks on {run.config.selection}",
            "The fittest network is above the mean of all. Accuracy in training is not recorded.",
        )
    if strategy_class(run.config.strategy).keeps_population:
        return (
            "training: mean of all networks on their batches",
            "Most networks are mutants that are worse than the saved one: their mean is mostly below validation, and "
            "says little about overfitting.",
        )
    return (
        "training: the network's batches",
        "A training line that rises above the validation line shows what is learned by heart.",
    )


def drawn_lines(run: StoredRun) -> dict[str, Line]:
    """Return the lines of accuracy drawn for a run, by name."""
    return {
        _measured(run)[0]: thinned(line_of(run.records, "mean_accuracy")),
        "validation": line_of(run.records, "validation_accuracy"),
        "validation, consensus": line_of(run.records, "consensus_validation_accuracy"),
    }


def _accuracy(subject: Subject, run: StoredRun) -> Picture | None:
    """Draw accuracy in training and on validation."""
    measured, caption = _measured(run)
    lines = drawn_lines(run)
    if not any(values for _, values in lines.values()):
        return None
    figure = new_figure(height=3.4)
    panel = figure.subplots()
    for (name, (generations, values)), colour, dash in zip(lines.items(), COLOURS, ("-", "-", "--"), strict=False):
        if values:
            single = len(values) == 1
            mark = "o" if single or (name != measured and len(values) <= 30) else ""
            panel.plot(
                generations, [100 * value for value in values], "" if single else dash, color=colour, marker=mark,
                markersize=6 if single else 3, linewidth=1 if name == measured else 1.8,
                label=f"{name}, a single look" if single and name != measured else name,
            )  # fmt: skip
    saved, last = subject.model.training.get("generation"), run.records[-1]["generation"]
    if type(saved) is int and 0 < saved < last:
        panel.axvline(saved, color="0.25", linestyle=":", linewidth=1.2)
        caption += f" The dotted line is generation {saved:,}, which is saved."
    panel.set(xlabel="generation", ylabel="right, %")
    panel.xaxis.get_major_locator().set_params(integer=True)
    if subject.beside is not None:
        panel.set_ylim(100 * subject.beside.lowest - 3, 103)
    panel.grid(alpha=0.25)
    figure.legend(loc="outside upper left", frameon=False)
    ends = "; ".join(f"{name} ends at {100 * values[-1]:.1f} %" for name, (_, values) in lines.items() if values)
    return Picture("accuracy", png_of(figure), f"Accuracy by generation: {ends}.", caption)


def _trust(records: Sequence[dict[str, Any]]) -> Picture | None:
    """Draw the best and mean trust, and the spread of the survivors' trust."""
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
        if len(deviation) > 1:
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
        "The basis of selection: where best and mean stay level, there is nothing left to select."
        if not same
        else "The value that training tries to raise, step by step: the mean over a batch.",
    )  # fmt: skip


def is_number(value: Any) -> TypeGuard[float]:
    """Return whether a value of a record is a finite number that can be drawn."""
    return type(value) in (int, float) and -MOST < value < MOST
