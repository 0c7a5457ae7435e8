"""The cases that start separate processes: time to accuracy, start-up, peak memory.

Every process is cold; compiled kernels are in the cache from an earlier process, unless stated otherwise.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import workload as workloads
from cases import Bench
from workers import HERE, Launch, Worker

BUDGET, SEEDS = 20, 3  # seconds per run, seeds per variant
STARTS, IMPORTS_TIMED = 5, 21  # processes of each kind
VARIANTS = {
    "seed-mnist-64": ("--preset", "seed-mnist-64"),
    "log-probability": ("--preset", "seed-mnist-64", "--config", str(HERE / "log-probability.toml")),
}
IMPORTS = {
    "python": "pass",
    "genreg_np": "import genreg_np",
    "numpy": "import numpy",
    "infer": "import genreg_np.infer",
}


@dataclass(frozen=True)
class Trained:
    """A run of `genreg-np train` in a cold process."""

    wall_seconds: float  # of the process, from start to end
    peak_mb: int
    told: dict[str, Any]  # the output of --json
    records: list[dict[str, Any]]  # metrics.jsonl


def train(*options: str) -> Trained:
    """Train in a separate process."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        command = [sys.executable, str(HERE / "command.py"), "train", "--json", "--quiet", "--out", str(run), *options]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed\n{done.stderr}")
        records = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
        told = json.loads(done.stdout.splitlines()[-1])
    return Trained(round(seconds, 2), int(done.stderr.split()[-1]), told, records)


def reach(bench: Bench) -> dict[str, Any]:
    """Measure accuracy against seconds, as published and by log-probability, within a budget."""
    budget, seeds = (3, 1) if bench.quick else (BUDGET, SEEDS)
    variants: dict[str, list[dict[str, Any]]] = {name: [] for name in VARIANTS}
    for seed in range(seeds):
        for name, options in VARIANTS.items():
            trained = train(*options, "--seed", str(seed), "--budget", f"{budget}s")
            looks = [record for record in trained.records if "validation_accuracy" in record]
            told = {key: trained.told[key] for key in ("seed", "generations", "seconds", "test_accuracy")}
            print(f"  {name}: {told}", flush=True)
            curve = [
                [record["seconds"], record["validation_accuracy"], record["consensus_validation_accuracy"]]
                for record in looks
            ]
            variants[name].append(told | {"wall_seconds": trained.wall_seconds, "curve": curve})
    return {"budget_seconds": budget, "variants": variants}


def startup(bench: Bench) -> dict[str, Any]:
    """Measure the time from process start to the end of the first generation, and the time of imports."""
    repetitions = 2 if bench.quick else STARTS
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload.npz"
        workloads.mnist().save(path)
        kept = {"JAX_COMPILATION_CACHE_DIR": folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
        launches = bench.launches(["numba, gene = weight", "numpy, gene = weight"], ("evosax", "EvoTorch"))
        if bench.peers:
            launches["evosax, compilations kept on disk"] = Launch("evosax", bench.peers, kept)
            with Worker(launches["evosax, compilations kept on disk"], path):
                pass  # fills JAX's cache
        for _ in range(repetitions):
            for name, launch in launches.items():
                with Worker(launch, path) as worker:
                    seconds.setdefault(name, []).append(round(worker.ready_seconds, 2))
        empty = Launch("numba, gene = weight", environment={"XDG_CACHE_HOME": folder})
        with Worker(empty, path) as worker:
            seconds["numba, gene = weight, nothing compiled yet"] = [round(worker.ready_seconds, 2)]
    whole = [train("--preset", "seed-mnist-64", "--generations", "1").wall_seconds for _ in range(repetitions)]
    seconds["genreg-np train --generations 1"] = whole
    print("  " + "  ".join(f"{name} {statistics.median(values)} s" for name, values in seconds.items()), flush=True)
    return {"first_generation_seconds": seconds, "imports": imports(3 if bench.quick else IMPORTS_TIMED)}


def imports(repetitions: int) -> dict[str, Any]:
    """Return the median milliseconds of fresh interpreters that import, measured in turn, and differences."""
    times: dict[str, list[float]] = {name: [] for name in IMPORTS}
    for _ in range(repetitions):
        for name, code in IMPORTS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times[name].append(1000 * (time.perf_counter() - start))
    median = {name: round(statistics.median(values), 1) for name, values in times.items()}
    differences = {
        "genreg_np over python": round(median["genreg_np"] - median["python"], 1),
        "genreg_np.infer over numpy": round(median["infer"] - median["numpy"], 1),
    }
    return {"repetitions": repetitions, "median_ms": median, "difference_ms": differences}


def memory(bench: Bench) -> dict[str, Any]:
    """Measure the peak memory of a run with a large population."""
    sizes = {"population_size": 1000 if bench.quick else 10_000, "survival_cutoff": 0.04, "generations": 3}
    options = [word for name, value in sizes.items() for word in ("--set", f"{name}={value}")]
    trained = train("--preset", "seed-mnist-64", *options)
    print(f"  {sizes}: {trained.peak_mb} MB", flush=True)
    return {"settings": sizes, "peak_mb": trained.peak_mb, "mean_trust": [r["mean_trust"] for r in trained.records]}
