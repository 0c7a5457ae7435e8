"""What sections take from a subject: answers, and what hidden layers give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genreg_np import train
from genreg_np.data.dataset import Dataset, Split
from genreg_np.model import Network
from genreg_np.report.opening import of_run
from genreg_np.report.page import page_of
from genreg_np.report.subject import MOST_HIDDEN, Subject
from tests.helpers import evolution, model_of, tiny_config, tiny_dataset
from tests.report.subjects import run_of


def test_answers_are_the_models() -> None:
    run = evolution()
    run.run(2)
    data, model = tiny_dataset(), run.champion()
    subject = Subject("run", model, data)
    assert subject.split_name == "test"
    assert np.array_equal(subject.predicted, model.predict(data.test.inputs))
    assert np.array_equal(subject.labels, data.test.labels)
    places = np.array([1, 0, 3, 2])
    assert np.array_equal(Subject("run", model, data, places).labels, places[data.test.labels])


def test_accuracy_is_that_of_each_split(tmp_path: Path) -> None:
    """Of validation what the model tells, where it is that of its own run; of training what is predicted."""
    subject = run_of(tmp_path / "run", generations=3)
    assert subject.dataset is not None
    shares = subject.shares
    for name in ("train", "validation", "test"):
        split = subject.dataset.split(name)
        assert shares[name].value == np.mean(subject.model.predict(split.inputs) == split.labels)
        assert shares[name].count == len(split)
    for lie in ({"validation": {"best": "all"}}, {"validation": []}, [1], {"validation": {"best": 7.0}}):
        subject.model.header["training"] |= {"accuracies": lie, "genome": "best"}
        assert Subject("run", subject.model, subject.dataset, run=subject.run).shares == shares


def test_pictures_are_shown_to_a_network_of_single_values(tmp_path: Path) -> None:
    """As training took them; one of another size is shown without them, and it is said."""
    pytest.importorskip("matplotlib", reason="figures need matplotlib")
    data = tiny_dataset()
    train(tiny_config(), data, tmp_path / "run", backend="numpy", network=Network.build((16,), (5,), 4))
    subject, _ = of_run(tmp_path / "run", None)
    subject = replace(subject, dataset=data, missing="")
    assert subject.inputs.shape == (len(data.test), 16)
    assert np.array_equal(subject.inputs[3], data.test.inputs[3].ravel())
    page, _ = page_of([subject])
    assert 'id="confusion"' in page
    assert "Not shown" not in page
    other = replace(subject, model=model_of(Network.build((4,), (5,), 4)))
    page, _ = page_of([other])
    assert "the model cannot answer: inputs have shape" in page
    assert 'id="curves"' in page


def test_of_many_inputs_some_are_looked_at() -> None:
    """Evenly spread over all of them."""
    run = evolution()
    run.run(1)
    data = tiny_dataset()
    split = Split(np.tile(data.test.inputs, (200, 1, 1)), np.tile(data.test.labels, 200))
    subject = Subject("many", run.champion(), Dataset("many", split, split, split, data.class_names, data.input_range))
    assert MOST_HIDDEN // 2 < len(subject.rows) <= MOST_HIDDEN
    assert len(set(np.diff(subject.rows))) == 1
