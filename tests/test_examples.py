"""The examples run as they stand."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest

from genreg_np.model import load
from tests.export.c_build import GCC, compiled, ran, write

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


@pytest.mark.soak
def test_the_example_of_scikit_learn_costs_less_by_the_cost(tmp_path: Path) -> None:
    pytest.importorskip("sklearn", reason="is of scikit-learn")
    command = [sys.executable, EXAMPLES / "with_scikit_learn.py"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    usual, evolved = (float(cost) for cost in re.findall(r": cost ([\d.]+) for each", printed))
    assert evolved < 0.8 * usual
    assert float(re.search(r"over three folds: ([\d.]+)", printed)[1]) > 0.85
    assert (tmp_path / "debtors.npz").exists()


def test_the_crane_in_c_does_what_the_crane_in_python_does(tmp_path: Path) -> None:
    """A policy for a simulator of one's own: the same way, step by step, and the load comes to rest at the mark."""
    command = [sys.executable, EXAMPLES / "crane.py", "--generations", "30", "--out", tmp_path / "crane.npz"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert float(re.search(r"([\d.]+) m from the mark", printed)[1]) < 0.4
    policy = load(tmp_path / "crane.npz")
    (tmp_path / "crane").mkdir()
    write(policy, tmp_path / "crane")
    compiled(GCC.need(), tmp_path, "-Icrane", EXAMPLES / "crane.c", "crane/model.c", "-o", "drive", "-lm")
    _, told, _ = ran(GCC, tmp_path, "drive", "2.5")
    sys.path.insert(0, str(EXAMPLES))
    try:
        import crane
    finally:
        sys.path.remove(str(EXAMPLES))
    state, memory, away = (2.5, 0.0, 0.0, 0.0), policy.start(), 0.0
    for _ in range(200):
        memory, (output,) = policy.step(memory, state)
        state = crane.moved(state, 10 * math.tanh(output))
        away += abs(state[0] + math.sin(state[2]))
    assert float(told.split()[-4]) == pytest.approx(away / 200, abs=0.01)


def test_the_example_of_environments_runs(tmp_path: Path) -> None:
    pytest.importorskip("gymnasium", reason="environments are Gymnasium's")
    command = [sys.executable, EXAMPLES / "control.py", "CartPole-v1", "--seconds", "0.1", "--workers", "0"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert re.fullmatch(r"CartPole-v1: [\d.]+ over 100 fresh episodes, the worst [\d.]+\n", printed)
    assert (tmp_path / "CartPole-v1.npz").exists()
