"""The data of a search, cut into the parts that it needs, as files that all workers share.

    train     what individuals learn from
    search    what they are judged by, and selected
    select    what chooses among the finalists: nobody is selected by it before
    whole     all of these, for the winner's final training
    test      looked at once, at the end

Of a set that is too small for that, all but the test split is learned from in turns: cross-validation.
Of MNIST's kind, whose splits everybody knows, the last 5,000 training images are searched by, and the 5,000 before them
choose. Of other data the validation split is searched by, and 15 % of each class of the training split choose.

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

IN_ORDER = ("mnist", "fashion-mnist")  # whose last training images are held out, not some of each class


def check_images(dataset: Dataset) -> None:
    """Refuse what is no set of images.

    Raises
    ------
    UsageError
        With what it has.
    """
    shape = dataset.input_shape
    if len(shape) not in (2, 3) or dataset.input_range is None:
        raise UsageError(
            f"{dataset.name} has inputs of {shape} {dataset.train.inputs.dtype}, no images of whole-number pixels: "
            "name a folder of pictures, or a named set of images; search table is for tables"
        )


@dataclass(frozen=True)
class Parts:
    """The parts of a dataset by name."""

    splits: Mapping[str, Split]

    @classmethod
    def of(cls, dataset: Dataset, folds: int = 0, by_labels: bool = True) -> Parts:
        """Cut a dataset; where it is cross-validated, what is learned from is all but the test split.

        `by_labels` says whether classes are to be learned: then there must be two.

        Raises
        ------
        UsageError
            For a set that has too few.
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
            raise UsageError(f"{dataset.name}: {len(train)} training images are too few to hold any out to choose by")
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
        """Return of each two parts that are held apart how many images of the later one are in the earlier one."""
        return shared_among({name: split.inputs for name, split in self.splits.items() if name != "whole"})

    def share(self, folder: Path, input_range: tuple[float, float] | None) -> dict[str, Part]:
        """Write the parts to a folder, and return where they are."""
        found = {}
        for name, split in self.splits.items():
            features, labels = folder / f"{name}.npy", folder / f"{name}-labels.npy"
            np.save(features, mapped(split.inputs, input_range))
            np.save(labels, split.labels)
            found[name] = Part(str(features), str(labels))
        return found
