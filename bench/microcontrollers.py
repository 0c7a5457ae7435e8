"""Our exported C compared with emlearn and TensorFlow Lite Micro on two trained networks: time, flash, RAM, accuracy.

    python bench/microcontrollers.py --emlearn EMLEARN/bin/python --tflite TFLITE/bin/python

Each peer needs a Python in an environment of its own: `pip install emlearn scikit-learn`, and
`pip install --requirement bench/peers/requirements-tflite.txt` (tensorflow-cpu, tflite-micro). A peer whose Python is
not given is left out. Needs MNIST and gcc; for a Cortex-M3 also Debian's gcc-arm-none-eabi and libnewlib-arm-none-eabi.

Networks are trained by two presets, seed 0, in a minute or two; peers get their weights. The 8-bit networks are
calibrated on the same first 500 validation images. Implementations take turns on 1,000 test images; a time is the
minimum over some passes, the median over images and then over turns; a ratio is the median over turns of the ratio
within a turn. Accuracy is on all test images, each predicted by the program that is timed.
Writes bench/results/microcontrollers.json. For how flash and RAM are counted, see bench/footprint.py.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import export_c
import footprint
import machine
import numpy as np
from numpy.typing import NDArray

from genreg_np import Dataset, Evolution, Model, TrainConfig, load_dataset
from genreg_np.errors import UsageError
from genreg_np.export.quantise import quantise

HERE = Path(__file__).resolve().parent
PEERS = HERE / "peers"
OURS, MICRO = "genreg-np", "TensorFlow Lite Micro"
PRESETS = {  # network: the preset that trains it
    "784-64-10, relu": "gradient",
    "conv 16 3 / relu / max 2 / conv 32 3 / relu / max 2 / dense 10": "convolution",
}
CALIBRATION, IMAGES, TURNS, PASSES = 500, 1000, 7, 5
BUILDS = {"-O3": ("-std=c99", "-O3"), "-O3 -march=native": ("-std=c99", "-O3", "-march=native")}
FRAMEWORK = 9732  # bytes
SIZES = "tensorflow/tflite-micro, tensorflow/lite/micro/examples/memory_footprint/README.md"
CITED = [  # figures that cannot be measured without the runtime's sources
    {
        "what": "TensorFlow Lite Micro: code of its framework, no layer's kernel among it, on a Cortex-M3 (Blue Pill)",
        "figure": f"{FRAMEWORK:,} bytes",
        "source": SIZES,
        "date": "2021-09-27",
    },
    {"what": "the same on x86-64", "figure": "20,411 bytes", "source": SIZES, "date": "2021-09-27"},
    {
        "what": "TensorFlow Lite Micro: its core on a Cortex-M3; with the layers of a detector of spoken keywords",
        "figure": "16 KB; 22 KB",
        "source": "tensorflow.org/lite/microcontrollers/overview",
        "date": "no date",
    },
    {
        "what": "TinyMaix, by which emlearn's package for MicroPython convolves: its code. It has no pooling but the "
        "mean of whole maps",
        "figure": "less than 3 KB",
        "source": "sipeed/TinyMaix, README.md and include/tinymaix.h",
        "date": "2022",
    },
]
Bytes = NDArray[np.uint8]


@dataclass
class Row:
    """An implementation of a network: its predictions, its size, and how to time it; or why it is left out."""

    who: str
    type: str  # float32 or int8
    left_out: str = ""
    classes: NDArray[np.int64] | None = None  # for each test image
    found: dict[str, Any] = field(default_factory=dict)  # bytes
    timed: Mapping[str, Callable[[], float]] = field(default_factory=dict)  # build: ns per prediction in this turn
    turns: dict[str, list[float]] = field(default_factory=dict)  # build: microseconds in all turns so far


def trained(preset: str, dataset: Dataset) -> Model:
    """Return the network of a preset."""
    print(f"training {preset} ...", flush=True)
    evolution = Evolution(TrainConfig.from_preset(preset, seed=0), dataset)
    evolution.run()
    return evolution.champions()["best"]


def in_c(who: str, kind: str, folder: Path, images: Bytes, headers: tuple[str, ...] = ()) -> Row:
    """Return a row for the model.c in a folder."""
    for name, options in BUILDS.items():
        export_c.compile_there(folder, options=(*options, *headers), program=name)
    export_c.write_images(folder, images)
    classes = export_c.classes(folder, next(iter(BUILDS)))
    export_c.write_images(folder, images[:IMAGES])
    found = {name: footprint.footprint(folder, one, headers) for name, one in footprint.there().items()}
    timed = {name: partial(export_c.measure, folder, PASSES, name) for name in BUILDS}
    return Row(who, kind, classes=classes, found=found, timed=timed)


def ours(model: Model, calibration: Bytes, images: Bytes, folder: Path) -> list[Row]:
    """Return our rows: in floats, and in 8-bit integers if the network supports them."""
    rows = []
    for kind in ("float32", "int8"):
        try:
            one = quantise(model, calibration) if kind == "int8" else model
        except UsageError as error:
            rows.append(Row(OURS, kind, left_out=str(error)))
            continue
        place = folder / kind
        place.mkdir()
        export_c.write(place, one)
        rows.append(in_c(OURS, kind, place, images))
    return rows


def emlearn(python: str, model: Model, saved: Path, images: Bytes, folder: Path) -> list[Row]:
    """Return emlearn's rows."""
    whole = Row("emlearn", "int8", left_out="its networks are of floats; its fixed-point layer has no code yet")
    if not model.network.is_dense:
        return [Row("emlearn", "float32", left_out="its networks are of dense layers"), whole]
    headers = export_c.write_emlearn(folder / "emlearn", saved, python)
    return [in_c("emlearn", "float32", folder / "emlearn", images, headers), whole]


def tflite(python: str, saved: Path, calibration: Bytes, images: Bytes, folder: Path) -> list[Row]:
    """Return TensorFlow Lite Micro's rows, using the interpreter of the package tflite-micro."""
    given = {"calibration": calibration, "images": images, "few": images[:IMAGES]}
    for name, array in given.items():
        np.save(folder / f"{name}.npy", array)
    ran([python, str(PEERS / "tflite_convert.py"), str(saved), str(folder / "calibration.npy"), str(folder)])

    def run(kind: str, given: str, passes: int) -> dict[str, Any]:
        paths = [str(folder / f"{kind}.tflite"), str(folder / f"{given}.npy")]
        told: dict[str, Any] = json.loads(ran([python, str(PEERS / "tflite_micro_predict.py"), *paths, str(passes)]))
        return told

    def timed(kind: str) -> float:
        return float(run(kind, "few", PASSES)["ns"])

    rows = []
    for kind in ("float32", "int8"):
        every = run(kind, "images", 1)
        found = {"model": (folder / f"{kind}.tflite").stat().st_size, "arena": every["arena"]}
        classes = np.array(every["classes"])
        rows.append(Row(MICRO, kind, classes=classes, found=found, timed={"package": partial(timed, kind)}))
    return rows


def measured(rows: list[Row], labels: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Time the rows in turn; return the record of each."""
    for _ in range(TURNS):
        for row in rows:
            for build, run in row.timed.items():
                row.turns.setdefault(build, []).append(run() / 1000)
    return [told(row, labels, rows) for row in rows]


def told(row: Row, labels: NDArray[np.int64], rows: list[Row]) -> dict[str, Any]:
    """Return the record of a row, with ratios to our times for the same type and build (-O3 for a package)."""
    if row.classes is None:
        print(f"  {row.who}, {row.type}: left out: {row.left_out}", flush=True)
        return {"who": row.who, "type": row.type, "left out": row.left_out}
    ours = next(one.turns for one in rows if (one.who, one.type) == (OURS, row.type))
    against = {build: ours.get(build, ours.get("-O3", [])) for build in row.turns}
    found = {
        "who": row.who,
        "type": row.type,
        "accuracy": float((row.classes == labels).mean()),
        "unlike our float32": int((row.classes != rows[0].classes).sum()),
        "microseconds": {build: round(statistics.median(times), 2) for build, times in row.turns.items()},
        "times as long as ours": {
            build: round(statistics.median(a / b for a, b in zip(times, against[build], strict=True)), 2)
            for build, times in row.turns.items()
            if against[build]
        },
        "bytes": row.found,
    }
    print("  " + ", ".join(map(str, found.values())), flush=True)
    return found


def compilers() -> dict[str, str]:
    """Return the first line of each compiler's version."""
    names = [one.compiler for one in footprint.there().values()]
    return {name: ran([name, "--version"]).splitlines()[0] for name in names}


def version(python: str, *packages: str) -> dict[str, str]:
    """Return the versions of a peer's packages."""
    code = "import sys; from importlib import metadata; print(*map(metadata.version, sys.argv[1:]))"
    return dict(zip(packages, ran([python, "-c", code, *packages]).split(), strict=True))


def ran(command: list[str]) -> str:
    """Return the output of a command; raise its error output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed\n{done.stderr[-2000:]}")
    return done.stdout


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--emlearn", help="a Python that has emlearn")
    parser.add_argument("--tflite", help="a Python that has tensorflow-cpu and tflite-micro")
    options = parser.parse_args()
    around = machine.describe() | {"compilers": compilers()}
    for python, packages in ((options.emlearn, ["emlearn"]), (options.tflite, ["tensorflow-cpu", "tflite-micro"])):
        around["versions"] |= version(python, *packages) if python else {}
    dataset = load_dataset("mnist")
    calibration = np.asarray(dataset.validation.inputs[:CALIBRATION], np.uint8)
    images, labels = np.asarray(dataset.test.inputs, np.uint8), dataset.test.labels
    networks = []
    for words, preset in PRESETS.items():
        model = trained(preset, dataset)
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            saved = folder / "model.npz"
            model.save(saved)
            print(f"{words}:", flush=True)
            rows = ours(model, calibration, images, folder)
            if options.emlearn:
                rows += emlearn(options.emlearn, model, saved, images, folder)
            if options.tflite:
                rows += tflite(options.tflite, saved, calibration, images, folder)
            about = {"network": words, "preset": preset, "parameters": model.network.gene_count}
            networks.append(about | {"rows": measured(rows, labels)})
    settings = {"calibration images": CALIBRATION, "timed images": IMAGES, "turns": TURNS, "passes": PASSES}
    document = {"machine": around, "settings": settings, "networks": networks, "cited": CITED}
    path = HERE / "results" / "microcontrollers.json"
    path.write_text(json.dumps(document, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
