"""Target `python`: infer.py, the model and ten lines that use them; runs with NumPy alone, Python 3.9 or newer.

The runtime is two files, infer.py and infer_layers.py. What is written is one: infer.py as it is where the model has
layers of weights alone, else both joined.
"""

from __future__ import annotations

import ast
import math
from pathlib import Path

from genreg_np import infer, infer_layers
from genreg_np.export import kinds_of
from genreg_np.model import Model

SUMMARY = "a folder with infer.py, the model and an example: NumPy alone, Python 3.9+"
FILES = (infer.__name__, infer_layers.__name__)
TAKES = frozenset(  # what stands in the files that are written: not what somebody added to the runtime's lists
    kind for kind, make in {**infer.LAYERS, **infer_layers.LAYERS}.items() if make.__module__ in FILES
)
IMPORTS = (ast.Import, ast.ImportFrom, ast.If)  # how infer_layers.py begins; the `if` imports infer.py's names
REGISTRY = "LAYERS: dict[str, Maker] = {\n"  # of infer_layers.py

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
    return {
        "infer.py": runtime(model).encode("utf-8"),
        f"{name}.npz": model.pack(),
        "example.py": example.encode("utf-8"),
    }


def runtime(model: Model) -> str:
    """Return the source of a single file that runs the model."""
    own = Path(infer.__file__).read_text("utf-8")
    if all(kind in infer.LAYERS for _, kind in kinds_of(model.header["network"]["layers"])):
        return own
    return joined(own, Path(infer_layers.__file__).read_text("utf-8"))


def joined(own: str, more: str) -> str:
    """Return infer.py with infer_layers.py at its end, which needs no imports there and adds to the same LAYERS."""
    tree = ast.parse(more)
    head = [statement for statement in tree.body if isinstance(statement, IMPORTS) or _is_all(statement)]
    lines = more.splitlines(keepends=True)[max(statement.end_lineno or 0 for statement in head) :]
    words = "\n".join(f"# {line}".rstrip() for line in (ast.get_docstring(tree) or "").splitlines())
    code = "".join(lines).strip().replace(REGISTRY, "LAYERS |= {\n", 1)
    return f"{own}\n\n{words}\n\n{code}\n"


def _is_all(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
