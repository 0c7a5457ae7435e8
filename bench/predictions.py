"""One prediction: exports, onnxruntime, scikit-learn and emlearn with the same weights; cold starts; memory.

Each implementation runs in its own process with one thread, in turn. A time is the median over images of each image's
minimum.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from cases import Bench
from export_c import OPTIONS, PASSES, compile_there, cortex_m3, measure, nanoseconds, write_emlearn, write_images
from workers import HERE

from genreg_np import Evolution, TrainConfig, load_dataset
from genreg_np.export import export
from genreg_np.export.quantise import quantise
from genreg_np.model import Model

GENERATIONS, IMAGES, TURNS, STARTS = 4000, 1000, 5, 11
ALONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
PYTHON = ("infer.py", "infer.py, int8", "onnxruntime", "onnxruntime, int8", "scikit-learn")
IN_C = ("C, float", "C, int8")
MARK = "import sys; sys.path[:0] = [{bench!r}, {app!r}]; "
NUMPY = "import numpy"
FIRST = "import numpy as np, infer; infer.load({model!r}).predict(np.zeros((28, 28), np.uint8))"
PEAK = "; from machine import peak_megabytes; print(peak_megabytes())"


def prediction(bench: Bench) -> dict[str, Any]:
    """Measure 784-64-10 on the first images of MNIST's test split."""
    dataset = load_dataset("mnist")
    config = TrainConfig.from_preset("nodes", generations=100 if bench.quick else GENERATIONS)
    evolution = Evolution(config, dataset)
    evolution.run()
    model = evolution.champions()["best"]
    whole = quantise(model, dataset.validation.inputs)
    accuracy = {
        name: float((one.predict(dataset.test.inputs) == dataset.test.labels).mean())
        for name, one in (("float32", model), ("int8", whole))
    }
    images, turns = dataset.test.inputs[: 50 if bench.quick else IMAGES], 1 if bench.quick else TURNS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        np.save(folder / "images.npy", images)
        for part, one in (("float", model), ("int8", whole)):
            for target in ("python", "onnx", "c"):
                export(one, target, folder / part / target)
        figures = time_all(bench, folder, {"C, float": model, "C, int8": whole}, images, turns)
        return {
            "test_accuracy": accuracy,
            "images": len(images),
            "figures": figures,
            "starts": starts(folder / "float" / "python", 2 if bench.quick else STARTS),
            "sizes": sizes(folder),
        }


def time_all(
    bench: Bench, folder: Path, models: dict[str, Model], images: np.ndarray, turns: int
) -> dict[str, dict[str, float]]:
    """Return the microseconds of every implementation, measured in turn."""
    times: dict[str, list[float]] = {}
    if bench.peers:
        headers = write_emlearn(folder / "emlearn", folder / "float" / "python" / "model.npz", bench.peers)
        compile_there(folder / "emlearn", options=(*OPTIONS, *headers))
        write_images(folder / "emlearn", images)
    for _ in range(turns):
        for name in PYTHON:
            times.setdefault(name, []).append(_python(name, folder))
        for name in IN_C:
            times.setdefault(name, []).append(nanoseconds(models[name], images) / 1000)
        if bench.peers:
            times.setdefault("emlearn, C", []).append(measure(folder / "emlearn", PASSES) / 1000)
    print("  " + "  ".join(f"{name} {statistics.median(values):.2f} us" for name, values in times.items()), flush=True)
    return {
        name: {"median_us": round(statistics.median(values), 3), "fastest_us": round(min(values), 3)}
        for name, values in times.items()
    }


def _python(name: str, folder: Path) -> float:
    return float(json.loads(_run([sys.executable, str(HERE / "predict_worker.py"), name, str(folder)]))["us"])


def _run(command: list[str], **changes: str) -> str:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment | ALONE | changes)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed\n{done.stderr[-2000:]}")
    return done.stdout


def starts(app: Path, count: int) -> dict[str, float]:
    """Return the median milliseconds from process start to a first prediction, and the peak memory in MB."""
    mark = MARK.format(bench=str(HERE), app=str(app))
    first = FIRST.format(model=str(app / "model.npz"))
    image = app / "image.npy"
    np.save(image, np.zeros((28, 28), np.uint8))
    commands = {
        "import numpy": [sys.executable, "-c", mark + NUMPY],
        "infer.py, first prediction": [sys.executable, "-c", mark + first],
        "genreg-np infer": [sys.executable, "-m", "genreg_np", "infer", str(app / "model.npz"), str(image)],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(count):
        for name, command in commands.items():
            begun = time.perf_counter()
            _run(command)
            times[name].append(1000 * (time.perf_counter() - begun))
    found = {f"{name}, ms": round(statistics.median(values), 1) for name, values in times.items()}
    for name, code in (("import numpy", NUMPY), ("infer.py, first prediction", first)):
        found[f"{name}, peak MB"] = float(_run([sys.executable, "-c", mark + code + PEAK]))
    return found


def sizes(folder: Path) -> dict[str, int]:
    """Return the bytes of the exports, and of the C compiled for a Cortex-M3 if its compiler is installed."""
    found = {
        f"{part}, {path.name}": path.stat().st_size
        for part in ("float", "int8")
        for path in (folder / part / "python" / "model.npz", folder / part / "onnx" / "model.onnx")
    }
    for part in ("float", "int8"):
        counted = cortex_m3(folder / part / "c" / "model.c", "-O2")
        found |= {f"{part}, Cortex-M3, {what}": count for what, count in counted.items()}
    return found
