"""Make datasets of samples that come without some or all of the splits; held_out.py decides what is held out.

Shapes: inputs (N, *input_shape), labels (N,) int64 in 0 .. K-1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset
from genreg_np.data.held_out import Indices, completed
from genreg_np.data.split import Split


def stratified_split(
    inputs: NDArray[np.generic],
    labels: Indices,
    class_names: tuple[str, ...],
    *,
    name: str,
    input_range: tuple[float, float] | None,
    note: str = "",
    feature_names: tuple[str, ...] = (),
) -> Dataset:
    """Split samples 70/15/15 by class.

    Parameters
    ----------
    inputs : (N, *input_shape) ndarray
        All samples.
    labels : (N,) int64
        Their classes, 0 .. K-1.
    class_names : tuple of str
        K names.
    name, input_range
        As for `Dataset`.
    note : str
        What else the user should know; the sizes of the splits are appended.
    feature_names : tuple of str
        As for `Dataset`.

    Returns
    -------
    Dataset
        The same split whatever the training seed.

    Raises
    ------
    DataError
        As `Dataset`.
    """
    return complete_splits(
        Split(inputs, labels),
        None,
        None,
        class_names,
        name=name,
        input_range=input_range,
        note=note,
        feature_names=feature_names,
    )


def complete_splits(
    train: Split,
    validation: Split | None,
    test: Split | None,
    class_names: tuple[str, ...],
    *,
    name: str,
    input_range: tuple[float, float] | None,
    note: str = "",
    feature_names: tuple[str, ...] = (),
) -> Dataset:
    """Make a dataset from the given splits, holding out the missing ones from the training data.

    Parameters
    ----------
    train : Split
        Training data, from which a missing validation or test split is held out, 15 % of each class.
    validation, test : Split or None
        Splits that came with the data, used unchanged.
    class_names, name, input_range, note, feature_names
        As for `stratified_split`.

    Returns
    -------
    Dataset
        With a note that says which splits were made here.

    Raises
    ------
    DataError
        As `Dataset`; and, before splitting, for too many classes.
    """
    fields = completed(train, validation, test, class_names, name=name, note=note)
    return Dataset(**fields, input_range=input_range, feature_names=feature_names)
