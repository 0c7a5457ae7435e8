"""Find the learning rate and batch size that suit PyTorch best within a budget, by validation accuracy, for rungs.py.

    python bench/tune_peers.py --peers .venv-peers/bin/python

Seed 0, every pair once. Writes bench/results/tuning-peers.json.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace

import ladder
import machine
from rungs import RESULTS, RUNGS

TRIED = {  # rungs, and the learning rates and batch sizes to try for them
    "torch-mlp-4s": ((0.001, 0.002, 0.004, 0.008, 0.016), (128, 256)),
    "torch-mlp": ((0.0005, 0.001, 0.002, 0.004, 0.008), (128,)),
    "torch-lenet-25s": ((0.001, 0.002, 0.004, 0.008), (64,)),
}


def main() -> None:
    """Try all pairs, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True, help="the peers' Python")
    peers = parser.parse_args().peers
    found: dict[str, object] = {"machine": machine.describe(peers)}
    for name, (steps, batches) in TRIED.items():
        tried = []
        for step in steps:
            for batch in batches:
                run = ladder.start(replace(RUNGS[name], step=step, batch=batch), name, 0, 0, "cpu", peers)
                tried.append({"step": step, "batch": batch, "validation": run["validation"]["last"]})
                print(name, tried[-1], flush=True)
        found[name] = tried
    (RESULTS / "tuning-peers.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
