"""Two half-moons, one in the arms of the other: 600 points of two features, made on the spot."""

from __future__ import annotations

import numpy as np

from genreg_np.data.built_in import BuiltIn
from genreg_np.data.dataset import Dataset
from genreg_np.data.splits import stratified_split
from genreg_np.streams import Purpose, Stream, unit_floats


def load_moons() -> Dataset:
    labels = np.arange(600) % 2
    stream = Stream(0)  # the same points on every machine
    angles = np.pi * unit_floats(stream.words(Purpose.BATCH, 0, 0, len(labels)))
    noise = 0.1 * stream.normals(Purpose.BATCH, 1, 0, 2 * len(labels)).reshape(-1, 2)
    upper = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    points = np.where(labels[:, None] == 0, upper, [1, 0.5] - upper) + noise
    return stratified_split(points.astype(np.float32), labels, ("upper", "lower"), name="moons", input_range=None)


MOONS = BuiltIn("two half-moons, 600 points", load_moons)
