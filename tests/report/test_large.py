"""Weights that are finite and very large: what can be shown is shown, the rest is named, and nothing warns."""

from __future__ import annotations

import dataclasses
import re
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.model import Model
from genreg_np.report.page import page_of
from genreg_np.report.subject import Subject
from tests.report.subjects import run_of

WHICH = [slice(None), slice(3, 4), slice(0, 40), slice(-4, None)]  # of the weights


@pytest.fixture(scope="module", params=["tanh", "relu"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return run_of(tmp_path_factory.mktemp("large") / "run", activation=request.param)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("place", range(len(WHICH)))
def test_large_weights_have_a_page(run: Subject, place: int) -> None:
    """Curves and histograms are there whatever the model answers; each size of each weights, by one activation."""
    which, size = WHICH[place], (1e20, 3e38)[(place + (run.run.config.activation == "relu")) % 2]  # type: ignore[union-attr]
    genes = run.model.genes.copy()
    genes[which] = np.where(genes[which] < 0, -size, size)
    training = dict(run.model.training)
    model = Model.build(run.model.network, genes, run.model.class_names, run.model.input_range, training=training)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page, _ = page_of([dataclasses.replace(run, model=model)])
    text = re.sub(r'src="[^"]*"', "", page)
    assert "nan" not in re.findall(r"\w+", text)
    assert "inf" not in re.findall(r"\w+", text)
    assert {"summary", "curves", "histograms"} <= set(re.findall('<section id="(.*)">', page))
    if 'id="confusion"' not in page:
        assert "Not shown: Confusion, Errors, Hidden units, Embeddings: the model cannot answer: " in text


def test_some_of_them_do_not_answer(run: Subject, tmp_path: Path) -> None:
    genes = np.full_like(run.model.genes, 3e38)
    model = Model.build(run.model.network, genes, run.model.class_names, run.model.input_range)
    with np.errstate(all="ignore"):
        found = dataclasses.replace(run, model=model).with_answers()
    assert found.dataset is None
    assert "too large for float32" in found.missing
    assert run.with_answers() is run
