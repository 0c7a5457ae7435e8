"""Subjects of all kinds: models of the zoo with inputs and labels, and runs that take milliseconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from genreg_np import train
from genreg_np.data.dataset import Dataset, Split
from genreg_np.model import Model
from genreg_np.report.opening import of_run
from genreg_np.report.subject import Subject
from tests.helpers import dataset_for, tiny_config, tiny_dataset
from tests.zoo import exhibit_of


def subject_of(model: Model, inputs: np.ndarray, labels: np.ndarray | None = None) -> Subject:
    """Return a model and what it is shown, as all splits; without data where its outputs are values."""
    if not model.class_names:
        return Subject("values", model)
    if labels is None:
        labels = np.random.default_rng(0).integers(0, len(model.class_names), len(inputs))
    split = Split(inputs, labels.astype(np.int64))
    return Subject("shown", model, Dataset("data", split, split, split, model.class_names, model.input_range))


def shown(name: str) -> Subject:
    """Return an exhibit of the zoo, with labels at random."""
    exhibit = exhibit_of(name)
    return subject_of(exhibit.model, exhibit.inputs)


def run_of(folder: Path, dataset: Dataset | None = None, **changes: Any) -> Subject:
    """Train for a few generations, and return the run and its data."""
    data = dataset or dataset_for(str(changes.get("strategy", "genreg")), tiny_dataset())
    train(tiny_config(**changes), data, folder, backend="numpy")
    subject, _ = of_run(folder)
    return Subject(subject.name, subject.model, data, run=subject.run)
