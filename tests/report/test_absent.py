"""What a page does not show though it could is named at its end, with the reason."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.data.dataset import Split
from genreg_np.model import Network
from genreg_np.report import hidden
from genreg_np.report.page import page_of
from genreg_np.report.subject import Subject
from tests.helpers import model_of, tiny_dataset
from tests.report.subjects import answering, labelled, run_of

pytestmark = pytest.mark.usefixtures("undrawn")


def ends(*subjects: Subject) -> list[str]:
    """Return the lines that a page ends with."""
    page, _ = page_of(subjects)
    return re.findall('<p class="quiet">(.*)</p>', page[page.rindex("</section>") :])


def test_a_page_with_all_sections_has_no_such_line() -> None:
    """Nor one of a model that can have no more: without hidden layers, without classes, or with the user's fitness."""
    data = tiny_dataset()
    pytest.importorskip("sklearn")
    model = model_of(Network.build((4, 4), (5,), 4))
    assert ends(labelled(model, data.test.inputs, data.test.labels)) == []
    assert ends(answering([0, 1], [0, 1], 2)) == []
    assert ends(Subject("values", model_of(Network.build((4, 4), (5,), 4), class_names=()))) == []
    assert ends(Subject("own fitness", model)) == []


def test_data_that_are_gone_are_a_line(tmp_path: Path) -> None:
    """Of a model with all that it could show; of a run with looks its classes are there. Of two whose it is."""
    gone = "its data are not at hand (they moved)"
    alone = Subject("alone", model_of(Network.build((4, 4), (5,), 4)), missing=gone)
    line = f"Not shown: In short, Classes, Confusion, Errors, Hidden units, Embeddings: {gone}."
    assert ends(alone) == [line]
    run = run_of(tmp_path / "run")
    line_of_run = f"Not shown: Confusion, Errors, Hidden units, Embeddings: {gone}."
    moved = replace(run, dataset=None, missing=gone)
    assert ends(moved) == [line_of_run]
    assert ends(alone, moved) == [f"alone: {line}", f"run: {line_of_run}"]


def test_other_reasons_are_lines(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No scikit-learn, too few inputs, empty splits, no records, layers that are too large."""
    data = tiny_dataset()
    model = model_of(Network.build((4, 4), (5,), 4))
    few = labelled(model, data.test.inputs[:8], data.test.labels[:8])
    subject = labelled(model, data.test.inputs, data.test.labels)
    assert subject.dataset is not None
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "sklearn", None)
        assert ends(subject) == [
            "Not shown: Embeddings: scikit-learn cannot be used (it is not installed; pip install "
            "&#x27;genreg-np[train]&#x27;)."
        ]
    pytest.importorskip("sklearn")
    assert ends(few) == ["Not shown: Embeddings: they need 20 inputs of two classes or more."]
    none = Split(data.test.inputs[:0], np.empty(0, np.int64))
    empty = replace(subject, dataset=replace(subject.dataset, validation=none, test=none))
    assert "Confusion, Errors" in ends(empty)[0]
    assert "the validation split is empty" in ends(empty)[0]
    run = run_of(tmp_path / "run")
    assert run.run is not None
    unrecorded = replace(run, run=replace(run.run, records=[]))
    assert ends(unrecorded) == ["Not shown: Training, Population: the run has no records (metrics.jsonl)."]
    monkeypatch.setattr(hidden, "MOST_VALUES", 3)
    assert ends(replace(subject)) == [f"Not shown: Hidden units, Embeddings: {hidden.LEFT_OUT}."]
