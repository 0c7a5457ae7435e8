"""Train a network on a score that has no gradient: macro-F1 with the right to say "I don't know".

A digit the network is unsure of (probability under 0.5) is rejected. A rejected digit counts as missed (it lowers
recall) but not as a false alarm (it spares precision), and a network may reject at most one digit in twenty-five:
beyond that each further one costs. Counts, thresholds and a maximum: nothing here can be differentiated.

    python examples/macro_f1_with_rejection.py
"""

from __future__ import annotations

import argparse

import numpy as np

from genreg_np import Evolution, Model, TrainConfig, load_dataset
from genreg_np.config import read_preset

SURE = 0.5  # least probability of an answer
ALLOWED = 0.04  # fraction that may be rejected for free
DIGITS = load_dataset("digits")


def score(model: Model, split: str = "train") -> float:
    """Return macro-F1 with rejection, less the price of rejecting too much; 1 is perfect."""
    inputs, labels = DIGITS.split(split).inputs, DIGITS.split(split).labels
    probabilities = model.predict_proba(inputs)
    answers = np.where(probabilities.max(axis=1) >= SURE, probabilities.argmax(axis=1), -1)
    f1 = []
    for digit in range(10):
        hits = np.sum((answers == digit) & (labels == digit))
        f1.append(2 * hits / (np.sum(answers == digit) + np.sum(labels == digit)))
    rejected = np.mean(answers == -1)
    return float(np.mean(f1) - max(0.0, rejected - ALLOWED))


def main() -> None:
    """Evolve, and print what was reached."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generations", type=int, default=400)
    parser.add_argument("--workers", type=int, default=0, help="processes that score genomes")
    arguments = parser.parse_args()

    config = TrainConfig.from_dict(read_preset("small") | {"population_size": 100, "weight_range": 1.0})
    evolution = Evolution(config, DIGITS)

    def show(record: dict[str, float]) -> None:
        if record["generation"] % 50 == 0:
            print(f"generation {record['generation']:4.0f}  best score {record['best_trust']:.4f}", flush=True)

    evolution.run(arguments.generations, fitness=score, workers=arguments.workers, on_record=show)
    best = max(evolution.champions().values(), key=lambda model: score(model, "validation"))
    print(f"test: score {score(best, 'test'):.4f}")


if __name__ == "__main__":
    main()
