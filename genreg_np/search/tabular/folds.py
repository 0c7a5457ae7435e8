"""Which rows pipelines are fitted to and judged on; the same for all of them, so that they are compared on equal rows.

    hold-out     a fifth of the rows, that nothing is chosen by and the winner is judged on once
    folds        of all other rows: each fold is judged by a pipeline that was fitted to the others

By class, where classes are predicted. Rows of one group are never on both sides; in order of time what is judged comes
after what was learned from.

Shapes: N rows.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError
from genreg_np.search.tabular.rows import Rows

HELD = 0.2  # of the rows
Places = NDArray[np.int64]
Fold = tuple[Places, Places]  # rows that are fitted to, and rows that are judged on


def held_out(rows: Rows, seed: int, in_time: bool) -> Fold:
    """Return the rows to learn and choose from, and those that the winner is judged on.

    Raises
    ------
    DataError
        Where there are too few rows, or a single group.
    """
    from sklearn.model_selection import GroupShuffleSplit, train_test_split

    count = len(rows)
    if in_time:
        first = count - max(1, round(HELD * count))
        return np.arange(first), np.arange(first, count)
    if rows.groups is not None:
        if rows.groups.max() < 1:
            raise DataError(f"{rows.name}: all rows are of one group: none can be held out")
        split = GroupShuffleSplit(1, test_size=HELD, random_state=_state(seed))
        learned, held = next(split.split(rows.values, groups=rows.groups))
        return np.sort(learned), np.sort(held)
    learned, held = train_test_split(np.arange(count), test_size=HELD, random_state=_state(seed), stratify=strata(rows))
    return np.sort(learned), np.sort(held)


def strata(rows: Rows) -> Places | None:
    """Return what rows are divided by, (N,): their classes, lone rows as the commonest; None where that cannot be."""
    if not rows.class_names:
        return None
    counts = np.bincount(rows.labels)
    found: Places = np.where(counts[rows.labels] > 1, rows.labels, counts.argmax())
    least = np.unique(found, return_counts=True)[1]
    enough = least.min() > 1 and len(least) <= HELD * len(rows)
    return found if enough else None


def folds_of(rows: Rows, count: int, seed: int, in_time: bool, repeats: int = 0) -> list[Fold]:
    """Return `count` folds of rows; or, `repeats` times, others: in order of time with a cut more each time.

    Raises
    ------
    DataError
        Where there are fewer rows, or groups, than folds.
    """
    units = len(rows) if rows.groups is None else len(np.unique(rows.groups))
    if units < count + (repeats + 1 if in_time else 0):
        what = "rows" if rows.groups is None else "groups"
        way = f"take fewer --folds, or add {what}"
        raise DataError(f"{rows.name}: {units} {what} to choose by are fewer than {count} folds need: {way}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a class with fewer rows than folds, which is told once
        rounds = range(1, repeats + 1) if repeats else [0]
        return [fold for one in rounds for fold in _folds(rows, count + (one if in_time else 0), seed + one, in_time)]


def _folds(rows: Rows, count: int, seed: int, in_time: bool) -> Iterator[Fold]:
    from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit

    if in_time:
        yield from TimeSeriesSplit(count).split(rows.values)
        return
    if rows.groups is not None:
        mixed = np.random.default_rng(_state(seed)).permutation(np.unique(rows.groups))  # others each time
        for some in np.array_split(mixed, count):
            judged = np.isin(rows.groups, some)
            yield np.flatnonzero(~judged), np.flatnonzero(judged)
        return
    of_classes = bool(rows.class_names) and np.bincount(rows.labels).max() >= count
    kind = StratifiedKFold if of_classes else KFold
    yield from kind(count, shuffle=True, random_state=_state(seed)).split(rows.values, rows.labels)


def _state(seed: int) -> int:
    """Return a seed as scikit-learn takes it."""
    return seed % 2**32
