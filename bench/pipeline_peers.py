"""Programs that search pipelines, FLAML and TPOT, compared with ours on the same rows.

    python bench/pipeline_peers.py --peers PYTHON                   all tables, one draw each of 60 s; 35 minutes
    python bench/pipeline_peers.py --peers PYTHON --seeds 3 wine    three draws, seeds from 0; --first N: from N

PYTHON is an interpreter with bench/peers/requirements-pipelines.txt. Our results come from
results/search-pipelines.json, for the same seeds: the others learn from the rows that those searches learned from, and
predict the fifth that they held out. Uses both cores of an idle machine. Writes results/pipeline-peers.json, table by
table.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import machine
import tabular

from genreg_np.search.tabular.folds import held_out
from genreg_np.search.tabular.reading import Reading

HERE = Path(__file__).parent
RESULT, OURS = HERE / "results" / "pipeline-peers.json", HERE / "results" / "search-pipelines.json"
PEERS = {"FLAML": "pipeline_flaml.py", "TPOT": "pipeline_tpot.py"}
PATIENCE = 6  # times the given seconds, after which they are stopped


def answered(peer: str, python: str, told: dict[str, Any], seed: int, seconds: float) -> dict[str, Any]:
    """Return the score of a program on the rows that our search held out; None, and why, if it gives none."""
    names, *raw = tabular.raw(told)
    label = told.get("label", "class")
    with tempfile.TemporaryDirectory() as place:
        path = tabular.written(Path(place, "table.csv"), names, raw)
        rows, _ = Reading(str(path), label, task=told["task"]).read(seed)
        parts = [
            tabular.written(Path(place, f"{name}.csv"), names, [raw[rows.lines[row] - 2] for row in some])
            for name, some in zip(("train", "test"), held_out(rows, seed, False), strict=True)
        ]
        command = [python, str(HERE / "peers" / PEERS[peer]), *map(str, parts), label, told["task"]]
        command += ["--seconds", str(seconds), "--seed", str(seed)]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        try:
            done = subprocess.run(
                command, cwd=place, env=environment, capture_output=True, text=True, timeout=PATIENCE * seconds
            )
        except subprocess.TimeoutExpired:
            return {"seed": seed, "score": None, "why": f"took longer than {PATIENCE * seconds:g} s"}
    if done.returncode:
        return {"seed": seed, "score": None, "why": done.stderr.strip().splitlines()[-1][:200]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure, and save the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*")
    parser.add_argument("--peers", required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=RESULT)
    arguments = parser.parse_args()
    told = tomllib.loads((HERE / "tables.toml").read_text("utf-8"))
    told.pop("seeds"), told.pop("test")
    ours = json.loads(OURS.read_text("utf-8"))["tables"]
    result: dict[str, Any] = json.loads(arguments.out.read_text("utf-8")) if arguments.out.exists() else {"tables": {}}
    ask = "from importlib.metadata import version as v; print(v('flaml'), v('tpot'))"
    versions = subprocess.run([arguments.peers, "-c", ask], capture_output=True, text=True, check=True).stdout.split()
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    how = {
        "seconds": arguments.seconds, "seeds": list(seeds), "versions": dict(zip(PEERS, versions, strict=True)),
    }  # fmt: skip
    if result["tables"] and any(result[name] != how[name] for name in how):
        raise SystemExit(f"{arguments.out} is of other seconds, seeds or versions: give another --out, or remove it")
    result |= {"machine": machine.describe(), **how}
    for name in arguments.tables or told:
        own = {one["seed"]: one["held"] for one in ours[name]}
        lines = {"genreg-np": [{"seed": seed, "score": own[seed]} for seed in seeds]}
        for peer in PEERS:
            lines[peer] = [answered(peer, arguments.peers, told[name], seed, arguments.seconds) for seed in seeds]
        result["tables"][name] = lines
        print(name, lines, flush=True)
        arguments.out.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
