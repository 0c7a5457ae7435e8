"""Is this version as fast as another? Both in turn: cold starts, compiling, generations, batches and a prediction.

    python bench/versions.py OTHER_CHECKOUT [--turns N] [--compiling N]

Each figure is measured in a separate process with one version's code on its path; versions take turns, so that a busy
machine disturbs both alike. Writes bench/results/versions.json: medians of both, and the median of the ratios within
turns (this version's time over the other's). Steps are timed on the first images of MNIST, or on the digits.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
STEPS = {"seed-mnist-64": 12, "nodes": 60, "fast": 60, "nodes-small": 200, "selection": 10, "small": 30, "mixed": 1}
COMPILED = ("nodes-small", "fast", "seed-mnist-64", "mixed", "genreg-2")
IMAGES = 6000


def steps(presets: list[str]) -> dict[str, float]:
    """Return the milliseconds of a step of each preset, of a bank's features and of one prediction."""
    import numpy as np

    from genreg_np import Evolution, TrainConfig, load_dataset
    from genreg_np.data.dataset import Split

    def first_images(name: str) -> Any:
        whole = load_dataset(name, download=False)
        parts = {part: whole.split(part) for part in ("train", "validation", "test")}
        cut = {name: Split(part.inputs[:IMAGES].copy(), part.labels[:IMAGES].copy()) for name, part in parts.items()}
        return dataclasses.replace(whole, **cut)

    found, data = {}, {name: first_images(name) for name in ("mnist", "digits")}
    for preset in presets:
        config = TrainConfig.from_preset(preset, validate_every=10**6)
        evolution = Evolution(config, data["digits" if "small" in preset else "mnist"], backend="numba")
        if preset == "fast":
            found["features of fast"] = evolution.seconds * 1e3
        times = []
        for _ in range(STEPS[preset] + 1):
            begun = time.perf_counter()
            evolution.step()
            times.append(time.perf_counter() - begun)
        found[f"a step of {preset}"] = statistics.median(times[1:]) * 1e3
        if preset == "nodes":
            model, image = evolution.champions()["best"], np.ascontiguousarray(data["mnist"].test.inputs[0])
            times = []
            for _ in range(20_000):
                begun = time.perf_counter()
                model.predict(image)
                times.append(time.perf_counter() - begun)
            found["one prediction of nodes"] = statistics.median(times) * 1e3
    return found


def compiling(preset: str) -> dict[str, float]:
    """Return the seconds until a preset's kernels are ready, with an empty cache."""
    from genreg_np import TrainConfig, backends
    from genreg_np.strategies import strategy_class

    config = TrainConfig.from_preset(preset)
    works = strategy_class(config.strategy).works
    needed = works(config.options, len(config.hidden) + 1) if callable(works) else works
    begun = time.perf_counter()
    backends.create("numba").warm_up(needed)
    return {f"compiling for {preset}": time.perf_counter() - begun}


def run(checkout: Path, *arguments: str, cache: str | None = None) -> tuple[float, str]:
    """Return the seconds of a process that uses a checkout, and its output."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    environment |= {"PYTHONPATH": str(checkout)} | ({"XDG_CACHE_HOME": cache} if cache else {})
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=checkout, capture_output=True, text=True, check=True
    )
    return time.perf_counter() - begun, done.stdout


def measured(checkout: Path, model: Path, image: Path) -> dict[str, float]:
    """Return one turn's figures that do not involve compiling."""
    infer = f"import genreg_np.cli; genreg_np.cli.main(['infer', {str(model)!r}, {str(image)!r}])"
    found = {
        "import genreg_np (s)": run(checkout, "-c", "import genreg_np")[0],
        "genreg-np infer (s)": run(checkout, "-c", infer)[0],
    }
    return found | json.loads(run(checkout, str(HERE), "--steps", *STEPS)[1])


def compiled(checkout: Path) -> dict[str, float]:
    """Return one turn's seconds of compiling, with an empty cache for each preset."""
    found = {}
    for preset in COMPILED:
        with tempfile.TemporaryDirectory(dir=Path.home()) as cache:
            found |= json.loads(run(checkout, str(HERE), "--compile", preset, cache=cache)[1])
    return found


def compared(turns: list[tuple[dict[str, float], dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the medians of both versions, and of the ratios within turns."""
    return {
        name: {
            "other": statistics.median(other[name] for other, _ in turns),
            "this": statistics.median(this[name] for _, this in turns),
            "ratio": statistics.median(this[name] / other[name] for other, this in turns),
        }
        for name in turns[0][0]
    }


def main() -> None:
    """Measure in turn, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?")
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--compiling", type=int, default=1)
    parser.add_argument("--steps", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--compile", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.steps or chosen.compile:
        print(json.dumps(steps(chosen.steps) if chosen.steps else compiling(chosen.compile)))
        return
    if chosen.other is None:
        parser.error("name the checkout of the other version")
    import machine
    import numpy as np

    from genreg_np.model import Model, Network

    this, other = HERE.parents[1], chosen.other.resolve()
    with tempfile.TemporaryDirectory() as folder:
        model, image = Path(folder) / "model.npz", Path(folder) / "image.npy"
        network = Network.build((28, 28), (64,), 10)
        Model.build(network, np.zeros(network.gene_count, np.float32), tuple("0123456789"), (0.0, 255.0)).save(model)
        np.save(image, np.zeros((28, 28), np.uint8))
        for checkout in (other, this):
            measured(checkout, model, image)  # fills the kernels' cache
        turns = [(measured(other, model, image), measured(this, model, image)) for _ in range(chosen.turns)]
    document = {"machine": machine.describe(), "other": machine.revision(other), "turns": chosen.turns}
    document["steps (ms)"] = compared(turns)
    if chosen.compiling:
        document["compiling (s)"] = compared([(compiled(other), compiled(this)) for _ in range(chosen.compiling)])
    print(json.dumps({name: value for name, value in document.items() if name != "machine"}, indent=1))
    target = HERE.parent / "results" / "versions.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
