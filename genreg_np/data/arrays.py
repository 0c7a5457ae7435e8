"""Arrays (.npz): inputs and labels, with or without splits.

Names are those that users of Keras, MedMNIST and scikit-learn write, in upper or lower case and in either order:

    x, y                                                    split 70/15/15 by class
    x_train, y_train, x_test, y_test, x_validation, ...     given splits; train_images, train_labels, ... too

with x | images | inputs, y | labels | targets, and validation | valid | val; `class_names` and `feature_names` (of
the columns of x) are optional. checked.py describes what the arrays may contain.
"""

from __future__ import annotations

from pathlib import Path

from genreg_np.data.checked import Array, fields_of_arrays
from genreg_np.data.dataset import Dataset
from genreg_np.data.idx import PathLike
from genreg_np.errors import DataError
from genreg_np.infer import ModelError, read_arrays

LIMIT_BYTES = 8 << 30  # all arrays together
INPUT_NAMES = ("x", "images", "inputs")
LABEL_NAMES = ("y", "labels", "targets")
SPLIT_NAMES = {"train": ("train",), "validation": ("validation", "valid", "val"), "test": ("test",)}


def load_npz(path: PathLike, limit_bytes: int = LIMIT_BYTES) -> Dataset:
    """Load inputs and labels from an .npz file; pickled objects in it are refused.

    Parameters
    ----------
    path : path-like
        The file.
    limit_bytes : int
        Limit for all its arrays together.

    Returns
    -------
    Dataset
        Classes are `class_names` if given (labels then are 0 .. K-1 or those names), else the distinct labels.

    Raises
    ------
    DataError
        For a file that cannot be read, or whose arrays do not match their names.
    """
    try:
        stored = read_arrays(path, limit_bytes=limit_bytes)
    except ModelError as error:
        raise DataError(str(error)) from None
    arrays = {name.lower(): array for name, array in stored.items()}
    pairs = {split: _pair(path, arrays, aliases) for split, aliases in SPLIT_NAMES.items()}
    if pairs["train"] is None:
        pairs["train"] = _pair(path, arrays, ("",))
    given = {split: pair for split, pair in pairs.items() if pair is not None}
    if "train" not in given:
        raise DataError(
            f"{path}: no training data under the names x_train and y_train, or x and y "
            f"(it has {', '.join(stored) or 'nothing'}); rename the arrays"
        )
    fields = fields_of_arrays(
        str(path),
        given,
        name=Path(path).stem,
        class_names=arrays.get("class_names"),
        feature_names=arrays.get("feature_names"),
    )
    return Dataset(**fields)


def _pair(path: PathLike, arrays: dict[str, Array], aliases: tuple[str, ...]) -> tuple[Array, Array] | None:
    """Return the inputs and labels of one split, or None if the file has neither."""

    def pick(kinds: tuple[str, ...]) -> Array | None:
        for alias in aliases:
            for kind in kinds:
                for name in {f"{kind}_{alias}", f"{alias}_{kind}"} if alias else {kind}:
                    if name in arrays:
                        return arrays[name]
        return None

    inputs, labels = pick(INPUT_NAMES), pick(LABEL_NAMES)
    if inputs is None and labels is None:
        return None
    if inputs is None or labels is None:
        missing = "inputs" if inputs is None else "labels"
        split = f"{aliases[0]} data" if aliases[0] else "data"
        raise DataError(f"{path}: {split} without {missing} (it has {', '.join(arrays)}); add or rename an array")
    return inputs, labels
