"""The engine of a search: how busy its workers are, its overhead, and its loops compared with plain PyTorch.

    python bench/search_engine.py workers [--runs 3]       one worker and two; the same search again, from its record;
                                                           a search four times as long
    python bench/search_engine.py loops --peers PYTHON     the same genomes on the same samples, one thread, in turn

MNIST; OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset. Writes bench/results/search-engine.json.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np

from genreg_np import load_dataset
from genreg_np.search.config import SearchConfig
from genreg_np.search.draws import Draws
from genreg_np.search.folder import trials_in
from genreg_np.search.images import search_images
from genreg_np.search.kinds import kind_of
from genreg_np.search.lessons.base import learn
from genreg_np.search.searching import Watcher
from genreg_np.search.sharing import Parts
from genreg_np.strategies.gradient import SCHEDULES

RESULT = Path(__file__).with_name("results") / "search-engine.json"
PEER = Path(__file__).parent / "peers" / "search_torch.py"
GENOMES, SAMPLES, ROUNDS = 24, 8000, 3
KNOWN = 8  # trials after which the cost model has enough data


def workers_of(data: Any, seed: int) -> dict[str, Any]:
    """Return the times of a short search with one worker and with two, of a longer one, and of both from the record."""
    found: dict[str, Any] = {"seed": seed}
    for name, workers, generations in (("1", 1, 1), ("2", 2, 1), ("2, longer", 2, 4)):
        config = SearchConfig(
            generations=generations, rungs=(8000, 24_000), max_macs=700_000, final_epochs=1, final_seeds=1, seed=seed,
            begin="random",
        )  # fmt: skip
        with tempfile.TemporaryDirectory() as place:
            at: dict[str, float] = {}
            watcher = Watcher(on_phase=lambda phase, at=at: at.setdefault(phase, time.perf_counter()))
            search_images(data, config, f"{place}/run", workers=workers, watcher=watcher)
            wall = at["training"] - at["searching"]
            trials = [trial for trial in trials_in(Path(place) / "run" / "trials.jsonl") if not trial.cached]
            taken = sum(trial.seconds for trial in trials)
            errors = [abs(trial.predicted / trial.seconds - 1) for trial in trials[KNOWN:] if trial.is_ok]
            found[name] = {
                "seconds": wall, "trials": len(trials), "busy": taken / (workers * wall),
                "overhead a trial (ms)": 1e3 * (workers * wall - taken) / len(trials),
                "error of the predicted seconds, median": statistics.median(errors),
            }  # fmt: skip
            began = time.perf_counter()
            search_images(data, config, f"{place}/run", workers=workers)
            found[name]["again (s)"] = time.perf_counter() - began
    found["two workers faster by"] = found["1"]["seconds"] / found["2"]["seconds"]
    return found


def loops(data: Any, peers: str) -> list[dict[str, Any]]:
    """Return seconds of our loop and of PyTorch's for each genome: medians of rounds in turn."""
    config = SearchConfig(augmentation="none", max_macs=700_000)
    kind, found, child = kind_of(config, data.input_shape, data.class_names), [], 0
    with tempfile.TemporaryDirectory() as place:
        parts = Parts.of(data).share(Path(place), data.input_range)
        peer = subprocess.Popen(
            [peers, PEER, parts["train"].features, parts["train"].labels],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert peer.stdin
        assert peer.stdout
        while len(found) < GENOMES:
            child += 1
            genome = kind.space.drawn(Draws(1, child))
            if kind.fault_of(genome):
                continue
            own = kind.individual_of(genome)
            steps = math.ceil(SAMPLES / own.options["batch_size"])
            schedule, rate = SCHEDULES[own.options["schedule"]], own.options["learning_rate"]
            case = {
                "words": kind.answering(genome), "shape": data.input_shape, "options": own.options, "seed": child,
                "rates": [rate * schedule(step, steps) for step in range(steps)],
            }  # fmt: skip
            ours, theirs = [], []
            for turn in range(ROUNDS + 1):
                lesson = kind.lesson(
                    genome, own, 0, seed=child, rungs=(SAMPLES,), train=parts["train"], judged={},
                    states=(f"{place}/{child}-{turn}.npz",), backend="numba",
                )  # fmt: skip
                learned = learn(lesson)
                peer.stdin.write(json.dumps(case) + "\n")
                peer.stdin.flush()
                said = json.loads(peer.stdout.readline())
                if turn:
                    ours.append(learned.seconds)
                    theirs.append(said["seconds"])
            line = {
                "network": case["words"], "macs": own.macs, "status": learned.status,
                "ours (s)": statistics.median(ours), "PyTorch (s)": statistics.median(theirs),
            }  # fmt: skip
            found.append(line)
            print(line, flush=True)
        peer.stdin.close()
        peer.wait()
    return found


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("workers", "loops"))
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--peers", default="python")
    arguments = parser.parse_args()
    data = load_dataset("mnist")
    found = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}
    found["machine"] = machine.describe()
    if arguments.what == "workers":
        found["workers"] = [workers_of(data, seed) for seed in range(arguments.runs)]
        print(json.dumps(found["workers"], indent=1))
    else:
        found["loops"] = loops(data, arguments.peers)
        both = [sum(line[name] for line in found["loops"]) for name in ("ours (s)", "PyTorch (s)")]
        ratios = [line["ours (s)"] / line["PyTorch (s)"] for line in found["loops"]]
        found["loops, all"] = {"of PyTorch's time": both[0] / both[1], "median": float(np.median(ratios))}
        print(found["loops, all"])
    RESULT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
