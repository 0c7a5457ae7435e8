"""Small searches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.cli.measured import of_table
from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError
from genreg_np.infer import Model
from genreg_np.search.config import SearchConfig
from genreg_np.search.images import Found, search_images

SMALL: dict[str, Any] = {
    "population": 6, "generations": 2, "rungs": (64, 128, 256), "final_epochs": 1, "final_seeds": 2,
    "max_parameters": 4000, "max_macs": 30_000, "folds": 1,
}  # fmt: skip


def bars(images: int = 96, classes: int = 3, side: int = 8, channels: int = 0, seed: int = 0) -> Dataset:
    """Return noisy images of a bar, whose class is how it lies."""
    rng = np.random.default_rng(seed)
    labels = np.arange(images) % classes
    pixels = rng.integers(0, 90, (images, side, side))
    for place, label in enumerate(labels):
        at = rng.integers(1, side - 1)
        line = (at, slice(None)) if label == 0 else (slice(None), at) if label == 1 else (range(side), range(side))
        pixels[place][line] = 255
    inputs = pixels.astype(np.uint8)
    if channels:
        inputs = np.repeat(inputs[:, None], channels, axis=1)
    names = ("across", "down", "slant", *(f"other {number}" for number in range(3, classes)))[:classes]
    return Dataset.from_arrays(inputs, labels, class_names=names, name="bars")


def search(folder: Path, dataset: Dataset | None = None, **changes: Any) -> Found:
    """Do a small search in this process."""
    how: dict[str, Any] = {"engine": "serial", "backend": "numpy", "workers": 1}
    names = (*how, "budget", "target", "watcher", "clock", "started")
    how |= {name: changes.pop(name) for name in names if name in changes}
    return search_images(dataset or bars(), SearchConfig.from_dict(SMALL | changes), folder, **how)


def check_measured(model: Model, path: str, other: str, held: float) -> None:
    """Check that `eval` measures a search's model of 120 rows on the 24 that were held out, and on all of others."""
    measured = of_table(model, path, None, {})
    assert (len(measured.labels), measured.split) == (24, "test")
    assert (model.predict(measured.inputs) == measured.labels).mean() == pytest.approx(held)
    assert "24 of its 120 rows, which the search held out" in measured.notes[-1]
    assert len(of_table(model, path, "train", {}).labels) == 96
    assert len(of_table(model, path, "all", {}).labels) == 120
    with pytest.raises(UsageError, match="no validation split"):
        of_table(model, path, "validation", {})
    new = of_table(model, other, None, {})
    assert (new.split, len(new.labels)) == ("all", 60)
    assert any("the model was trained on another file" in note for note in new.notes)
    assert not any("it has learned from" in note for note in new.notes)
