"""Target `python`: infer.py, the model and ten lines that use them; needs only NumPy and Python 3.9 or newer.

The runtime is infer.py, the files in its ELSEWHERE, and infer_familiarity.py. They are written as one file: infer.py,
followed by those that the model needs.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genreg_np import infer
from genreg_np.export import kinds_of
from genreg_np.infer_table import LIKE
from genreg_np.model import Model

SUMMARY = "a folder with infer.py, the model and an example: NumPy alone, Python 3.9+"
FILES = tuple(dict.fromkeys(infer.ELSEWHERE.values()))  # that infer.py may be joined with
TAKES = frozenset({"dense", *infer.ELSEWHERE})  # layers of these files, without others added to LAYERS
IMPORTS = (ast.Import, ast.ImportFrom, ast.If)  # how these files begin; the `if` imports infer.py's names

EXAMPLE = '''"""Predict with {name}.npz. Needs NumPy; run from this folder: python example.py"""

{imports}import infer

model = infer.load("{name}.npz")
# {meaning}
inputs = {inputs}
{call}
'''


def files(model: Model, name: str) -> dict[str, bytes]:
    """Return infer.py, NAME.npz and example.py."""
    meaning = "features, as in training"
    if model.input_range:
        low, high = model.input_range
        meaning = f"raw values {low:g} .. {high:g}; floats must already be mapped to 0 .. 1"
    whole = model.input_range is not None
    dtype = "float32" if not whole else "uint8" if model.input_range == (0.0, 255.0) else "int64"
    call = "print(model.top(inputs, 3))  # the three most probable classes of each input"
    if not model.class_names:
        call = "print(model.predict(inputs))" if model.value_names else "print(model.outputs(inputs))"
    if model.start():
        call = "state = model.start()\nstate, outputs = model.step(state, inputs)  # and so on, step by step"
        call += "\nprint(outputs)"
    if model.input_range and not model.input_range[0] <= 0 <= model.input_range[1]:
        call = f"inputs += {math.ceil(model.input_range[0])}\n{call}"
    inputs, imports = f"np.zeros((1, *model.input_shape), np.{dtype})", "import numpy as np\n\n"
    if columns := model.header.get("columns"):
        inputs, imports = repr({column["name"]: [_field(column)] for column in columns}), ""
        meaning = "a list for each column of the table, with fields as text; empty if a value is missing"
    example = EXAMPLE.format(name=name, imports=imports, inputs=inputs, meaning=meaning, call=call)
    return {
        "infer.py": runtime(model).encode("utf-8"),
        f"{name}.npz": model.pack(),
        "example.py": example.encode("utf-8"),
    }


def _field(column: dict[str, Any]) -> str:
    """Return an example of a column's field."""
    if column["kind"] == "dates":
        return LIKE[column["order"]]
    return {"words": next(iter(column.get("words", [])), ""), "flags": "yes"}.get(column["kind"], "")


def runtime(model: Model) -> str:
    """Return the source of a single file that runs the model: infer.py and everything else the model needs."""
    needed = needs(kind for _, kind in kinds_of(model.header["network"]["layers"]))
    familiarity = ["infer_familiarity"] if "familiarity" in model.header else []
    return joined([*(file for file in FILES if file in needed), *familiarity])


def needs(kinds: Iterable[str]) -> set[str]:
    """Return the files besides infer.py that define these kinds of layers, and the float kinds that integers use."""
    every = set(kinds)
    every |= {kind.removesuffix("-int8") for kind in every.intersection(infer.SUMS)}
    return {infer.ELSEWHERE[kind] for kind in every if kind in infer.ELSEWHERE}


def joined(files: Iterable[str]) -> str:
    """Return infer.py with these files appended, without their imports, which are there already."""
    return "\n\n".join([_source("infer"), *map(_part, files)])


def _source(file: str) -> str:
    return Path(infer.__file__).with_name(f"{file}.py").read_text("utf-8")


def _part(file: str) -> str:
    """Return a file of the runtime to append: its docstring as a comment, and the code after its imports."""
    source = _source(file)
    tree = ast.parse(source)
    head = [statement for statement in tree.body if isinstance(statement, IMPORTS) or _is_all(statement)]
    lines = source.splitlines(keepends=True)[max(statement.end_lineno or 0 for statement in head) :]
    words = "\n".join(f"# {line}".rstrip() for line in (ast.get_docstring(tree) or "").splitlines())
    return f"{words}\n\n{''.join(lines).strip()}\n"


def _is_all(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__"
