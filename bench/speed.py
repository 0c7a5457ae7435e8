"""How long one generation takes, backend by backend, on the seed's workloads.

    python bench/speed.py

Writes bench/results/speed.json: median and spread of a generation (scoring a new population and rebuilding its
survivors), the backends taken in turn so that a noisy machine disturbs all alike.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import machine

from genreg_np import load_dataset
from genreg_np.config import TrainConfig, read_preset
from genreg_np.evolution import Evolution

RESULTS = Path(__file__).parent / "results"
CASES = {"seed-mnist-64": 15, "seed-mnist-32": 15, "seed-alphabet": 5}  # generations timed per backend
BACKENDS = ("numba", "numpy")


def measure(preset: str, generations: int) -> dict[str, Any]:
    """Return milliseconds per generation of each backend, interleaved."""
    config = TrainConfig.from_dict(read_preset(preset) | {"validate_every": 10**6})
    dataset = load_dataset(config.dataset)
    runs = {name: Evolution(config, dataset, backend=name) for name in BACKENDS}
    times: dict[str, list[float]] = {name: [] for name in BACKENDS}
    for _ in range(generations + 1):  # the first, generation 0, is not counted: it has no parents
        for name, run in runs.items():
            if preset == "seed-alphabet" and name == "numpy" and len(times[name]) > 2:
                continue  # seconds each
            start = time.perf_counter()
            run.step()
            times[name].append(1000 * (time.perf_counter() - start))
    return {
        name: {
            "median_ms": round(statistics.median(values[1:]), 2),
            "fastest_ms": round(min(values[1:]), 2),
            "slowest_ms": round(max(values[1:]), 2),
            "generations": len(values) - 1,
        }
        for name, values in times.items()
    }


def main() -> None:
    """Measure all cases and print a table."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    document: dict[str, Any] = {"machine": machine.describe(), "milliseconds_per_generation": {}}
    for preset, generations in CASES.items():
        figures = measure(preset, generations)
        document["milliseconds_per_generation"][preset] = figures
        print(preset, "  ".join(f"{name} {figure['median_ms']:.1f} ms" for name, figure in figures.items()), flush=True)
    (RESULTS / "speed.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
