"""Split data that come without train, validation and test parts: 70/15/15, class by class.

For a class of n samples

    cut_1 = max(1, floor(0.15 n + 1/2)),   cut_2 = max(2, floor(0.30 n + 1/2))          (n >= 3)
    validation = up to cut_1,   test = cut_1 to cut_2,   train = the rest

in a random order of the class. A class of two samples gives one to validation and one to train, and a class of one
gives it to train, so that every class can be learned. The order is drawn from Stream(0), independently of the training
seed and of the other classes. A split may be empty, which `Dataset.check_trainable` refuses before training.

Shapes: inputs (N, *input_shape), labels (N,) int64 in 0 .. K-1, index arrays (n,) int64.
"""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.quantities import quantity_note
from genreg_np.data.split import Split, check_classes, check_labels
from genreg_np.streams import Purpose, Stream

BY_CLASS, AT_RANDOM = "by class: ", "at random: "  # in the note of data that were split here
HELD_OUT_PERCENT = 15  # of a class, for validation, and again for test

Indices = NDArray[np.int64]


def split_indices(
    labels: Indices, parts: int, percent: float = HELD_OUT_PERCENT, stream: Stream | None = None
) -> list[Indices]:
    """Hold out `parts` parts, each `percent` of every class.

    Parameters
    ----------
    labels : (N,) int64
        Class of each sample.
    parts : int
        1 (say, validation) or 2 (validation and test).
    percent : float
    stream : Stream, optional
        The stream for the order; by default that of seed 0.

    Returns
    -------
    list of ndarray
        The indices of the rest, then of each part; disjoint, together all of 0 .. N-1, each in random order.
    """
    stream = stream or Stream(0)
    keys = np.empty(len(labels), np.float64)
    chosen: list[list[Indices]] = [[] for _ in range(1 + parts)]
    by_class = np.argsort(labels, kind="stable")
    classes, starts = np.unique(labels[by_class], return_index=True)
    for label, members in zip(classes, np.split(by_class, starts[1:]), strict=True):
        keys[members] = stream.uniform(Purpose.SPLIT, 0, int(label), len(members))
        mixed = members[np.argsort(keys[members], kind="stable")]
        start = 0
        for part in range(1, 1 + parts):
            stop = max(part, int((percent * part * len(members) + 50) // 100))
            stop = min(stop, len(members) - 1)  # one sample remains for training
            chosen[part].append(mixed[start:stop])
            start = stop
        chosen[0].append(mixed[start:])
    return [_in_order_of(keys, part) for part in chosen]


def packed(rows: Indices, count: int) -> str:
    """Return which of `count` rows are held out, as text for a header: their bits in base64."""
    held = np.zeros(count, np.bool_)
    held[rows] = True
    return base64.b64encode(np.packbits(held).tobytes()).decode("ascii")


def unpacked(text: Any, count: int) -> NDArray[np.bool_] | None:
    """Return which of `count` rows `packed` meant, (count,); None for anything that it does not write."""
    try:
        bits = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (TypeError, ValueError):
        return None
    return np.unpackbits(bits, count=count).astype(np.bool_) if len(bits) == -(-count // 8) else None


def _in_order_of(keys: NDArray[np.float64], groups: list[Indices]) -> Indices:
    """Concatenate index arrays and shuffle them by the keys already drawn."""
    indices = np.concatenate([np.empty(0, np.int64), *groups]).astype(np.int64)
    ordered: Indices = indices[np.argsort(keys[indices], kind="stable")]
    return ordered


def completed(
    train: Split,
    validation: Split | None,
    test: Split | None,
    class_names: tuple[str, ...],
    *,
    name: str,
    note: str,
) -> dict[str, Any]:
    """Hold out the missing splits from the training data.

    Parameters
    ----------
    train : Split
        Training data, from which a missing validation or test split is held out, 15 % of each class.
    validation, test : Split or None
        Splits that came with the data, used unchanged.
    class_names : tuple of str
        K names.
    name : str
        The name of the data in errors.
    note : str
        What else the user should know; a description of the split is appended.

    Returns
    -------
    dict
        Fields of a Dataset: train, validation, test, class_names, name, note.

    Raises
    ------
    DataError
        Before splitting, for labels that are not classes, or too many classes.
    """
    check_classes(name, class_names)
    note = "; ".join(filter(None, [note, quantity_note(class_names)]))
    given = {"validation": validation, "test": test}
    missing = [split_name for split_name, split in given.items() if split is None]
    if missing:
        of_numbers = train.labels.ndim == 2
        if not of_numbers:
            check_labels(f"{name}, train split", train.labels, len(class_names))
        kept, *held_out = split_indices(np.zeros(len(train), np.int64) if of_numbers else train.labels, len(missing))
        for split_name, indices in zip(missing, held_out, strict=True):
            given[split_name] = train.of(indices)
        train = train.of(kept)
    final = {"train": train, **{split_name: split for split_name, split in given.items() if split is not None}}
    if missing:
        origin = "split" if len(missing) == 2 else f"{missing[0]} split held out of train"
        sizes = ", ".join(f"{len(split):,} {split_name}" for split_name, split in final.items())
        note = "; ".join(filter(None, [note, f"{origin} {AT_RANDOM if of_numbers else BY_CLASS}{sizes}"]))
    return {**final, "class_names": class_names, "name": name, "note": note}
