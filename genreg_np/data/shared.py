"""Find pictures that are in more than one split, on which accuracy does not measure what was learned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.alike import fingerprints
from genreg_np.data.dataset import Dataset
from genreg_np.data.split import SPLITS


def shared_between(dataset: Dataset) -> dict[tuple[str, str], int]:
    """Return how many inputs of one split occur, with equal values, in another.

    Accuracy on these does not measure what was learned.

    Parameters
    ----------
    dataset : Dataset
        A dataset of pictures or anything else.

    Returns
    -------
    dict
        ("test", "train"): the number of inputs of test that are also in train; likewise validation in train, and test
        in validation. Pairs that share none are left out.
    """
    return shared_among({name: dataset.split(name).inputs for name in SPLITS})


def shared_among(parts: Mapping[str, NDArray[np.generic]]) -> dict[tuple[str, str], int]:
    """Return, for each two parts, how many inputs of the later one (N, ...) are also in the earlier one, as above."""
    prints = {name: fingerprints(inputs) for name, inputs in parts.items()}
    counts = {}
    for earlier, later in combinations(parts, 2):
        known = set(prints[earlier])
        counts[later, earlier] = sum(one in known for one in prints[later])
    return {pair: count for pair, count in counts.items() if count}


def shared_note(shared: Mapping[tuple[str, str], int]) -> str:
    """Return the result of `shared_between` in words; "" if it is empty."""
    counted = []
    for (later, earlier), count in shared.items():
        what = f"1 image of {later} is" if count == 1 else f"{count:,} images of {later} are"
        counted.append(f"{what} also in {earlier}")
    return f"{', '.join(counted)}: accuracy on those says nothing about new ones" if counted else ""


def with_shared_noted(dataset: Dataset) -> Dataset:
    """Return a dataset of pictures with a note on how many are in more than one split."""
    said = shared_note(shared_between(dataset))
    return replace(dataset, note="; ".join(filter(None, [dataset.note, said]))) if said else dataset
