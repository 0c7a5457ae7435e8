"""Networks by name or by widths: horizontal, vertical, or your own.

    horizontal    784-256-128-10
    vertical      784-256-(64|64)-10        the second layer is two halves, which both see the whole first layer
    256,64|64     the same by widths; a bar splits a layer into equal parallel parts

A layer in parts computes the same as the whole layer: its parts see the same inputs and their outputs are concatenated.
So a vertical network is saved, and runs, as the horizontal one. Only crossover and similarity treat the parts as
separate layers.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence

from genreg_np.errors import UsageError
from genreg_np.model import Network

Shape = tuple[tuple[int, ...], tuple[int, ...]]  # widths of hidden layers, and parts of each; () if all have one

NETWORKS: dict[str, Shape] = {"horizontal": ((256, 128), ()), "vertical": ((256, 128), (1, 2))}


def parse_network(text: str) -> Shape:
    """Return the widths of a network's hidden layers, and the parts of each.

    Raises
    ------
    UsageError
        For anything other than a known name or widths like 256,64|64.
    """
    if text in NETWORKS:
        return NETWORKS[text]
    if not re.fullmatch(r"\d+(\|\d+)*(,\d+(\|\d+)*)*", text):
        raise UsageError(f"network {text!r} must be {', '.join(NETWORKS)}, or widths like 256,128 or 256,64|64")
    layers = [[int(width) for width in layer.split("|")] for layer in text.split(",")]
    for layer in layers:
        if len(set(layer)) > 1:
            raise UsageError(f"network {text!r}: parallel parts must be equally wide, not {'|'.join(map(str, layer))}")
    parts = tuple(len(layer) for layer in layers)
    return tuple(sum(layer) for layer in layers), parts if max(parts) > 1 else ()


def check_parts(hidden: Sequence[int], parts: Sequence[int]) -> None:
    """Refuse parallel parts that do not fit the widths of hidden layers.

    Raises
    ------
    UsageError
        If there is not one number per layer, or a layer cannot be split into equal parts.
    """
    if len(parts) != len(hidden):
        raise UsageError(
            f"parts = {','.join(map(str, parts))} must have a number for each of the {len(hidden)} hidden layers"
        )
    for width, count in zip(hidden, parts, strict=True):
        if count < 1 or width % count:
            raise UsageError(f"a layer of {width} units cannot be cut into {count} equal parts")


def in_parts(network: Network, parts: Sequence[int]) -> Network:
    """Return a network whose hidden layers are split into parallel parts.

    Parameters
    ----------
    network : Network
        A network of dense layers.
    parts : sequence of int
        Number of parallel parts of each hidden layer; empty: whole layers.

    Raises
    ------
    UsageError
        If there is not one number per hidden layer, or a layer cannot be split into equal parts.
    """
    if not parts:
        return network
    *hidden, last = network.dense
    check_parts([layer.outputs for layer in hidden], parts)
    cut = [dataclasses.replace(layer, parts=count) for layer, count in zip(hidden, parts, strict=True)]
    return Network(network.input_shape, (*network.fixed, *cut, last))


def network_name(hidden: tuple[int, ...], parts: tuple[int, ...]) -> str:
    """Return a network's name, or its widths in the format of parse_network; raises as check_parts does."""
    if parts:
        check_parts(hidden, parts)
    parts = parts if max(parts, default=1) > 1 else ()
    for name, shape in NETWORKS.items():
        if shape == (hidden, parts):
            return name
    counts = parts or (1,) * len(hidden)
    return ",".join("|".join([str(width // count)] * count) for width, count in zip(hidden, counts, strict=True))
