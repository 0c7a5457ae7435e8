"""The ladder: every method seed by seed, compared with backpropagation on the same networks.

    python bench/ladder.py                                       every rung with its own number of seeds
    python bench/ladder.py seed-mnist-64 --seeds 20
    python bench/ladder.py torch-lenet --peers .venv-peers/bin/python

Each run is a separate process, one after the other. Seed 0 turns a budget into a number of generations, which the other
seeds run: so only seed 0 needs an idle machine, and runs differ only in the seed.

Writes bench/results/accuracy-RUNG.json: settings, machine, and for each seed the accuracy of each champion on the test
split (used once, at the end of the run), overall and per class; seconds; and the validation curve. A seed already
measured with the same settings is not measured again, unless --anew is given.
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
from rungs import ALL, RESULTS, Rung, evaluations, known_runs

from genreg_np import infer, load_dataset, train
from genreg_np.layers.convolution import Convolution
from genreg_np.model import Network
from genreg_np.runs.result import Watcher

POINTS = 40  # the most points kept of a curve
PREDICTIONS = 500  # timed one by one


def measure(rung: Rung, seed: int, generations: int, backend: str) -> dict[str, Any]:
    """Train one seed of ours, for the rung's budget or the given number of generations, and return the results."""
    config, budget = rung.config(seed), rung.budget
    if generations:
        config, budget = config.replace(generations=generations), None
    dataset = load_dataset(config.dataset, variations=config.variations)
    records: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        watcher = Watcher(on_record=records.append)
        result = train(config, dataset, out, backend=backend, budget_seconds=budget, watcher=watcher)
        kilobytes = (out / "model.npz").stat().st_size / 1000
        milliseconds = prediction_ms(out / "model.npz", dataset.test.inputs[:PREDICTIONS])
    assert result.model is not None
    looks = [record for record in records if "validation_accuracy" in record]
    return {
        "generations": result.generations,
        "seconds": round(result.seconds, 2),
        "ended": result.ended,
        "saved": result.genome,
        "validation": result.validation,
        "test": {name: evaluation.accuracy for name, evaluation in result.test.items()},
        "per_class": {name: evaluation.per_class for name, evaluation in result.test.items()},
        "curve": [
            [round(look["seconds"], 2), *(look[name] for name in look if name.endswith("validation_accuracy"))]
            for look in thinned(looks)
        ],
        "evaluations": evaluations(config.replace(generations=result.generations), len(dataset.train)),
        "parameters": result.model.network.gene_count,
        **filters_of(result.model.network, result.model.genes),
        "model_kilobytes": round(kilobytes, 1),
        "predict_ms": round(milliseconds, 4),
        "peak_memory_mb": machine.peak_megabytes(),
    }


def filters_of(network: Network, genes: Any) -> dict[str, Any]:
    """Return the filters of a first convolution with one channel, for plotting."""
    first = network.learning[0]
    if not isinstance(first, Convolution) or first.shape[0] > 1:
        return {}
    return {"filters": network.parameters_of(genes)[0][:, 0].round(4).tolist()}


def prediction_ms(model: Path, images: Any) -> float:
    """Return the median milliseconds of a prediction of one image by infer.py."""
    network, times = infer.load(model), []
    for image in images:
        begun = time.perf_counter()
        network.predict(image)
        times.append(time.perf_counter() - begun)
    return 1000 * statistics.median(times)


def thinned(looks: list[Any]) -> list[Any]:
    """Return at most POINTS items of a list, evenly spaced and including the last."""
    step = -(-len(looks) // POINTS)
    return looks[::-1][:: max(1, step)][::-1]


def start(rung: Rung, name: str, seed: int, generations: int, backend: str, peers: str) -> dict[str, Any]:
    """Run one seed in a separate process; for `generations` generations, if not 0."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    if rung.peer:
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data.npz"
            save_for_peers(rung.dataset, data)
            script = str(Path(__file__).parent / "peers" / "backpropagation.py")
            python = sys.executable if rung.peer.startswith("sklearn") else peers
            own = [str(rung.budget or 0), str(rung.step), str(rung.batch)]
            command = [python, script, rung.peer, str(data), str(seed), *own]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    else:
        command = [sys.executable, __file__, "--run", name, str(seed), str(generations), backend]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise RuntimeError(f"{name}, seed {seed}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def save_for_peers(name: str, path: Path) -> None:
    """Write a dataset's splits to a file that NumPy alone can read."""
    import numpy as np

    dataset = load_dataset(name)
    arrays = {}
    for split in ("train", "validation", "test"):
        part = dataset.split(split)
        arrays |= {f"{split}_images": part.inputs, f"{split}_labels": part.labels}
    np.savez(path, **arrays)


def save(name: str, runs: list[dict[str, Any]]) -> None:
    """Write a rung's results."""
    runs = sorted(runs, key=lambda run: int(run["seed"]))
    summary = {}
    for genome in runs[0]["test"]:
        values = [run["test"][genome] for run in runs if genome in run["test"]]
        summary[genome] = {
            "mean": statistics.fmean(values),
            "median": statistics.median(values),
            "deviation": statistics.stdev(values) if len(values) > 1 else None,
        }
    document = {"rung": name, "what": ALL[name].what, "settings": ALL[name].settings(), "test": summary, "runs": runs}
    target = RESULTS / f"accuracy-{name}.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Measure the given rungs, seed by seed, and print a line for each run."""
    if sys.argv[1:2] == ["--run"]:
        name, seed, generations, backend = sys.argv[2:]
        print(json.dumps(measure(ALL[name], int(seed), int(generations), backend)))
        return
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rungs", nargs="*", choices=[[], *ALL], metavar="RUNG")
    parser.add_argument("--seeds", type=int, help="seeds 0 .. SEEDS-1, instead of each rung's own number")
    parser.add_argument("--backend", default="cpu")
    parser.add_argument("--peers", default="", help="the peers' Python; without it PyTorch's rungs are left out")
    parser.add_argument("--anew", action="store_true", help="measure again what has been measured")
    arguments = parser.parse_args()
    for name in arguments.rungs or ALL:
        rung = ALL[name]
        if rung.peer and not rung.peer.startswith("sklearn") and not arguments.peers:
            print(f"{name}: left out (--peers)")
            continue
        runs = [] if arguments.anew else known_runs(name)
        for seed in range(arguments.seeds or rung.seeds):
            if any(run["seed"] == seed for run in runs):
                print(f"{name} seed {seed}: measured already (--anew measures again)")
                continue
            around = machine.describe(arguments.peers or None)
            started = time.perf_counter()
            calibrated = next((run["generations"] for run in runs if run["seed"] == 0 and rung.budget), 0)
            found = start(rung, name, seed, calibrated, arguments.backend, arguments.peers)
            runs.append({"seed": seed, **found, "machine": around})
            told = {key: found.get(key) for key in ("generations", "seconds", "test")}
            print(f"{name} seed {seed}: {told}, process {time.perf_counter() - started:.1f} s", flush=True)
            save(name, runs)


if __name__ == "__main__":
    main()
