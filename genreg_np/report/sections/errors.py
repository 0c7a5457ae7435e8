"""Errors: the most confident ones, and how reliable confidence is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.report.chance import LEAST, Share
from genreg_np.report.names import drawn, written
from genreg_np.report.shown import WIDTH, Picture, Shown, Table
from genreg_np.report.subject import Subject
from genreg_np.report.tiles import brightness, draw_tiles, fitted, pictures_of, text_width

TITLE = "Errors"
MOST = 24  # errors that are shown
MOST_ALIKE = 6  # of one confusion, if that would be nearly all
MOST_TELLING = 4  # columns shown for a row
LEAST_ROOM = 0.75  # inches of a tile for the words besides a name: "for , >99 %"
PERCENT_ROOM = 0.55  # and for ", >99 %"
CALIBRATED = 0.02  # largest difference of mean confidence and accuracy of a calibrated model


def section(subject: Subject) -> Shown | None:
    """Show the model's errors; None without classes or data."""
    if not subject.is_counted:
        return None
    wrong = confident_errors(subject)
    words = in_words(subject)
    if not len(wrong):
        return Shown(TITLE, words)
    pictures = pictures_of(subject.inputs[wrong], subject.model.input_shape)
    return Shown(
        TITLE, words, [_rows(subject, wrong) if pictures is None else _pictures(subject, wrong, pictures)]
    )  # fmt: skip


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return subject.lacks_classes


def confident_errors(subject: Subject) -> NDArray[np.int64]:
    """Return the indices of the most confident errors, in order.

    If more than half of them would be the same confusion, at most a few of each confusion are used.
    """
    wrong = _wrong(subject)
    pairs = subject.labels[wrong] * len(subject.model.class_names) + subject.predicted[wrong]
    if not len(wrong) or np.unique(pairs[:MOST], return_counts=True)[1].max() <= MOST // 2:
        return wrong[:MOST]
    before = np.array([int((pairs[:place] == pair).sum()) for place, pair in enumerate(pairs)])
    return wrong[before < MOST_ALIKE][:MOST]


def _wrong(subject: Subject) -> NDArray[np.int64]:
    """Return the indices of all errors, the most confident first."""
    wrong = np.flatnonzero(subject.predicted != subject.labels)
    return wrong[np.argsort(-confidence(subject)[wrong], kind="stable")]


def confidence(subject: Subject) -> NDArray[np.floating]:
    """Return the probability of each answer, (N,)."""
    sure: NDArray[np.floating] = subject.probabilities.max(axis=1)
    return sure


def in_words(subject: Subject) -> str:
    """Return sentences on the number of errors, their confidence, and whether confidence is calibrated."""
    sure, right = confidence(subject), subject.predicted == subject.labels
    count, errors = len(right), int((~right).sum())
    said = [f"{errors:,} of {count:,} ({100 * errors / count:.1f} %) are wrong."]
    if errors and right.any():
        halves = [100 * float(np.median(sure[which])) for which in (~right, right)]
        said.append(f"The median confidence of errors is {halves[0]:.1f} %, of right answers {halves[1]:.1f} %.")
    mean, accuracy = float(sure.mean(dtype=np.float64)), float(right.mean())
    said.append(f"Mean confidence is {100 * mean:.1f} %, accuracy {100 * accuracy:.1f} %{_judged(mean, right)}.")
    return " ".join(said)


def _judged(mean: float, right: NDArray[np.bool_]) -> str:
    """Return whether a mean confidence matches the share of right answers (N,); "" if there are too few."""
    if len(right) < LEAST:
        return ""
    share = Share.of(right)
    gap = mean - share.value
    if abs(gap) <= CALIBRATED:
        return ": on average it is as confident as it is right"
    if abs(gap) <= share.either_way:
        return f", which differ by no more than chance (±{100 * share.either_way:.1f} points)"
    return f": it is {100 * abs(gap):.1f} points {'more' if gap > 0 else 'less'} confident than it should be"


def _pictures(subject: Subject, wrong: NDArray[np.int64], pictures: NDArray[np.generic]) -> Picture:
    """Draw the errors."""
    names, labels = written(subject.model.class_names), drawn(subject.model.class_names)
    sure = confidence(subject)
    answers = [(int(subject.predicted[one]), _percent(sure[one]), int(subject.labels[one])) for one in wrong]
    longest = max(text_width(labels[place]) for answer, _, true in answers for place in (answer, true))
    columns, between, room = 5, " taken\nfor ", WIDTH / 5 - LEAST_ROOM
    if longest > room:
        columns, between, room = 4, "\ntaken for\n", WIDTH / 4 - PERCENT_ROOM
        labels = fitted(subject.model.class_names, [place for one in answers for place in (one[0], one[2])], room)
    words = [f"{labels[true]}{between}{labels[answer]}, {percent}" for answer, percent, true in answers]
    png = draw_tiles(list(brightness(pictures, subject.model.input_range)), words, columns)
    listed = "; ".join(f"{names[true]} taken for {names[answer]}, {percent}" for answer, percent, true in answers)
    which = _which(subject, wrong)
    return Picture(
        "errors", png, f"{which}: {listed}.",
        f"{which}; below each its class, what it was taken for, and how confidently.",
    )  # fmt: skip


def _rows(subject: Subject, wrong: NDArray[np.int64]) -> Table:
    """Return the errors as rows, with the columns in which they are most like the predicted class.

    Columns are ranked by how much nearer, in standard deviations of the training split, a value is to the mean of the
    predicted class than to that of its own.
    """
    names = written(subject.model.class_names)
    values = subject.inputs[wrong].reshape(len(wrong), -1).astype(np.float64)
    columns = written(subject.model.feature_names, 24) or tuple(
        f"column {number}" for number in range(1, values.shape[1] + 1)
    )
    means, deviation = _means(subject)
    rows = []
    for one, row in zip(wrong, values, strict=True):
        answer, true = int(subject.predicted[one]), int(subject.labels[one])
        nearer = (np.abs(row - means[true]) - np.abs(row - means[answer])) / deviation
        telling = [int(place) for place in np.argsort(-nearer, kind="stable") if nearer[place] > 0][:MOST_TELLING]
        told = "; ".join(
            f"{columns[place]} {row[place]:.4g} ({means[true, place]:.3g}, {means[answer, place]:.3g})"
            for place in telling
        )
        sure = _percent(subject.probabilities[one, answer])
        rows.append((f"{one + 1:,}", f"{names[true]} taken for {names[answer]}, {sure}", told or "-"))
    return Table(
        ("row", "error, how confidently", "evidence for it"), rows,
        f"{_which(subject, wrong)}. Evidence: columns in which the row is nearer to the mean of the predicted class "
        "than to that of its own; both means in brackets, that of its own first.",
    )  # fmt: skip


def _which(subject: Subject, wrong: NDArray[np.int64]) -> str:
    errors = int((subject.predicted != subject.labels).sum())
    if set(wrong.tolist()) != set(_wrong(subject)[:MOST].tolist()):
        return f"The most confident of {errors:,} errors, at most {MOST_ALIKE} of each confusion"
    return (
        f"The {len(wrong)} most confident of {errors:,} errors"
        if errors > len(wrong)
        else "All errors, the most confident first"
    )


def _means(subject: Subject) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the means of each class (K, I) and the deviation (I,) of the training split, in the model's order."""
    assert subject.dataset is not None
    train = subject.dataset.train
    values = subject.in_order(train.inputs).reshape(len(train), -1).astype(np.float64)
    labels = subject.counted_as(train.labels)
    means = np.full((len(subject.model.class_names), values.shape[1]), np.nan)
    for label in np.unique(labels):
        means[label] = values[labels == label].mean(axis=0)
    deviation = values.std(axis=0)
    return means, np.where(deviation > 0, deviation, 1)


def _percent(fraction: float) -> str:
    """Return a share in per cent, never rounding up to 100 %."""
    text = f"{100 * fraction:.0f} %"
    return ">99 %" if text == "100 %" and fraction < 1 else text
