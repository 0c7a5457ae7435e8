"""The GPU path on a real GPU: its tests, parity with the other backends, and speed against numba on the same machine.

    python bench/gpu.py                    at most eight minutes; writes bench/results/gpu-NAME.json, NAME of the card
    python bench/gpu.py --only nodes fast  some of the cases
    python bench/gpu.py --rehearse         the same few steps without a GPU, with the tests' stand-in for CuPy

Needs CuPy, NumPy, SciPy, Numba, pytest, hypothesis, click and Pillow, and this checkout on PYTHONPATH. MNIST is used if
it is available (GENREG_DATA), otherwise generated images of its size: times do not depend on it. Every part runs in a
separate process and reports results as it goes, so parts that end early do not affect the rest.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import machine
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
STANDIN = ROOT / "tests" / "standin"
SECONDS = 460  # for everything; `make gpu` may take eight minutes
PART_SECONDS = {"tests": 150, "search": 100}
LONGEST = 60  # seconds for any other part
ALIKE = 20  # generations over which two backends are compared
TIMED = 3.0  # seconds of steps to time, per backend
FEWEST, MOST = 3, 300  # steps to time
PRODUCT = (12_800, 784, 200)  # the first layers of 200 networks 784-64 on 200 images
SIDE = 8192  # of the matrices whose product measures the card's rate

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "seed-mnist-64": ("seed-mnist-64", {}),
    "seed-mnist-64, population 2,000": ("seed-mnist-64", {"population_size": 2000}),
    "seed-mnist-64, population 20,000": ("seed-mnist-64", {"population_size": 20_000}),
    "nodes": ("nodes", {}),
    "fast": ("fast", {}),
    "selection": ("selection", {}),
    "mixed": ("mixed", {}),
    "gradient": ("gradient", {}),
    "convolution": ("convolution", {}),
    "photos": ("photos", {}),
    "evolution-strategy": ("evolution-strategy", {}),
    "random-search": ("random-search", {}),
    "genreg-2": ("genreg-2", {"filter_rounds": 2, "filter_generations": 3, "axes": 256}),
    "seed-alphabet": ("seed-alphabet", {}),
}
BY_GRADIENT = ("gradient", "convolution", "photos")
REHEARSED = ("seed-mnist-64", "nodes")  # the stand-in takes seconds per generation for the others
Told = Iterator[tuple[str, Any]]


def main() -> int:
    """Run all parts, and write the results of each as soon as they are known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=[*CASES, *PARTS], metavar="PART", help="; ".join([*PARTS, *CASES]))
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results", help="folder to write to")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for everything")
    parser.add_argument("--rehearse", action="store_true", help="over the stand-in for CuPy")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.rehearse:
        sys.path.insert(0, str(STANDIN))
    if chosen.part:
        for name, value in tell(chosen.part, chosen.rehearse):
            print(json.dumps({name: value}), flush=True)
        return 0
    return measure(chosen)


def measure(chosen: argparse.Namespace) -> int:
    """Run each part in a separate process; return 0 if all succeeded."""
    from genreg_np import backends
    from genreg_np.errors import GenregError

    try:
        card = backends.create("cupy").describe()
    except GenregError as error:
        print(f"no GPU to measure: {error}", file=sys.stderr)
        return 1
    name = re.sub(r"[^a-z0-9]+", "-", card.partition(",")[0].lower()).strip("-")
    target = chosen.out / f"gpu-{'rehearsal' if chosen.rehearse else name}.json"
    document: dict[str, Any] = {"card": card, "machine": machine.describe(), "parts": {}}
    deadline = time.monotonic() + chosen.seconds
    for part in chosen.only or [*PARTS, *(REHEARSED if chosen.rehearse else CASES)]:
        limit = min(PART_SECONDS.get(part, LONGEST), deadline - time.monotonic())
        found: dict[str, Any] = {}
        document["parts"][part] = found
        print(f"{part} ...", file=sys.stderr, flush=True)
        begun = time.monotonic()
        if limit <= 0:
            found["ended"] = "not begun: no time was left"
        else:
            for line in lines_of(part, limit, chosen.rehearse, found):
                found |= line
                write(target, document)
            found["seconds"] = round(time.monotonic() - begun, 1)
        write(target, document)
        print(json.dumps(found), file=sys.stderr, flush=True)
    print(target)
    return int(any("ended" in found or found.get("wrong") for found in document["parts"].values()))


def lines_of(part: str, limit: float, rehearse: bool, found: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Run a part for at most `limit` seconds, and yield its results as they come; record failures in `found`."""
    command = [sys.executable, __file__, "--part", part, *(["--rehearse"] if rehearse else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))}
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    errors: list[str] = []
    reader = threading.Thread(target=errors.extend, args=(process.stderr,))
    reader.start()
    stop = threading.Timer(limit, process.kill)
    stop.start()
    for line in process.stdout:
        yield json.loads(line)
    code = process.wait()
    stop.cancel()
    reader.join()
    if code:
        late = f"stopped after {limit:.0f} s" if code == -9 else f"exit code {code}"
        found["ended"] = " | ".join([late, *(line.strip() for line in errors[-4:])])


def write(target: Path, document: dict[str, Any]) -> None:
    """Replace the results file by what is known now."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_suffix(".tmp")
    beside.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, target)


# Parts: each yields names and values.


def tell(part: str, rehearse: bool) -> Told:
    """Measure a part."""
    return PARTS[part](rehearse) if part in PARTS else case(*CASES[part], rehearse)


def device(rehearse: bool) -> Told:
    """Yield the card, its libraries and rates, and the time to compile kernels."""
    import cupy

    from genreg_np import backends
    from genreg_np.streams import Purpose, Stream

    yield "cupy", cupy.__version__
    yield "driver", cupy.cuda.runtime.driverGetVersion()
    yield "runtime", cupy.cuda.runtime.runtimeGetVersion()
    backend = backends.create("cupy")
    yield "kernels (s)", backend.warm_up()
    rows, inner, columns = PRODUCT
    one, other = (cupy.asarray(np.ones(shape, np.float32)) for shape in ((rows, inner), (inner, columns)))
    yield "first layers' product alone (ms)", statistics.median(timed(lambda: cupy.matmul(one, other), 200)) * 1e3
    side = 256 if rehearse else SIDE
    square = cupy.asarray(np.ones((side, side), np.float32))
    yield "float32 product (TFLOP/s)", 2 * side**3 / min(timed(lambda: cupy.matmul(square, square), 10)) / 1e12
    copied = min(timed(square.copy, 20))
    yield "copy (GB/s)", 2 * square.nbytes / copied / 1e9
    words = functools.partial(Stream(1).words, Purpose.BATCH, 0, 0, 4000)
    yield "4,000 words drawn by NumPy on the host (ms)", statistics.median(timed(words, 200)) * 1e3


def self_test(rehearse: bool) -> Told:
    """Yield the findings of `doctor --selftest`."""
    from genreg_np import backends
    from genreg_np.backends.selftest import disagreements

    yield "wrong", disagreements(backends.create("cupy"))


def tests(rehearse: bool) -> Told:
    """Yield the outcome of the tests marked `gpu`."""
    import contextlib
    import io

    import pytest

    files = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "BACKENDS" in path.read_text("utf-8")]
    if rehearse:
        files = [ROOT / "tests" / "test_mutation.py"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        pytest.main(["-m", "gpu", "-p", "no:cacheprovider", "--tb=line", "-rfE", *map(str, files)])
    lines = said.getvalue().strip().splitlines()
    yield "wrong", [line for line in lines if line.startswith(("FAILED", "ERROR"))]
    yield "summary", lines[-1] if lines else "nothing was said"


def case(preset: str, changes: dict[str, Any], rehearse: bool) -> Told:
    """Yield whether both backends give the same networks, and the times of a step and of predicting the test images."""
    from genreg_np import TrainConfig
    from genreg_np.runs.evolution import Evolution

    if rehearse:
        smaller = {"population_size": 10} if preset.startswith("seed") else {"pairs": 2, "batch_size": 20}
        changes = changes | ({"batch_size": 20} if preset in BY_GRADIENT else smaller)
    config = TrainConfig.from_preset(preset, **({"seed": 1, "validate_every": 10**6} | changes))
    data = images_for(preset, 300 if rehearse else 6000)
    begun = time.perf_counter()
    gpu = Evolution(config, data, backend="cupy")
    yield "start on the GPU (s)", time.perf_counter() - begun
    begun = time.perf_counter()
    cpu = Evolution(config, data, backend="numba")
    yield "start on the CPU (s)", time.perf_counter() - begun
    yield "threads of the CPU", cpu.backend.threads
    slow = preset == "mixed" or rehearse
    alike, off = compared(gpu, cpu, 2 if slow else ALIKE)
    yield "generations with the same bytes", alike
    yield "largest difference after them", off
    again = Evolution(config, data, backend="cupy")
    again.run(gpu.generation)
    yield "a second run is the same to the byte", same_bytes(gpu.champion_genes(), again.champion_genes())
    for name, evolution in (("GPU", gpu), ("CPU", cpu)):
        times = timed(evolution.step, 2 if rehearse else MOST)
        yield f"a step on the {name} (ms)", statistics.median(times) * 1e3
        yield f"fastest and slowest step on the {name} (ms)", [min(times) * 1e3, max(times) * 1e3]
        if name == "GPU":
            taken = at_work(evolution.step, 2 if rehearse else 10)
            yield "of which kernels and products (ms)", statistics.median(taken)
        times = timed(lambda run=evolution: run.accuracies("test"), 2 if rehearse else 20)
        yield f"the test images on the {name} (ms)", statistics.median(times) * 1e3
        yield f"test accuracy on the {name} after {evolution.generation} generations", evolution.accuracies("test")


def search(rehearse: bool) -> Told:
    """Yield how far apart equal individuals of a search are after their first lessons, and how long these took."""
    import tempfile

    from genreg_np.search.config import SearchConfig
    from genreg_np.search.folder import trials_in
    from genreg_np.search.images import search_images

    config = SearchConfig(
        selection="random", population=4 if rehearse else 16, generations=1, rungs=(128,) if rehearse else (4000,),
        max_macs=60_000 if rehearse else 1_500_000, final_epochs=1, final_seeds=1, seed=1,
    )  # fmt: skip
    data = images_for("search", 300 if rehearse else 6000)
    trials = {}
    for name, backend in (("GPU", "cupy"), ("CPU", "numba")):
        with tempfile.TemporaryDirectory() as place:
            found = search_images(data, config, f"{place}/run", engine="serial", backend=backend, workers=1)
            trials[name] = {trial.number: trial for trial in trials_in(found.folder / "trials.jsonl")}
        took = [trial.seconds for trial in trials[name].values() if trial.is_ok]
        yield f"a trial on the {name}, one thread (s)", statistics.median(took)
        yield f"fastest and slowest trial on the {name} (s)", [min(took), max(took)]
    pairs = [(one, trials["CPU"][number]) for number, one in trials["GPU"].items()]
    yield "individuals that end alike", sum(one.status == other.status for one, other in pairs)
    both = [(one.metrics, other.metrics) for one, other in pairs if one.is_ok and other.is_ok]
    off = [abs(one["log-loss"] / other["log-loss"] - 1) for one, other in both]
    yield "log loss, GPU over CPU, less 1: median and largest", [statistics.median(off), max(off)]
    yield "accuracy, GPU and CPU: means", [statistics.mean(pair[of]["accuracy"] for pair in both) for of in (0, 1)]


PARTS: dict[str, Callable[[bool], Told]] = {
    "device": device,
    "self-test": self_test,
    "tests": tests,
    "search": search,
}


def images_for(preset: str, most: int) -> Any:
    """Return the letters for their presets, else the first images of MNIST, or generated ones of its size."""
    from genreg_np import load_dataset
    from genreg_np.data.dataset import Dataset, Split
    from genreg_np.errors import DataError

    if "alphabet" in preset:
        return load_dataset("letters")
    try:
        found = load_dataset("mnist", download=False)
        parts = [(part.inputs[:most].copy(), part.labels[:most].copy()) for part in map(found.split, SPLITS)]
    except DataError:
        rng = np.random.default_rng(0)
        shapes = rng.integers(0, 256, (10, 28, 28)) * (rng.random((10, 28, 28)) < 0.2)
        labels = [np.arange(size) % 10 for size in (most, most // 6, most // 6)]
        noise = (rng.integers(-40, 41, (len(own), 28, 28)) for own in labels)
        parts = [
            (np.clip(shapes[own] + add, 0, 255).astype(np.uint8), own) for own, add in zip(labels, noise, strict=True)
        ]
    return Dataset("first images", *(Split(*part) for part in parts), tuple("0123456789"), (0.0, 255.0))


SPLITS = ("train", "validation", "test")


def compared(one: Any, other: Any, most: int) -> tuple[int, float]:
    """Step both up to `most` times; return how many steps had equal champions, and how far apart they ended."""
    alike, going = 0, True
    for _ in range(most):
        one.step(), other.step()
        going = going and same_bytes(one.champion_genes(), other.champion_genes())
        alike += going
    mine, theirs = one.champion_genes(), other.champion_genes()
    return alike, float(max(np.abs(mine[name] - theirs[name]).max() / np.abs(theirs[name]).max() for name in theirs))


def same_bytes(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Return whether two champions are equal."""
    return {name: genes.tobytes() for name, genes in one.items()} == {
        name: genes.tobytes() for name, genes in other.items()
    }


def at_work(action: Callable[[], Any], times: int) -> list[float]:
    """Return the milliseconds that our kernels and products took on the device, for each repetition of an action.

    Each is timed by events before and after it, which include the wait for its start, so the values are upper bounds.
    """
    import cupy

    from genreg_np.backends.cuda.launcher import Launcher

    events: list[tuple[Any, Any]] = []

    def measuring(function: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*arguments: Any) -> Any:
            before, after = cupy.cuda.Event(), cupy.cuda.Event()
            before.record()
            found = function(*arguments)
            after.record()
            events.append((before, after))
            return found

        return measured

    taken = []
    launches = mock.patch.object(Launcher, "launch", measuring(Launcher.launch))
    with launches, mock.patch.object(cupy, "matmul", measuring(cupy.matmul)):
        for _ in range(times):
            events.clear()
            action()
            cupy.cuda.Device(0).synchronize()
            taken.append(sum(cupy.cuda.get_elapsed_time(*pair) for pair in events))
    return taken


def timed(action: Callable[[], Any], most: int) -> list[float]:
    """Return seconds of repeated actions, including device synchronisation; the first two do not count."""
    import cupy

    times: list[float] = []
    begun = time.perf_counter()
    while len(times) < most + 2 and (len(times) < FEWEST + 2 or time.perf_counter() - begun < TIMED):
        start = time.perf_counter()
        action()
        cupy.cuda.Device(0).synchronize()
        times.append(time.perf_counter() - start)
    return times[2:]


if __name__ == "__main__":
    sys.exit(main())
