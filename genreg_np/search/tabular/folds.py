"""The rows that pipelines are fitted to and scored on; the same for all, so that scores are comparable.

    hold-out     a fifth of the rows; nothing is chosen by them, and the winner is scored on them once
    folds        of all other rows: a pipeline is fitted to all folds but one and scored on that one

Rows are stratified if classes are predicted. Rows of one group are never on both sides; in order of time, rows to score
on come after rows to fit to.

Shapes: N rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError
from genreg_np.search.tabular.rows import Rows

HELD = 0.2  # share of the rows
Places = NDArray[np.int64]
Fold = tuple[Places, Places]  # rows to fit to, and rows to score on


def held_out(rows: Rows, seed: int, in_time: bool) -> Fold:
    """Return the rows to fit to and choose by, and the held-out rows.

    Raises
    ------
    DataError
        If there are too few rows, or a single group.
    """
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    count = len(rows)
    if in_time:
        first = count - max(1, round(HELD * count))
        return np.arange(first), np.arange(first, count)
    if rows.groups is not None:
        if rows.groups.max() < 1:
            raise DataError(f"{rows.name}: all rows belong to one group: none can be held out")
        split = GroupShuffleSplit(1, test_size=HELD, random_state=_state(seed))
        learned, held = next(split.split(rows.values, groups=rows.groups))
        return np.sort(learned), np.sort(held)
    learned, held = train_test_split(np.arange(count), test_size=HELD, random_state=_state(seed), stratify=strata(rows))
    return np.sort(learned), np.sort(held)


def strata(rows: Rows) -> Places | None:
    """Return strata (N,): the classes, single rows joining the most common one; None if there are too few rows."""
    if not rows.class_names:
        return None
    counts = np.bincount(rows.labels)
    found: Places = np.where(counts[rows.labels] > 1, rows.labels, counts.argmax())
    least = np.unique(found, return_counts=True)[1]
    enough = least.min() > 1 and len(least) <= HELD * len(rows)
    return found if enough else None


def folds_of(rows: Rows, count: int, seed: int, in_time: bool, repeats: int = 0) -> list[Fold]:
    """Return `count` folds; or `repeats` times other folds, in order of time with one more cut each time.

    Raises
    ------
    DataError
        If there are fewer rows or groups than folds.
    """
    units = len(rows) if rows.groups is None else len(np.unique(rows.groups))
    if units < count + (repeats + 1 if in_time else 0):
        what = "rows" if rows.groups is None else "groups"
        way = f"take fewer --folds, or add {what}"
        raise DataError(f"{rows.name}: {units} {what} are fewer than {count} folds need: {way}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a class with fewer rows than folds, which is reported once
        rounds = range(1, repeats + 1) if repeats else [0]
        return [fold for one in rounds for fold in _folds(rows, count + (one if in_time else 0), seed + one, in_time)]


def _folds(rows: Rows, count: int, seed: int, in_time: bool) -> Iterator[Fold]:
    from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

    if in_time:
        yield from TimeSeriesSplit(count).split(rows.values)
        return
    if rows.groups is not None:
        mixed = np.random.default_rng(_state(seed)).permutation(np.unique(rows.groups))  # different each time
        for some in np.array_split(mixed, count):
            judged = np.isin(rows.groups, some)
            yield np.flatnonzero(~judged), np.flatnonzero(judged)
        return
    of_classes = bool(rows.class_names) and np.bincount(rows.labels).max() >= count
    kind = StratifiedKFold if of_classes else KFold
    yield from kind(count, shuffle=True, random_state=_state(seed)).split(rows.values, rows.labels)


def _state(seed: int) -> int:
    """Return a seed in scikit-learn's range."""
    return seed % 2**32
