"""What every loader returns: three splits of inputs and labels, and the names of the classes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError

LARGEST = float(np.finfo(np.float32).max) / 2  # so that the difference of two features is finite in float32
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Split:
    """Inputs with one label each."""

    inputs: NDArray[np.generic]  # (N, *input_shape), uint8 pixels or float32 features
    labels: NDArray[np.int64]  # (N,), 0 .. K-1

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """Train, validation and test data with class names.

    Integer inputs are raw values in `input_range`, which the network maps to 0 .. 1; float inputs are features,
    used as they are (the network standardises them).

    Raises
    ------
    DataError
        For splits that disagree in shape or type, labels out of range, a class without a training sample, or
        values that are not finite or beyond half of float32's range.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]  # K names
    input_range: tuple[float, float] | None = (0.0, 255.0)  # None for float features
    note: str = field(default="", compare=False)  # what a user should know, one line
    feature_names: tuple[str, ...] = ()  # of the columns of a table, one each; none where inputs have no names

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, e.g. (28, 28)."""
        return tuple(self.train.inputs.shape[1:])

    def split(self, name: str) -> Split:
        """Return the split called `name`: train, validation or test."""
        if name not in SPLITS:
            raise DataError(f"{self.name} has no split {name!r}: choose one of {', '.join(SPLITS)}")
        chosen: Split = getattr(self, name)
        return chosen

    def __post_init__(self) -> None:
        classes = len(self.class_names)
        for name in SPLITS:
            inputs, labels = self.split(name).inputs, self.split(name).labels
            where = f"{self.name}, {name} split"
            if len(inputs) != len(labels):
                raise DataError(f"{where}: {len(inputs)} inputs but {len(labels)} labels; they must pair up")
            if inputs.shape[1:] != self.input_shape or inputs.dtype != self.train.inputs.dtype:
                raise DataError(
                    f"{where}: inputs are {inputs.shape[1:]} {inputs.dtype}, "
                    f"those of the train split {self.input_shape} {self.train.inputs.dtype}"
                )
            if inputs.dtype.kind == "f" and not np.isfinite(inputs).all():
                raise DataError(f"{where}: NaN or infinite values among the inputs; clean or drop those rows")
            if inputs.dtype.kind == "f" and inputs.size and max(-inputs.min(), inputs.max()) > LARGEST:
                raise DataError(
                    f"{where}: inputs run from {inputs.min():g} to {inputs.max():g}, beyond +-{LARGEST:g}; "
                    "rescale that column"
                )
            if len(labels) and (labels.min() < 0 or labels.max() >= classes):
                raise DataError(
                    f"{where}: labels run from {labels.min()} to {labels.max()}, but there are {classes} classes "
                    f"(labels 0 to {classes - 1})"
                )
        try:
            "".join(self.class_names).encode("utf-8")
        except UnicodeEncodeError:
            raise DataError(f"{self.name}: a class name is no Unicode text: {self.class_names!a}; rename it") from None
        counts = np.bincount(self.train.labels, minlength=classes)
        if classes < 2:
            raise DataError(f"{self.name}: {classes} class; at least two are needed to learn a difference")
        if not counts.all():
            empty = [self.class_names[index] for index in np.flatnonzero(counts == 0)]
            raise DataError(
                f"{self.name}: no training sample of class {', '.join(map(repr, empty))}; add some or drop it"
            )
