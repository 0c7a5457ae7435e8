"""Predicted numbers: their errors, and R2 over the run."""

from __future__ import annotations

import numpy as np

from genreg_np.data.labels import short_name
from genreg_np.report.names import PLAIN
from genreg_np.report.sections.curves import line_of, thinned
from genreg_np.report.shown import COLOURS, SMALL, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject
from genreg_np.runs.numbers import NumberEvaluation

TITLE = "Predictions"
MOST_TARGETS = 4  # that are drawn
MOST_DOTS = 2000  # rows that are drawn of each
CAPTION = "Root mean squared and mean absolute error, also for always predicting the mean."


def section(subject: Subject) -> Shown | None:
    """Show predictions against targets and their errors; None for a model that does not predict numbers."""
    names, split = subject.model.value_names, subject.split
    if not names or split is None or not len(split) or subject.dataset is None:
        return None
    predicted = np.asarray(subject.model.outputs(subject.inputs), np.float64)
    mean = subject.dataset.train.labels.mean(axis=0)
    found = NumberEvaluation.of(predicted, split.labels, names, mean)
    rows = [
        [
            short_name(name),
            f"{found.r2[k]:.4f}",
            *(f"{value[k]:.4g}" for value in (found.rmse, found.mae, found.mean_rmse, found.mean_mae)),
        ]
        for k, name in enumerate(names)
    ]
    head = ["", "R2", "RMSE", "MAE", "RMSE of the mean", "MAE of the mean"]
    worst = int(found.r2.argmin())
    words = (
        f"On {found.n:,} inputs of the {subject.split_name} split R2 is {found.score:.4f}"
        + (
            f" on average; the lowest, {found.r2[worst]:.4f}, is that of {short_name(names[worst])}."
            if len(names) > 1
            else "."
        )
        + " It is 1 for perfect predictions, and 0 for always predicting the mean."
    )
    parts: list[Picture | Table] = [Table(head, rows, CAPTION), scatter(predicted, split.labels, found)]
    curve = _curve(subject)
    return Shown(TITLE, words, [*parts, curve] if curve is not None else parts)


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return subject.lacks_data if subject.model.value_names else ""


def scatter(predicted: np.ndarray, targets: np.ndarray, found: NumberEvaluation) -> Picture:
    """Draw the prediction for each input against its target."""
    count = min(MOST_TARGETS, targets.shape[1])
    figure = new_figure(height=3.6 if count == 1 else 2.4 * -(-count // 2))
    panels = np.atleast_1d(figure.subplots(-(-count // 2), min(2, count))).ravel()
    step = -(-len(targets) // MOST_DOTS)
    for k, panel in enumerate(panels):
        if k >= count:
            panel.set_axis_off()
            continue
        wanted, given = targets[::step, k], predicted[::step, k]
        ends = [float(min(wanted.min(), given.min())), float(max(wanted.max(), given.max()))]
        panel.plot(ends, ends, color="0.4", linewidth=1)
        panel.scatter(wanted, given, s=20, alpha=0.5, color=COLOURS[0], linewidths=0)
        panel.set(xlabel="in the data", ylabel="predicted")
        panel.set_title(short_name(found.names[k]), fontsize=SMALL, **PLAIN)
        panel.grid(alpha=0.25)
    some = f" The first {count} of {targets.shape[1]} numbers are drawn." if count < targets.shape[1] else ""
    return Picture(
        "predictions", png_of(figure), f"Predictions against targets; R2 {found.score:.4f}.",
        f"On the line a prediction is right; dots flatter than the line are biased towards the mean.{some}",
    )  # fmt: skip


def _curve(subject: Subject) -> Picture | None:
    """Draw R2 on validation, and on training batches, by generation."""
    if subject.run is None:
        return None
    lines = {
        "training: batches": thinned(line_of(subject.run.records, "mean_r2")),
        "validation": line_of(subject.run.records, "validation_score"),
    }
    lines = {name: line for name, line in lines.items() if len(line[1]) > 1}
    if "validation" not in lines:
        return None
    figure = new_figure(height=3.0)
    panel = figure.subplots()
    for (name, (generations, values)), colour in zip(lines.items(), COLOURS, strict=False):
        panel.plot(generations, np.maximum(values, -1.0), color=colour, label=name)
    panel.set(xlabel="generation", ylabel="R2, at least -1")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(alpha=0.25)
    panel.legend(frameon=False)
    return Picture(
        "r2", png_of(figure), f"R2 by generation; on validation it ends at {lines['validation'][1][-1]:.3f}.",
        "A training line that rises above the validation line shows what is learned by heart.",
    )  # fmt: skip
