"""The dataset that every loader returns: three splits of inputs and labels, and the names of the classes."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.alike import not_told_apart
from genreg_np.data.labels import listed, short_name
from genreg_np.data.split import MOST_CLASSES, SPLITS, Split, check_classes, check_labels
from genreg_np.errors import DataError
from genreg_np.layers.targets import Targets, check_spread, check_targets

__all__ = ["MOST_CLASSES", "SPLITS", "Dataset", "Split"]

LARGEST = float(np.finfo(np.float32).max) / 2  # keeps the difference of two features finite in float32


@dataclass(frozen=True)
class Dataset:
    """Train, validation and test data with class names.

    Use `load_dataset` for named datasets and files, `Dataset.from_arrays` for arrays and tables, and this constructor
    for splits whose labels are already class numbers.

    Integer inputs are raw values in `input_range`, which the network maps to 0 .. 1; float inputs are features,
    used as they are (the network standardises them).

    Parameters
    ----------
    name : str
        The dataset's name in messages and models.
    train, validation, test : Split
        The samples to learn from, to make choices by, and to evaluate once, at the end of a run.
    class_names : tuple of str
        K names.
    input_range : tuple of float or None
        Smallest and largest raw value of integer inputs; None for float features.
    note : str
        What the user should know, in one line.
    feature_names : tuple of str
        One for each column of a table; empty if the inputs have no names.
    origin : mapping or None
        The arguments of load_dataset: `source` (name or absolute path), `data_dir` and options, including those that
        were decided automatically; None for arrays that are only in memory.
    picture : mapping or None
        How pictures become inputs, also at prediction: `fit` (crop, pad or stretch), and `range` if they have more
        than 8 bits; None for data other than pictures.
    value_names : tuple of str
        Names of the numbers to predict, if labels are numbers instead of classes: labels are then (N, K) float64.
    columns : tuple of mapping
        The columns of a table as described in a model's header (infer_table.py), unless all are numbers without
        missing values. Inputs may then be NaN.
    label : str
        The name of the column that holds a table's classes.
    absent : tuple of str
        Splits for which there were no samples: they repeat another one, and no score of theirs is reported.
    table : mapping or None
        Where a table without a header has its columns (`data.layout`).

    Raises
    ------
    DataError
        For splits that disagree in shape or type, labels out of range, a number of feature names other than that of
        the inputs, or values that are not finite or beyond half of float32's range. A split may be empty and a class
        may have no samples: `check_trainable` checks what training needs beyond this.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    class_names: tuple[str, ...]
    input_range: tuple[float, float] | None = (0.0, 255.0)
    note: str = field(default="", compare=False)
    feature_names: tuple[str, ...] = ()
    origin: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    picture: Mapping[str, Any] | None = field(default=None, compare=False)
    value_names: tuple[str, ...] = ()
    columns: tuple[Mapping[str, Any], ...] = ()
    label: str = field(default="", compare=False)
    absent: tuple[str, ...] = ()
    table: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_arrays(
        cls,
        inputs: Any,
        labels: Any,
        *,
        validation: tuple[Any, Any] | None = None,
        test: tuple[Any, Any] | None = None,
        class_names: Sequence[str] | None = None,
        feature_names: Sequence[str] = (),
        input_range: tuple[float, float] | None = None,
        name: str = "arrays",
        task: str = "auto",
        weights: Any = None,
    ) -> Dataset:
        """Make a dataset from arrays, lists or tables, as `load_dataset` does from an .npz file.

        Parameters
        ----------
        inputs : (N, ...) array-like, or a DataFrame
            Floats are features, standardised by the network; whole numbers and booleans are raw values, mapped from
            `input_range` to 0 .. 1. A table's columns are features of any type, as in a .csv file, and their names
            become `feature_names`. Arrays that are not split are not copied: do not modify them afterwards.
        labels : (N,) or (N, 1) array-like, or (N, K)
            Classes, as whole numbers, text or booleans; or K numbers to predict for each sample.
        validation, test : pair of inputs and labels, optional
            If left out, 15 % of each class of the training data is held out for each, always the same samples. The
            columns of a table may be in another order.
        class_names : sequence of str, optional
            K names; labels are their positions or the names themselves. By default the labels that occur, in order.
        feature_names : sequence of str, optional
            A name for each column of inputs (N, columns) that are not a table.
        input_range : tuple of float, optional
            Smallest and largest raw value of whole numbers; by default 0 .. 255 for uint8, 0 .. 1 for booleans, and
            otherwise the range of the training inputs.
        name : str
            The dataset's name in messages and models.
        task : str
            classes, values (numbers to predict), or auto: values if labels are fractions, several per sample, or whole
            numbers that hardly ever recur.
        weights : (N,) array-like, optional
            How much each training sample counts; by default all count the same.

        Returns
        -------
        Dataset
            Its `note` says how it was split, and what else the user should know.

        Raises
        ------
        DataError
            For inputs and labels that do not pair up, NaN, infinite or missing values, labels that are not classes,
            or splits of different kinds.
        UsageError
            For other invalid arguments.

        Examples
        --------
        >>> data = Dataset.from_arrays([[0.0, 1.0], [1.0, 0.0]] * 20, ["rain", "sun"] * 20)
        >>> data.class_names, len(data.train), len(data.validation), len(data.test)
        (('rain', 'sun'), 28, 6, 6)
        """
        from genreg_np.data.in_memory import fields_of  # imported here: not needed to evaluate or predict

        fields = fields_of(
            inputs, labels, validation=validation, test=test, class_names=class_names, feature_names=feature_names,
            input_range=input_range, name=name, task=task, weights=weights,
        )  # fmt: skip
        return cls(**fields)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input, e.g. (28, 28)."""
        return tuple(self.train.inputs.shape[1:])

    @property
    def of_numbers(self) -> bool:
        """Whether labels are numbers to predict instead of classes."""
        return bool(self.value_names)

    @property
    def outputs(self) -> int:
        """The number K of classes, or of numbers to predict."""
        return len(self.value_names or self.class_names)

    @property
    def counted(self) -> str:
        """The number of outputs in words: "3 classes"."""
        if not self.of_numbers:
            return f"{self.outputs} classes"
        return f"{self.outputs} number{'s' if self.outputs > 1 else ''} to predict"

    @functools.cached_property
    def targets(self) -> Targets:
        """The scaling of the numbers to predict for networks, computed on the training split."""
        return Targets.of(self.value_names, self.train.labels)

    def wanted(self, name: str) -> NDArray[Any]:
        """Return the networks' targets for a split: classes (N,) int64, or scaled numbers (N, K) float32."""
        labels = self.split(name).labels
        return self.targets.scaled(labels) if self.of_numbers else labels

    def split(self, name: str) -> Split:
        """Return the split called `name`: train, validation or test."""
        if name not in SPLITS:
            raise DataError(f"{self.name} has no split {name!r}: choose one of {', '.join(SPLITS)}")
        chosen: Split = getattr(self, name)
        return chosen

    @property
    def everything(self) -> Split:
        """All samples, each once: the concatenated splits (letters without variations have one split for all)."""
        parts = list({id(part): part for part in map(self.split, SPLITS)}.values())
        return Split(np.concatenate([part.inputs for part in parts]), np.concatenate([part.labels for part in parts]))

    def check_trainable(self) -> None:
        """Refuse data that cannot be trained on; they may still do to evaluate a model.

        Raises
        ------
        DataError
            For an empty split, fewer than two classes or more than 4,096, a class without a training sample, or a
            class all of whose pictures are in another class, too.
        """
        if self.of_numbers:
            self._check_numbers()
            return
        classes = len(self.class_names)
        if classes < 2:
            read = f" (as it was read: {self.note})" if self.note else ""
            raise DataError(f"{self.name}: {classes} class; at least two are needed{read}")
        check_classes(self.name, self.class_names)
        for name in SPLITS:
            if not len(self.split(name)):
                raise DataError(
                    f"{self.name}: too few samples, nothing would be left for {name}; "
                    "a class needs three samples or more to be in every split"
                )
        counts = self._counts("train")
        if not counts.all():
            empty = [self.class_names[index] for index in np.flatnonzero(counts == 0)]
            raise DataError(f"{self.name}: no training sample of {listed(empty)}; add some or drop it")
        if self.picture and (found := not_told_apart([self.split(name) for name in SPLITS])):
            one, other = (short_name(self.class_names[label]) for label in found)
            raise DataError(
                f"{self.name}: every image of class {one} is in another class, too, such as {other}: put each image "
                "into one class"
            )

    def _check_numbers(self) -> None:
        """Refuse numbers to predict that are constant, or too few."""
        for name in SPLITS:
            if not len(self.split(name)):
                raise DataError(f"{self.name}: too few samples, nothing would be left for {name}; add some")
        for name, column in zip(self.value_names, self.train.labels.T, strict=True):
            if (column == column[0]).all():
                raise DataError(f"{self.name}: {name!r} is {column[0]:g} in every training sample: nothing to learn")

    def _counts(self, *names: str) -> NDArray[np.int64]:
        """Return how many samples of each class some splits have, (K,)."""
        return np.bincount(
            np.concatenate([self.split(name).labels for name in names]), minlength=len(self.class_names)
        ).astype(np.int64)

    @staticmethod
    def _check_weights(where: str, split: Split) -> None:
        weights = split.weights
        if weights is None:
            return
        if weights.shape != (len(split),) or not (np.isfinite(weights) & (weights >= 0)).all():
            raise DataError(f"{where}: weights must be a number of at least 0 for each of the {len(split)} samples")
        if len(split) and not weights.any():
            raise DataError(f"{where}: all weights are 0; give some samples a weight above 0")

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
            if inputs.dtype.kind == "f" and not (np.isinf(inputs) if self.columns else ~np.isfinite(inputs)).sum() == 0:
                raise DataError(f"{where}: NaN or infinite values among the inputs; clean or drop those rows")
            if inputs.dtype.kind == "f" and inputs.size:
                low, high = np.nanmin(inputs, initial=0), np.nanmax(inputs, initial=0)
                if max(-low, high) > LARGEST:
                    raise DataError(
                        f"{where}: inputs run from {low:g} to {high:g}, beyond +-{LARGEST:g}; rescale that column"
                    )
            if self.of_numbers:
                check_targets(where, labels, self.value_names)
                if name == "train":
                    check_spread(where, labels, self.value_names)
            else:
                check_labels(where, labels, classes)
            self._check_weights(where, self.split(name))
        if self.of_numbers and self.class_names:
            raise DataError(f"{self.name}: class_names and value_names cannot both be given; leave one out")
        try:
            "".join(self.class_names).encode("utf-8")
        except UnicodeEncodeError:
            raise DataError(f"{self.name}: a class name is not Unicode: {self.class_names!a}; rename it") from None
        named = self.feature_names
        if named and (len(self.input_shape) != 1 or len(named) != self.input_shape[0]):
            raise DataError(
                f"{self.name}: {len(named)} feature names for inputs of shape {self.input_shape}; give one per input"
            )
        if repeated := [name for name, count in Counter(named).items() if count > 1]:
            raise DataError(f"{self.name}: more than one column is called {repeated[0]!r}; give each its own name")
