"""Base classes of all estimators: check rows and labels, and read new rows as those of `fit`.

Shapes: N rows, I columns, K classes.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from genreg_np.data.columns import DATES, NUMBERS
from genreg_np.data.frames import texts_of
from genreg_np.data.remarks import BEYOND
from genreg_np.errors import DataError, UsageError
from genreg_np.infer_table import LARGEST, Fields
from genreg_np.search.tabular.frames import inputs_of_frame, is_frame, rows_of_array, rows_of_frame
from genreg_np.search.tabular.rows import Column, Rows
from genreg_np.settings import usable_processors, whole_number

Classes = NDArray[Any]  # (K,) the users' names of classes


def check_known(values: Any, name: str) -> None:
    """Refuse labels or groups with missing values."""
    array = np.asarray(values, dtype=object)
    of_row = max(1, array.size // len(array)) if array.ndim and len(array) else 1
    for place, value in enumerate(array.ravel() if array.ndim else []):
        row = place // of_row
        if value is None or (value != value) is True or str(value) == "<NA>":
            raise DataError(f"{name}, row {row}: is missing (None or NaN): leave out the rows where it is missing")


def check_range(columns: Sequence[Column], values: NDArray[np.float64]) -> None:
    """Refuse numbers (N, I) that are infinite or that float32, in which networks compute, cannot hold."""
    if not values.size or (values.max() <= LARGEST and values.min() >= -LARGEST):  # neither is so with NaN among them
        return
    beyond = np.abs(values) > LARGEST
    if beyond.any():
        row, place = map(int, np.argwhere(beyond)[0])
        column = columns[place].name
        if np.isinf(values[row, place]):
            raise DataError(f"X, row {row}, column {column!r}: infinity is not supported; replace it")
        raise DataError(f"X, row {row}, column {column!r}: {values[row, place]:g} {BEYOND}")


def check_single(frame: Any) -> None:
    """Refuse columns of a DataFrame with several values in one field."""
    for name in frame.columns:
        if str(getattr(frame[name], "dtype", "")).lower().startswith(("object", "list", "array", "struct")):
            texts_of("X", name, frame[name])


def jobs_of(n_jobs: Any) -> int:
    """Return the number of processes or threads for `n_jobs`: None means 1, -1 all usable ones, -2 one less.

    Raises
    ------
    UsageError
        If it is not a whole number, or is 0.
    """
    jobs = 1 if n_jobs is None else whole_number(n_jobs, "n_jobs")
    if not jobs:
        raise UsageError("n_jobs = 0 is not allowed: use 1 for one, or -1 for one per core")
    return max(1, usable_processors() + 1 + jobs if jobs < 0 else jobs)


def seconds_of(value: Any, name: str, otherwise: str) -> float:
    """Return a time in seconds.

    Raises
    ------
    UsageError
        If it is not a finite number above 0; the message ends with `otherwise`.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < math.inf:
        raise UsageError(f"{name} = {value!r} must be a number of seconds above 0, or {otherwise}")
    return float(value)


class Checked(BaseEstimator):  # type: ignore[misc]
    """An estimator that takes arrays of numbers, NaN where one is missing, or DataFrames with columns of any type."""

    _columns: tuple[Column, ...]
    _of_frame: bool
    _of_classes: bool
    _of_several = False  # whether there may be several numbers for a row

    def __sklearn_tags__(self) -> Any:
        """Return the estimator's tags."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _rows(self, inputs: Any, labels: ArrayLike, groups: ArrayLike | None = None) -> tuple[Rows, Classes | None]:
        """Return checked rows, and the classes if there are any; raises ValueError for invalid ones."""
        check_known(labels, "y")
        of_classes = self._of_classes
        by_names = is_frame(inputs)
        if by_names:
            validate_data(self, inputs, skip_check_array=True)
            check_single(inputs)
            targets = self._targets(np.asarray(labels) if self._of_several else column_or_1d(labels, warn=True))
            check_consistent_length(inputs, targets)
        else:
            inputs, targets = validate_data(
                self,
                inputs,
                labels,
                dtype="numeric",
                ensure_all_finite="allow-nan",
                y_numeric=not of_classes,
                multi_output=self._of_several,
            )
            targets = self._targets(targets)
        classes, values = self._encoded(targets)
        names = () if classes is None else tuple(map(str, classes))
        number = None
        if groups is not None:
            check_known(groups, "groups")
            check_consistent_length(inputs, groups)
            number = np.unique(column_or_1d(groups), return_inverse=True)[1]
        if by_names:
            rows = rows_of_frame(inputs, values, names, number)
            for note in rows.notes:
                warnings.warn(f"X, column {note}", RuntimeWarning, stacklevel=4)  # where fit was called
            return rows, classes
        return rows_of_array(inputs.astype(np.float64), values, names, number), classes

    def _keep_rows(self, rows: Rows, classes: Classes | None) -> None:
        """Store how rows are read, after fitting to them."""
        self._columns, self._of_frame = rows.columns, hasattr(self, "feature_names_in_")
        if classes is not None:
            self.classes_ = classes

    def _inputs(self, inputs: Any) -> NDArray[Any]:
        """Return rows (N, I), read as in `fit`."""
        check_is_fitted(self)
        if is_frame(inputs):
            validate_data(self, inputs, reset=False, skip_check_array=True)
            if not len(inputs):
                raise DataError("X: has no rows; at least one is needed")
            if self._of_frame:
                check_single(inputs)
                return inputs_of_frame(self._columns, _Dated(inputs, self._columns))
        elif odd := [one.name for one in self._columns if one.kind != NUMBERS or one.source["kind"] != NUMBERS]:
            raise DataError(f"X must be a DataFrame, as in fit: its column {odd[0]!r} does not hold numbers")
        found = validate_data(self, inputs, reset=False, dtype="numeric", ensure_all_finite="allow-nan")
        return np.asarray(found, np.float64)

    def _targets(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return checked labels (N,), or numbers (N, K); raises ValueError."""
        raise NotImplementedError

    def _encoded(self, labels: NDArray[Any]) -> tuple[Classes | None, NDArray[Any]]:
        """Return the classes (K,) or None, and their indices or the numbers (N,)."""
        raise NotImplementedError


class _Dated:
    """A DataFrame whose typed dates are read as text in the order of those of `fit`."""

    def __init__(self, frame: Any, columns: Sequence[Column]) -> None:
        self._frame = frame
        self._fields = {one.source["name"]: Fields(dict(one.source)) for one in columns if one.source["kind"] == DATES}

    def __len__(self) -> int:
        return len(self._frame)

    def __getitem__(self, name: str) -> Any:
        column = self._frame[name]
        if name not in self._fields:
            return column
        if str(getattr(column, "dtype", "")).startswith("period"):
            column = column.dt.to_timestamp()
        return [self._fields[name].text_of(value) for value in column]


class OfClasses(ClassifierMixin):  # type: ignore[misc]
    """Mixin of estimators for classes."""

    classes_: Classes
    _of_classes = True

    def _targets(self, labels: NDArray[Any]) -> NDArray[Any]:
        check_classification_targets(labels)
        return labels

    def _encoded(self, labels: NDArray[Any]) -> tuple[Classes | None, NDArray[Any]]:
        classes, places = np.unique(labels, return_inverse=True)
        return classes, places.astype(np.int64)

    def _counted(self, labels: NDArray[Any]) -> NDArray[Any]:
        """Return the indices of classes (N,) in `classes_`; K for unknown ones."""
        known = {label: place for place, label in enumerate(self.classes_.tolist())}
        return np.array([known.get(label, len(known)) for label in labels.tolist()], np.int64)


class OfNumbers(RegressorMixin):  # type: ignore[misc]
    """Mixin of estimators for numbers."""

    _of_classes = False

    def _targets(self, labels: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = np.asarray(labels, np.float64)
        if not np.isfinite(found).all():
            raise ValueError("Input y contains NaN or infinity")
        return found

    def _encoded(self, labels: NDArray[Any]) -> tuple[Classes | None, NDArray[Any]]:
        return None, labels

    def _counted(self, labels: NDArray[Any]) -> NDArray[Any]:
        return labels
