"""Measure, and write the results to bench/results/CASE.json.

    python bench/run.py                                          all cases, ours alone
    python bench/run.py --peers .venv-peers/bin/python           also the peers
    python bench/run.py generation limits --quick --results trial

Every file contains machine, versions and settings as well as the figures. `make bench` and `make bench-peers` call
this, then figures.py, which writes the pages.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cases
import machine
import predictions
import runs
import workload as workloads
from cases import Bench
from workers import HERE

STAGED = {  # what has its stages timed: a workload, and the gene that crossover exchanges
    "MNIST, gene = weight": (workloads.mnist, "weight"),
    "MNIST, gene = none": (workloads.mnist, "none"),
    "letters, gene = weight": (workloads.letters, "weight"),
}


def limits(_: Bench) -> dict[str, Any]:
    """Measure the machine's limits, and the stages of a generation to compare with them, in separate processes."""
    found = {"limits": _alone("limits.py"), "stages": {}}
    print(f"  {found['limits']}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "workload.npz"
        for name, (draw, gene) in STAGED.items():
            draw().save(path)
            found["stages"][name] = _alone("stages.py", str(path), gene)
    return found


def _alone(script: str, *arguments: str) -> dict[str, Any]:
    """Return the JSON that a script prints."""
    command = [sys.executable, str(HERE / script), *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OPENBLAS_")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout))


def points(case: Callable[[Bench], list[cases.Point]]) -> Callable[[Bench], dict[str, Any]]:
    """Return a case whose points are stored under the name `points`."""
    return lambda bench: {"points": case(bench)}


CASES: dict[str, Callable[[Bench], dict[str, Any]]] = {
    "limits": limits,
    "generation": points(cases.generation),
    "population": points(cases.population),
    "images": points(cases.images),
    "hidden": points(cases.hidden),
    "threads": points(cases.threads),
    "startup": runs.startup,
    "memory": runs.memory,
    "reach": runs.reach,
    "prediction": predictions.prediction,
}


def main() -> None:
    """Measure the given cases."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", help=f"of {', '.join(CASES)}; by default all")
    parser.add_argument("--peers", help="the peers' Python; without it only ours are measured")
    parser.add_argument("--quick", action="store_true", help="few repetitions of the smallest sizes")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where the JSON goes")
    arguments = parser.parse_args()
    if unknown := set(arguments.cases) - set(CASES):
        parser.error(f"no case {', '.join(unknown)}: choose of {', '.join(CASES)}")
    bench = Bench(arguments.peers, arguments.quick)
    for name in arguments.cases or CASES:
        print(name, flush=True)
        description = machine.describe(arguments.peers)
        start = time.perf_counter()
        found = CASES[name](bench)
        document = {"machine": description, "quick": bench.quick, **found}
        document["took_seconds"] = round(time.perf_counter() - start)
        arguments.results.mkdir(parents=True, exist_ok=True)
        (arguments.results / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(f"  {document['took_seconds']} s", flush=True)


if __name__ == "__main__":
    main()
