"""Sequences of layers in C: the value passed to each, and the buffers that are free again after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from genreg_np import infer
from genreg_np.export.c_program import Program, Value

Header = dict[str, Any]
Maker = Callable[[Program, Header, str, Value, Value | None], Value]


WHOLE = ("uint8_t", "int8_t")
OF_RAW = ("quantise", "dense-int8")  # layers that accept raw values as indices of 8-bit integers
MOVING = ("pooling", "adaptive-pooling", "upsample", "minibatch-deviation")  # values of any kind, except for means


def stack(program: Program, layers: list[Header], where: str, value: Value, goal: Value) -> None:
    """Add layers in order; the output of the last one goes to the goal.

    The input is not changed, since others may need it too.
    """
    within, value = program.layer, replace(value, shared=True)
    steps = _steps(program, layers, where)
    for number, (index, layer) in enumerate(steps):
        maker, given = program.makers[layer["kind"]], value if layer["kind"] in OF_RAW else program.entries(value)
        program.layer = f"{where}.{index}".removeprefix("layers.")
        program.layer += f"-{index + 1}" if "pool" in layer else ""
        value = maker(program, layer, f"{where}.{index}", given, goal if number == len(steps) - 1 else None)
        program.written(value.place)
        if value.place != given.place:
            program.release(given)
    program.layer, value = within, program.entries(value, goal)
    if value.place == goal.place:
        return
    if value.kind == goal.kind:
        program.call("memcpy", goal.place, value.place, f"{value.width} * sizeof({value.kind})")
    else:
        program.floats(value, goal)
    program.release(value)


def _steps(program: Program, layers: list[Header], where: str) -> list[tuple[int, Header]]:
    """Return layers in the order in which they are computed, each with its index.

    Activations are monotonic, so max pooling is moved before them, and fewer are computed. A convolution of integers
    includes the pooling: its header has that of the pooling as the entry `pool`.
    """
    steps: list[tuple[int, Header]] = []
    for index, layer in enumerate(layers):
        before = steps[-1][1] if steps else {"kind": None}
        largest = layer["kind"] == "pooling" and layer["method"] == "max"
        if largest and before["kind"] == "activation":
            steps.insert(-1, (index, layer))
        elif largest and before["kind"] == "convolution-int8" and "pool" not in before and _fits(layer):
            table = program.model.arrays.get(f"{where}.{index - 1}.table")
            if table is None or (table[1:] >= table[:-1]).all():
                steps[-1] = (index - 1, before | {"pool": layer})
            else:
                steps.append((index, layer))
        else:
            steps.append((index, layer))
    return steps


def _fits(layer: Header) -> bool:
    """Return whether windows do not overlap and have four places each."""
    return layer["size"] == 2 <= layer["stride"]  # type: ignore[no-any-return]


def side_by_side(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    """Add the stacks of `branches`, with concatenated outputs."""
    kind, arrays = kind_after([layer], value.kind), program.model.arrays
    stacks = [(branch, f"{where}.{number}") for number, branch in enumerate(layer["branches"])]
    widths = [infer.stack(branch, arrays, within, value.width)[1] for branch, within in stacks]
    result = program.numbers(sum(widths), goal, kind)
    for number, (branch, within) in enumerate(stacks):
        start = sum(widths[:number])
        place = f"{result.place} + {start}" if start else result.place
        stack(program, branch, within, value, Value(place, kind, widths[number]))
    return result


def kind_after(layers: list[Header], kind: str) -> str:
    """Return the kind of the layers' output for a kind of input."""
    for layer in layers:
        if layer["kind"] in ("levels", "deskew", "detectors", "deviations"):
            kind = "uint8_t"
        elif layer["kind"] in infer.INT8:
            kind = "int8_t"
        elif layer["kind"] in ("branches", "concatenate"):
            kinds = {kind_after(branch, kind) for branch in layer["branches"]}
            kind = kinds.pop() if len(kinds) == 1 else "float"
        elif layer["kind"] not in MOVING or layer.get("method") == "avg":
            kind = "float"
    return kind if kind in WHOLE else "float"


def label_of(where: str) -> str:
    """Return a layer's place as part of a name in C: 3, or 3_0 nested in layer 3."""
    return where.removeprefix("layers.").replace(".", "_")
