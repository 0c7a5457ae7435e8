"""Check arrays of inputs and labels from a file or a program, and make them the fields of a dataset.

uint8 inputs range over 0 .. 255, booleans over 0 .. 1, other integers from the training data's minimum to its maximum;
floats are features. Labels are classes by value, or positions in the given class names.

Shapes: inputs (N, *input_shape), labels (N,) or (N, 1) integers or text; (N,) int64 afterwards.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.held_out import completed
from genreg_np.data.labels import class_order, encode_labels, label_text, merge_numbers, merged_note, short_name
from genreg_np.data.quantities import counting_note, quantity, told_as_numbers
from genreg_np.data.split import Split
from genreg_np.errors import DataError, UsageError
from genreg_np.infer import checked_range
from genreg_np.layers.targets import check_targets

TASKS = AUTO, CLASSES, VALUES = "auto", "classes", "values"  # what labels are
LARGEST_LABEL = 2**53  # beyond it, floats cannot represent neighbouring whole numbers

Array = NDArray[np.generic]


def fields_of_arrays(
    where: str,
    given: dict[str, tuple[Array, Array]],
    *,
    name: str,
    class_names: Array | None = None,
    feature_names: Array | None = None,
    input_range: tuple[float, float] | None = None,
    task: str = AUTO,
    value_names: tuple[str, ...] = (),
    weights: Array | None = None,
) -> dict[str, Any]:
    """Return the fields of a Dataset made of arrays from any source.

    Parameters
    ----------
    where : str
        The origin of the arrays, for errors.
    given : dict
        Inputs and labels of train, and of validation and test unless these are to be held out of it.
    name : str
        The dataset's name.
    class_names, feature_names : ndarray, optional
        As in a file.
    input_range : tuple of float, optional
        Smallest and largest raw value; by default determined by the type of the training inputs.
    task : str
        One of TASKS: labels are classes, or values (numbers to predict), or auto, which decides by the labels.
    value_names : tuple of str
        Names of the numbers to predict, if any.
    weights : ndarray, optional
        How much each training sample counts, (N,).

    Raises
    ------
    DataError
        For arrays that are not inputs or labels, or do not fit together.
    """
    labels = {split: pair[1] for split, pair in given.items()}
    classes, names_of_values, encoded, note = _targets(where, labels, class_names, task, value_names)
    inputs = {split: inputs_of_array(f"{where}, {split} inputs", pair[0]) for split, pair in given.items()}
    for split in given:
        if len(inputs[split]) != len(encoded[split]):
            raise DataError(
                f"{where}: {len(inputs[split]):,} {split} inputs, but {len(encoded[split]):,} labels; they must pair up"
            )
    splits = {split: Split(inputs[split], encoded[split]) for split in given}
    if weights is not None:
        splits["train"] = Split(inputs["train"], encoded["train"], _weights(where, weights, len(splits["train"])))
    names = _text(f"{where}, feature_names", feature_names)
    note = "; ".join(filter(None, [note, counting_note(inputs["train"], names)]))
    given_range = input_range or input_range_of(where, given["train"][0])
    validation, test = splits.get("validation"), splits.get("test")
    fields = completed(splits["train"], validation, test, classes, name=name, note=note)
    return {**fields, "input_range": given_range, "feature_names": names, "value_names": names_of_values}


def range_of(value: Any, name: str) -> tuple[float, float]:
    """Return the smallest and largest raw value of inputs from a pair of numbers that differ in float32.

    Raises
    ------
    UsageError
        For anything else.
    """
    try:
        low, high = map(float, value)
        if found := checked_range((low, high)):
            return found
    except (TypeError, ValueError, OverflowError):  # ModelError is a ValueError
        pass
    raise UsageError(f"{name} = {short_name(repr(value), 60)} must be the smallest and largest raw value, as (0, 255)")


def inputs_of_array(where: str, array: Array) -> Array:
    """Return inputs as integers or float32."""
    if array.ndim < 2 or not array.size:
        raise DataError(f"{where}: an array of shape {array.shape}; a non-empty array (samples, ...) is needed")
    if array.dtype.kind == "b":
        return array.astype(np.uint8)
    if array.dtype.kind in "iu":
        return array
    if array.dtype.kind != "f":
        raise DataError(f"{where}: of type {array.dtype}; numbers are needed")
    with np.errstate(over="ignore"):
        floats = array.astype(np.float32)
    beyond = array[np.isfinite(array) & np.isinf(floats)]
    if beyond.size:
        raise DataError(f"{where}: {beyond[0]:g} is too large for float32; rescale that column")
    return floats


def input_range_of(where: str, array: Array) -> tuple[float, float] | None:
    """Return the raw range of training inputs by the type in which they were stored; None for floats."""
    if array.dtype.kind == "f":
        return None
    if array.dtype.kind == "b":
        return 0.0, 1.0
    if array.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(np.min(array)), float(np.max(array))
    high = max(high, low + 1.0)
    if np.float32(low) == np.float32(high):
        raise DataError(
            f"{where}: train inputs run from {np.min(array)} to {np.max(array)}, which float32 cannot tell apart; "
            "subtract the smallest first"
        )
    return low, high


def _text(where: str, array: Array | None) -> tuple[str, ...]:
    """Return the names in an optional array."""
    if array is None:
        return ()
    if array.ndim != 1 or array.dtype.kind != "U":
        raise DataError(f"{where}: an array of shape {array.shape} {array.dtype}; a list of names is needed")
    return tuple(name.strip() for name in array.tolist())


def _targets(
    where: str, labels: dict[str, Array], class_names: Array | None, task: str, value_names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], dict[str, NDArray[Any]], str]:
    """Return the class names or else the names of numbers, the targets of each split, and a note."""
    if task not in TASKS:
        raise UsageError(f"task = {task!r}: must be one of {', '.join(TASKS)}")
    train = labels["train"]
    columns = 1 if train.ndim == 1 else math.prod(train.shape[1:])
    sure = task == VALUES or (task == AUTO and (value_names or (train.dtype.kind == "f" and not _are_whole(train))))
    if task == AUTO and columns > 1 and _are_one_hot(train):
        raise DataError(
            f"{where}, train labels: rows of zeros with a single 1: for one-hot rows, pass labels.argmax(axis=1)"
        )
    why = ""
    found: dict[str, NDArray[Any]]
    if not sure:
        classes, encoded, note = _classes(where, class_names, labels)
        known = (encoded["train"] >= 0) & (encoded["train"] < len(classes))  # others are refused later
        counts = np.bincount(encoded["train"][known], minlength=len(classes)).astype(np.int64)
        why = quantity(classes, counts) if task == AUTO and class_names is None else ""
        if not why:
            found = dict(encoded)
            return classes, (), found, note
    if class_names is not None:
        raise UsageError(f"{where}: class_names are for classes, but these labels are numbers to predict")
    names = value_names or (("y",) if columns == 1 else tuple(f"y{number}" for number in range(1, columns + 1)))
    found = {split: _numbers(f"{where}, {split} labels", array, names) for split, array in labels.items()}
    check_names(where, names)
    return (), names, found, told_as_numbers(why)


def _are_one_hot(labels: Array) -> bool:
    """Return whether labels (N, K) are 1 for one class and 0 for all others."""
    if labels.ndim != 2 or labels.dtype.kind not in "biuf":
        return False
    numbers = labels.astype(np.float64)
    return bool(np.isin(numbers, (0, 1)).all() and (numbers.sum(axis=1) == 1).all())


def _are_whole(labels: Array) -> bool:
    """Return whether labels (N,) or (N, 1) are whole numbers, which may be classes or not."""
    return math.prod(labels.shape[1:]) == 1 and bool((np.isfinite(labels) & (np.rint(labels) == labels)).all())


def _numbers(where: str, array: Array, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Return targets as (N, K) float64."""
    if array.dtype.kind not in "biuf" or array.ndim not in (1, 2):
        raise DataError(f"{where}: an array of shape {array.shape} {array.dtype}; numbers to predict are needed")
    found = array.reshape(len(array), -1).astype(np.float64)
    check_targets(where, found, names)
    return found


def check_names(where: str, names: tuple[str, ...]) -> None:
    """Refuse names of numbers to predict that are not all distinct.

    Raises
    ------
    UsageError
        With a name that occurs twice.
    """
    twice = [name for index, name in enumerate(names) if name in names[:index]]
    if twice:
        raise UsageError(f"{where}: two targets are called {twice[0]!r}: give each its own name")


def _weights(where: str, weights: Array, count: int) -> NDArray[np.float64]:
    """Return weights as (N,) float64."""
    if weights.dtype.kind not in "biuf" or weights.shape not in ((count,), (count, 1)):
        raise DataError(
            f"{where}: weights of shape {weights.shape} {weights.dtype}; a number for each of the {count} training "
            "samples is needed"
        )
    return weights.reshape(count).astype(np.float64)


def _classes(
    where: str, stored_names: Array | None, labels: dict[str, Array]
) -> tuple[tuple[str, ...], dict[str, NDArray[np.int64]], str]:
    """Return the class names, the class number of each label of each split, and a note."""
    flat = {split: _flat_labels(f"{where}, {split} labels", array) for split, array in labels.items()}
    distinct = {split: np.unique(array, return_inverse=True) for split, array in flat.items()}  # saves memory as text
    texts = {split: [label_text(value) for value in values.tolist()] for split, (values, _) in distinct.items()}
    note = ""
    if stored_names is None:
        for split, values in texts.items():
            if missing := [text for text in values if text.lower() in ("", "nan")]:
                raise DataError(
                    f"{where}, {split} labels: some are {missing[0]!r}, which is not a label; add them or leave those "
                    "samples out"
                )
        merged = merge_numbers(text for split in texts.values() for text in split)
        texts = {split: [merged[text] for text in values] for split, values in texts.items()}
        class_names, note = class_order(merged.values()), merged_note(merged)
    else:
        class_names = tuple(str(name).strip() for name in stored_names.reshape(-1).tolist())
        if len(set(class_names)) != len(class_names):
            raise DataError(f"{where}: a name occurs twice in class_names; give each class its own")
        if all(array.dtype.kind != "U" for array in flat.values()):  # numbers are positions in class_names
            return class_names, {split: array.astype(np.int64) for split, array in flat.items()}, note
    try:
        encoded = {split: encode_labels(values, class_names) for split, values in texts.items()}
    except KeyError as error:
        raise DataError(f"{where}: label {error.args[0]!r} is not among class_names; add it there") from None
    return class_names, {split: encoded[split][places] for split, (_, places) in distinct.items()}, note


def _flat_labels(where: str, array: Array) -> Array:
    """Return labels as (N,) integers or text."""
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim != 1:
        hint = ": for one-hot rows, pass labels.argmax(axis=1)" if array.ndim == 2 else ""
        raise DataError(f"{where}: an array of shape {array.shape}; one label per sample, (samples,), is needed{hint}")
    if array.dtype.kind == "f":
        whole = np.isfinite(array) & (np.rint(array) == array)
        if not whole.all():
            raise DataError(f"{where}: not all are whole numbers; classes are integers or text")
        if array.size and np.abs(array).max() > LARGEST_LABEL:
            raise DataError(
                f"{where}: up to {np.abs(array).max():g}, but a float is a class only within +-2**53; "
                "store labels as integers or text"
            )
        return array.astype(np.int64)
    if array.dtype.kind == "b":
        return array.astype(np.int64)
    if array.dtype.kind == "S":
        try:
            return np.char.decode(array.astype(np.bytes_), "utf-8")
        except UnicodeDecodeError:
            raise DataError(f"{where}: bytes that are not UTF-8; store labels as integers or text") from None
    if array.dtype.kind not in "iuU":
        raise DataError(f"{where}: of type {array.dtype}; integers or text are needed")
    return array
