"""Optimisers on one architecture: 784-64-10 on MNIST by backpropagation, three optimisers at four learning rates.

    python bench/optimisers.py [--seeds 3]

Each run takes 1,500 steps of 128 images; one that diverges counts as a guess. A rate that is best for an optimiser is
chosen by validation images, over all seeds. One thread; the results are written to bench/results/optimisers.json.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import machine

from genreg_np.errors import FitnessError
from genreg_np.experiments.training import trained

RESULT = Path(__file__).with_name("results") / "optimisers.json"
OPTIMISERS = {"sgd": {"momentum": 0.9}, "rmsprop": {}, "adam": {}}
RATES = (0.0003, 0.001, 0.01, 0.1)
STEPS, CHANCE = 1500, 0.1  # of a run that diverges the accuracy is that of a guess


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = parser.parse_args().seeds
    runs: list[dict[str, Any]] = []
    for name, own in OPTIMISERS.items():
        for rate in RATES:
            settings = {"preset": "gradient", "dataset": "mnist", "shift": 0, "generations": STEPS,
                        "validate_every": STEPS // 10, "optimiser": name, "learning_rate": rate, **own}  # fmt: skip
            for seed in range(seeds):
                try:
                    found = trained(settings, seed)
                except FitnessError as error:  # at the largest rate some diverge
                    found = {"test": CHANCE, "validation": CHANCE, "diverged": str(error)}
                kept = ("test", "validation", "seconds", "diverged")
                run = {"optimiser": name, "rate": rate, "seed": seed, **{key: found.get(key) for key in kept}}
                runs.append(run)
                print(run, flush=True)
    document = {"machine": machine.describe(), "steps": STEPS, "optimisers": OPTIMISERS, "runs": runs}
    RESULT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
