"""Pictures that are the same, pixel by pixel: what a class can hardly be learned by, and accuracy not be measured on.

Shapes: inputs (N, *input_shape), labels (N,) int64 in 0 .. K-1.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.labels import listed, short_name
from genreg_np.data.split import SPLITS, Split

if TYPE_CHECKING:
    from genreg_np.data.dataset import Dataset


def alike_notes(inputs: NDArray[np.generic], files: Sequence[tuple[Path, str]], names: Sequence[str]) -> list[str]:
    """Return what should be known of pictures that are alike, a line for each kind.

    Parameters
    ----------
    inputs : (N, *input_shape) ndarray
    files : sequence of N pairs
        Where each lies, and its class.
    names : sequence of str
        All classes.
    """
    prints = fingerprints(inputs)
    counts = Counter(name for _, name in files)
    different = Counter(name for name, _ in {(name, one) for (_, name), one in zip(files, prints, strict=True)})
    notes = []
    if single := [name for name in names if counts[name] == 1]:
        notes.append(
            f"{listed(single)} with one image{' each' if len(single) > 1 else ''}: there is none to measure accuracy by"
        )
    if same := [name for name in names if counts[name] > 1 and different[name] == 1]:
        notes.append(f"{listed(same)}: all {'images of each' if len(same) > 1 else 'its images'} are the same")
    first: dict[bytes, tuple[Path, str]] = {}
    shared = []
    for (file, name), one in zip(files, prints, strict=True):
        before, other = first.setdefault(one, (file, name))
        if other != name:
            shared.append(f"{before} is {file}")
    if shared:
        what = "1 image is" if len(shared) == 1 else f"{len(shared):,} images are"
        notes.append(f"{what} in another class, too: {short_name(shared[0], 160)}")
    return notes


def not_told_apart(parts: Sequence[Split]) -> tuple[int, int] | None:
    """Return a class of which every picture is also one of another class, and such a one; None where there is none."""
    classes: dict[bytes, set[int]] = {}
    for part in parts:
        for one, label in zip(fingerprints(part.inputs), part.labels.tolist(), strict=True):
            classes.setdefault(one, set()).add(label)
    own = {label for found in classes.values() if len(found) == 1 for label in found}
    for found in classes.values():
        for label in sorted(found - own):
            return label, min(found - {label})
    return None


def shared_between(dataset: Dataset) -> dict[tuple[str, str], int]:
    """Return how many inputs of one split are in another as well, value by value.

    What is measured on those is no measure of what was learned.

    Parameters
    ----------
    dataset : Dataset
        Of pictures, or of anything else.

    Returns
    -------
    dict
        ("test", "train"): how many inputs of test are also in train; likewise validation in train, and test in
        validation. Pairs that share none are left out.
    """
    prints = {name: fingerprints(dataset.split(name).inputs) for name in SPLITS}
    counts = {}
    for earlier, later in combinations(SPLITS, 2):
        known = set(prints[earlier])
        counts[later, earlier] = sum(one in known for one in prints[later])
    return {pair: count for pair, count in counts.items() if count}


def with_shared_noted(dataset: Dataset) -> Dataset:
    """Return a dataset of pictures whose note says, too, how many are in more than one split."""
    counted = []
    for (later, earlier), count in shared_between(dataset).items():
        what = f"1 image of {later} is" if count == 1 else f"{count:,} images of {later} are"
        counted.append(f"{what} also in {earlier}")
    if not counted:
        return dataset
    said = f"{', '.join(counted)}: accuracy on those says nothing of new ones"
    return replace(dataset, note="; ".join(filter(None, [dataset.note, said])))


def fingerprints(inputs: NDArray[np.generic]) -> list[bytes]:
    """Return a number for each input that only equal ones share."""
    return [hashlib.blake2b(np.ascontiguousarray(one).data, digest_size=16).digest() for one in inputs]
