"""Detect whether the first row of a table is a header, by comparing it with the rows below.

Features are numbers, so a row with a word among them is not a sample. The difficult case is names that look like
numbers, as pandas gives them to unnamed columns (0, 1, 2, ...): these are recognised by the label, whose name occurs in
no other row, and by counting up. If the first row's label occurs nowhere else although other labels recur, or its
numbers are of another kind than all those below, the case is undecided and the user is asked.

Shapes: inputs (N, I) float32, the N rows below the first.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.rows import is_number

MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-"}
WHOLE = re.compile(r"[+-]?\d+(\.0*)?")
LEAST_ROWS = 5  # below the first: fewer do not show a range
USUAL_LABELS = 10  # times as many labels as occur once: a further label that occurs once is then unusual
LEAST_SAMPLES = 3  # per class on average: in smaller tables, classes of one sample are common


@dataclass(frozen=True)
class Others:
    """The rows below the first."""

    labels: Mapping[str, int]  # how often each occurs
    inputs: NDArray[np.float32]  # (N, I)
    whole: bool  # whether any feature, at least among the first rows, is written as a whole number: 1, not 1.0

    @property
    def recurring(self) -> bool:
        """Whether nearly all labels occur more than once."""
        once = sum(count == 1 for count in self.labels.values())
        return bool(self.labels) and once * USUAL_LABELS <= len(self.labels)

    @property
    def tiny(self) -> bool:
        """Whether the table is so small that classes of one sample are common."""
        return len(self.inputs) < LEAST_SAMPLES * len(self.labels)

    def continued_by(self, label: str) -> bool:
        """Return whether a number lies among or next to the numeric labels, as that of a rare class would."""
        numbers = [float(other) for other in self.labels if is_number(other)]
        return bool(numbers) and min(numbers) - 1 <= float(label) <= max(numbers) + 1


def names_columns(first: Sequence[str], column: int, others: Others) -> bool | None:
    """Return whether a first row is a header; None if undecided.

    Parameters
    ----------
    first : sequence of str
        Fields of the first row.
    column : int
        Index of the label column.
    others : Others
        All other rows.

    Returns
    -------
    bool or None
        Also False for a faulty row of data, so that the fault is reported as one.
    """
    features, label = [*first[:column], *first[column + 1 :]], first[column]
    numbers = [field for field in features if is_number(field)]
    recurs = label in others.labels
    if any(not is_number(field) and field.lower() not in MISSING for field in features):
        return not (numbers and recurs)
    if not numbers:
        unnamed = others.labels and not any(features)
        return False if recurs else True if unnamed else None
    if is_number(label):
        return _numbers_name(first, features, label, others)
    return _word_names(label, features, numbers, recurs, others)


def first_is_header(first: Sequence[str], below: Sequence[Collection[str]], rows: int) -> bool | None:
    """Return whether a first row is a header, for a table in which some features are words; None if undecided.

    A word above numbers is a name, and so is a word found in no other row of a column whose words recur. A row of data
    shares its label and words with other rows. Names of columns may be empty; if they recur, the caller refuses them.

    Parameters
    ----------
    first : sequence of str
        Fields of the first row.
    below : sequence of collections of str
        The distinct fields of each column in all other rows.
    rows : int
        The number of these rows.
    """
    twice = {field for field, count in Counter(first).items() if field and count > 1}
    if any(is_number(field) or field.lower() in MISSING for field in twice):
        return False
    above, recurs, fresh = False, 0, 0
    for field, texts in zip(first, below, strict=True):
        known = [text for text in texts if text.lower() not in MISSING]
        if known and all(map(is_number, known)):
            if is_number(field) and field not in texts:
                continue
            above = above or not (is_number(field) or field.lower() in MISSING)
        elif field in texts:
            recurs += field.lower() not in MISSING
        elif field and 2 * len(known) <= rows:
            fresh += 1
    if above and not recurs:
        return True
    if recurs:
        return None if above else False
    return True if fresh and not twice else None


def _word_names(
    label: str, features: Sequence[str], numbers: Sequence[str], recurs: bool, others: Others
) -> bool | None:
    """Return whether a row of numbers with a word as label is a header."""
    some_recur = len(others.inputs) > len(others.labels)  # so a label that does not may be a name
    counting = counts(numbers) and (len(numbers) > 2 or len(features) > len(numbers) or _wholly_new(features, others))
    if recurs:
        return None if counting or _foreign(features, others) else False
    above_numbers = others.labels and label.lower() not in MISSING and all(map(is_number, others.labels))
    if (above_numbers and _whole(numbers)) or (some_recur and (counting or evenly_spaced(numbers))):
        return True
    alike = some_recur and (others.tiny or not others.recurring) and not _whole(numbers) and _within(features, others)
    return False if alike else None


def _numbers_name(first: Sequence[str], features: Sequence[str], label: str, others: Others) -> bool | None:
    """Return whether a row of numbers, including the label, is a header."""
    some_recur, recurs = len(others.inputs) > len(others.labels), label in others.labels
    usual = recurs or not others.recurring or (others.tiny and others.continued_by(label))
    filled = [field for field in first if field]
    if counts(filled):
        unnamed = len(filled) < len(first)  # pandas does not name the index
        named = len(features) > 1 and (not (usual or others.tiny) or _wholly_new(features, others))
        return True if unnamed or named else None
    regular = evenly_spaced(filled) or (len(features) > 2 and counts(features))
    odd = not usual or (some_recur and regular and not recurs)
    return None if odd or _foreign(features, others) else False


def counts(fields: Sequence[str]) -> bool:
    """Return whether fields, at least two, are 0, 1, 2, ... or 1, 2, 3, ..."""
    return len(fields) > 1 and _whole(fields) and float(fields[0]) in (0, 1) and _steps(fields) == {1}


def evenly_spaced(fields: Sequence[str]) -> bool:
    """Return whether fields are at least four numbers in equal steps, like years and wavelengths."""
    steps = _steps(fields) if len(fields) > 3 and all(map(is_number, fields)) else set()
    return len(steps) == 1 and 0 not in steps


def _whole(fields: Sequence[str]) -> bool:
    return all(WHOLE.fullmatch(field) for field in fields)


def _steps(fields: Sequence[str]) -> set[float]:
    """Return the differences between neighbours."""
    return {round(after - before, 9) for before, after in itertools.pairwise(map(float, fields))}


def _wholly_new(features: Sequence[str], others: Others) -> bool:
    """Return whether all features of the first row are whole numbers and none below is: 1 above 2.5."""
    return len(others.inputs) > 0 and not others.whole and all(field.isdecimal() for field in features)


def _foreign(features: Sequence[str], others: Others) -> bool:
    """Return whether numbers are unlike those below: whole above fractions, or all far outside their range."""
    if len(others.inputs) < LEAST_ROWS or not all(map(is_number, features)):
        return False
    low, high = others.inputs.min(axis=0).astype(np.float64), others.inputs.max(axis=0).astype(np.float64)
    values = np.array([float(field) for field in features])
    apart = np.maximum(low - values, values - high)
    steps = np.diff(others.inputs[:LEAST_ROWS], axis=0) * np.where(values > high, -1, 1)
    ordered = bool((steps > 0).all())  # the rows below move steadily away from the first: it begins a series
    far_out = bool((apart > 0).all() and (apart > high - low).any()) and not ordered
    return far_out or (len(features) > 1 and _wholly_new(features, others))


def _within(features: Sequence[str], others: Others) -> bool:
    """Return whether all features lie in the range of those below."""
    with np.errstate(over="ignore"):  # overflows to infinity, which is outside any range
        values = np.array([float(field) if is_number(field) else np.nan for field in features]).astype(np.float32)
    return bool((values >= others.inputs.min(axis=0)).all() and (values <= others.inputs.max(axis=0)).all())
