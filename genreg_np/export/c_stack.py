"""Layers one after another in C: what each is handed, and which room is free again after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from genreg_np.export.c_program import Program, Value

Header = dict[str, Any]
Maker = Callable[[Program, Header, str, Value, Value | None], Value]


def stack(program: Program, layers: list[Header], where: str, value: Value, goal: Value) -> None:
    """Add layers, one after another; what the last one gives goes to the goal.

    What arrives stays as it is: others may need it too. The largest of activations is the activation of the largest, as
    none falls: so pooling comes first, and fewer are computed.
    """
    order = list(range(len(layers)))
    for index in order[1:]:
        layer = layers[index]
        if layer["kind"] == "pooling" and layer["method"] == "max" and layers[index - 1]["kind"] == "activation":
            order[index - 1], order[index] = index, index - 1
    value = replace(value, shared=True)
    for index in order:
        maker, given = program.makers[layers[index]["kind"]], value
        value = maker(program, layers[index], f"{where}.{index}", given, goal if index == order[-1] else None)
        if value.place != given.place:
            program.release(given)
    if value.place == goal.place:
        return
    if value.kind == goal.kind:
        program.call("memcpy", goal.place, value.place, f"{value.width} * sizeof({value.kind})")
    else:
        program.floats(value, goal)
    program.release(value)


def label_of(where: str) -> str:
    """Return a layer's place as part of a name in C: 3, or 3_0 within the layer 3."""
    return where.removeprefix("layers.").replace(".", "_")
