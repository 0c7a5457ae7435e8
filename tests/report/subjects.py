"""Subjects to be shown, and what holds of all that is shown of them."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np import train
from genreg_np.data.dataset import Dataset, Split
from genreg_np.layers.dense import Dense
from genreg_np.model import Model, Network
from genreg_np.report.opening import of_run
from genreg_np.report.sections import classes, confusion, errors, weights
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.report.subject import Subject
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.stored import StoredRun
from tests.helpers import dataset_for, tiny_config, tiny_dataset
from tests.zoo import exhibit_of

SECTIONS = {"classes": classes, "confusion": confusion, "errors": errors, "weights": weights}
MOST_BYTES = 150_000
WIDTH = 720  # pixels of every picture


def subject_of(
    model: Model, inputs: np.ndarray, labels: Sequence[int] | None = None, records: Sequence[dict[str, Any]] = ()
) -> Subject:
    """Return a subject with the same inputs in all splits, and labels (by default none of the last class)."""
    count = max(2, len(model.class_names) - 1)
    split = Split(inputs, np.arange(len(inputs)) % count if labels is None else np.asarray(labels, np.int64))
    names = model.class_names or ("low", "high")
    data = Dataset("shown", split, split, split, names, model.input_range, feature_names=model.feature_names)
    run = StoredRun(Path("run"), TrainConfig(), [], {}, list(records), {"test": True}) if records else None
    return Subject("shown", model, data, run=run)


def answering(
    answers: Sequence[int], labels: Sequence[int], classes: int, sure: Sequence[float] | None = None
) -> Subject:
    """Return a subject whose model answers as it is told, with logits of so much."""
    logits = np.zeros((len(answers), classes), np.float32)
    logits[np.arange(len(answers)), answers] = sure or 1.0
    network = Network((classes,), (Dense(classes, classes),))
    genes = np.concatenate([np.eye(classes, dtype=np.float32).ravel(), np.zeros(classes, np.float32)])
    model = Model.build(network, genes, tuple(f"class {place}" for place in range(classes)))
    return subject_of(model, logits, labels)


def drawn_by(subject: Subject) -> dict[str, Shown]:
    """Return what each section shows, held to what all must be."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = {name: module.section(subject) for name, module in SECTIONS.items()}
    shown = {name: one for name, one in found.items() if one is not None}
    names = [part.name for one in shown.values() for part in pictures_in(one)]
    assert len(names) == len(set(names))
    for one in shown.values():
        assert one.words == one.words.strip() != ""
        assert "nan" not in one.words
        for part in one.parts:
            if isinstance(part, Picture):
                check_picture(part)
            else:
                assert {len(row) for row in part.rows} == {len(part.head)}
    return shown


def pictures_in(shown: Shown) -> list[Picture]:
    """Return a section's pictures."""
    return [part for part in shown.parts if isinstance(part, Picture)]


def check_picture(picture: Picture) -> None:
    """Hold a picture to its size, and its words to being some."""
    from PIL import Image

    with Image.open(io.BytesIO(picture.png)) as opened:
        assert opened.format == "PNG"
        assert opened.width == WIDTH
        assert len(picture.png) < MOST_BYTES
    assert re.search(r"\d", picture.says), "alt text tells numbers"
    assert "nan" not in picture.says
    assert picture.caption.endswith(".")


def table_in(shown: Shown | None) -> Table:
    """Return a section's only table."""
    assert shown is not None
    (table,) = [part for part in shown.parts if isinstance(part, Table)]
    return table


def labelled(model: Model, inputs: np.ndarray, labels: np.ndarray | None = None) -> Subject:
    """Return a model and what it is shown, with labels at random; without data where its outputs are values."""
    if not model.class_names:
        return Subject("values", model)
    if labels is None:
        labels = np.random.default_rng(0).integers(0, len(model.class_names), len(inputs))
    return subject_of(model, inputs, labels.tolist())


def shown(name: str) -> Subject:
    """Return an exhibit of the zoo, with labels at random."""
    exhibit = exhibit_of(name)
    return labelled(exhibit.model, exhibit.inputs)


def run_of(folder: Path, dataset: Dataset | None = None, **changes: Any) -> Subject:
    """Train for a few generations, and return the run and its data."""
    data = dataset or dataset_for(str(changes.get("strategy", "genreg")), tiny_dataset())
    train(tiny_config(**changes), data, folder, backend="numpy")
    subject, _ = of_run(folder)
    return Subject(subject.name, subject.model, data, run=subject.run)
