"""Train a network on a score without a gradient: macro-F1 with the option to say "I don't know".

A digit the network is unsure of (probability under 0.6) is rejected: it counts as a miss (which lowers recall) but
never as a false alarm (precision is unaffected). So it pays to answer exactly when the answer is likely to be right.
The score consists of counts, a threshold and a maximum: it cannot be differentiated.

    python examples/macro_f1_with_rejection.py
    python examples/macro_f1_with_rejection.py --target 0.8 --out runs/macro-f1     run again after Ctrl-C to continue
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np import Evolution, Model, TrainConfig, load_dataset

SURE = 0.6  # minimum probability for an answer
DIGITS = load_dataset("digits")


def score(model: Model, split: str = "train") -> float:
    """Return macro-F1 with rejection on a split's first 600 digits; 1 is perfect."""
    inputs, labels = DIGITS.split(split).inputs[:600], DIGITS.split(split).labels[:600]
    probabilities = model.predict_proba(inputs)
    answers = np.where(probabilities.max(axis=1) >= SURE, probabilities.argmax(axis=1), -1)
    f1 = []
    for digit in range(10):
        hits = np.sum((answers == digit) & (labels == digit))
        f1.append(2 * hits / (np.sum(answers == digit) + np.sum(labels == digit)))
    return float(np.mean(f1))


def main() -> None:
    """Evolve a network, and print its score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=400)
    parser.add_argument("--workers", type=int, default=0, help="processes that score genomes")
    parser.add_argument("--target", type=float, help="stop at this score")
    parser.add_argument("--out", type=Path, help="folder of the run; a run in it is continued")
    arguments = parser.parse_args()

    checkpoint = arguments.out and arguments.out / "checkpoint.npz"
    if checkpoint and checkpoint.exists():
        evolution = Evolution.load(checkpoint, DIGITS)
    else:
        config = TrainConfig.from_preset("small", population_size=100, weight_range=1.0, mutation_scale=0.2)
        evolution = Evolution(config, DIGITS)

    def show(record: dict[str, Any]) -> None:
        if record["generation"] % 50 == 0:
            print(
                f"generation {record['generation']:4}  best score {record['fitness_maximum']:.4f}, "
                f"mean {record['fitness_mean']:.4f}, best ever {record['best_ever_fitness']:.4f}",
                flush=True,
            )

    evolution.run(
        arguments.generations,
        fitness=score,
        workers=arguments.workers,
        target=arguments.target,
        out=arguments.out,
        on_record=show,
    )
    best = max(evolution.champions().values(), key=lambda model: score(model, "validation"))
    answered = best.predict_proba(DIGITS.test.inputs).max(axis=1) >= SURE
    right = best.predict(DIGITS.test.inputs) == DIGITS.test.labels
    print(
        f"test: score {score(best, 'test'):.4f}, answers {np.mean(answered):.1%} of the digits, "
        f"{np.mean(right[answered]):.1%} of them right"
    )


if __name__ == "__main__":
    main()
