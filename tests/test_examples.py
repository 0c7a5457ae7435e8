"""The examples run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"


def test_evolution_climbs_a_score_that_has_no_gradient() -> None:
    command = [sys.executable, EXAMPLES / "macro_f1_with_rejection.py", "--generations", "100"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    scores = [float(score) for score in re.findall(r"best score ([\d.]+)", done.stdout)]
    assert len(scores) == 2
    assert scores[0] < scores[1]
    assert float(re.search(r"test: score ([\d.]+)", done.stdout)[1]) > 0.4
