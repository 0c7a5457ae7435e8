"""The examples run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def macro_f1(*options: object) -> str:
    """Run the example and return what it printed."""
    command = [sys.executable, EXAMPLES / "macro_f1_with_rejection.py", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_evolution_climbs_a_score_that_has_no_gradient() -> None:
    printed = macro_f1("--generations", 100)
    scores = [float(score) for score in re.findall(r"best score ([\d.]+)", printed)]
    assert len(scores) == 2
    assert scores[0] < scores[1]
    assert float(re.search(r"test: score ([\d.]+)", printed)[1]) > 0.4


def test_a_run_of_the_example_goes_on_in_its_folder(tmp_path: Path) -> None:
    whole = macro_f1("--generations", 20, "--out", tmp_path / "whole")
    macro_f1("--generations", 10, "--out", tmp_path / "run")
    assert macro_f1("--generations", 20, "--out", tmp_path / "run") == whole
    assert (tmp_path / "run/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()


def test_the_example_of_scikit_learn_costs_less_by_the_cost(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="is of scikit-learn")
    command = [sys.executable, EXAMPLES / "with_scikit_learn.py"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    usual, evolved = (float(cost) for cost in re.findall(r": cost ([\d.]+) for each", printed))
    assert evolved < 0.8 * usual
    assert float(re.search(r"by three folds: ([\d.]+)", printed)[1]) > 0.85
    assert (tmp_path / "debtors.npz").exists()
