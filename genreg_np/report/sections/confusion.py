"""Confusion: which class is taken for which, as a matrix, or for many classes as the most frequent pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.report.names import PLAIN, drawn, written
from genreg_np.report.shown import SMALL, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject

TITLE = "Confusion"
MOST_CLASSES = 20  # in a matrix
FEW = 12  # classes up to which there is room for tenths of a per cent
MOST_PAIRS = 20  # of a table
NAMED = 3  # in words
DARK = 0.5  # shade beyond which numbers are white

Pair = tuple[int, int, int]  # true class, predicted class, how often


def section(subject: Subject) -> Shown | None:
    """Show which class is taken for which; None without classes or data."""
    if not subject.is_counted:
        return None
    return shown_of(subject.evaluation.confusion, subject.model.class_names)


def shown_of(confusion: NDArray[np.int64], class_names: Sequence[str], title: str = TITLE) -> Shown:
    """Show a confusion matrix (K, K)."""
    names, pairs = written(class_names), pairs_of(confusion)
    if len(names) <= MOST_CLASSES:
        drawing = _matrix(confusion, names, drawn(class_names), pairs)
        return Shown(title, in_words(confusion, names, pairs), [drawing])
    return Shown(title, in_words(confusion, names, pairs), [_table(confusion, names, pairs)] if pairs else [])


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return subject.lacks_classes


def pairs_of(confusion: NDArray[np.int64]) -> list[Pair]:
    """Return the confused pairs of classes, the most frequent first, of ties those with the largest share."""
    wrong = confusion - np.diag(confusion.diagonal())
    totals = confusion.sum(axis=1)
    found = [(int(true), int(other), int(wrong[true, other])) for true, other in np.argwhere(wrong)]
    return sorted(found, key=lambda pair: (-pair[2], totals[pair[0]], pair))


def in_words(confusion: NDArray[np.int64], names: Sequence[str], pairs: Sequence[Pair]) -> str:
    """Return the largest confusions, with their counts, and their shares of the class and of all errors."""
    count, errors = int(confusion.sum()), sum(times for *_, times in pairs)
    if not pairs:
        return f"No class is taken for another: all {count:,} are right."
    said = "; ".join(
        f"{names[true]} taken for {names[other]}: {_times(times)} "
        f"({100 * times / int(confusion[true].sum()):.1f} % of its {int(confusion[true].sum()):,})"
        for true, other, times in pairs[:NAMED]
    )
    of_all = 100 * sum(times for *_, times in pairs[:NAMED]) / errors
    if len(pairs) <= NAMED:
        return f"{said}. There are no other confusions."
    return f"The largest of {len(pairs):,} confusions: {said}. They are {of_all:.0f} % of {errors:,} errors."


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _matrix(
    confusion: NDArray[np.int64], names: Sequence[str], labels: Sequence[str], pairs: Sequence[Pair]
) -> Picture:
    """Draw the matrix with rows as shares of the class; shades show square roots, so that small ones are visible."""
    classes, totals = len(names), confusion.sum(axis=1)
    shares = confusion / np.maximum(1, totals)[:, None]
    figure = new_figure(height=min(6.4, 1.6 + 0.42 * classes))
    panel = figure.subplots()
    panel.imshow(np.sqrt(shares), cmap="Greys", vmin=0, vmax=1, aspect="auto")
    for true, other in np.argwhere(confusion):
        text = _share(int(confusion[true, other]), int(totals[true]), classes <= FEW)
        colour = "white" if np.sqrt(shares[true, other]) > DARK else "black"
        panel.text(other, true, text, ha="center", va="center", fontsize=SMALL, color=colour)
    turned = classes > 5 and max(len(name) for name in labels) > 2
    panel.set_xticks(range(classes), labels, rotation=90 if turned else 0, **PLAIN)
    counted = [f"{name} ({total:,})" for name, total in zip(labels, totals, strict=True)]
    panel.set_yticks(range(classes), counted, **PLAIN)
    panel.tick_params(labelsize=SMALL, length=0)
    panel.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    panel.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    panel.grid(which="minor", color="#d7dde5", linewidth=0.6)
    panel.tick_params(which="minor", length=0)
    panel.set_xlabel("predicted", fontsize=SMALL)
    panel.set_ylabel("true (count)", fontsize=SMALL)
    right = ", ".join(f"{name} {100 * shares[place, place]:.1f} %" for place, name in enumerate(names) if totals[place])
    most = "; ".join(f"{names[true]} as {names[other]}: {_times(times)}" for true, other, times in pairs[:10])
    return Picture(
        "confusion", png_of(figure, 64),
        f"Matrix of true and predicted classes. Right: {right}. Confused: {most or 'none'}.",
        "A row for each true class: the percentages predicted as each class; the diagonal is right.",
    )  # fmt: skip


def _share(count: int, total: int, is_roomy: bool) -> str:
    """Return a share in per cent, with tenths if there is room and enough inputs."""
    if is_roomy and total >= 100:
        text = f"{100 * count / total:.1f}"
        return ">99.9" if text == "100.0" and count < total else "<0.1" if text == "0.0" else text
    text = f"{100 * count / total:.0f}"
    return ">99" if text == "100" and count < total else "<1" if 100 * count < total else text


def _table(confusion: NDArray[np.int64], names: Sequence[str], pairs: Sequence[Pair]) -> Table:
    """Return the most frequent pairs."""
    totals = confusion.sum(axis=1)
    rows = [
        (names[true], names[other], f"{times:,}", f"{100 * times / totals[true]:.1f} %", f"{totals[true]:,}")
        for true, other, times in pairs[:MOST_PAIRS]
    ]
    some = f", {len(rows)} of {len(pairs):,}" if len(rows) < len(pairs) else ""
    return Table(
        ("true", "predicted", "times", "of the class", "in the split"), rows,
        f"The most frequent confusions{some}.",
    )  # fmt: skip
