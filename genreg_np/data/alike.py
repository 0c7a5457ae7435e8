"""Find pictures that are identical, pixel by pixel, which hinder both learning and measuring accuracy.

Shapes: inputs (N, *input_shape), labels (N,) int64 in 0 .. K-1.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.labels import listed, short_name
from genreg_np.data.split import Split


def alike_notes(inputs: NDArray[np.generic], files: Sequence[tuple[Path, str]], names: Sequence[str]) -> list[str]:
    """Return notes on identical pictures, one for each kind of problem.

    Parameters
    ----------
    inputs : (N, *input_shape) ndarray
    files : sequence of N pairs
        The path and class of each.
    names : sequence of str
        All classes.
    """
    prints = fingerprints(inputs)
    counts = Counter(name for _, name in files)
    different = Counter(name for name, _ in {(name, one) for (_, name), one in zip(files, prints, strict=True)})
    notes = []
    if single := [name for name in names if counts[name] == 1]:
        notes.append(
            f"{listed(single)} with one image{' each' if len(single) > 1 else ''}: none is left to measure accuracy"
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
    """Return a class all of whose pictures are also in other classes, and one of these; None if there is none."""
    classes: dict[bytes, set[int]] = {}
    for part in parts:
        for one, label in zip(fingerprints(part.inputs), part.labels.tolist(), strict=True):
            classes.setdefault(one, set()).add(label)
    own = {label for found in classes.values() if len(found) == 1 for label in found}
    for found in classes.values():
        for label in sorted(found - own):
            return label, min(found - {label})
    return None


def fingerprints(inputs: NDArray[np.generic]) -> list[bytes]:
    """Return a hash of each input, shared only by equal inputs."""
    return [hashlib.blake2b(np.ascontiguousarray(one).data, digest_size=16).digest() for one in inputs]
