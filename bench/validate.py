"""Do our implementations do the same work as numpy_, the specification, on a given workload?

    python validate.py WORKLOAD.npz

Checked before anything is timed, for the first genomes of the brood: rebuilt weights bit for bit, fitness within the
stated bound of the logits (selftest.py). A sampled prediction may differ if a draw falls on a class boundary.
"""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
from ours import GENERATIONS, batch_of, brood_of
from workload import Workload

from genreg_np.backends import create
from genreg_np.backends.selftest import LOGIT_BOUND

GENOMES = 16
MOST_FLIPS = 2  # predictions that may differ, out of GENOMES times N


def disagreements(workload: Workload) -> list[str]:
    """Return a line for each of our implementations that differs from the specification; empty if none does."""
    wrong, batch, specification = [], batch_of(workload), create("numpy")
    for name, (backend, gene) in GENERATIONS.items():
        brood = brood_of(workload, gene)
        brood = dataclasses.replace(brood, parents=brood.parents[:GENOMES])
        engine, everyone = create(backend), np.arange(brood.size)
        if specification.rebuild(brood, everyone).tobytes() != engine.rebuild(brood, everyone).tobytes():
            wrong.append(f"{name}: rebuilt weights differ")
        expected, found = specification.score(brood, batch), engine.score(brood, batch)
        flips = round(np.abs(expected.accuracy - found.accuracy).sum() * len(batch))
        allowed = LOGIT_BOUND * len(batch) * 10 + flips * (batch.reward - batch.penalty)
        off = np.abs(expected.fitness - found.fitness).max()
        if off > allowed or flips > MOST_FLIPS:
            wrong.append(f"{name}: fitness differs by {off:g}, {flips} predictions differ")
    return wrong


if __name__ == "__main__":
    sys.exit("\n".join(disagreements(Workload.load(sys.argv[1]))) or 0)
