"""Mixed evolution measured: against PyTorch, against the published results, and with incentives for diversity.

    python bench/mixed.py                              all cases that need no peers, five seeds
    python bench/mixed.py cells --seeds 2 --quick      tiny settings, to check that it works
    python bench/mixed.py slopes steps --peers .venv-peers/bin/python

slopes    weights after some steps of every optimiser, compared with PyTorch's from the same weights and batches
steps     milliseconds of a step of 20 networks: all in one call, one call each, and PyTorch in a loop, taking turns
paper     `genreg-np mixed --paper`, horizontal and vertical, seed by seed
cells     the question left open by the report: recipes side by side, seed by seed, parents chosen on validation

Each run is a separate process, one after the other. Writes bench/results/mixed-CASE.json; a seed already measured with
the same options, and the same configuration if that is known, is not measured again, unless --anew is given.
docs/experiments/mixed.md is filled by bench/figures.py.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import mixed_steps
import numpy as np
import workload as workloads
from workers import HERE, Launch, Worker

from genreg_np.cli import mixed_
from genreg_np.runs.config import TrainConfig
from genreg_np.strategies.mixed.networks import in_parts

TURNS = 8  # of each implementation
PAPER = {
    "horizontal": ["--paper", "--network", "horizontal"],
    "vertical": ["--paper", "--network", "vertical"],
}
PLAIN = ["--newcomers", "0"]
STRONG = ["--set", "diversity_weight=0.2"]
CELLS = {  # recipes; 12 generations, since diversity is said to be gone after six
    "plain": PLAIN,
    "newcomers 10 %": ["--newcomers", "0.1"],
    "mutation": [*PLAIN, "--mutation-rate", "0.01", "--set", "mutation_scale=0.05"],
    "diversity bonus": [*PLAIN, "--fitness", "diversity"],
    "diversity bonus x 4": [*PLAIN, "--fitness", "diversity", *STRONG],
    "diversity bonus x 4, newcomers 50 %": ["--newcomers", "0.5", "--fitness", "diversity", *STRONG],
    "niches, newcomers 10 %": ["--newcomers", "0.1", "--fitness", "niches"],
    "gene = layer": [*PLAIN, "--gene", "layer"],
}
CELL_OPTIONS = ["--dataset", "mnist", "--network", "horizontal", "--generations", "12", "--eps", "0.1"]
QUICK = ["--dataset", "digits", "--network", "32,16", "--population", "4", "--generations", "2", "--eps", "0.1"]
RESULTS = HERE / "results"


def command(options: list[str], seed: int) -> dict[str, Any]:
    """Run `genreg-np mixed` in a separate process; return its output, its measures and its time."""
    with tempfile.TemporaryDirectory() as folder:
        call = [sys.executable, str(HERE / "command.py"), "mixed", "--json", "--quiet", "--no-figures", *options]
        call += ["--seed", str(seed), "--out", str(Path(folder) / "run")]
        started = time.perf_counter()
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{' '.join(call)} failed\n{done.stderr}")
        took = round(time.perf_counter() - started, 2)
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        measures = json.loads((Path(folder) / "run" / "measures.json").read_text("utf-8"))
        lines = (Path(folder) / "run" / "metrics.jsonl").read_text("utf-8").splitlines()
    names = ("mean_accuracy", "best_accuracy", "worst_accuracy", "newcomers_kept")
    curve = [{name: record[name] for name in names} for record in map(json.loads, lines)]
    for name in ("run", "model"):  # a folder that no longer exists
        del found[name]
    history = {"similarity_by_generation": measures["similarity"], "clusters_by_generation": measures["clusters"]}
    return found | history | {"curve": curve, "process_seconds": took}


def configuration(options: list[str]) -> dict[str, Any]:
    """Return the effective configuration except the seed: settings, and what is measured at the end."""
    given = mixed_.command.make_context("mixed", list(options)).params
    settings = TrainConfig.from_dict(mixed_.settings_of(given)).to_dict()
    attacks = mixed_.parse_attacks(given["eps"], given["paper_fgsm"] or given["paper"])
    del settings["seed"]
    return settings | {"attacks": list(map(str, attacks)), "attack_images": given["attack_images"]}


def known_runs(before: dict[str, Any], options: list[str], config: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the runs of a variant made with these options and, as far as it was recorded, this configuration."""
    same = before.get("options") == options
    same &= all(config.get(name) == value for name, value in before.get("config", {}).items())
    return list(before["runs"]) if same else []


def runs(case: str, variants: dict[str, list[str]], seeds: int, anew: bool, results: Path) -> None:
    """Measure every variant seed by seed, keeping known runs, and save after each run."""
    path = results / f"mixed-{case}.json"
    known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() and not anew else {}
    document: dict[str, Any] = {}
    for name, options in variants.items():
        config = configuration(options)
        found = known_runs(known.get(name, {}), options, config)
        document[name] = {"options": options, "config": config, "runs": found}
    for seed in range(seeds):
        for name, options in variants.items():
            measured = document[name]["runs"]
            if any(run["seed"] == seed for run in measured):
                continue
            around = machine.describe()
            measured.append({**command(options, seed), "machine": around})
            measured.sort(key=lambda run: int(run["seed"]))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
            last = next(run for run in measured if run["seed"] == seed)
            told = {key: last[key] for key in ("mean_accuracy", "best_accuracy", "seconds", "process_seconds")}
            print(f"{case}, {name}, seed {seed}: {told}", flush=True)


def workload_of(quick: bool) -> workloads.Workload:
    """Return the batches of some steps; all of MNIST's training images."""
    steps, size = (3, 3) if quick else (mixed_steps.STEPS, mixed_steps.POPULATION)
    return workloads.mnist(size, steps * mixed_steps.BATCH, mixed_steps.HIDDEN[0])


def steps(peers: str | None, quick: bool) -> dict[str, Any]:
    """Time a step of all networks, with implementations taking turns."""
    import contextlib
    import statistics

    launches = {name: Launch(name) for name in mixed_steps.IMPLEMENTATIONS}
    if peers:
        launches["PyTorch in a loop"] = Launch("mixed_torch", peers)
    workload = workload_of(quick)
    count = len(workload.labels) // mixed_steps.BATCH
    times: dict[str, list[float]] = {name: [] for name in launches}
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = Path(folder) / "workload.npz"
        workload.save(path)
        workers = {name: stack.enter_context(Worker(launch, path)) for name, launch in launches.items()}
        for _ in range(1 if quick else TURNS):
            for name, worker in workers.items():
                times[name] += [value / count for value in worker.turn()]
    figures = {
        name: {"median_ms": statistics.median(values), "fastest_ms": min(values), "slowest_ms": max(values)}
        for name, values in times.items()
    }
    print({name: round(figure["median_ms"], 2) for name, figure in figures.items()}, flush=True)
    sizes = {"population": workload.population, "batch": mixed_steps.BATCH, "steps": count}
    return {"machine": machine.describe(peers), **sizes, "network": "784-256-128-10", "figures": figures}


def slopes(peers: str, quick: bool) -> dict[str, Any]:
    """Train some networks with every optimiser, here and in PyTorch, and compare their weights."""
    from genreg_np.backends import create
    from genreg_np.backends.gradients import Descent
    from genreg_np.layers.optimisers import Optimiser

    workload = workloads.mnist(3, (2 if quick else 20) * mixed_steps.BATCH, mixed_steps.HIDDEN[0])
    network, genes = mixed_steps.network_of(workload), mixed_steps.first_genes(workload)
    order, rates = np.arange(len(workload.labels)), {"sgd": 0.01, "rmsprop": 0.001, "adam": 0.001}
    found: dict[str, Any] = {"machine": machine.describe(peers), "steps": len(order) // mixed_steps.BATCH}
    for shape, parts in (("horizontal", (1, 1, 1)), ("vertical", (1, 2, 1))):
        with tempfile.TemporaryDirectory() as folder:
            given, answered = Path(folder) / "in.npz", Path(folder) / "out.npz"
            widths = np.array([workload.inputs, *mixed_steps.HIDDEN, workload.classes])
            data = {"genes": genes, "features": workload.images, "labels": workload.labels}
            np.savez(given, **data, widths=widths, parts=np.array(parts))
            subprocess.run([peers, str(HERE / "peers" / "mixed_torch.py"), str(given), str(answered)], check=True)
            with np.load(answered) as file:
                theirs = dict(file)
        for name, rate in rates.items():
            for backend in ("numpy", "numba"):
                descent = Descent(in_parts(network, parts[:-1]), Optimiser(name, rate, 0.9), mixed_steps.BATCH)
                ours, _ = create(backend).descend(descent, genes, workload.images, workload.labels, order)
                moved, off = theirs[name] - genes, ours - theirs[name]
                compared = {
                    "largest": float(np.abs(off).max() / np.abs(moved).max()),
                    "root_mean_square": float((np.square(off).mean() / np.square(moved).mean()) ** 0.5),
                }
                found.setdefault(f"{shape}, {name}", {})[backend] = compared
                print(f"{shape}, {name}, {backend}: {compared}")
    return found


def main() -> None:
    """Measure the given cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # [] is a choice because argparse also checks the default of nargs="*", no case at all, against the choices.
    parser.add_argument("cases", nargs="*", choices=["slopes", "steps", "paper", "cells", []], metavar="CASE")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--peers", help="a Python that has PyTorch")
    parser.add_argument("--quick", action="store_true", help="tiny settings, to see that everything works")
    parser.add_argument("--anew", action="store_true", help="measure again what has been measured")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the JSON goes")
    arguments = parser.parse_args()
    arguments.results.mkdir(parents=True, exist_ok=True)
    for case in arguments.cases or ["slopes", "steps", "paper", "cells"]:
        if case in ("paper", "cells"):
            variants = PAPER if case == "paper" else {name: [*CELL_OPTIONS, *own] for name, own in CELLS.items()}
            if arguments.quick:
                variants = {name: [*options, *QUICK] for name, options in variants.items()}
            runs(case, variants, arguments.seeds, arguments.anew, arguments.results)
            continue
        if case == "slopes" and not arguments.peers:
            print("slopes: left out (--peers)")
            continue
        found = steps(arguments.peers, arguments.quick) if case == "steps" else slopes(arguments.peers, arguments.quick)
        path = arguments.results / f"mixed-{case}.json"
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
