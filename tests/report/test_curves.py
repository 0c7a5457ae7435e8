"""Curves: what is drawn of records, and what the line of training is called."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.report.sections.curves import MOST_POINTS, line_of, section, thinned, training_of
from genreg_np.report.shown import Picture
from genreg_np.report.subject import Subject
from tests.helpers import NETWORK, model_of
from tests.report.subjects import run_of


def test_lines_pass_over_what_is_no_number() -> None:
    """A run folder may come from anybody."""
    hostile = [{"generation": 1, "x": "9"}, {"generation": 2, "x": True}, {"generation": 3, "x": float("nan")}]
    assert line_of([*hostile, {"generation": 4, "x": 2}], "x") == ([4], [2.0])


def test_long_lines_become_means() -> None:
    values = list(np.random.default_rng(0).normal(size=10_000))
    generations, found = thinned((list(range(1, 10_001)), values))
    assert len(found) == MOST_POINTS
    assert found[0] == pytest.approx(np.mean(values[:25]))
    assert generations[-1] == 10_000


def test_a_model_alone_has_no_curves() -> None:
    assert section(Subject("alone", model_of(NETWORK))) is None


@pytest.mark.parametrize(
    ("strategy", "is_training", "said"),
    [
        ("genreg", True, "mutants"),
        ("evolution-strategy", True, "mutants"),
        ("gradient", True, "by heart"),
        ("mixed", False, "not recorded"),
    ],
)
def test_the_line_of_training_is_called_what_it_is(strategy: str, is_training: bool, said: str, tmp_path: Path) -> None:
    """Of populations a mean of mutants, of mixed the accuracy on the split that parents are chosen by."""
    subject = run_of(tmp_path / "run", strategy=strategy, generations=3, validate_every=3)
    shown = section(subject)
    assert shown is not None
    picture = shown.parts[0]
    assert isinstance(picture, Picture)
    assert ("training" in picture.says) == is_training
    assert said in picture.caption
    assert "single look" in shown.words
    assert subject.run is not None
    assert bool(training_of(subject.run)[1]) == is_training


def test_the_saved_generation_is_marked(tmp_path: Path) -> None:
    subject = run_of(tmp_path / "run", generations=6, validate_every=2, keep="best")
    for saved in (2, 6):
        subject.model.header["training"]["generation"] = saved
        shown = section(subject)
        assert shown is not None
        picture = shown.parts[0]
        assert isinstance(picture, Picture)
        assert ("generation 2, which is saved" in picture.caption) == (saved == 2)
