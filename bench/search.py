"""Searches for image classifiers: what they reach in a given time, and selections compared at equal samples.

    python bench/search.py budgets [--only NAME] [--seeds 3] [--first 0] [--data-dir DIR]
    python bench/search.py selections [--only NAME] [--seeds 24] [--first 0]

budgets       the command `genreg-np search images`, seed by seed: test accuracy and F1 of the model, the mean over its
              trainings, seconds of the whole command, trials, network; the median error of the trials' predicted
              seconds, and how busy the workers were.
selections    the two lowest rungs of Fashion-MNIST, 48 individuals, paired seeds: the best log loss on the search split
              at the second rung, and after how many individuals the best of random search is reached; Optuna's TPE is
              an additional selection.

Uses both cores of an idle machine; OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset. Each line is written to
bench/results/search.json as soon as it is known; other known results are kept.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
import search_tpe  # noqa: F401  an additional selection

from genreg_np import load_dataset
from genreg_np.engines import create
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import SearchFolder, trials_in
from genreg_np.search.kinds import kind_of
from genreg_np.search.lessons.base import learn
from genreg_np.search.networks import NetworkSearch
from genreg_np.search.selections import REGISTRY
from genreg_np.search.sharing import Parts

RESULT = Path(__file__).with_name("results") / "search.json"
BUDGETS: dict[str, list[str]] = {
    "mnist, elitist, 60 s": ["mnist", "--selection", "elitist", "--budget", "60s"],
    "mnist, crossover, 60 s": ["mnist", "--selection", "crossover", "--budget", "60s"],
    "mnist, steady, 60 s": ["mnist", "--budget", "60s"],
    "mnist, two populations, 60 s": ["mnist", "--augmentation", "evolved", "--budget", "60s"],
    "mnist, 5 min": ["mnist", "--budget", "5m"],
    "mnist, 15 min": ["mnist", "--budget", "15m"],
    "fashion-mnist, 5 min": ["fashion-mnist", "--budget", "5m"],
    "fashion-mnist, 15 min": ["fashion-mnist", "--budget", "15m"],
}
INDIVIDUALS, RUNGS = 48, (8_000, 24_000)


def gigaflops() -> float:
    """Return the GFLOP/s of a float32 matrix product on both cores."""
    one = np.random.default_rng(0).random((1024, 1024), dtype=np.float32)
    best = float("inf")
    for _ in range(8):
        start = time.perf_counter()
        one @ one
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best / 1e9


def budget(options: list[str], seed: int, data_dir: str | None) -> dict[str, Any]:
    """Return the results of one search."""
    with tempfile.TemporaryDirectory() as place:
        where = ["--data-dir", data_dir] if data_dir and options[0] == "mnist" else []
        command = [*options, "--seed", str(seed), "--out", f"{place}/run", "--json", *where]
        start = time.perf_counter()
        run = subprocess.run(
            [sys.executable, "-m", "genreg_np", "search", "images", *command],
            capture_output=True,
            text=True,
            check=True,
        )
        seconds = time.perf_counter() - start
        told = json.loads(run.stdout.splitlines()[-1])
        trials = [trial for trial in trials_in(Path(place) / "run/trials.jsonl") if not trial.cached]
        notes = json.loads((Path(place) / "run/search.json").read_text("utf-8"))
    errors = [abs(trial.predicted / trial.seconds - 1) for trial in trials[8:] if trial.is_ok]
    finals = told["test"]
    return {
        "seed": seed, "accuracy": finals[0]["accuracy"], "f1": finals[0]["f1"],
        "mean_accuracy": statistics.mean(one["accuracy"] for one in finals), "seconds": round(seconds, 1),
        "trials": told["trials"], "network": told["network"], "parameters": notes["parameters"],
        "cost_error": round(statistics.median(errors), 3) if errors else None,
        "trial_seconds": round(sum(trial.seconds for trial in trials), 1),
    }  # fmt: skip


def selection(name: str, seed: int, folder: Path, data: Any, parts: Any) -> dict[str, Any]:
    """Return the best log loss of a search at the second rung, and the log losses at the first."""
    config = SearchConfig(
        metric="log-loss",
        selection=name,
        generations=INDIVIDUALS // 24,
        rungs=RUNGS,
        seed=seed,
        max_macs=600_000,
        max_seconds=600.0,  # at equal samples no individual is stopped by the clock
        begin="random",
    )
    with SearchFolder.create(folder) as own, create("processes", learn, os.cpu_count() or 1) as engine:
        kind = kind_of(config, data.input_shape, data.class_names)
        search = NetworkSearch(config, data, parts, own, engine, kind, workers=os.cpu_count() or 1)
        search.run()
        trials = search.course.trials
    second = [-trial.score for trial in trials if trial.rung == 1 and trial.is_ok]
    first = {trial.child: -trial.score for trial in trials if trial.rung == 0}
    return {"seed": seed, "best": min(second), "first": [round(first[child], 5) for child in sorted(first)]}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("budgets", "selections"))
    parser.add_argument("--only", choices=(*BUDGETS, *REGISTRY))
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--data-dir")
    arguments = parser.parse_args()
    found = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    found["machine"] = machine.describe() | {"gigaflops": round(gigaflops())}

    def write(part: str, name: str, line: dict[str, Any]) -> None:
        lines = [one for one in found.setdefault(part, {}).get(name, []) if one["seed"] != line["seed"]]
        found[part][name] = sorted([*lines, line], key=lambda one: one["seed"])
        RESULT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        print(part, name, {key: value for key, value in line.items() if key != "first"}, flush=True)

    if arguments.what == "budgets":
        for seed in range(arguments.first, arguments.seeds or 3):
            for name in [arguments.only] if arguments.only else BUDGETS:
                write("budgets", name, budget(BUDGETS[name], seed, arguments.data_dir))
        return
    data = load_dataset("fashion-mnist")
    with tempfile.TemporaryDirectory() as place:
        parts = Parts.of(data).share(Path(place), data.input_range)
        for seed in range(arguments.first, arguments.seeds or 24):
            for name in [arguments.only] if arguments.only else REGISTRY:
                write("selections", name, selection(name, seed, Path(place) / f"{name}-{seed}", data, parts))


if __name__ == "__main__":
    main()
