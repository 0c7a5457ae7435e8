"""Whether the first row of a table names its columns: by what the rows below it look like.

Features are numbers, so a row with a word among them is no sample. What is left are names that look like numbers, as
pandas gives them to columns without names (0, 1, 2, ...): they are told by the label, whose name occurs in no other
row, and by counting. Where neither tells, the answer is that it cannot be told, and the user is asked.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence

from genreg_np.data.rows import is_number

MISSING = {"", "na", "n/a", "nan", "null", "none", "?", "-"}
WHOLE = re.compile(r"[+-]?\d+(\.0*)?")


def names_columns(
    first: Sequence[str], column: int, labels: Counter[str], sample: Sequence[Sequence[str]]
) -> bool | None:
    """Tell whether a first row is a header; None where it cannot be told.

    Parameters
    ----------
    first : sequence of str
        Fields of the first row.
    column : int
        Index of the label column.
    labels : Counter of str
        How often each label occurs in all other rows.
    sample : sequence of sequence of str
        Fields of some of the other rows, each as long as the first.

    Returns
    -------
    bool or None
        False also for a faulty row of data, whose fault is then reported as such.
    """
    features, label = [*first[:column], *first[column + 1 :]], first[column]
    numbers = [field for field in features if is_number(field)]
    recurs = label in labels
    if any(not is_number(field) and field.lower() not in MISSING for field in features):
        return not (numbers and recurs)
    if recurs and not is_number(label):
        return False
    if not numbers:
        return True if not any(features) and labels else None
    classes = labels.total() > len(labels)  # some label occurs twice, so one of its own may be a name
    if not is_number(label):
        regular = counts(numbers) or evenly_spaced(numbers)
        of_another_type = labels and label.lower() not in MISSING and all(map(is_number, labels)) and _whole(numbers)
        return True if of_another_type or (classes and regular) else None
    filled = [field for field in first if field]
    if counts(filled):
        unnamed = len(filled) < len(first)  # pandas leaves the index without a name
        named = len(features) > 1 and ((classes and not recurs) or _of_another_form(first, column, sample))
        return True if unnamed or named else None
    doubtful = classes and not recurs and (evenly_spaced(filled) or (len(numbers) > 2 and counts(numbers)))
    return None if doubtful else False


def counts(fields: Sequence[str]) -> bool:
    """Tell whether fields are 0, 1, 2, ... or 1, 2, 3, ..., at least two."""
    return len(fields) > 1 and _whole(fields) and float(fields[0]) in (0, 1) and _steps(fields) == {1}


def evenly_spaced(fields: Sequence[str]) -> bool:
    """Tell whether fields are four numbers or more in equal steps, as years and wavelengths are."""
    steps = _steps(fields) if len(fields) > 3 and all(map(is_number, fields)) else set()
    return len(steps) == 1 and 0 not in steps


def _whole(fields: Sequence[str]) -> bool:
    return all(WHOLE.fullmatch(field) for field in fields)


def _steps(fields: Sequence[str]) -> set[float]:
    """Return the differences between neighbours."""
    return {round(after - before, 9) for before, after in itertools.pairwise(map(float, fields))}


def _of_another_form(first: Sequence[str], column: int, sample: Sequence[Sequence[str]]) -> bool:
    """Tell whether all feature columns have a whole number in the first row only, as text: 1 above 1.0 and 2.5."""
    columns = [index for index in range(len(first)) if index != column]
    return bool(sample) and not any(row[index].isdecimal() for row in sample for index in columns)
