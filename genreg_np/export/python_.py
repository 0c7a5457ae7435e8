"""Target `python`: infer.py, the model and ten lines that use them; runs with NumPy alone, Python 3.9 or newer."""

from __future__ import annotations

import math
from pathlib import Path

from genreg_np import infer
from genreg_np.model import Model

SUMMARY = "a folder with infer.py, the model and an example: NumPy alone, Python 3.9+"
TAKES = frozenset(infer.LAYERS)

EXAMPLE = '''"""Predict with {name}.npz. Needs NumPy; run from this folder: python example.py"""

import numpy as np

import infer

model = infer.load("{name}.npz")
inputs = np.zeros((1, *model.input_shape), np.{dtype})  # {meaning}
{call}
'''


def files(model: Model, name: str) -> dict[str, bytes]:
    """Return infer.py, NAME.npz and example.py."""
    meaning = "features, as in training"
    if model.input_range:
        low, high = model.input_range
        meaning = f"raw values {low:g} .. {high:g}; floats are taken as mapped to 0 .. 1"
    whole = model.input_range is not None
    dtype = "float32" if not whole else "uint8" if model.input_range == (0.0, 255.0) else "int64"
    call = "print(model.top(inputs, 3))  # the three most probable classes of each input"
    if not model.class_names:
        call = "print(model.outputs(inputs))"
    if model.input_range and not model.input_range[0] <= 0 <= model.input_range[1]:
        call = f"inputs += {math.ceil(model.input_range[0])}\n{call}"
    example = EXAMPLE.format(name=name, dtype=dtype, meaning=meaning, call=call)
    runtime = Path(infer.__file__).read_bytes()
    return {"infer.py": runtime, f"{name}.npz": model.pack(), "example.py": example.encode("utf-8")}
