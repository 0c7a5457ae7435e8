"""After how many generations do two backends diverge, given the same seed?

    python bench/diverge.py

Writes bench/results/diverge.json: for each seed, the first generation whose trust differs between numba and numpy.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import machine
import numpy as np

from genreg_np import Evolution, TrainConfig, load_dataset


def parting(seed: int, most: int) -> int | None:
    """Return the first generation (counted from 1) whose survivors differ; None if there is none up to `most`."""
    dataset = load_dataset("mnist")
    config = TrainConfig.from_preset("seed-mnist-64", seed=seed, validate_every=10**6)
    runs = [Evolution(config, dataset, backend=name) for name in ("numba", "numpy")]
    for generation in range(1, most + 1):
        for run in runs:
            run.step()
        if not np.array_equal(runs[0].state.trust, runs[1].state.trust):
            return generation
    return None


def main() -> None:
    """Measure five seeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=100)
    most = parser.parse_args().most
    parted: dict[str, Any] = {str(seed): parting(seed, most) for seed in range(5)}
    print(parted)
    document = {"machine": machine.describe(), "preset": "seed-mnist-64", "most": most, "generation_of_parting": parted}
    target = Path(__file__).parent / "results" / "diverge.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
