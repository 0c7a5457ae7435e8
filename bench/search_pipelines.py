"""Searches for pipelines on the sixteen tables, compared with usual models, and how much the folds flatter.

    python bench/search_pipelines.py                           all tables, three seeds of 60 s; fifty minutes
    python bench/search_pipelines.py wine cars --seeds 1
    python bench/search_pipelines.py --first 3 --seeds 2     two seeds more, beside those that are known
    python bench/search_pipelines.py --anchors                 wine, breast cancer and digits in 48 individuals

The seed of a search also determines the rows that are held out. Recorded are the winner's scores on these and on the
new folds, and those of usual models: logistic or ridge regression, a support vector machine and boosting with
scikit-learn's defaults, and no model at all. The anchors are what a support vector machine reaches by three folds of
all rows.

Uses both cores of an idle machine. Writes results/search-pipelines.json, table by table.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import machine
import tabular
from sklearn import datasets

from genreg_np import PipelineSearchClassifier
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import trials_in
from genreg_np.search.tables import search_table
from genreg_np.search.tabular.reading import Reading

HERE = Path(__file__).parent
RESULT = HERE / "results" / "search-pipelines.json"
ANCHORS = {"wine": "load_wine", "breast-cancer": "load_breast_cancer", "digits": "load_digits"}
EVALUATIONS = 48


def searched(told: dict[str, Any], seed: int, budget: float) -> dict[str, Any]:
    """Return the results of a search on a table."""
    names, *rows = tabular.raw(told)
    with tempfile.TemporaryDirectory() as folder:
        path = tabular.written(Path(folder, "table.csv"), names, rows)
        reading = Reading(str(path), told.get("label", "class"), task=told["task"])
        config = SearchConfig.from_dict({"kind": "table", "metric": "", "population": 24, "seed": seed})
        started = time.perf_counter()
        found = search_table(reading, config, Path(folder, "run"), budget=budget)
        seconds = time.perf_counter() - started
        trials = list(trials_in(Path(folder, "run", "trials.jsonl")))
    described = machine.describe()
    best = max((trial.score for trial in trials if trial.is_ok and trial.rung), default=None)
    beside = {one.name: {"held": one.held, "score": one.score} for one in found.beside}
    return {
        "seed": seed, "on": {name: described[name] for name in ("processor", "revision")},
        "held": found.judged.held, "score": found.judged.score, "error": found.judged.error,
        "best of the search": best, "new folds": found.new_folds, "held rows": found.held_rows, "beside": beside,
        "model": found.genome["model"], "words": found.words, "trials": len(trials), "seconds": seconds,
        "metric": found.metric, "failed": sum(not trial.is_ok for trial in trials),
    }  # fmt: skip


def anchored(name: str, seed: int) -> dict[str, Any]:
    """Return the best of EVALUATIONS support vector machines by three folds of all rows, and a held-out score."""
    few: dict[str, Any] = {"population": EVALUATIONS // 3, "generations": 3, "models": "svm", "folds": 3}
    inputs, labels = getattr(datasets, ANCHORS[name])(return_X_y=True)
    search = PipelineSearchClassifier(random_state=seed, n_jobs=2, **few).fit(inputs, labels)
    best = max(trial["score"] for trial in search.trials_ if trial["status"] == "ok" and trial["rung"])
    told = {"from": ["scikit-learn", ANCHORS[name]], "label": "target", "task": "classes"}
    names, *rows = tabular.raw(told)
    with tempfile.TemporaryDirectory() as folder:
        path = tabular.written(Path(folder, "table.csv"), names, rows)
        config = SearchConfig.from_dict({"kind": "table", "metric": "", "seed": seed, **few})
        found = search_table(Reading(str(path), "target", task="classes"), config, Path(folder, "run"))
    return {"seed": seed, "best by 3 folds": best, "held": found.judged.held, "individuals": EVALUATIONS}


def main() -> None:
    """Measure, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="the first seed; results of seeds below are kept")
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--anchors", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    told = tomllib.loads((HERE / "tables.toml").read_text("utf-8"))
    told.pop("seeds"), told.pop("test")
    result: dict[str, Any] = json.loads(arguments.out.read_text("utf-8")) if arguments.out.exists() else {}
    result["machine"] = machine.describe()
    if arguments.anchors:
        result["anchors"] = {name: [anchored(name, seed) for seed in range(arguments.seeds)] for name in ANCHORS}
        print(result["anchors"], flush=True)
    else:
        for name in arguments.tables or told:
            known = [line for line in result.setdefault("tables", {}).get(name, []) if line["seed"] < arguments.first]
            seeds = range(arguments.first, arguments.first + arguments.seeds)
            lines = [searched(told[name], seed, arguments.budget) for seed in seeds]
            result["tables"][name] = known + lines
            print(name, *(_line(line) for line in lines), sep="\n    ", flush=True)
            arguments.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    arguments.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def _line(line: dict[str, Any]) -> str:
    beside = ", ".join(f"{name} {one['held']:.3f}" for name, one in line["beside"].items())
    return (
        f"held {line['held']:.3f}, new folds {line['score']:.3f}, search {line['best of the search'] or 0:.3f} "
        f"({line['model']}, {line['trials']} trials, {line['failed']} failed, {line['seconds']:.0f} s); {beside}"
    )


if __name__ == "__main__":
    main()
