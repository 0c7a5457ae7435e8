"""Runs side by side: a table of their numbers, whether they differ by more than chance, and shared axes of pictures."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from genreg_np.report.chance import either_way, paired_either_way
from genreg_np.report.sections.classes import class_looks
from genreg_np.report.sections.curves import drawn_lines
from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Beside, Subject

FEW = 4  # runs up to which all pairs are compared; beyond that, each is compared with the first
NOTHING = "-"


def beside(subjects: Sequence[Subject]) -> Beside:
    """Return the properties shared by the pictures of subjects."""
    lines = [values for subject in subjects if subject.run for _, values in drawn_lines(subject.run).values()]
    looks = [class_looks(subject)[1] for subject in subjects]
    known = np.concatenate([array[~np.isnan(array)] for array in looks])
    alike = len({subject.model.class_names for subject in subjects}) == 1
    counted = [subject.evaluation.confusion for subject in subjects if subject.is_counted] if alike else []
    order: tuple[int, ...] = ()
    if counted:
        right, all_ = (sum(part) for part in zip(*((one.diagonal(), one.sum(axis=1)) for one in counted), strict=True))
        order = tuple(np.argsort(np.asarray(right) / np.maximum(all_, 1), kind="stable").tolist())
    return Beside(
        min((min(values) for values in lines if values), default=0.0), float(known.min()) if len(known) else 0.0, order
    )


def compared(subjects: Sequence[Subject]) -> Shown:
    """Show the numbers of two or more subjects, and which of them differ."""
    head = ("", "test", "validation", "training", "weights and biases", "generations", "seconds")
    table = Table(
        head, [_row(subject) for subject in subjects], "Accuracy of the saved models; ± is what chance may cause."
    )
    pairs = list(itertools.combinations(subjects, 2)) if len(subjects) <= FEW else [
        (subjects[0], other) for other in subjects[1:]
    ]  # fmt: skip
    words = " ".join(text for one, other in pairs if (text := _differ(one, other)))
    return Shown("Side by side", words, [table])


def _row(subject: Subject) -> tuple[str, ...]:
    shares = {name: str(subject.shares[name]) if name in subject.shares else NOTHING for name in ("test", "validation")}
    train = str(subject.shares["train"]) if "train" in subject.shares and subject.learned_from else NOTHING
    seconds = subject.run.notes.get("seconds") if subject.run is not None else None
    generations = subject.model.training.get("generations")
    return (
        subject.name,
        shares["test"],
        shares["validation"],
        train,
        NOTHING if subject.model.is_int8 else f"{subject.model.network.gene_count:,}",
        f"{generations:,}" if type(generations) is int else NOTHING,
        f"{seconds:,.1f}" if type(seconds) in (int, float) else NOTHING,
    )


def _differ(one: Subject, other: Subject) -> str:
    """Return a sentence on whether two differ on the split that is shown; "" if it differs or nothing is known."""
    if one.split_name != other.split_name or not (one.shares and other.shares):
        return ""
    if set(one.model.class_names) != set(other.model.class_names):
        return f"{one.name} and {other.name} have different classes: their accuracies cannot be compared."
    name = one.split_name
    shares = [subject.shares[name] for subject in (one, other) if name in subject.shares]
    if len(shares) < 2:
        return ""
    chance, of_these = either_way(*shares), ", on different inputs"
    data = [subject.dataset.name for subject in (one, other) if subject.dataset is not None]
    if len(set(data)) == 1 and np.array_equal(one.labels, other.labels):
        chance, of_these = paired_either_way(one.predicted == one.labels, other.predicted == other.labels), ""
    gap = shares[0].value - shares[1].value
    better, worse = (one, other) if gap >= 0 else (other, one)
    points = f"{100 * abs(gap):.1f} points, chance ±{100 * chance:.1f}{of_these}"
    if abs(gap) > chance:
        return f"{better.name} is better than {worse.name} on {name} ({points})."
    return f"{one.name} and {other.name} differ by no more than chance on {name} ({points})."
