"""Long tests of files and runs: mutated files for every reader, kills at random instants.

    python bench/soak.py fuzz  [--inputs N] [--seconds S] [--seed N]
    python bench/soak.py kills [--kills N] [--seed N]

Writes bench/results/fuzz.json or kills.json. Shorter versions are tests: tests/test_fuzz.py, tests/test_kills.py.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from pathlib import Path
from typing import Any

import machine

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def fuzz(options: argparse.Namespace) -> dict[str, Any]:
    """Return the outcomes of reading mutated files, and the peak memory compared with that before."""
    from tests.fuzzing import fuzz, warmed

    targets = warmed()
    before = machine.peak_megabytes()
    report = fuzz(options.inputs, options.seed, options.seconds, targets=targets)
    memory = {"megabytes_before": before, "peak_megabytes": machine.peak_megabytes()}
    return {"seed": options.seed, "total": sum(report.inputs.values()), **memory, **dataclasses.asdict(report)}


def kills(options: argparse.Namespace) -> dict[str, Any]:
    """Return the outcomes of runs that were killed."""
    from tests.killing import kill

    outcomes = {name: dataclasses.asdict(outcome) for name, outcome in kill(options.kills, options.seed).items()}
    for outcome in outcomes.values():
        outcome["at_generation"] = dict(sorted(outcome["at_generation"].items()))
    names = ("kills", "in_the_middle_of_a_save", "ends", "ends_that_differ")
    total = {name: sum(outcome[name] for outcome in outcomes.values()) for name in names}
    return {"seed": options.seed, **total, "strategies": outcomes}


def main() -> None:
    """Run the chosen test."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("fuzz", "kills"))
    parser.add_argument("--inputs", type=int, default=10**6)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    start = time.monotonic()
    outcome = (fuzz if options.what == "fuzz" else kills)(options)
    document = {"machine": machine.describe(), "minutes": round((time.monotonic() - start) / 60, 1), **outcome}
    print(json.dumps({name: value for name, value in document.items() if name != "machine"}, indent=1))
    target = Path(__file__).parent / "results" / f"{options.what}.json"
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
