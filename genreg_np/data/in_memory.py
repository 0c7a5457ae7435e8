"""Datasets from data in memory: arrays, lists, tables with columns (pandas, polars).

They are checked like the arrays of an .npz file (checked.py). The columns of a table are features, as in a .csv file:
converted to float32 whatever their types, and identified by name from then on.

Shapes: inputs (N, *input_shape), labels (N,) or (N, 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from genreg_np.data.checked import VALUES, Array, fields_of_arrays, range_of
from genreg_np.data.frames import fields_of_frames, is_mixed
from genreg_np.data.labels import short_name
from genreg_np.errors import DataError, UsageError
from genreg_np.settings import names_of


def fields_of(
    inputs: Any,
    labels: Any,
    *,
    validation: tuple[Any, Any] | None,
    test: tuple[Any, Any] | None,
    class_names: Sequence[str] | None,
    feature_names: Sequence[str],
    input_range: tuple[float, float] | None,
    name: str,
    task: str,
    weights: Any,
) -> dict[str, Any]:
    """Return the fields of a Dataset; `Dataset.from_arrays` describes the parameters."""
    pairs = {"train": (inputs, labels)}
    for split, pair in (("validation", validation), ("test", test)):
        if pair is not None:
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise UsageError(f"{split} must be a pair (inputs, labels), not {type(pair).__name__}")
            pairs[split] = pair[0], pair[1]
    columns = _columns(inputs)
    names = list(names_of(feature_names, "feature_names")) or columns
    if columns and names != columns:
        raise UsageError(f"feature_names differ from the names of the columns, {_shown(columns)}: leave them out")
    for split, (one, _) in pairs.items():
        if bool(_columns(one)) != bool(columns):
            raise UsageError(
                f"{name}: only one of the train and the {split} inputs is a table with columns: pass tables for both, "
                "or arrays for both"
            )
    told: dict[str, Any] = {
        "class_names": None if class_names is None else np.array(names_of(class_names, "class_names")),
        "task": task,
        "value_names": _value_names(labels, task),
        "weights": None if weights is None else _array(f"{name}, weights", weights),
    }
    if columns and input_range is not None:
        raise UsageError(
            f"input_range is for arrays of whole numbers, but the inputs of {name} are a table, whose columns are "
            "taken as features, without a range: leave it out, or pass the table's array"
        )
    if columns and any(is_mixed(one) for one, _ in pairs.values()):
        tables = {split: (one, _labels(f"{name}, {split} labels", other)) for split, (one, other) in pairs.items()}
        return fields_of_frames(name, tables, str(getattr(labels, "name", None) or ""), **told)
    given = {
        split: (_inputs(f"{name}, {split} inputs", one, columns), _labels(f"{name}, {split} labels", other))
        for split, (one, other) in pairs.items()
    }
    return fields_of_arrays(
        name,
        given,
        name=name,
        feature_names=np.array(names) if names else None,
        input_range=None if input_range is None else _checked_range(input_range, name, given),
        **told,
    )


def _columns(inputs: Any) -> list[str]:
    """Return the names of a table's columns, as `infer.Model.columns` reads them; empty for anything else."""
    columns = getattr(inputs, "columns", None)
    return [] if columns is None else [str(name) for name in columns]


def _value_names(labels: Any, task: str) -> tuple[str, ...]:
    """Return the names of a table of several targets, or of a single target that is a number to predict."""
    columns = _columns(labels)
    if len(columns) > 1 or (columns and task == VALUES):
        return tuple(columns)
    name = getattr(labels, "name", None)
    return (str(name),) if task == VALUES and name is not None else ()


def _inputs(where: str, inputs: Any, columns: list[str]) -> Array:
    """Return inputs as an array; a table's columns as floats, in the order of `columns`."""
    array = _array(where, inputs)
    names = _columns(inputs)
    if not names or array.ndim != 2:
        return array
    if array.dtype.kind == "O":
        array = np.stack([_numbers(where, name, array[:, k]) for k, name in enumerate(names)], axis=1)
    elif array.dtype.kind in "biu":
        array = array.astype(np.float64)
    if names == columns:
        return array
    if len(set(names)) != len(names) or set(names) != set(columns):
        raise DataError(f"{where}: columns {_shown(names)}, but those of train are {_shown(columns)}; name them alike")
    place = {name: number for number, name in enumerate(names)}
    return array[:, [place[name] for name in columns]]


def _numbers(where: str, name: str, column: Array) -> Array:
    """Return a column of Python objects, (N,), as floats; text is refused, even if it is a number."""
    if not any(isinstance(value, str) for value in column):
        try:
            return column.astype(np.float64)  # None becomes NaN, which Dataset refuses
        except (TypeError, ValueError):
            pass
    raise DataError(
        f"{where}, column {short_name(name)!r}: not all are numbers; write words as numbers, or leave the column out"
    )


def _labels(where: str, labels: Any) -> Array:
    """Return labels as an array of numbers or text; other Python objects are refused."""
    array = _array(where, labels)
    if isinstance(labels, list | tuple) and array.dtype.kind in "biufU":  # NumPy turns [1, "1"] into text
        _check_alike(where, np.array(labels, object).ravel().tolist())
    if array.dtype.kind not in "OT":
        return array
    array = array.astype(object)
    values = array.ravel().tolist()
    if not all(isinstance(value, int | float | np.number | np.bool_) for value in values):
        for number, value in enumerate(values):
            if not isinstance(value, str | int | np.integer | np.bool_):
                shown = short_name(repr(value))
                raise DataError(f"{where}: number {number} is {shown}; whole numbers, text or booleans are needed")
    _check_alike(where, values)
    return array.astype(str) if values and isinstance(values[0], str) else np.array(values).reshape(array.shape)


def _check_alike(where: str, labels: list[object]) -> None:
    """Refuse labels of several types, which could be one class by text or by value; NaN is ignored here."""
    kinds = {"text": str, "boolean": bool | np.bool_, "number": int | float | np.number}
    firsts: dict[str, object] = {}
    for label in labels:
        kind = next((kind for kind, types in kinds.items() if isinstance(label, types)), "")
        if kind and label == label:
            firsts.setdefault(kind, label)
    if len(firsts) > 1:
        shown = " and ".join(short_name(repr(label)) for label in firsts.values())
        raise DataError(f"{where}: labels of several types, such as {shown}; make all whole numbers, text or booleans")


def _array(where: str, values: Any) -> Array:
    """Return values as a NumPy array."""
    if np.ma.is_masked(values):
        raise DataError(f"{where}: some are masked; fill them, or leave those samples out")
    try:
        array: Array = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # rows of several lengths; an array on a GPU
        raise DataError(f"{where}: cannot be converted to an array ({' '.join(str(error).split())})") from None
    return array


def _checked_range(input_range: Any, name: str, given: dict[str, tuple[Array, Array]]) -> tuple[float, float]:
    """Return an input range that contains all inputs."""
    low, high = range_of(input_range, "input_range")
    for split, (inputs, _) in given.items():
        if inputs.dtype.kind == "f":
            raise UsageError(
                f"input_range is for whole numbers, but the {split} inputs of {name} are floats, which are used as "
                "they are: leave it out"
            )
        if inputs.dtype.kind in "biu" and inputs.size and not low <= inputs.min() <= inputs.max() <= high:
            raise DataError(
                f"{name}, {split} inputs: run from {inputs.min()} to {inputs.max()}, outside input_range {low:g} .. "
                f"{high:g}"
            )
    return low, high


def _shown(names: list[str]) -> str:
    """Return the first names of many, for a one-line message."""
    return ", ".join(map(short_name, names[:12])) + (", ..." if len(names) > 12 else "")
