"""Folders of pictures: what `train` makes of them by itself, beside scikit-learn's forests and logistic regression.

    python bench/photographs.py FOLDER                  every set
    python bench/photographs.py FOLDER --sets emoji     this one, beside what is known of the others

FOLDER is what bench/pictures.py makes. Of each set: test accuracy and seconds of the whole command, seed by seed, for
the preset that `train` takes by itself, the same with --flip, and nodes-small (the first seed); of RandomForest (300
trees) and LogisticRegression on standardised RGB pixels of the same size, learned from the same training images, and
from those and the validation split, which they have no use for. Writes
bench/results/photographs.json, set by set.
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
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genreg_np import load_dataset

RESULT = Path(__file__).with_name("results") / "photographs.json"
WAYS = {"photos": [], "photos --flip": ["--flip"], "nodes-small": ["--preset", "nodes-small"]}
SETS = ("discs", "faces", "icons", "scenes", "emoji")
SEEDS = 5
TREES, STEPS = 300, 100


def trained(folder: Path, seed: int, options: list[str]) -> dict[str, float]:
    """Return test accuracy and seconds of one run."""
    with tempfile.TemporaryDirectory() as place:
        command = ["train", "--dataset", str(folder), "--seed", str(seed), "--out", f"{place}/run", "--json", *options]
        start = time.perf_counter()
        run = subprocess.run(
            [sys.executable, "-m", "genreg_np", *command], capture_output=True, text=True, check=True, cwd=place
        )
        seconds = time.perf_counter() - start
        size = Path(f"{place}/run/model.npz").stat().st_size
    said = json.loads(run.stdout.splitlines()[-1])
    return {"test": said["test_accuracy"], "seconds": round(seconds, 2), "model_bytes": size}


def pixels(folder: Path) -> dict[str, list[float]]:
    """Return the test accuracies of what learns from pixels: by the training split, and by all that is not test."""
    data = load_dataset(str(folder))
    train, validation, test = (
        (part.inputs.reshape(len(part), -1), part.labels) for part in (data.train, data.validation, data.test)
    )
    both = tuple(np.concatenate(pair) for pair in zip(train, validation, strict=True))
    found: dict[str, list[float]] = {}
    for what, (inputs, labels) in {"train": train, "train and validation": both}.items():
        forests = [RandomForestClassifier(TREES, random_state=seed, n_jobs=2) for seed in range(SEEDS)]
        found[f"RandomForest, {what}"] = [float(one.fit(inputs, labels).score(*test)) for one in forests]
        linear = make_pipeline(StandardScaler(), LogisticRegression(max_iter=STEPS))
        found[f"LogisticRegression, {what}"] = [float(linear.fit(inputs, labels).score(*test))]
    return found


def main() -> None:
    """Measure all sets and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    given = parser.parse_args()
    folder = given.folder.resolve()
    found: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))["sets"] if RESULT.exists() else {}
    for name in given.sets:
        seeds = {way: range(SEEDS if way.startswith("photos") else 1) for way in WAYS}
        ours = {way: [trained(folder / name, seed, WAYS[way]) for seed in seeds[way]] for way in WAYS}
        found[name] = {"ours": ours, "pixels": pixels(folder / name)}
        tests = {way: [run["test"] for run in runs] for way, runs in ours.items()}
        print(name, tests, found[name]["pixels"], flush=True)
        document = {"machine": machine.describe(), "sets": found}
        RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
