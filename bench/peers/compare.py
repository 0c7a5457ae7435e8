"""One generation of the seed's workload, ours and the peers', interleaved in one run.

    python bench/peers/compare.py --peers .venv-peers/bin/python

Each implementation is a process of its own (worker.py); they take turns, so a noisy machine disturbs all alike. Writes
bench/results/peers.json. OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE, where set, are unset for all.

The peers' operators are not quite the same work: evosax mutates every gene (dense noise, no rate); EvoTorch has no
crossover of single weights, so it runs without crossover; PyGAD mutates by a uniform step.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import machine

ROOT = Path(__file__).resolve().parents[2]
OURS = ("gemm", "numba, gene = weight", "numba, gene = unit", "numba, gene = none", "numpy, gene = weight")
STEPS = 4  # counted generations in a turn
PEERS = ("evosax", "EvoTorch", "PyGAD")


class Worker:
    """An implementation in a process of its own."""

    def __init__(self, python: str, name: str, workload: Path) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
        command = [python, str(Path(__file__).with_name("worker.py")), name, str(workload)]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment,
        )
        self.ready = self.read()["ready"]

    def read(self) -> dict[str, float]:
        """Return the next line of JSON."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                return dict(json.loads(line))
        raise RuntimeError("a worker died")

    def step(self) -> float:
        """Do one generation; return its milliseconds."""
        assert self.process.stdin is not None
        print("go", file=self.process.stdin, flush=True)
        return self.read()["ms"]


def workload(path: Path, population: int, images: int, hidden: int) -> None:
    """Write MNIST images and the sizes."""
    from genreg_np import load_dataset

    train = load_dataset("mnist").train
    rows = np.random.default_rng(0).integers(0, len(train), images)
    pixels = (train.inputs[rows].reshape(images, -1) / np.float32(255)).astype(np.float32)
    np.savez(path, images=pixels, labels=train.labels[rows], population=population, hidden=hidden, classes=10)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", help="the peers' Python; without it only ours are measured")
    parser.add_argument("--rounds", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload.npz"
        workload(path, 200, 200, 64)
        workers = {name: Worker(sys.executable, name, path) for name in OURS}
        if arguments.peers:
            workers |= {name: Worker(arguments.peers, name, path) for name in PEERS}
        times: dict[str, list[float]] = {name: [] for name in workers}
        for turn in range(arguments.rounds):
            for name, worker in workers.items():
                if name == "PyGAD":  # seconds each
                    times[name] += [worker.step()] if turn == 0 else []
                    continue
                worker.step()  # not counted: caches hold another process's data
                times[name] += [worker.step() for _ in range(STEPS)]
        for worker in workers.values():
            worker.process.kill()
    figures: dict[str, Any] = {}
    for name, values in times.items():
        median = statistics.median(values)
        figures[name] = {
            "median_ms": round(median, 2),
            "fastest_ms": round(min(values), 2),
            "slowest_ms": round(max(values), 2),
            "rounds": len(values),
            "times_gemm": round(median / statistics.median(times["gemm"]), 2),
            "set_up_seconds": round(workers[name].ready, 1),
        }
        print(f"{name:<22} {median:9.1f} ms   {figures[name]['times_gemm']:7.2f} x GEMM")
    document = {
        "machine": machine.describe(),
        "workload": {"population": 200, "images": 200, "network": "784-64-10", "mutation_rate": 0.07},
        "figures": figures,
    }
    (ROOT / "bench/results/peers.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
