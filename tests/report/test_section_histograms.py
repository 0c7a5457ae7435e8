"""The section of weights, now and at the start: histograms, and weights that no answer depends on."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from genreg_np.data.dataset import Dataset, Split
from genreg_np.model import Network
from genreg_np.report.sections import histograms
from genreg_np.report.shown import Picture
from genreg_np.report.subject import Subject
from tests.helpers import model_of, tiny_dataset
from tests.report.subjects import run_of
from tests.report.test_sections_hidden import section, table

pytest.importorskip("matplotlib", reason="needs matplotlib to draw")


def silent_dataset(constant: int = 0) -> Dataset:
    """Return images whose first two pixels are the same in all."""
    data = tiny_dataset()

    def split(part: Split) -> Split:
        inputs = part.inputs.copy()
        inputs[:, 0, :2] = constant
        return Split(inputs, part.labels)

    return dataclasses.replace(data, train=split(data.train), validation=split(data.validation), test=split(data.test))


def test_neutral_weights_are_those_of_silent_inputs(tmp_path: Path) -> None:
    """Two pixels of sixteen, five units: ten weights, whose standard deviations are told, then and now."""
    subject = run_of(tmp_path / "run", silent_dataset())
    found = section("histograms", subject)
    _, neutral, others = zip(*((table(found, 1).head, *table(found, 1).rows)), strict=True)
    genes, start = (
        subject.model.network.unpack(row)[0][0] for row in (subject.model.genes, subject.initial) if row is not None
    )
    assert neutral[:2] == ("of inputs always 0", "10")
    assert others[1] == "70"
    assert neutral[2] == f"{100 * 10 / subject.model.network.gene_count:.1f} %"
    assert neutral[3:] == tuple(f"{weights[:, :2].std():.3g}" for weights in (start, genes))
    assert found is not None
    assert "2 of 16 inputs are 0" in found.words


def test_a_mean_of_survivors_is_not_held_against_one_genome(tmp_path: Path) -> None:
    """Its weights are smaller than those of any survivor: nothing of it has drifted, or shrunk."""
    for keep, is_mean in (("best", False), ("consensus", True)):
        found = section("histograms", run_of(tmp_path / keep, silent_dataset(), champion=keep))
        assert found is not None
        assert ("mean of the survivors" in found.words) == is_mean
        assert ("went from" in found.words) != is_mean
        captions = [part.caption for part in found.parts if isinstance(part, Picture)]
        assert ("has grown" in captions[0]) != is_mean


def test_what_selection_sees_is_not_neutral(tmp_path: Path) -> None:
    """A constant that is not 0 works as a bias; and moved images leave no pixel alone."""
    bias = run_of(tmp_path / "bias", silent_dataset(9))
    assert not histograms.silent_inputs(bias).any()  # type: ignore[union-attr]
    moved = run_of(tmp_path / "moved", silent_dataset(), strategy="node-perturbation", shift=1)
    assert histograms.silent_inputs(moved) is None
    still = run_of(tmp_path / "still", silent_dataset(), strategy="node-perturbation")
    assert histograms.silent_inputs(still).sum() == 2  # type: ignore[union-attr]


def test_a_column_that_never_varies_is_silent(tmp_path: Path) -> None:
    """As standardised it is 0."""
    data = tiny_dataset(kind="f")
    for split in (data.train, data.validation, data.test):
        split.inputs[:, 1, 1] = 3.7
    silent = histograms.silent_inputs(run_of(tmp_path / "run", data))
    assert silent is not None
    assert np.flatnonzero(silent).tolist() == [5]


def test_weights_are_dealt_to_layers_without_biases() -> None:
    model = model_of(Network.build((6,), (5,), 3))
    (w1, _), (w2, _) = model.network.unpack(model.genes)
    first, second = histograms.weights_of(model.network, model.genes, None)
    np.testing.assert_array_equal(first.now, w1.ravel())
    np.testing.assert_array_equal(second.now, w2.ravel())
    rows = table(section("histograms", Subject("alone", model))).rows
    assert rows[1] == (
        "layer 1, dense", "15", f"{np.abs(w2).mean():.3g}", f"{np.abs(w2).max():.3g}", f"{w2.std():.3g}"
    )  # fmt: skip
