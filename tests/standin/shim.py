"""Compile CUDA kernels with g++ and call them: what a GPU would compute, one thread after the other."""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

import numpy as np

FLAGS = ("-O2", "-std=c++17", "-fPIC", "-shared", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror")
SIGNATURE = re.compile(r'extern "C" __global__ void (\w+)\(([^)]*)\)')
NUMBERS = {
    "int": np.int32, "word": np.uint32, "index_t": np.int64, "seed_t": np.uint64, "float": np.float32,
    "double": np.float64, "unsigned char": np.uint8,
}  # fmt: skip


def signatures(source: str) -> dict[str, list[str]]:
    """Return the C type of each argument of each kernel, such as "const float*"."""
    return {
        name: [re.sub(r"\s+", " ", one).strip().rpartition(" ")[0] for one in arguments.split(",")]
        for name, arguments in SIGNATURE.findall(source)
    }


def library(source: str, options: tuple[str, ...]) -> ctypes.CDLL:
    """Return the compiled kernels; each is called as launch_NAME(columns, rows, threads, arguments)."""
    launchers = "".join(
        f'extern "C" void launch_{name}(unsigned columns, unsigned rows, unsigned threads, void** arguments) '
        f"{{ run({name}, columns, rows, threads, arguments); }}\n"
        for name in signatures(source)
    )
    text = Path(__file__).with_name("shim.h").read_text("utf-8") + source + launchers
    defines = [option for option in options if option.startswith("-D")]
    digest = hashlib.sha256("\n".join([text, *defines, *FLAGS]).encode()).hexdigest()[:16]
    built = Path(tempfile.gettempdir()) / f"genreg-np-kernels-{digest}-{os.getuid()}.so"
    if not built.exists():
        with tempfile.TemporaryDirectory() as folder:
            code = Path(folder, "kernels.cpp")
            code.write_text(text, "utf-8")
            made = Path(folder, "kernels.so")
            done = subprocess.run(["g++", *FLAGS, *defines, code, "-o", made], capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(done.stderr)
            temporary = built.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(made.read_bytes())
            temporary.replace(built)
    return ctypes.CDLL(str(built))
