"""The cost of a report: the share of a run spent on recording for it, and the seconds and bytes of its page.

    python bench/report.py

For each preset on MNIST and a number of generations: seconds of the run, seconds spent on recording more than accuracy
(Generations._facts, wall-clock), and their share; seconds of the command `genreg-np report`, without UMAP if that is
not installed, and bytes of report.html. Writes bench/results/report.json.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine

from genreg_np import TrainConfig, load_dataset, train
from genreg_np.runs.generations import Generations

RESULT = Path(__file__).with_name("results") / "report.json"
RUNS = {"seed-mnist-64": 600, "selection": 100, "fast": 1100, "nodes": 1000, "convolution": 500, "mixed": 2}


class Timed:
    """Counts the seconds spent on recording."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __enter__(self) -> Timed:
        self._facts = Generations._facts

        def facts(evolution: Generations, *what: Any) -> dict[str, Any]:
            started = time.perf_counter()
            found = self._facts(evolution, *what)
            self.seconds += time.perf_counter() - started
            return found

        Generations._facts = facts  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        Generations._facts = self._facts  # type: ignore[method-assign]


def measured(preset: str, generations: int, place: Path) -> dict[str, Any]:
    """Train, report, and return the times and sizes."""
    data, run = load_dataset("mnist"), place / preset
    with Timed() as recording:
        result = train(TrainConfig.from_preset(preset, generations=generations), data, run)
    started = time.perf_counter()
    command = [sys.executable, "-m", "genreg_np", "report", str(run), "--json"]
    said = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    seconds = time.perf_counter() - started
    lines = (run / "metrics.jsonl").stat().st_size
    return {
        "generations": generations,
        "seconds": round(result.seconds, 3),
        "recording_seconds": round(recording.seconds, 4),
        "recording_share": round(recording.seconds / result.seconds, 5),
        "metrics_bytes": lines,
        "page_seconds": round(seconds, 2),
        "page_bytes": said["bytes"],
        "figures": said["figures"],
    }


def main() -> None:
    """Measure all presets and write the results."""
    umap = importlib.util.find_spec("umap") is not None
    with tempfile.TemporaryDirectory() as place:
        found = {}
        for preset, generations in RUNS.items():
            found[preset] = measured(preset, generations, Path(place))
            print(preset, found[preset], flush=True)
    document = {"machine": machine.describe(), "umap": umap, "runs": found}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
