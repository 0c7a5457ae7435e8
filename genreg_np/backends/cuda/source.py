"""The CUDA source of the kernels and its compiler options; needs neither CuPy nor a GPU."""

from __future__ import annotations

from importlib import resources

import numpy as np

from genreg_np import streams
from genreg_np.backends.base import ACTIVATION_CODES
from genreg_np.backends.numpy_ import TINY
from genreg_np.fitness import Score
from genreg_np.streams import Purpose

SOURCES = ("bits.cu", "offspring.cu", "network.cu", "perturb.cu")  # compiled as one text, in this order
# A letter per argument of each kernel: p for an array, or the type of a number.
KERNELS = {
    "draw_initial": "pqqpppppQ",
    "inherit": "pqqppppipiiIQ",
    "mutate": "pqqppiIIQppf",
    "activate": "pppqqi",
    "judge": "ppppppiqiddIQ",
    "total": "pqqppqq",
    "judge_errors": "pppppiqi",
    "total_errors": "pqqppqq",
    "gather": "ppppqq",
    "draw_signs": "pqqIQ",
    "mutate_units": "pppqqqqqfi",
    "judge_pairs": "pppiqqqqiddIQ",
    "judge_error_pairs": "pppiqqi",
    "compare_pairs": "ppqqqf",
    "weigh": "ppqqi",
    "credit_units": "ppppqqqqfi",
}
TYPES = {"i": np.int32, "I": np.uint32, "q": np.int64, "Q": np.uint64, "f": np.float32, "d": np.float64}


def source() -> str:
    """Return the text of all kernels."""
    folder = resources.files("genreg_np.backends") / "cuda"
    return "\n".join(folder.joinpath(name).read_text("utf-8") for name in SOURCES)


def compiler_options() -> tuple[str, ...]:
    """Return the options for NVRTC: the language version, and every number that the kernels share with Python."""
    numbers: dict[str, int] = {
        name: getattr(streams, name)
        for name in ("ROUNDS", "MULTIPLIER_0", "MULTIPLIER_1", "WEYL_0", "WEYL_1", "SEGMENT", "BLOCKS_PER_SEGMENT")
    }
    numbers |= {purpose.name: int(purpose) for purpose in Purpose} | {score.name: int(score) for score in Score}
    numbers |= {name.upper().replace("-", "_"): code for name, code in ACTIVATION_CODES.items()}
    return (
        "-std=c++14",
        f"-DTINY={TINY:g}f",
        *(f"-D{name}={value}{'u' if value >> 31 else ''}" for name, value in numbers.items()),
    )
