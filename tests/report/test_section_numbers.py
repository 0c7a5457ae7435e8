"""Numbers that are predicted: errors are those of the model, in the units of the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np import Dataset, TrainConfig, load, train
from genreg_np.model import Network
from genreg_np.report.sections import numbers
from genreg_np.report.shown import Table
from genreg_np.report.subject import Subject
from genreg_np.runs.stored import StoredRun
from tests.helpers import model_of
from tests.report.subjects import check_picture, pictures_in

pytest.importorskip("matplotlib", reason="pictures need matplotlib")


def dataset(targets: int) -> Dataset:
    """Return numbers that are linear in two features, and a split to show them by."""
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(200, 2))
    wanted = 100 + 10 * inputs @ rng.normal(size=(2, targets)) + rng.normal(size=(200, targets))
    return Dataset.from_arrays(inputs, wanted, name="line", task="values")


@pytest.mark.parametrize("targets", [1, 3, 6])
def test_errors_are_the_models_own(tmp_path: Path, targets: int) -> None:
    """A row for each number, beside whoever always says the mean of the training rows; the curve is the run's."""
    data = dataset(targets)
    config = TrainConfig.from_preset("tables", hidden=(8,), generations=120, validate_every=20)
    train(config, data, tmp_path / "run")
    subject = Subject("run", load(tmp_path / "run" / "model.npz"), data, run=StoredRun.read(tmp_path / "run"))
    shown = numbers.section(subject)
    assert shown is not None
    assert "nan" not in shown.words
    table = next(part for part in shown.parts if isinstance(part, Table))
    assert [row[0] for row in table.rows] == list(data.value_names)
    predicted = subject.model.outputs(data.test.inputs)
    errors = predicted - data.test.labels
    for k, row in enumerate(table.rows):
        spread = np.square(data.test.labels[:, k] - data.test.labels[:, k].mean()).sum()
        assert float(row[1]) == pytest.approx(1 - np.square(errors[:, k]).sum() / spread, abs=1e-3)
        assert float(row[2]) == pytest.approx(np.sqrt(np.square(errors[:, k]).mean()), rel=1e-2)
        assert float(row[3]) == pytest.approx(np.abs(errors[:, k]).mean(), rel=1e-2)
        from_mean = data.test.labels[:, k] - data.train.labels[:, k].mean()
        assert float(row[4]) == pytest.approx(np.sqrt(np.square(from_mean).mean()), rel=1e-2)
    pictures = pictures_in(shown)
    assert [picture.name for picture in pictures] == ["predictions", "r2"]
    for picture in pictures:
        check_picture(picture)
    assert ("The first 4 of 6 numbers are drawn" in pictures[0].caption) is (targets == 6)


def test_a_model_that_tells_classes_apart_has_none() -> None:
    """And one of numbers says what it lacks where there are no data."""
    data = dataset(1)
    result = train(TrainConfig.from_preset("tables", hidden=(4,), generations=5), data)
    assert result.model is not None
    alone = Subject("alone", result.model, missing="its data are gone")
    assert numbers.section(alone) is None
    assert numbers.lacks(alone) != ""
    classes = model_of(Network.build((4,), (3,), 2))
    assert numbers.section(Subject("classes", classes)) is None
    assert numbers.lacks(Subject("classes", classes)) == ""
