"""A page for each public name, for autodoc: what it is, then its methods, those of our own base classes included.

Methods that scikit-learn's base classes bring (get_params, score, ...) are left out: its documentation has them.
"""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

from command_line import write
from sphinx.application import Sphinx

import genreg_np
from genreg_np import control, errors, infer

Names = dict[str, tuple[str, ...]]  # module: names

EVERYWHERE: Names = {
    "genreg_np": tuple(genreg_np.__all__),
    "genreg_np.control": tuple(control.__all__),
    "genreg_np.infer": tuple(infer.__all__),
    "genreg_np.errors": tuple(name for name, kind in vars(errors).items() if inspect.isclass(kind) and "Error" in name),
}


def members(kind: type) -> list[str]:
    """Return the public methods and properties of a class that have a docstring, in the order of the code."""
    found: dict[str, None] = {}
    for base in kind.__mro__:
        if not base.__module__.startswith("genreg_np"):
            continue
        for name, value in vars(base).items():
            plain = inspect.unwrap(getattr(value, "func", None) or getattr(value, "__func__", None) or value)
            is_member = inspect.isfunction(plain) or isinstance(value, property)
            if is_member and not name.startswith("_") and inspect.getdoc(value):
                found.setdefault(name)
    return list(found)


def page(module: str, name: str) -> str:
    """Return a name's page, as reStructuredText."""
    value: Any = getattr(importlib.import_module(module), name)
    title = f"{module}.{name}".removeprefix("genreg_np.")
    lines = [title, "=" * len(title), "", f".. currentmodule:: {module}", ""]
    if not inspect.isclass(value):
        return "\n".join([*lines, f".. autofunction:: {name}", ""])
    lines += [f".. autoclass:: {name}", "   :show-inheritance:" if issubclass(value, Exception) else "", ""]
    for member in members(value):
        static = inspect.getattr_static(value, member)
        is_value = isinstance(static, property) or not callable(getattr(static, "__func__", static))
        lines += [f"   .. auto{'property' if is_value else 'method'}:: {member}", ""]
    return "\n".join(lines)


def generate(app: Sphinx) -> None:
    """Write a page for each public name."""
    for module, names in EVERYWHERE.items():
        for name in names:
            write(Path(app.srcdir) / f"generated/api/{module}.{name}.rst", page(module, name))


def without_emphasis(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Escape stars of shapes such as (N, *input_shape), which are meant as they stand; numpydoc has those of names."""
    lines[:] = [re.sub(r"(?<=[(\[ ])\*(?=\w)", r"\\*", line) for line in lines]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the generator."""
    app.connect("builder-inited", generate)
    app.connect("autodoc-process-docstring", without_emphasis, priority=100)  # before numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
