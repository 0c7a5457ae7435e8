"""Every reader takes a file or refuses it in its own way, whatever is in it, and needs little memory for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

pytest.importorskip("PIL")

from tests.fuzzing import TARGETS
from tests.helpers import ROOT

MOST_MEGABYTES = 768  # beside what the program takes itself: docs/security.md states it

FUZZ = """
import sys
sys.path.insert(1, "bench")
import machine
from tests.fuzzing import fuzz, warmed
targets = warmed()
before = machine.peak_megabytes()
report = fuzz(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), targets=targets)
for failure in report.failures:
    print(failure)
print(report.failed, sorted(report.inputs) == sorted(targets), machine.peak_megabytes() - before)
"""


def outcome_of(inputs: int, seed: int, seconds: float) -> None:
    """Fuzz in a process of its own, whose memory is nobody else's."""
    done = subprocess.run(
        [sys.executable, "-c", FUZZ, str(inputs), str(seed), str(seconds)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    *failures, last = done.stdout.splitlines()
    failed, all_read, megabytes = last.split()
    assert failed == "0", "\n".join(failures)
    assert all_read == "True"
    assert int(megabytes) < MOST_MEGABYTES


def test_readers_take_or_refuse_mutated_files() -> None:
    """A few hundred for each reader, always the same."""
    outcome_of(200 * len(TARGETS), 0, float("inf"))


@pytest.mark.soak
def test_readers_take_or_refuse_a_million_mutated_files() -> None:
    """For as long as an hour; `bench/soak.py fuzz` keeps what came of it."""
    outcome_of(10**6, 1, 3600)
