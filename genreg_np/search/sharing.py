"""The data of a search, cut into parts and stored as files that all workers share.

    train     what individuals learn from
    search    what individuals are judged on for selection
    select    what the finalists are chosen on; not used before
    whole     all of these, for the winner's final training
    test      used once, at the end

If a dataset is too small for that, everything except the test split is used by cross-validation.
For datasets like MNIST, with well-known splits, the last 5,000 training images are `search` and the 5,000 before them
`select`. For other data the validation split is `search`, and 15 % of each class of the training split `select`.

Shapes: (N, *input_shape) inputs become features (N, I) float32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genreg_np.data.dataset import Dataset
from genreg_np.data.held_out import split_indices
from genreg_np.data.shared import shared_among
from genreg_np.data.split import Split
from genreg_np.errors import UsageError
from genreg_np.model import mapped
from genreg_np.search.lessons.base import Part

IN_ORDER = ("mnist", "fashion-mnist")  # datasets whose last training images are held out, instead of some of each class


def check_images(dataset: Dataset) -> None:
    """Refuse a dataset that does not consist of images.

    Raises
    ------
    UsageError
        If its inputs are not images of integer pixels, or its labels are numbers.
    """
    shape = dataset.input_shape
    if len(shape) not in (2, 3) or dataset.input_range is None:
        raise UsageError(
            f"{dataset.name} has inputs of {shape} {dataset.train.inputs.dtype}, not images of integer pixels: "
            "give a folder of pictures or a named image dataset; tables need search table"
        )
    if dataset.of_numbers:
        raise UsageError(
            f"{dataset.name}: its labels are numbers, and a search for images needs classes: give whole numbers or "
            "names of classes as labels; images with numbers to predict need train"
        )


@dataclass(frozen=True)
class Parts:
    """The parts of a dataset, by name."""

    splits: Mapping[str, Split]

    @classmethod
    def of(cls, dataset: Dataset, folds: int = 0, by_labels: bool = True) -> Parts:
        """Cut a dataset; with cross-validation, individuals learn from everything except the test split.

        `by_labels` says whether classes are learned: then there must be at least two.

        Raises
        ------
        UsageError
            If the dataset has too few images or classes.
        """
        if by_labels:
            dataset.check_trainable()
        train = dataset.train
        whole = Split(
            np.concatenate([train.inputs, dataset.validation.inputs]),
            np.concatenate([train.labels, dataset.validation.labels]),
        )
        if folds:
            return cls({"train": whole, "whole": whole, "test": dataset.test})
        rows = np.arange(len(train))
        if (dataset.origin or {}).get("source", dataset.name) in IN_ORDER:
            kept, chosen = rows[: -len(dataset.validation)], rows[-len(dataset.validation) :]
        else:
            kept, chosen = split_indices(train.labels, 1)
        if not len(chosen) or not len(kept):
            raise UsageError(f"{dataset.name}: {len(train)} training images are too few to hold out some for selection")
        return cls(
            {
                "train": Split(train.inputs[kept], train.labels[kept]),
                "search": dataset.validation,
                "select": Split(train.inputs[chosen], train.labels[chosen]),
                "whole": whole,
                "test": dataset.test,
            }
        )

    def shared(self) -> dict[tuple[str, str], int]:
        """Return, for each pair of separate parts, how many images of the later one are also in the earlier one."""
        return shared_among({name: split.inputs for name, split in self.splits.items() if name != "whole"})

    def share(self, folder: Path, input_range: tuple[float, float] | None) -> dict[str, Part]:
        """Write the parts to a folder, and return their locations."""
        found = {}
        for name, split in self.splits.items():
            features, labels = folder / f"{name}.npy", folder / f"{name}-labels.npy"
            np.save(features, mapped(split.inputs, input_range))
            np.save(labels, split.labels)
            found[name] = Part(str(features), str(labels))
        return found
