"""Policies for environments: what they reach in a given time, how long one action takes, and when processes pay.

    python bench/control.py policies [--only CartPole-v1] [--seeds 5]     two processes; judging is not timed
    python bench/control.py peers --peers PYTHON [--seeds 3]              one process each, for the same time
    python bench/control.py walker                                        the learning curve over thirty minutes
    python bench/control.py answers | engines | crane

PYTHON is an interpreter with bench/peers/requirements-control.txt. OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset, one
BLAS thread. Writes bench/results/control.json, part by part.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
import numpy as np

from genreg_np import Evolution, Network, TrainConfig
from genreg_np.control import episodes
from genreg_np.export import export
from genreg_np.model import Model

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "bench" / "results" / "control.json"
PEER_CODE = ROOT / "bench" / "peers" / "control"
WORKERS, RESCORE, JUDGED, FIRST_JUDGED = 2, 30, 100, 10**6
POLICIES: dict[str, tuple[float, int, dict[str, Any]]] = {  # seconds, episodes per score, settings
    "CartPole-v1": (5, 1, {}),
    "Acrobot-v1": (30, 1, {}),
    "Pendulum-v1": (180, 3, {}),
    "LunarLander-v3": (300, 1, {}),
}
PEERS = {"CartPole-v1": 5.0, "LunarLander-v3": 60.0}
SCRIPTS = {
    "pycma": "with_cma",
    "neat-python": "with_neat",
    "PyGAD": "with_pygad",
    "EvoTorch": "with_evotorch",
}
WALKER, WALKER_SECONDS = "BipedalWalker-v3", 1800.0


def policy(env: str, seed: int, seconds: float, each: int, workers: int, settings: dict[str, Any]) -> dict[str, Any]:
    """Train a policy, and judge it in fresh episodes; the time includes creating the environment."""
    curve: list[tuple[float, float]] = []
    began = time.perf_counter()
    task = episodes(env, each)
    evolution = task.evolution(TrainConfig.from_preset("policy", seed=seed, **settings))

    def recorded(record: dict[str, Any]) -> None:
        best = record["best_ever_fitness"]
        if not curve or best > curve[-1][1]:
            curve.append((round(time.perf_counter() - began, 2), best))

    ended = evolution.run(
        10**6, fitness=task, rescore=RESCORE, workers=workers, budget=seconds - (time.perf_counter() - began),
        on_record=recorded,
    )  # fmt: skip
    took = time.perf_counter() - began
    returns = task.returns(evolution.champion(), range(FIRST_JUDGED, FIRST_JUDGED + JUDGED))
    return {
        "seed": seed, "seconds": round(took, 2), "ended": ended, "generations": evolution.generation,
        "mean": float(returns.mean()), "deviation": float(returns.std()), "curve": curve,
        "network": evolution.network.describe(),
    }  # fmt: skip


def policies(only: str, seeds: int) -> dict[str, Any]:
    """Return the runs of each environment."""
    found = {}
    for env, (seconds, each, settings) in POLICIES.items():
        if only in env:
            found[env] = [policy(env, seed, seconds, each, WORKERS, settings) for seed in range(seeds)]
            print(env, [round(run["mean"], 1) for run in found[env]], flush=True)
    return found


def peers(python: str, seeds: int, only: str, saved: dict[str, Any]) -> dict[str, Any]:
    """Return what our and other packages reach in one process in the same time, and the lines of code of each.

    With the name of a package only that one is measured; the results of the others are those that were saved.
    """
    found: dict[str, Any] = {}
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    for env, seconds in PEERS.items():
        each = POLICIES[env][1]
        found[env] = dict(saved.get(env, {}))
        if only in "genreg-np":
            found[env]["genreg-np"] = [policy(env, seed, seconds, each, 0, {}) for seed in range(seeds)]
            print(env, "genreg-np", [run["mean"] for run in found[env]["genreg-np"]], flush=True)
        for name, script in SCRIPTS.items():
            if only not in name:
                continue
            runs = []
            for seed in range(seeds):
                command = [python, str(PEER_CODE / f"{script}.py"), env, "--seconds", str(seconds)]
                command += ["--seed", str(seed), "--episodes", str(each)]
                done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
                if done.returncode:
                    runs = [{"failed": done.stderr.strip().splitlines()[-1:]}]
                    break
                runs.append(json.loads(done.stdout.splitlines()[-1]) | {"seed": seed})
            found[env][name] = runs
            print(env, name, [run.get("mean") for run in runs], flush=True)
    code = {name: PEER_CODE / f"{script}.py" for name, script in SCRIPTS.items()}
    code["genreg-np"] = ROOT / "examples" / "control.py"
    found["lines"] = {name: lines_of(path) for name, path in code.items()}
    return found


def lines_of(path: Path) -> int:
    """Return how many lines a user of a package writes: `train`, its settings, and what it uses of common.py.

    All are formatted in the same way, without imports, blank lines, comments and docstrings.
    """
    trees = [ast.parse(path.read_text("utf-8")), ast.parse((PEER_CODE / "common.py").read_text("utf-8"))]
    taken = {alias.name for node in trees[0].body if isinstance(node, ast.ImportFrom) for alias in node.names}
    counted = 0
    for tree, names in zip(trees, ({"train", "SETTINGS", "EPISODES"}, taken & {"Network", "mean_return"}), strict=True):
        for node in tree.body:
            if isinstance(node, ast.Assign):
                is_text = isinstance(node.value, ast.Constant)
                text = str(node.value.value) if is_text else ast.unparse(node)
                text = text if ast.unparse(node.targets[0]) in names else ""
            elif isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
                for inner in ast.walk(node):
                    if isinstance(inner, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(inner):
                        inner.body = inner.body[1:]
                text = ast.unparse(node)
            else:
                continue
            counted += sum(bool(line.strip()) for line in text.splitlines())
    return counted


def walker() -> dict[str, Any]:
    """Return the learning curve over thirty minutes."""
    return {"runs": [policy(WALKER, 0, WALKER_SECONDS, 1, WORKERS, {"hidden": [], "population_size": 40})]}


def answers() -> dict[str, float]:
    """Return the seconds of one action of a policy 4-16-2, in Python and in C."""
    network = Network.build((4,), (16,), 2)
    rng = np.random.default_rng(0)
    model = Model.build(network, rng.normal(size=network.gene_count).astype(np.float32))
    seen, state = rng.normal(size=4).astype(np.float32), model.start()
    wide = seen.astype(np.float64)
    calls: dict[str, Callable[[], Any]] = {
        "outputs": lambda: model.outputs(seen),
        "outputs, float64": lambda: model.outputs(wide),
        "step": lambda: model.step(state, seen),
    }
    found = {name: min(timeit.repeat(call, number=20_000, repeat=9)) / 20_000 for name, call in calls.items()}
    return found | {"C": in_c(model)}


def in_c(model: Model) -> float:
    """Return the seconds of one call in C, the best of nine."""
    count = 2_000_000
    with tempfile.TemporaryDirectory() as place:
        export(model, "c", Path(place) / "c")
        program = Path(place) / "timed.c"
        program.write_text(f"""
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>
#include "model.h"
int main(void) {{
    float seen[4] = {{0.1f, -0.2f, 0.3f, 0.4f}}, out[2], sum = 0;
    double best = 1e9;
    for (int time = 0; time < 9; time++) {{
        struct timespec a, b;
        clock_gettime(CLOCK_MONOTONIC, &a);
        for (int n = 0; n < {count}; n++) {{
            seen[0] = sum * 1e-9f;
            model_outputs(seen, out);
            sum += out[0];
        }}
        clock_gettime(CLOCK_MONOTONIC, &b);
        double took = (b.tv_sec - a.tv_sec) + 1e-9 * (b.tv_nsec - a.tv_nsec);
        best = took < best ? took : best;
    }}
    printf("%.12g %g\\n", best / {count}, sum);
}}
""")
        flags = ["-std=c99", "-O3", "-march=native", "-I", f"{place}/c", "-o", f"{place}/timed"]
        flags += [str(program), f"{place}/c/model.c", "-lm"]
        subprocess.run(["cc", *flags], check=True, cwd=place)
        printed = subprocess.run([f"{place}/timed"], check=True, capture_output=True, text=True).stdout
    return float(printed.split()[0])


class Busy:
    """A score that keeps a processor busy for a given time."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, model: Model) -> float:
        """Return after `seconds` of processor time."""
        until = time.thread_time() + self.seconds
        while time.thread_time() < until:
            pass
        return float(model.genes[0])


def crane() -> dict[str, Any]:
    """Return the results in the first part of docs/own-scores.md: seconds, and the load's distance from the mark."""
    sys.path.insert(0, str(ROOT / "examples"))
    import crane as example

    began = time.perf_counter()
    config = TrainConfig.from_preset("policy", hidden=[8], population_size=16)
    evolution = Evolution(config, network=Network.build((4,), hidden=(8,), outputs=1))
    evolution.run(40, fitness=example.score, episodes=3, rescore=20)
    took, trained = time.perf_counter() - began, evolution.champion()
    state, memory, away = (2.5, 0.0, 0.0, 0.0), trained.start(), []
    for _ in range(200):
        memory, (output,) = trained.step(memory, state)
        state = example.moved(state, 10 * math.tanh(output))
        away.append(abs(state[0] + math.sin(state[2])))
    fresh = [example.score(trained, seed) for seed in range(1000, 1100)]
    settled = next(step for step in range(len(away)) if max(away[step:]) < 0.1)
    return {"seconds": took, "mean": float(np.mean(fresh)), "settled": 0.05 * (settled + 1), "rest": away[-1]}


def engines() -> list[dict[str, Any]]:
    """Return the seconds of generations of 24 scores, in this process and in two, without the first generations."""
    found = []
    network, config = Network.build((4,), (16,), 2), TrainConfig.from_preset("policy")
    for seconds in (0.00003, 0.0003, 0.001, 0.005, 0.02):
        generations = max(6, min(200, int(3 / (24 * seconds))))
        medians: dict[str, list[float]] = {"serial": [], "two processes": []}
        for _ in range(5):
            for name, workers in (("serial", 0), ("two processes", 2)):
                times: list[float] = []
                evolution = Evolution(config, network=network)
                evolution.run(
                    generations, fitness=Busy(seconds), workers=workers,
                    on_record=lambda record, times=times: times.append(time.perf_counter()),
                )  # fmt: skip
                steps = np.diff(times)[3:]
                medians[name].append(float(np.median(steps)))
        ratio = statistics.median(a / b for a, b in zip(medians["serial"], medians["two processes"], strict=True))
        found.append({"seconds": seconds, "generations": generations, "ratio": ratio, **medians})
        print(f"{1e3 * seconds:g} ms: {ratio:.2f} times as fast by two processes", flush=True)
    return found


def main() -> None:
    """Measure a part, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("policies", "peers", "walker", "answers", "engines", "crane"))
    parser.add_argument("--only", default="")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--peers")
    arguments = parser.parse_args()
    Evolution(TrainConfig.from_preset("policy"), network=Network.build((4,), (16,), 2))  # kernels are compiled
    saved: dict[str, Any] = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    about, part = machine.describe(), arguments.part
    if part == "policies":
        found: Any = saved.get(part, {}) | policies(arguments.only, arguments.seeds)
    elif part == "peers":
        found = peers(arguments.peers, arguments.seeds, arguments.only, saved.get(part, {}))
    else:
        found = {"walker": walker, "answers": answers, "engines": engines, "crane": crane}[part]()
    saved = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    saved |= {part: found, "machines": saved.get("machines", {}) | {part: about}}
    RESULT.write_text(json.dumps(saved, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
