"""Searches for generators: what they reach in a given time, random genomes, and the time of a step against PyTorch.

    python bench/search_gan.py searches [--only NAME] [--seeds 5] [--first 0] [--data-dir DIR] [--sheet]
    python bench/search_gan.py step --peers /path/to/python-with-torch

searches    the command `genreg-np search gan`, seed by seed: measures of the generator on the test split, seconds of
            the whole command; for trials at the lowest rung the distances of random genomes (removed ones at their last
            checkpoint), and which are healthy, of the random genomes and of the last population, of which also stands
            how each was bred and what is wrong with it; and the default pair, trained for as many samples as the
            winner, as often, and chosen alike.
step        one step of the pair 64-256-256-784 and 784-256-256-1 on batches of 128, one thread, compared with PyTorch's
            in turn; medians.

Uses both cores of an idle machine; OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset. Each line is written to
bench/results/search-gan.json as soon as it is known, with the machine and the revision of the code; other known
results are kept.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from operator import itemgetter
from pathlib import Path
from typing import Any

import machine
import numpy as np

import genreg_np
from genreg_np import load_dataset
from genreg_np.data.generated import Noise
from genreg_np.engines.base import OK
from genreg_np.engines.worker import keep_freed_memory
from genreg_np.layers.description import parse
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Network, load
from genreg_np.search.gan import pair
from genreg_np.search.gan.judge import MOST_IMAGES
from genreg_np.search.gan.rules import Rules
from genreg_np.search.kinds.gans import Gans
from genreg_np.search.lessons.base import backend_for
from genreg_np.search.sharing import Parts
from genreg_np.search.stored import StoredSearch
from genreg_np.streams import Stream

RESULT = Path(__file__).with_name("results") / "search-gan.json"
PEER = Path(__file__).with_name("peers") / "gan_torch.py"
SHEETS = Path(__file__).parents[1] / "docs" / "figures"
SEARCHES: dict[str, list[str]] = {
    "mnist, 7 min": ["mnist", "--budget", "7m"],
    "mnist, of a class, 7 min": ["mnist", "--conditional", "--budget", "7m"],
    "fashion-mnist, 7 min": ["fashion-mnist", "--budget", "7m"],
    "mnist, one population, 7 min": ["mnist", "--begin", "random", "--budget", "7m"],
    "mnist, two populations, 7 min": ["mnist", "--begin", "random", "--augmentation", "evolved", "--budget", "7m"],
    "mnist, three losses, 7 min": ["mnist", "--mode", "losses", "--budget", "7m"],
    "digits, 60 s": ["digits", "--budget", "60s"],
}
BATCH, STEPS, ROUNDS = 128, 60, 5
TRAININGS = 2  # of the default pair: as many as of a winner


def searched(options: list[str], seed: int, data_dir: str | None, place: Path) -> dict[str, Any]:
    """Return the results of one search, whose folder is `place` / run."""
    where = ["--data-dir", data_dir] if data_dir and options[0] == "mnist" else []
    command = [*options, "--seed", str(seed), "--out", f"{place}/run", "--json", *where]
    start = time.perf_counter()
    run = [sys.executable, "-m", "genreg_np", "search", "gan", *command]
    told = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout.splitlines()[-1])
    seconds = time.perf_counter() - start
    search = StoredSearch.read(place / "run")
    first = [trial for trial in search.trials if trial.rung == 0]
    random = [trial for trial in first if not trial.parents and "random" in trial.how]
    last = first[-search.config.population :]
    return {
        "seed": seed, "seconds": round(seconds, 1), "trials": told["trials"], "network": told["network"],
        "test": told["test"][0], "winner": search.winner.how if search.winner else "",
        "samples": load(search.file).training["samples"],
        "floor": search.notes["floor"], "judge accuracy": search.notes["judge_accuracy"],
        "random, fcd": [trial.metrics.get("fcd") for trial in random],
        "random, healthy": _healthy(random), "last population, healthy": _healthy(last),
        "last population": [{"how": trial.how, "status": trial.status, "why": trial.why} for trial in last],
        "machine": described(),
    }  # fmt: skip


def _healthy(trials: list[Any]) -> list[bool]:
    return [trial.is_ok and not trial.metrics.get("violations") for trial in trials]


def described() -> dict[str, Any]:
    """Return the machine, and the revision of the code that is measured."""
    return machine.describe() | {"revision": machine.revision(Path(genreg_np.__file__).parent)}


def by_default(place: Path, name: str, samples: int, seed: int, data_dir: str | None) -> float | None:
    """Return the distance of the default pair's images after `samples` samples, on the test split; None if removed.

    It is trained as often as a winner, and the training is chosen alike: on the search split.
    """
    search, data = StoredSearch.read(place / "run"), load_dataset(name, data_dir=data_dir)
    kind = Gans(search.config, data.input_shape, data.class_names)
    (place / "parts").mkdir()
    parts = Parts.of(data).share(place / "parts", data.input_range)
    kind.judge, kind.held = str(search.path / "judge.npz"), parts["search"]
    kind.compared = min(MOST_IMAGES, *(len(parts[part].read()[1]) for part in ("search", "select")))
    done = [
        kind.lesson(
            kind.plain, kind.individual_of(kind.plain), 0, seed=TRAININGS * seed + number, rungs=(samples,),
            train=parts["train"], judged={part: parts[part] for part in ("search", "test")},
            states=(f"{place}/default-{number}.npz",), backend="numba", is_final=True,
        ).learn()
        for number in range(TRAININGS)
    ]  # fmt: skip
    finals = [learned.measures for learned in done if learned.status == OK]
    return finals[kind.best_of(finals)]["test"]["fcd"] if finals else None


def steps(peers: str) -> dict[str, Any]:
    """Return the milliseconds of a step, ours and PyTorch's, in turn."""
    hidden = "dense 256 / leaky-relu / dense 256 / leaky-relu"
    making = Network((64,), parse(f"{hidden} / dense 784 / sigmoid", (64,)))
    judging = Network((784,), parse(f"{hidden} / dense 1", (784,)))
    adam = Optimiser("adam", 2e-4, 0.5)
    rules = Rules(Noise(64), ("non-saturating",), adam, adam, BATCH, centred=True)
    images = np.random.default_rng(0).random((100 * BATCH, 784), dtype=np.float32)
    keep_freed_memory()  # as workers do
    backend = backend_for("numba", Gans.works)
    context = pair.Context(backend, making, judging, rules, (28, 28), images, np.zeros(len(images), np.int64))
    state, ours, theirs = pair.start(context, Stream(1), Stream(2)), [], []
    for _ in range(ROUNDS):
        for _ in range(STEPS):
            began = time.perf_counter()
            state = pair.step(state, context, Stream(1))
            ours.append(time.perf_counter() - began)
        told = subprocess.run([peers, str(PEER), str(STEPS)], capture_output=True, text=True, check=True).stdout
        theirs.append(json.loads(told))
    plain, fused = (statistics.median(one[name] for one in theirs) for name in ("plain", "fused"))
    return {
        "ours (ms)": 1e3 * statistics.median(ours),
        "torch (ms)": plain,
        "torch, fused Adam (ms)": fused,
        "machine": described(),
    }


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("searches", "step"))
    parser.add_argument("--only", choices=tuple(SEARCHES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--data-dir")
    parser.add_argument("--sheet", action="store_true", help="save the first winner's images for docs/search-gan.md")
    parser.add_argument("--peers", help="a Python that has PyTorch")
    arguments = parser.parse_args()
    found = json.loads(RESULT.read_text("utf-8")) if RESULT.exists() else {}

    def write() -> None:
        if all("machine" in line for lines in found.get("searches", {}).values() for line in lines):
            found.pop("machine", None)  # of lines from before each had its own
        RESULT.write_text(json.dumps(found, indent=1) + "\n", "utf-8")

    if arguments.what == "step":
        found["step"] = steps(arguments.peers)
        print(found["step"])
        write()
        return
    for name in [arguments.only] if arguments.only else SEARCHES:
        data = SEARCHES[name][0]
        with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(2) as pool:
            searches, defaults = found.setdefault("searches", {}).setdefault(name, []), []
            for seed in range(arguments.first, arguments.first + arguments.seeds):
                place = Path(folder) / str(seed)
                place.mkdir()
                line = searched(SEARCHES[name], seed, arguments.data_dir, place)
                searches[:] = sorted([*(one for one in searches if one["seed"] != seed), line], key=itemgetter("seed"))
                print(name, line, flush=True)
                write()
                if arguments.sheet and seed == arguments.first:
                    called = name.rpartition(",")[0].replace(", ", "-").replace(" ", "-")
                    sheet = ["sample", f"{place}/run", "--n", "60", "--out", str(SHEETS / f"generated-{called}.png")]
                    subprocess.run([sys.executable, "-m", "genreg_np", *sheet], check=True)
                defaults.append((line, place))
            waiting = [
                pool.submit(by_default, place, data, line["samples"], line["seed"], arguments.data_dir)
                for line, place in defaults
            ]  # only now, so that searches have both cores
            for (line, _), default in zip(defaults, waiting, strict=True):
                line |= {"default, fcd": default.result(), "default, trainings": TRAININGS}
                write()


if __name__ == "__main__":
    main()
