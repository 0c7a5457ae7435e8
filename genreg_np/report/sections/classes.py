"""Classes: the accuracy of each over the run and at the end; which are worst, and which were learned last."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.report.names import PLAIN, drawn, written
from genreg_np.report.shown import COLOURS, SMALL, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject

TITLE = "Classes"
MOST_PANELS = 24  # classes with a panel each; more are drawn as one map
MOST_ROWS = 40  # of a map, a bar chart and a table: the worst
WORST = 3  # classes named in words
NOTHING = "-"  # for a class that does not occur in the split
LEARNED = 0.9  # of its best accuracy, at which a class counts as learned
BEHIND = 0.5  # of the mean of all classes, below which one counts as not yet learned

Looks = tuple[list[int], NDArray[np.float64]]  # L generations; accuracies (L, K), NaN for a class without images


def section(subject: Subject) -> Shown | None:
    """Show each class; None for other models than classifiers, or without data and recorded class accuracies."""
    names, labels = written(subject.model.class_names), drawn(subject.model.class_names)
    looks = class_looks(subject)
    saved = saved_look(looks[0], subject.model.training.get("generation"))
    if len(names) < 2 or not (looks[0] or subject.is_counted):
        return None
    if subject.is_counted:
        counts = subject.evaluation.confusion.sum(axis=1)
        final = np.array([math.nan if value is None else value for value in subject.evaluation.per_class])
        split = subject.split_name
    else:
        counts, final, split = None, looks[1][saved], "validation"
    order = [int(place) for place in np.argsort(final, kind="stable") if not math.isnan(final[place])]
    listed = [place for place in subject.beside.classes if place in order] if subject.beside else order
    parts: list[Picture | Table] = []
    if len(looks[0]) > 1:
        draw = _panels if len(names) <= MOST_PANELS else _map
        parts.append(draw(subject, looks, saved, names, labels))
    elif order:
        parts.append(_bars(final, names, labels, listed or order, split))
    if counts is not None:
        parts.append(_table(subject, names, listed or order))
    words = [worst_in_words(final, counts, names, order, f"the {split} split"), learned_in_words(looks, saved, names)]
    return Shown(TITLE, " ".join(word for word in words if word), parts) if parts else None


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return subject.lacks_classes


def class_looks(subject: Subject) -> Looks:
    """Return the generations at which a subject's classes were evaluated, and their accuracies."""
    records = subject.run.records if subject.run else ()
    return looks_of(records, len(subject.model.class_names), subject.recorded_as("class_accuracy"))


def looks_of(records: Sequence[dict[str, Any]], classes: int, measure: str = "class_accuracy") -> Looks:
    """Return the generations at which classes were evaluated, and their accuracies; invalid records are skipped.

    Parameters
    ----------
    records : sequence of dict
    classes : int
        K.
    measure : str
        The key, in records, of the saved genome's accuracies.

    Returns
    -------
    tuple of list of int and (L, K) float64
        NaN for a class without images.
    """
    generations, rows = [], []
    for record in records:
        found = record.get(measure)
        if isinstance(found, list) and len(found) == classes and all(_is_fraction(value) for value in found):
            generations.append(record["generation"])
            rows.append([math.nan if value is None else float(value) for value in found])
    return generations, np.array(rows, np.float64).reshape(len(rows), classes)


def saved_look(generations: Sequence[int], saved: Any) -> int:
    """Return the index of the saved generation; that of the last if it is not among them."""
    return generations.index(saved) if saved in generations else len(generations) - 1


def worst_in_words(
    final: NDArray[np.float64], counts: NDArray[np.int64] | None, names: Sequence[str], order: Sequence[int], where: str
) -> str:
    """Return which classes have the lowest accuracy, and which the highest; "" if none is known."""
    if not order:
        return ""
    best, missing = order[-1], len(names) - len(order)
    worst = [
        f"{names[place]} ({100 * final[place]:.1f} %" + ("" if counts is None else f" of {counts[place]:,}") + ")"
        for place in order[:WORST]
        if final[place] < final[best]
    ]
    said = (
        f"Least often right on {where}: {', '.join(worst)}; most often {names[best]} ({100 * final[best]:.1f} %)."
        if worst
        else f"All classes are equally often right on {where}: {100 * final[best]:.1f} %."
    )
    gone = f" {missing} of {len(names)} classes do not occur in the split." if missing else ""
    return said + gone


def learned_in_words(looks: Looks, saved: int, names: Sequence[str]) -> str:
    """Return which classes are not yet learned, and which of the others reached nine tenths of their best last.

    "" if there is no second evaluation.
    """
    generations, accuracies = looks
    if len(generations) < 2:
        return ""
    now = accuracies[saved]
    known = ~np.isnan(now)
    if not now[known].any():
        return "On validation no class is predicted right."
    behind = known & (now < BEHIND * now[known].mean())
    when = {int(place): learned_at(accuracies[:, place]) for place in np.flatnonzero(known & ~behind)}
    latest = max(when.values())
    said = [_named("On validation not learned yet", np.flatnonzero(behind), names, now)] if behind.any() else []
    if not latest:
        every = "every other class" if behind.any() else "every class"
        every += " that it has inputs of" if not known.all() else ""
        said.append(
            f"At the first look at validation, generation {generations[0]:,}, {every} had nine tenths of its best "
            "accuracy or more."
        )
    else:
        last = [place for place, look in when.items() if look == latest]
        if latest == len(generations) - 1 and now[last].min() < LEARNED * now[known].mean():
            return " ".join([*said, _named("Still rising at the last look at validation", np.array(last), names, now)])
        its = "its" if len(last) == 1 else "their"
        some = ", ".join(names[place] for place in last[:WORST])
        some += f" and {len(last) - WORST} more" if len(last) > WORST else ""
        said.append(
            f"Learned last, by validation: {some}, at nine tenths of {its} best accuracy by generation "
            f"{generations[latest]:,}."
        )
    return " ".join(said)


def _named(what: str, places: NDArray[np.intp], names: Sequence[str], accuracies: NDArray[np.float64]) -> str:
    """Return classes with their accuracies, the worst first."""
    order = sorted(places.tolist(), key=lambda place: float(accuracies[place]))
    some = ", ".join(f"{names[place]} ({100 * accuracies[place]:.0f} %)" for place in order[:WORST])
    return f"{what}: {some}{f' and {len(order) - WORST} more' if len(order) > WORST else ''}."


def learned_at(accuracies: NDArray[np.float64]) -> int:
    """Return the first of L evaluations at which a class has nine tenths of its best accuracy; 0 if it has none."""
    known = np.nan_to_num(accuracies)
    return int(np.argmax(known >= LEARNED * known.max()))


def _is_fraction(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 <= value <= 1)


def _panels(subject: Subject, looks: Looks, saved: int, names: Sequence[str], labels: Sequence[str]) -> Picture:
    """Draw a small panel for each class, with the mean of all behind it."""
    generations, accuracies = looks
    percents = 100 * accuracies
    known = ~np.isnan(percents)
    mean = np.where(known, percents, 0).sum(axis=1) / np.maximum(1, known.sum(axis=1))
    columns = 2 if len(names) <= 4 else 3 if len(names) <= 9 else 4
    rows = -(-len(names) // columns)
    figure = new_figure(height=0.6 + 1.15 * rows)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for place, panel in enumerate(panels):
        if place >= len(names):
            panel.axis("off")
            panels[place - columns].xaxis.set_tick_params(labelbottom=True)
            continue
        panel.plot(generations, mean, color="#9aa3ad", linewidth=2.2)
        marker = "o" if len(generations) <= 30 else ""
        panel.plot(generations, percents[:, place], color=COLOURS[0], linewidth=1.4, marker=marker, markersize=2.5)
        if saved < len(generations) - 1:
            panel.axvline(generations[saved], color="0.25", linestyle=":", linewidth=1.2)
        now = percents[saved, place]
        panel.set_title(f"{labels[place]}  {NOTHING if math.isnan(now) else f'{now:.1f} %'}", fontsize=SMALL, **PLAIN)
        panel.tick_params(labelsize=SMALL)
        panel.grid(alpha=0.25)
        panel.locator_params(axis="x", nbins=3)
    if subject.beside is not None:
        panels[0].set_ylim(100 * subject.beside.lowest_class - 3, 103)
    figure.supxlabel("generation", fontsize=SMALL)
    figure.supylabel("right, % (validation)", fontsize=SMALL)
    ends = ", ".join(
        f"{name} {value:.1f} %" for name, value in zip(names, percents[saved], strict=True) if value == value
    )
    when = _when(generations, saved)
    return Picture(
        "classes", png_of(figure, 64),
        f"Accuracy of each class on the validation split by generation, a panel each. At {when}: {ends}.",
        f"A panel for each class, in its title its accuracy on the validation split at {when}; "
        "the broad grey line is the mean of all classes.",
    )  # fmt: skip


def _when(generations: Sequence[int], saved: int) -> str:
    """Return an evaluation in words."""
    if saved == len(generations) - 1:
        return "the last look"
    return f"generation {generations[saved]:,}, which is saved (dotted line)"


def _map(subject: Subject, looks: Looks, saved: int, names: Sequence[str], labels: Sequence[str]) -> Picture:
    """Draw a row for each class, the worst if there are many, and a column for each evaluation."""
    generations, accuracies = looks
    last = np.where(np.isnan(accuracies[saved]), math.inf, accuracies[saved])
    ranked = (subject.beside.classes if subject.beside else ()) or np.argsort(last, kind="stable")
    order = [int(place) for place in ranked if math.isfinite(last[place])][:MOST_ROWS]
    figure = new_figure(height=0.8 + 0.16 * len(order))
    panel = figure.subplots()
    edges = [generations[0] - (generations[1] - generations[0]), *generations]
    shades = panel.pcolormesh(
        edges, np.arange(len(order) + 1), 100 * accuracies.T[order], cmap="Greys", vmin=0, vmax=100
    )
    panel.set_yticks(
        np.arange(len(order)) + 0.5, [f"{labels[place]}  {100 * last[place]:.0f} %" for place in order], **PLAIN
    )
    panel.tick_params(labelsize=SMALL)
    panel.invert_yaxis()
    panel.set_xlabel("generation", fontsize=SMALL)
    if saved < len(generations) - 1:
        panel.axvline(generations[saved], color=COLOURS[1], linestyle=":", linewidth=1.6)
    figure.colorbar(shades, ax=panel, fraction=0.04, label="right, % (validation)")
    ends = ", ".join(f"{names[place]} {100 * last[place]:.0f} %" for place in order[:10])
    some = f"the {len(order)} worst of " if len(order) < len(names) else ""
    when = _when(generations, saved)
    return Picture(
        "classes", png_of(figure, 64),
        f"Accuracy of {some}{len(names)} classes on the validation split by generation. Worst at {when}: {ends}.",
        f"A row for each class ({some}all {len(names)}), worst at the top: darker means more accurate; "
        f"numbers are those at {when}.",
    )  # fmt: skip


def _bars(
    final: NDArray[np.float64], names: Sequence[str], labels: Sequence[str], order: Sequence[int], split: str
) -> Picture:
    """Draw a bar for each class, the worst if there are many."""
    shown = order[:MOST_ROWS]
    figure = new_figure(height=0.8 + 0.2 * len(shown))
    panel = figure.subplots()
    bars = panel.barh(np.arange(len(shown)), [100 * final[place] for place in shown], color=COLOURS[0])
    panel.bar_label(bars, fmt="%.1f", fontsize=SMALL, padding=2)
    panel.set_yticks(np.arange(len(shown)), [labels[place] for place in shown], **PLAIN)
    panel.tick_params(labelsize=SMALL)
    panel.invert_yaxis()
    panel.set(xlim=(0, 110), xlabel=f"right, % ({split})", xticks=range(0, 101, 20))
    some = f"the {len(shown)} worst of {len(order)} classes" if len(shown) < len(order) else f"{len(shown)} classes"
    values = ", ".join(f"{names[place]} {100 * final[place]:.1f} %" for place in shown)
    return Picture(
        "classes", png_of(figure, 64), f"Accuracy of {some}, worst first: {values}.",
        "A bar for each class, worst at the top: how often it is predicted right.",
    )  # fmt: skip


def _table(subject: Subject, names: Sequence[str], order: Sequence[int]) -> Table:
    """Return counts by class, worst first, and what it is most often taken for; classes without images come last."""
    confusion = subject.evaluation.confusion
    places = [*order, *(place for place in range(len(names)) if place not in set(order))]
    rows = []
    for place in places[:MOST_ROWS]:
        count, right = int(confusion[place].sum()), int(confusion[place, place])
        wrong = confusion[place].copy()
        wrong[place] = 0
        other = int(wrong.argmax())
        accuracy = f"{100 * right / count:.1f} %" if count else NOTHING
        taken = f"{names[other]} ({wrong[other]:,})" if wrong[other] else NOTHING
        rows.append((names[place], f"{count:,}", f"{right:,}", accuracy, taken, f"{confusion[:, place].sum():,}"))
    some = f"the {MOST_ROWS} worst of {len(names)} classes" if len(names) > MOST_ROWS else "worst first"
    return Table(
        ("class", "count", "right", "accuracy", "else mostly", "predicted"),
        rows,
        f"The {subject.split_name} split by class, {some}; else mostly: what it is most often taken for; predicted: "
        "how often the model predicts it.",
    )
