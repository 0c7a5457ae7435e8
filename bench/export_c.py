"""Time one image through exported C: `nanoseconds(model, images)` compiles the model with gcc and runs c_predict.c.

`cortex_m3` compiles it for a microcontroller and counts its bytes.
"""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.export import files_of
from genreg_np.model import Model

HARNESS = Path(__file__).with_name("c_predict.c")
OPTIONS = ("-std=c99", "-O3")  # no -march, no -ffast-math: what any x86-64 runs


def nanoseconds(
    model: Model,
    images: NDArray[np.uint8],
    passes: int = 20,
    compiler: str = "gcc",
    options: tuple[str, ...] = OPTIONS,
) -> float:
    """Return the median over images of one prediction's time in ns, for each image the least of several passes.

    Parameters
    ----------
    model : Model
        One of images of bytes, with classes.
    images : (N, H, W) uint8
    passes : int
        How often each image is predicted; all images come before any is repeated.
    """
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), model, images, compiler, options)
        return measure(Path(folder), passes)


def build(
    folder: Path, model: Model, images: NDArray[np.uint8], compiler: str = "gcc", options: tuple[str, ...] = OPTIONS
) -> None:
    """Compile a model and c_predict.c into a folder, and write the images there."""
    for name, content in files_of(model, "c", "model").items():
        Path(folder, name).write_bytes(content)
    compile_with(folder, images, compiler, options)


def compile_with(folder: Path, images: NDArray[np.uint8], compiler: str, options: tuple[str, ...]) -> None:
    """Compile the exported model that lies in a folder and c_predict.c, and write the images there."""
    Path(folder, "images.bin").write_bytes(np.ascontiguousarray(images, np.uint8).tobytes())
    scratch = ["-DSCRATCH"] if "model_scratch" in Path(folder, "model.h").read_text() else []
    command = [compiler, *options, *scratch, "-I.", "model.c", str(HARNESS), "-o", "predict", "-lm"]
    subprocess.run(command, cwd=folder, check=True)


def measure(folder: Path, passes: int) -> float:
    """Return the median over images of one prediction's time in ns, by what `build` made."""
    command = ["./predict", "images.bin", str(passes)]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return float(np.median(np.array(done.stdout.split(), np.float64)))


def cortex_m3(source: Path, option: str) -> dict[str, int]:
    """Return the bytes of a model compiled for a Cortex-M3; nothing where that compiler is missing."""
    target = source.with_suffix(".o")
    options = ["-std=c99", option, "-mcpu=cortex-m3", "-mthumb", "-c", str(source), "-o", str(target)]
    try:
        subprocess.run(["arm-none-eabi-gcc", *options], check=True)
        told = subprocess.run(["arm-none-eabi-size", str(target)], check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return {}
    text, data, bss = (int(word) for word in told.splitlines()[1].split()[:3])
    return {"text": text, "data and bss": data + bss}
