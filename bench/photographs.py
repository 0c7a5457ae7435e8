"""Folders of pictures: `train` with its default preset, compared with scikit-learn's forests and logistic regression.

    python bench/photographs.py FOLDER                  every set
    python bench/photographs.py FOLDER --sets emoji     only this one; known results of the others are kept
    python bench/photographs.py FOLDER --folds          only the folds; other known results are kept

FOLDER is the output of bench/pictures.py. For each set: test accuracy and seconds of the whole command, seed by seed,
for the preset that `train` chooses, the same with --flip, and nodes-small (the first seed); also for RandomForest (300
trees) and LogisticRegression on standardised RGB pixels of the same size, trained on the same images, and on those plus
the validation split, which they do not need. Test splits of some sets are small: so the other images are also split
into six folds, each predicted by models trained on the other five (of which `photos` holds out a sixth for validation,
while the others use all). Writes bench/results/photographs.json, set by set.
"""

from __future__ import annotations

import argparse
import dataclasses
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
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from genreg_np import TrainConfig, load_dataset, train
from genreg_np.data.dataset import Split

RESULT = Path(__file__).with_name("results") / "photographs.json"
WAYS = {"photos": [], "photos --flip": ["--flip"], "nodes-small": ["--preset", "nodes-small"]}
SETS = ("discs", "faces", "icons", "scenes", "emoji")
SEEDS = 5
TREES, STEPS = 300, 100
FOLDS = 6


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
    """Return the test accuracies of models on pixels, trained on the training split, and on all that is not test."""
    data = load_dataset(str(folder))
    train, validation, test = (
        (part.inputs.reshape(len(part), -1), part.labels) for part in (data.train, data.validation, data.test)
    )
    both = tuple(np.concatenate(pair) for pair in zip(train, validation, strict=True))
    found: dict[str, list[float]] = {}
    for what, (inputs, labels) in {"train": train, "train and validation": both}.items():
        for name in _learners(0):
            seeds = range(SEEDS if name == "RandomForest" else 1)  # the other is deterministic
            found[f"{name}, {what}"] = [float(_learners(seed)[name].fit(inputs, labels).score(*test)) for seed in seeds]
    return found


def folds(folder: Path) -> dict[str, list[float]]:
    """Return the accuracies on each of six folds of the non-test images, by models trained on the other five."""
    data = load_dataset(str(folder))
    inputs = np.concatenate([data.train.inputs, data.validation.inputs])
    labels = np.concatenate([data.train.labels, data.validation.labels])
    found: dict[str, list[float]] = {}
    for fold, (rest, held) in enumerate(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(labels, labels)):
        learned, validated = next(iter(StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(rest, labels[rest])))
        rows = {"train": rest[learned], "validation": rest[validated], "test": held}
        splits: dict[str, Any] = {
            name: Split(np.ascontiguousarray(inputs[some]), labels[some]) for name, some in rows.items()
        }
        result = train(TrainConfig.from_preset("photos", seed=fold), dataclasses.replace(data, **splits))
        assert result.test_accuracy is not None
        found.setdefault("photos", []).append(result.test_accuracy)
        pixels = inputs.reshape(len(inputs), -1)
        for name, learner in _learners(seed=fold).items():
            score = learner.fit(pixels[rest], labels[rest]).score(pixels[held], labels[held])
            found.setdefault(name, []).append(float(score))
    return found


def _learners(seed: int) -> dict[str, Any]:
    """Return the models that learn from pixels, by name."""
    return {
        "RandomForest": RandomForestClassifier(TREES, random_state=seed, n_jobs=2),
        "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression(max_iter=STEPS)),
    }


def main() -> None:
    """Measure all sets and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=SETS)
    parser.add_argument("--folds", action="store_true", help="measure only the part of folds")
    given = parser.parse_args()
    folder = given.folder.resolve()
    found: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))["sets"] if RESULT.exists() else {}
    for name in given.sets:
        if not given.folds:
            seeds = {way: range(SEEDS if way.startswith("photos") else 1) for way in WAYS}
            ours = {way: [trained(folder / name, seed, WAYS[way]) for seed in seeds[way]] for way in WAYS}
            found[name] = {"ours": ours, "pixels": pixels(folder / name)}
            tests = {way: [run["test"] for run in runs] for way, runs in ours.items()}
            print(name, tests, found[name]["pixels"], flush=True)
        found[name]["folds"] = folds(folder / name)
        print(name, found[name]["folds"], flush=True)
        document = {"machine": machine.describe(), "sets": found}
        RESULT.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
