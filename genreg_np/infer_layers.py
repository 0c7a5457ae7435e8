"""Layers of other kinds than dense: for a model that has some, this file lies beside infer.py, or is joined to its end.

    standardise   (x - mean) * scale
    project       matrix x
    branches      several stacks of one input, end to end

What they compute is defined here: exporters, backends and kernels are held to it. infer.py looks for this file when it
reads a model that needs it. A new kind is a maker here, a line of LAYERS below, and its name in ELSEWHERE of infer.py.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

from typing import Any

import numpy as np

if "ModelError" not in globals():  # outside a package, infer.py has put all its names here
    from .infer import (
        LAYERS,
        Arrays,
        Layer,
        ModelError,
        entry_of,
        stack,
        weights_of,
        whole_number,
    )


def _standardise(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = whole_number(layer["inputs"])
    mean, scale = (weights_of(arrays, f"{where}.{part}", (inputs,)) for part in ("mean", "scale"))
    return inputs, inputs, lambda x: (x - mean) * scale


def _project(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs, outputs = whole_number(layer["inputs"]), whole_number(layer["outputs"])
    matrix = weights_of(arrays, f"{where}.matrix", (outputs, inputs))
    return inputs, outputs, lambda x: x @ matrix.T


def _branches(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = whole_number(layer["inputs"])
    branches: list[Layer] = []
    for number, branch in enumerate(entry_of(layer, "branches", list)):
        if not isinstance(branch, list) or any(part["kind"] in NO_BRANCH for part in branch):
            raise ModelError(f"{name} holds what is no stack of fixed layers")
        branches.append(stack(branch, arrays, f"{where}.{number}", inputs))
    if not branches:
        raise ModelError(f"{name} has no branches")
    outputs = sum(width for _, width, _ in branches)
    return inputs, outputs, lambda x: np.concatenate([function(x) for _, _, function in branches], axis=1)


NO_BRANCH = ("branches", "dense", "quantise", "dense-int8")  # what is no part of a branch
LAYERS |= {
    "standardise": _standardise,
    "project": _project,
    "branches": _branches,
}
