"""Networks by name or by widths: horizontal, vertical, or one's own.

    horizontal    784-256-128-10
    vertical      784-256-(64|64)-10        the second layer is two halves, which both see the whole first layer
    256,64|64     the same by widths; a bar cuts a layer into equal parallel parts

A layer in parts computes what the whole layer does: its halves see the same inputs and their outputs lie end to end. So
a vertical network is saved, and runs, as the horizontal one. What differs is what crossover and similarity take for a
layer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from genreg_np.backends.genes import check_parts
from genreg_np.errors import UsageError

Shape = tuple[tuple[int, ...], tuple[int, ...]]  # widths of hidden layers, and how many parts each has; () all one

NETWORKS: dict[str, Shape] = {"horizontal": ((256, 128), ()), "vertical": ((256, 128), (1, 2))}


def parse_network(text: str) -> Shape:
    """Return the widths of a network's hidden layers, and the parts of each.

    Raises
    ------
    UsageError
        For anything else than a known name or widths like 256,64|64.
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


def dense_parts(hidden: Sequence[int], parts: Sequence[int]) -> tuple[int, ...]:
    """Return how many parallel parts each dense layer has, the last one included; none where all are whole.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    parts : sequence of int
        Parallel parts of each hidden layer; none: whole layers.

    Raises
    ------
    UsageError
        If there is not a number for each hidden layer, or a layer cannot be cut so.
    """
    if not parts:
        return ()
    check_parts(hidden, parts, "hidden")
    return (*parts, 1)


def network_name(hidden: tuple[int, ...], parts: tuple[int, ...]) -> str:
    """Return a network's name, or its widths as parse_network takes them; raises as dense_parts does."""
    parts = dense_parts(hidden, parts)[:-1]
    parts = parts if max(parts, default=1) > 1 else ()
    for name, shape in NETWORKS.items():
        if shape == (hidden, parts):
            return name
    counts = parts or (1,) * len(hidden)
    return ",".join("|".join([str(width // count)] * count) for width, count in zip(hidden, counts, strict=True))
