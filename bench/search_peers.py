"""The time until an individual reaches 99 % on MNIST's search split: ours, compared with peers.

    python bench/search_peers.py --peers PYTHON [--seeds 3] [--seconds 300]

PYTHON is an interpreter with torch, optuna and sklearn-genetic-opt (bench/peers/requirements-search.txt). Both cores;
OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset. Writes bench/results/search-peers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import machine

from genreg_np import load_dataset
from genreg_np.search.config import SearchConfig, settings_for
from genreg_np.search.folder import trials_in
from genreg_np.search.images import search_images
from genreg_np.search.searching import Watcher
from genreg_np.search.sharing import Parts

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench" / "results" / "search-peers.json"
TARGET = 0.99
OURS = {"ours": "hand-made", "ours, nothing made by hand": "random"}  # what searches begin with
PEERS = {"Optuna and PyTorch": "search_optuna.py", "sklearn-genetic-opt, MLP": "search_sklearn_genetic.py"}


def ours(data: Any, seed: int, seconds: float, begin: str) -> dict[str, Any]:
    """Return the seconds until one of our individuals reaches the target, without the final training from scratch."""
    settings = settings_for(seconds) | {"seed": seed, "begin": begin, "final_epochs": 1, "final_seeds": 1}
    at: dict[str, float] = {}
    watcher = Watcher(on_phase=lambda phase: at.setdefault(phase, time.perf_counter()))
    with tempfile.TemporaryDirectory() as place:
        began = time.perf_counter()
        config = SearchConfig.from_dict(settings)
        found = search_images(data, config, f"{place}/run", budget=seconds, target=TARGET, watcher=watcher)
        trials = [trial for trial in trials_in(Path(place) / "run" / "trials.jsonl") if trial.is_ok]
    best = max(trial.metrics["accuracy"] for trial in trials)
    reached = at["training"] - began if found.ended == "target" else None
    return {"seed": seed, "seconds": reached, "best": best, "trials": len(trials)}


def keep(found: dict[str, Any], name: str, line: dict[str, Any]) -> None:
    """Add what a program reached to the results, and write them."""
    found.setdefault(name, []).append(line)
    print(name, line, flush=True)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=300)
    arguments = parser.parse_args()
    data = load_dataset("mnist")
    found: dict[str, Any] = {"machine": machine.describe(), "target": TARGET, "seconds": arguments.seconds}
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as place:
        parts = Parts.of(data).share(Path(place), data.input_range)
        files = [path for name in ("train", "search") for path in (parts[name].features, parts[name].labels)]
        for seed in range(arguments.seeds):
            for name, begin in OURS.items():
                keep(found, name, ours(data, seed, arguments.seconds, begin))
            for name, script in PEERS.items():
                command = [arguments.peers, str(ROOT / "bench" / "peers" / script), *files]
                command += ["--seconds", str(arguments.seconds), "--seed", str(seed)]
                run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
                keep(found, name, json.loads(run.stdout.splitlines()[-1]))


if __name__ == "__main__":
    main()
