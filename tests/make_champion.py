"""Champions and checkpoints as the original GENREG program writes them, with random weights.

python tests/make_champion.py TARGET.pkl [HIDDEN]      writes a 784-HIDDEN-10 champion
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np

Value = dict[str, Any]


def make_controller(inputs: int = 784, hidden: int = 4, outputs: int = 10, seed: int = 0) -> Value:
    """Return a controller of the original's initial weights, rounded to float32 as the original's are."""
    rng = np.random.default_rng(seed)

    def uniform(bound: float, *shape: int) -> list[Any]:
        values: list[Any] = rng.uniform(-bound, bound, shape).astype(np.float32).tolist()
        return values

    return {
        "input_size": inputs,
        "hidden_size": hidden,
        "output_size": outputs,
        "w1": uniform(0.5, hidden, inputs),
        "b1": uniform(0.1, hidden),
        "w2": uniform(0.5, outputs, hidden),
        "b2": uniform(0.1, outputs),
    }


def make_genome(trust: float, controller: Value) -> Value:
    """Return a genome as a checkpoint holds it."""
    return {
        "id": 1830,
        "trust": trust,
        "food_eaten": 0,
        "step_count": 0,
        "proteins": [],
        "controller": controller,
        "visual_state": {"correct_predictions": 0, "total_predictions": 0, "consecutive_correct": 0},
        "stagnation_state": {"last_wrong_word": "", "stagnation_count": 0},
    }


def make_champion(inputs: int = 784, hidden: int = 4, outputs: int = 10, seed: int = 0) -> Value:
    """Return what a best_genome_*.pkl file holds."""
    return {
        "extraction_info": {
            "timestamp": "20251229_141001",
            "source_session": "session_20251229_130125",
            "source_generation": 565,
            "model_type": "mnist",
        },
        "genome": {"id": 1830, "trust": 1251.867959118706, "proteins": []},
        "controller": make_controller(inputs, hidden, outputs, seed),
        "visual_state": {"correct_predictions": 0, "total_predictions": 0, "consecutive_correct": 0},
    }


def make_checkpoint(trusts: list[float], inputs: int = 784, hidden: int = 4, outputs: int = 10) -> Value:
    """Return what a checkpoint_gen_*.pkl file holds: genome g has the controller of seed g."""
    return {
        "generation": 500,
        "population_size": len(trusts),
        "input_size": inputs,
        "hidden_size": hidden,
        "output_size": outputs,
        "template_proteins": [],
        "genomes": [make_genome(t, make_controller(inputs, hidden, outputs, g)) for g, t in enumerate(trusts)],
        "phase_manager_state": None,
        "active_index": 0,
    }


def write_pickle(path: Path, value: object, protocol: int = 4) -> Path:
    """Write a value as the original does and return the path."""
    path.write_bytes(pickle.dumps(value, protocol))
    return path


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    write_pickle(Path(sys.argv[1]), make_champion(hidden=int(sys.argv[2]) if len(sys.argv) == 3 else 32))
