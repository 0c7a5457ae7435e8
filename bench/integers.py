"""Models as 8-bit integers in C: the accuracy lost, the time for one image, and the size on a microcontroller.

    genreg-np train --preset fast --out fast
    genreg-np train --strategy gradient --preset convolution --out small
    genreg-np train --strategy gradient --budget 100s --out large --network LARGE
    python bench/integers.py fast/model.npz small/model.npz large/model.npz

LARGE is "conv 32 3 / relu / max 2 / conv 64 3 / relu / max 2 / dropout 0.4 / dense 10". Models of MNIST, calibrated on
its validation split; accuracies on all 10,000 test images, those of the integer models by the compiled C, whose classes
are compared with infer.py's one by one. Times are for one image on one core, float and integers in turn: the minimum
over PASSES for each image, the median over IMAGES, and the median over TURNS. Writes bench/results/integers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import tempfile
from pathlib import Path
from typing import Any

BUILDS = {"-O3": ("-std=c99", "-O3"), "-O3 -march=native": ("-std=c99", "-O3", "-march=native")}
TURNS, IMAGES, PASSES = 5, 1000, 5


def measured(path: Path, dataset: Any) -> dict[str, Any]:
    """Return the results of quantising the model in a file."""
    import export_c

    from genreg_np.export.quantise import quantise
    from genreg_np.model import load

    floats = load(path)
    whole = quantise(floats, dataset.validation.inputs)
    test = dataset.test
    times: dict[str, dict[str, list[float]]] = {build: {"float32": [], "int8": []} for build in BUILDS}
    with tempfile.TemporaryDirectory() as name:
        places = {"float32": Path(name, "float"), "int8": Path(name, "whole")}
        for place, model in zip(places.values(), (floats, whole), strict=True):
            place.mkdir()
            export_c.write(place, model)
            export_c.write_images(place, test.inputs[:IMAGES])
            for build, options in BUILDS.items():
                export_c.compile_there(place, options=options, program=build.replace(" ", ""))
        for _ in range(TURNS):
            for build, taken in times.items():
                for kind, place in places.items():
                    taken[kind].append(export_c.measure(place, PASSES, build.replace(" ", "")) / 1000)
        sizes = {kind: _bytes(place) for kind, place in places.items()}
        export_c.write_images(places["int8"], test.inputs)
        classes = export_c.classes(places["int8"], "-O3")
    right = {"float32": floats.predict(test.inputs) == test.labels, "int8": classes == test.labels}
    return {
        "network": " / ".join(layer["kind"] for layer in floats.header["network"]["layers"]),
        "test accuracy": {kind: round(float(each.mean()), 4) for kind, each in right.items()},
        "classes unlike infer.py's": int((classes != whole.predict(test.inputs)).sum()),
        "microseconds": {
            build: {kind: round(statistics.median(values), 1) for kind, values in taken.items()}
            for build, taken in times.items()
        },
        "bytes": sizes,
    }


def _bytes(folder: Path) -> dict[str, int]:
    """Return the bytes of a model's code and constants on a Cortex-M3, and the memory that its header states."""
    import export_c

    header = (folder / "model.h").read_text()
    told = {word: re.search(rf"\* {word} +(?:at most )?([\d,]+) bytes", header) for word in ("Stack", "Memory")}
    memory = {word.lower(): int(found[1].replace(",", "")) for word, found in told.items() if found}
    return {"flash": export_c.cortex_m3(folder / "model.c", "-Os").get("text", 0)} | memory


def main() -> None:
    """Measure, and write the results."""
    import machine

    from genreg_np import load_dataset

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    dataset = load_dataset("mnist")
    found = {path.parent.name or path.stem: measured(path, dataset) for path in parser.parse_args().models}
    result = {"machine": machine.describe(), "turns": TURNS, "images": IMAGES, "models": found}
    path = Path(__file__).resolve().parent / "results" / "integers.json"
    path.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    for name in [name for name in os.environ if name.startswith("OPENBLAS_")]:
        del os.environ[name]
    main()
