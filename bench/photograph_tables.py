"""The table of docs/photographs.md: sets of pictures, from the results of bench/photographs.py."""

from __future__ import annotations

import statistics
from typing import Any

from tables import read, table

LEARNERS = ("RandomForest", "LogisticRegression")


def sets() -> str:
    """Return a row for each set: test accuracies in percent, and seconds of the whole command."""
    rows = []
    for name, found in read("photographs")["sets"].items():
        ours, pixels, folds = found["ours"], found["pixels"], found["folds"]
        seconds = [run["seconds"] for run in ours["photos"]]
        rows.append([
            name,
            f"**{_mean(ours['photos'])}** ({_range(ours['photos'])})",
            f"{_mean(ours['photos --flip'])}",
            f"{statistics.median(seconds):.1f} (at most {max(seconds):.1f})",
            f"{max(run['model_bytes'] for run in ours['photos']) / 1000:.0f} KB",
            _mean(ours["nodes-small"]),
            *(_pair(pixels, learner) for learner in LEARNERS),
            " / ".join(_mean(folds[learner]) for learner in ("photos", *LEARNERS)),
        ])  # fmt: skip
    head = ["set", "`photos`, 5 seeds", "`--flip`", "seconds", "model", "`nodes-small`"]
    return table([*head, "forest on pixels", "logistic regression on pixels", "in folds"], rows)


def _percent(runs: list[Any]) -> list[float]:
    return [100 * (run["test"] if isinstance(run, dict) else run) for run in runs]


def _mean(runs: list[Any]) -> str:
    return f"{statistics.mean(_percent(runs)):.1f}"


def _range(runs: list[Any]) -> str:
    return f"{min(_percent(runs)):.1f} - {max(_percent(runs)):.1f}"


def _pair(pixels: dict[str, list[float]], learner: str) -> str:
    return " / ".join(_mean(pixels[f"{learner}, {what}"]) for what in ("train", "train and validation"))


PAGE = {"sets": sets}
