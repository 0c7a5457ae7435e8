"""Tests of the command line, in empty folders; what they share."""

from __future__ import annotations

from pathlib import Path

from genreg_np.infer import load
from genreg_np.model import Model

FAST = ["--preset", "small", "--generations", "3", "--set", "population_size=20", "--set", "images_per_class=4"]


class Outcome:
    """Exit code and output of one call."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def one_line(outcome: Outcome, code: int) -> str:
    """Check that a call failed with one line and return it."""
    assert outcome.code == code, outcome.out + outcome.err
    lines = [line for line in outcome.err.strip().splitlines() if not line.startswith(("Usage:", "Try "))]
    lines = [line for line in lines if line.strip()]
    assert len(lines) == 1, outcome.err
    assert "Traceback" not in outcome.err
    return lines[0]


def save_relabelled(model: Path, **changes: object) -> Path:
    """Write a copy of a model whose header has other entries."""
    loaded = load(model)
    Path("changed.npz").write_bytes(Model(loaded.header | changes, loaded.arrays).pack())
    return Path("changed.npz")
