"""Compile exported C and run it: on this machine, and emulated on others."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np.export import files_of
from genreg_np.model import Model
from tests.helpers import PATIENCE

FILES = Path(__file__).with_name("c_files")
WARNINGS = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
DTYPES = {"float": "<f4", "uint8_t": "u1", "int16_t": "<i2", "uint16_t": "<u2", "int32_t": "<i4", "int64_t": "<i8"}


@dataclass(frozen=True)
class Tools:
    """How a machine's programs are made and run."""

    compiler: tuple[str, ...]
    packages: str  # of Debian
    runner: tuple[str, ...] = ()
    sources: tuple[Path, ...] = ()

    def need(self) -> Tools:
        """Skip the test where a program is missing."""
        for program in (self.compiler[0], *self.runner[:1]):
            if not shutil.which(program):
                pytest.skip(f"needs {program}: apt install {self.packages}")
        return self


# A board whose program reads and writes files of this machine, until it ends.
EMULATED = [
    "-machine", "mps2-an385", "-cpu", "cortex-m3", "-nographic", "-monitor", "none", "-serial", "none",
    "-semihosting-config", "enable=on,target=native", "-kernel",
]  # fmt: skip
GCC = Tools(("gcc",), "gcc")
CLANG = Tools(("clang",), "clang")
CORTEX_M3 = Tools(
    ("arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb", "--specs=rdimon.specs", "-nostartfiles", f"-T{FILES}/mps2.ld"),
    "gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm",
    ("qemu-system-arm", *EMULATED),
    (FILES / "startup.c",),
)
AARCH64 = Tools(
    ("aarch64-linux-gnu-gcc", "-static"), "gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user", ("qemu-aarch64",)
)
ARMV7 = Tools(
    ("arm-linux-gnueabihf-gcc", "-static"), "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross qemu-user", ("qemu-arm",)
)


def write(model: Model, folder: Path, name: str = "model") -> str:
    """Export a model into a folder and return the header."""
    for file, content in files_of(model, "c", name).items():
        (folder / file).write_bytes(content)
    return (folder / f"{name}.h").read_text()


def compiled(tools: Tools, folder: Path, *arguments: object) -> None:
    """Run a compiler in a folder."""
    command = [*tools.compiler, *WARNINGS, "-I.", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def ran(tools: Tools, folder: Path, program: str, *arguments: object, given: bytes = b"") -> tuple[int, bytes, str]:
    """Run a program in a folder; return its status and what it wrote."""
    command = [*tools.runner, f"./{program}", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, input=given, capture_output=True, timeout=PATIENCE)
    return done.returncode, done.stdout, done.stderr.decode()


def predictions(
    model: Model, inputs: NDArray[np.generic], folder: Path, tools: Tools = GCC, options: tuple[str, ...] = ("-O2",)
) -> Any:
    """Return what the model's C gives for inputs.

    Returns
    -------
    (N,) structured ndarray
        Its fields are logits (K,), probabilities (K,) and best; or only logits, for a model without classes. Compiled,
        the model is model.o.
    """
    header = write(model, folder)
    given, logit = taken(header), given_back(header)
    flags = [f"-DINPUT={given}", f"-DLOGIT={logit}", *(["-DSCRATCH"] if "model_scratch" in header else [])]
    maths = ["-lm"] if "maths library (-lm)" in header else []
    compiled(tools, folder, *options, "-c", "model.c")
    plain = ["-O0", *(option for option in options if not option.startswith("-O"))]  # compiled sooner
    compiled(tools, folder, *plain, *flags, "model.o", FILES / "harness.c", *tools.sources, "-o", "harness", *maths)
    (folder / "inputs.bin").write_bytes(np.ascontiguousarray(inputs, DTYPES[given]).tobytes())
    status, _, error = ran(tools, folder, "harness")
    assert status == 0, error
    fields: list[Any] = [("logits", DTYPES[logit], (model.output_count,))]
    if model.class_names:
        fields += [("probabilities", "<f4", (model.output_count,)), ("best", "<i4")]
    found = np.frombuffer((folder / "outputs.bin").read_bytes(), np.dtype(fields))
    assert len(found) == len(inputs)
    return found


def taken(header: str) -> str:
    """Return the type of a model's inputs."""
    return re.search(r"_(?:logits|outputs)\(const (\w+) \*", header)[1]  # type: ignore[index]


def given_back(header: str) -> str:
    """Return the type of its logits."""
    return re.search(r"(\w+) \*(?:logits|outputs)\);", header)[1]  # type: ignore[index]
