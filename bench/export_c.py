"""Time one image through exported C: `nanoseconds(model, images)` compiles the model with gcc and runs c_predict.c.

`cortex_m3` compiles a model for a microcontroller and counts its bytes.
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
EMLEARN = Path(__file__).parent / "peers" / "emlearn_c.py"
PASSES = 20  # over all images
OPTIONS = ("-std=c99", "-O3")  # no -march, no -ffast-math: the program runs on any x86-64


def nanoseconds(
    model: Model,
    images: NDArray[np.uint8],
    passes: int = PASSES,
    compiler: str = "gcc",
    options: tuple[str, ...] = OPTIONS,
) -> float:
    """Return the time of one prediction in ns: the median over images of each image's minimum over several passes.

    Parameters
    ----------
    model : Model
        A model of byte images, with classes.
    images : (N, H, W) uint8
    passes : int
        How often each image is predicted; a pass covers all images.
    """
    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder), model, images, compiler, options)
        return measure(Path(folder), passes)


def build(
    folder: Path, model: Model, images: NDArray[np.uint8], compiler: str = "gcc", options: tuple[str, ...] = OPTIONS
) -> None:
    """Compile a model and c_predict.c in a folder, and write the images there."""
    write(folder, model)
    write_images(folder, images)
    compile_there(folder, compiler, options)


def write(folder: Path, model: Model) -> None:
    """Export a model to a folder, as model.h and model.c."""
    for name, content in files_of(model, "c", "model").items():
        Path(folder, name).write_bytes(content)


def write_emlearn(folder: Path, saved: Path, python: str) -> tuple[str, ...]:
    """Have emlearn, installed in another Python, export a saved network; return the compiler options it needs."""
    folder.mkdir(exist_ok=True)
    command = [python, str(EMLEARN), str(saved), str(folder)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return ("-I", done.stdout.split("\n")[-2])


def write_images(folder: Path, images: NDArray[np.uint8]) -> None:
    """Write images to the file that `measure` and `classes` read."""
    Path(folder, "images.bin").write_bytes(np.ascontiguousarray(images, np.uint8).tobytes())


def compile_there(
    folder: Path, compiler: str = "gcc", options: tuple[str, ...] = OPTIONS, program: str = "predict"
) -> None:
    """Compile the model.c in a folder, with c_predict.c."""
    command = [compiler, *options, *scratch(folder), "-I.", "model.c", str(HARNESS), "-o", program, "-lm"]
    subprocess.run(command, cwd=folder, check=True)


def scratch(folder: Path) -> list[str]:
    """Return the option needed if the model in a folder takes scratch memory from its caller."""
    return ["-DSCRATCH"] if "model_scratch" in Path(folder, "model.h").read_text() else []


def measure(folder: Path, passes: int, program: str = "predict") -> float:
    """Return the time of one prediction by a compiled program in ns, the median over images."""
    return float(np.median(_ran(folder, passes, program)))


def classes(folder: Path, program: str = "predict") -> NDArray[np.int64]:
    """Return the class of each image, (N,) int64, by a compiled program."""
    return _ran(folder, 0, program)


def _ran(folder: Path, passes: int, program: str) -> NDArray[np.int64]:
    command = [f"./{program}", "images.bin", str(passes)]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return np.array(done.stdout.split(), np.int64)


def cortex_m3(source: Path, option: str) -> dict[str, int]:
    """Return the bytes of a model compiled for a Cortex-M3; empty if the compiler is missing."""
    target = source.with_suffix(".o")
    options = ["-std=c99", option, "-mcpu=cortex-m3", "-mthumb", "-c", str(source), "-o", str(target)]
    try:
        subprocess.run(["arm-none-eabi-gcc", *options], check=True)
        told = subprocess.run(["arm-none-eabi-size", str(target)], check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return {}
    text, data, bss = (int(word) for word in told.splitlines()[1].split()[:3])
    return {"text": text, "data and bss": data + bss}
