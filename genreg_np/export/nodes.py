"""The layers of a model on their way to integers: folded into fewer layers, with the magnitudes of their outputs.

A dense layer and its activation become two layers. An activation is moved before a layer that takes the largest of its
values, which gives the same because all activations are monotonic. A scale and shift of channels is folded into the
weights before it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.errors import UsageError
from genreg_np.export import stacks_of
from genreg_np.export.whole import BEYOND
from genreg_np.model import Float32, Model

Header = dict[str, Any]
Parts = dict[str, NDArray[np.generic]]

FILTERS = ("dense", "convolution", "transposed-convolution")  # layers with weights and a bias for each output
ROOM = 64 << 20  # bytes of values between two layers while magnitudes are observed


@dataclass
class Node:
    """A layer without its model."""

    name: str  # for errors
    header: Header
    arrays: Parts  # its own, by their names within the layer
    stacks: list[list[Node]] = field(default_factory=list)  # of nested layers
    largest: float = 0.0  # magnitude of its outputs so far
    width: int = 0  # number of outputs per input

    @property
    def kind(self) -> str:
        """The kind of layer."""
        return str(self.header["kind"])

    @property
    def takes_largest(self) -> bool:
        """Whether its outputs are the largest inputs of each window."""
        return self.kind in ("pooling", "adaptive-pooling") and self.header["method"] == "max"

    @functools.cached_property
    def layer(self) -> infer.Layer:
        """The layer as computed by the runtime; not for layers with nested layers."""
        arrays = {f"layers.0.{name}": array for name, array in self.arrays.items()}
        infer.complete([self.header])
        return infer.LAYERS[self.kind](self.header, arrays, "layers.0", self.name)


def nodes_of(model: Model) -> list[Node]:
    """Return a model's layers in order."""
    return _taken(model.header["network"]["layers"], model.arrays, "layers")


def _taken(layers: list[Header], arrays: Parts, where: str) -> list[Node]:
    found = []
    for index, header in enumerate(layers):
        start = f"{where}.{index}."
        names = [name for name in arrays if name.startswith(start) and "." not in name[len(start) :]]
        own = {name[len(start) :]: arrays[name] for name in names}
        within = [_taken(inner, arrays, place) for place, inner in stacks_of(header, start[:-1])]
        found.append(Node(f"layer {start[len('layers.') : -1]}", dict(header), own, within))
    return found


def written(nodes: list[Node], where: str = "layers") -> tuple[list[Header], Parts]:
    """Return the headers of layers in order, and all arrays by their names in a model file."""
    headers: list[Header] = []
    arrays: Parts = {}
    for index, node in enumerate(nodes):
        place, header = f"{where}.{index}", dict(node.header)
        arrays |= {f"{place}.{name}": array for name, array in node.arrays.items()}
        if node.kind in ("residual", "residual-int8"):
            header["layers"], inner = written(node.stacks[0], place)
            arrays |= inner
        elif node.stacks:
            branches = [written(branch, f"{place}.{number}") for number, branch in enumerate(node.stacks)]
            header["branches"] = [found for found, _ in branches]
            for _, inner in branches:
                arrays |= inner
        headers.append(header)
    return headers, arrays


def folded(nodes: list[Node]) -> list[Node]:
    """Return equivalent layers, with activations separated from dense layers and moved before max pooling."""
    found: list[Node] = []
    for node in _apart(nodes):
        node.stacks = [folded(inner) for inner in node.stacks]
        before = next((place for place in range(len(found), 0, -1) if not found[place - 1].takes_largest), 0)
        if node.kind == "activation" and 0 < before < len(found):
            width = found[before].layer[0]
            found.insert(before, Node(node.name, node.header | {"inputs": width}, {}))
        elif node.kind == "scale-shift" and found and found[-1].kind in FILTERS:
            found[-1] = _scaled(found[-1], node)
        else:
            found.append(node)
    return found


def _apart(nodes: list[Node]) -> Iterator[Node]:
    """Yield layers, with the activation of each dense layer as a layer of its own."""
    for node in nodes:
        activation = node.header.get("activation", "linear")
        if node.kind != "dense" or activation == "linear":
            yield node
            continue
        yield Node(node.name, node.header | {"activation": "linear"}, node.arrays)
        header = {"kind": "activation", "inputs": node.header["outputs"], "function": activation}
        yield Node(node.name, header, {})


def _scaled(node: Node, scaling: Node) -> Node:
    """Return filters whose weights and bias are scaled and shifted channel by channel."""
    arrays = {name: np.asarray(array, np.float64) for name, array in (node.arrays | scaling.arrays).items()}
    weight, bias, scale, shift = (arrays[name] for name in ("weight", "bias", "scale", "shift"))
    outputs = len(bias)
    scale, shift = (np.repeat(part, outputs // len(part)) for part in (scale, shift))
    axis = 1 if node.kind == "transposed-convolution" else 0
    across = np.expand_dims(scale, [place for place in range(weight.ndim) if place != axis])
    with np.errstate(over="ignore", invalid="ignore"):
        changed = {"weight": weight * across, "bias": bias * scale + shift}
        found: Parts = {name: part.astype(np.float32) for name, part in changed.items()}
    if not all(np.isfinite(part).all() for part in found.values()):
        raise UsageError(f"{BEYOND}: {scaling.name} (scale-shift) makes weights infinite")
    return Node(node.name, node.header, found)


def observe(nodes: list[Node], values: Float32) -> None:
    """Record in each layer the largest magnitude of its outputs for (N, I) values."""
    widest = max(_widths(nodes), default=1)
    rows = max(1, ROOM // (4 * widest))
    for start in range(0, len(values), rows):
        _passed(nodes, values[start : start + rows])


def _widths(nodes: list[Node]) -> Iterator[int]:
    """Yield the number of outputs of each layer without nested layers."""
    for node in nodes:
        for inner in node.stacks:
            yield from _widths(inner)
        if not node.stacks:
            yield node.layer[1]


def _passed(nodes: list[Node], values: Float32) -> Float32:
    for node in nodes:
        if node.kind == "residual":
            values = values + _passed(node.stacks[0], values)
        elif node.kind in ("branches", "concatenate"):
            values = np.concatenate([_passed(inner, values) for inner in node.stacks], axis=1)
        else:
            values = node.layer[2](values)
        node.width = values.shape[1]
        node.largest = float(np.maximum(node.largest, np.abs(values).max(initial=0)))  # NaN if one is
    return values
