"""The accuracies in README: every published preset, seed by seed, as it comes.

    python bench/accuracy.py                          all presets, seeds 0-4
    python bench/accuracy.py seed-mnist-64 --seeds 20

Writes bench/results/accuracy-PRESET.json: settings, machine, and per seed the test accuracy of GENREG's champion
(`best`) and of the survivors' mean (`consensus`), overall and per class, and the validation curve.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import machine

from genreg_np import load_dataset, train
from genreg_np.config import TrainConfig, read_preset
from genreg_np.training import Watcher

RESULTS = Path(__file__).parent / "results"
PRESETS = (
    "fast", "middle", "best", "genreg-2", "nodes", "selection", "seed-mnist-64", "seed-mnist-32", "readme-text",
    "seed-alphabet", "alphabet", "nodes-small", "small",
)  # fmt: skip
SMALL = ("nodes-small", "small")  # presets for the 8x8 digits


def measure(preset: str, seed: int, backend: str) -> dict[str, Any]:
    """Train one seed and return what came of it."""
    values = read_preset(preset)
    config = TrainConfig.from_dict({"dataset": "digits" if preset in SMALL else "mnist", **values, "seed": seed})
    dataset = load_dataset(config.dataset, variations=config.variations)
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        watcher = Watcher(on_record=records.append)
        result = train(config, dataset, Path(folder) / "run", backend=backend, watcher=watcher)
    curve = [record for record in records if "validation_accuracy" in record]
    return {
        "seed": seed,
        "generations": result.generations,
        "seconds": round(result.seconds, 2),
        "ended": result.ended,
        "saved": result.genome,
        "validation": result.validation,
        "test": {name: evaluation.accuracy for name, evaluation in result.test.items()},
        "per_class": {name: evaluation.per_class for name, evaluation in result.test.items()},
        "curve": [
            [record["generation"], record["validation_accuracy"], record.get("consensus_validation_accuracy")]
            for record in curve[:: -(-len(curve) // 25)]  # at most 25 points
        ],
        "peak_memory_mb": machine.peak_megabytes(),
    }


def main() -> None:
    """Measure the presets named, and print a line for each seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", default=PRESETS)
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0 .. SEEDS-1")
    parser.add_argument("--backend", default="cpu")
    arguments = parser.parse_args()
    for preset in arguments.presets:
        runs = []
        for seed in range(arguments.seeds):
            runs.append(measure(preset, seed, arguments.backend))
            print(preset, {key: runs[-1][key] for key in ("seed", "generations", "seconds", "test")}, flush=True)
            summary = {
                name: {
                    "mean": statistics.fmean(run["test"][name] for run in runs),
                    "median": statistics.median(run["test"][name] for run in runs),
                    "deviation": statistics.stdev(run["test"][name] for run in runs) if len(runs) > 1 else None,
                }
                for name in runs[0]["test"]
            }
            document = {
                "preset": preset,
                "settings": read_preset(preset),
                "backend": arguments.backend,
                "machine": machine.describe(),
                "test": summary,
                "runs": runs,
            }
            target = RESULTS / f"accuracy-{preset}.json"
            target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(preset, json.dumps(summary))


if __name__ == "__main__":
    main()
