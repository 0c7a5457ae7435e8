"""One prediction by 8-bit integers in exported C, and its size on a microcontroller: this version against another.

    python bench/export_int8.py [OTHER_CHECKOUT] [--turns N]

784-64-10 with two activations, trained on MNIST and calibrated on its validation split; one image at a time on one
core, compiled by gcc with OPTIONS. Versions take turns, so that a busy machine disturbs both alike; both use the same
model file. A time is the median over images of each image's minimum, and the median over turns. Writes
bench/results/export-int8.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve()
OPTIONS = {"-O3": ("-std=c99", "-O3"), "-O3 -march=native": ("-std=c99", "-O3", "-march=native")}
SIZES = ("-Os", "-O2")
ACTIVATIONS = ("relu", "tanh")
GENERATIONS, IMAGES, PASSES = 4000, 1000, 20
EXPORT = "import sys; from genreg_np.model import load; from genreg_np.export import export; "
EXPORT += "export(load(sys.argv[1]), 'c', sys.argv[2])"


def trained(activation: str, dataset: Any, path: Path) -> float:
    """Write an 8-bit integer model, and return its accuracy on the test split."""
    from genreg_np import Evolution, TrainConfig
    from genreg_np.export.quantise import quantise

    config = TrainConfig.from_preset("nodes", generations=GENERATIONS, activation=activation)
    evolution = Evolution(config, dataset)
    evolution.run()
    model = quantise(evolution.champions()["best"], dataset.validation.inputs)
    model.save(path)
    return float((model.predict(dataset.test.inputs) == dataset.test.labels).mean())


def exported(checkout: Path, model: Path, folder: Path) -> dict[str, Any]:
    """Export a model with a checkout's code, and return its size on a microcontroller in bytes."""
    from export_c import cortex_m3

    environment = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run([sys.executable, "-c", EXPORT, str(model), str(folder)], env=environment, cwd=checkout, check=True)
    counted = {f"Cortex-M3 {option}, text": cortex_m3(folder / "model.c", option).get("text") for option in SIZES}
    stack = re.search(r"Stack +at most ([\d,]+) bytes", (folder / "model.h").read_text())
    return counted | {"stack, at most": int(stack[1].replace(",", "")) if stack else None}


def timed(folders: dict[str, Path], images: Any, options: tuple[str, ...], turns: int) -> dict[str, float]:
    """Return the microseconds of each version's export, measured in turns."""
    from export_c import compile_there, measure, write_images

    times: dict[str, list[float]] = {version: [] for version in folders}
    for folder in folders.values():
        write_images(folder, images)
        compile_there(folder, options=options)
    for _ in range(turns):
        for version, folder in folders.items():
            times[version].append(measure(folder, PASSES) / 1000)
    return {version: round(statistics.median(values), 3) for version, values in times.items()}


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, nargs="?", help="a checkout of the other version")
    parser.add_argument("--turns", type=int, default=9)
    chosen = parser.parse_args()
    import machine

    from genreg_np import load_dataset

    dataset = load_dataset("mnist")
    images = dataset.test.inputs[:IMAGES]
    checkouts = {"other": chosen.other.resolve()} if chosen.other else {}
    checkouts["this"] = HERE.parents[1]
    found: dict[str, Any] = {}
    for activation in ACTIVATIONS:
        with tempfile.TemporaryDirectory() as name:
            model = Path(name) / "model.npz"
            accuracy = trained(activation, dataset, model)
            folders = {version: Path(name) / version for version in checkouts}
            sizes = {version: exported(checkouts[version], model, folders[version]) for version in folders}
            times = {option: timed(folders, images, options, chosen.turns) for option, options in OPTIONS.items()}
        found[activation] = {"test_accuracy": accuracy, "microseconds": times, "bytes": sizes}
        print(activation, found[activation], flush=True)
    gcc = subprocess.run(["gcc", "-dumpfullversion"], capture_output=True, text=True, check=True).stdout.strip()
    document = {"machine": machine.describe() | {"gcc": gcc}, "turns": chosen.turns, "images": IMAGES}
    document["other"] = machine.revision(chosen.other) if chosen.other else None
    target = HERE.parent / "results" / "export-int8.json"
    target.write_text(json.dumps(document | {"models": found}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
        del os.environ[name]
    main()
