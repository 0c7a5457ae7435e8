"""Describe a model of 8-bit integers by its layers' headers, since it has no Network that could describe itself."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from genreg_np import infer
from genreg_np.data.labels import short_name
from genreg_np.errors import UsageError
from genreg_np.export import stacks_of
from genreg_np.layers import REGISTRY, layer_class, read_layer
from genreg_np.layers.images import FixedLayer

Header = dict[str, Any]
LONGEST = 160  # characters of a text from a file


@dataclass(frozen=True)
class Words:
    """The description of a network."""

    fixed: tuple[str, ...]  # kinds of layers before the learned ones
    learned: str  # dense layers as "784-64-10", others as "conv 16 3 / relu / max 2 / dense 10"
    activations: str  # of dense layers; empty for others, where they are among the layers
    count: int  # of weights and biases


def words(model: infer.Model) -> Words:
    """Return the description of a model of 8-bit integers; entries that its header need not have may be anything."""
    every: list[Header] = model.header["network"]["layers"]
    layers = [layer for layer in every if layer["kind"] != "quantise"]
    fixed = tuple(layer["kind"] for layer in itertools.takewhile(_is_fixed, layers))
    learned = layers[len(fixed) :]
    count = sum(_sizes(every, model.arrays, "layers"))
    if all(layer["kind"] == "dense-int8" for layer in learned):
        return Words(fixed, *dense_words(learned), count)
    return Words(fixed, _line(learned), "", count)


def dense_words(layers: list[Header]) -> tuple[str, str]:
    """Return dense layers' widths, "784-64-10", and the activations between them, which may be unnamed in integers."""
    widths = "-".join(str(width) for width in (layers[0]["inputs"], *(layer["outputs"] for layer in layers)))
    named = [short_name(str(layer.get("activation", "unnamed")), LONGEST) for layer in layers[:-1]]
    return widths, ", ".join(dict.fromkeys(named)) or "linear"


def _is_fixed(layer: Header) -> bool:
    return layer["kind"] in REGISTRY and issubclass(layer_class(layer["kind"]), FixedLayer)


def _sizes(layers: list[Header], arrays: infer.Arrays, where: str) -> Iterator[int]:
    """Yield the number of weights, and of biases, of each layer."""
    for index, layer in enumerate(layers):
        place = f"{where}.{index}"
        yield from (arrays[f"{place}.{part}"].size for part in ("weight", "bias") if f"{place}.{part}" in arrays)
        for inner, stack in stacks_of(layer, place):
            yield from _sizes(stack, arrays, inner)


def _line(layers: Iterable[Header]) -> str:
    return " / ".join(map(_layer, layers)) or "as it is"


def _layer(layer: Header) -> str:
    """Return the words for a layer in a network's description: those of the float layer it was made from."""
    kind: str = layer["kind"]
    whole, kind = kind in infer.INT8, kind.removesuffix("-int8")
    if kind == "lookup":
        return "lookup"
    if kind == "normalisation":
        return f"group-norm {layer['groups']}"
    if stacks := [_line(stack) for _, stack in stacks_of(layer, "")]:
        return f"{kind} ({' | '.join(stacks)})"
    try:
        said = read_layer(layer | {"kind": kind} | ({"activation": "linear"} if whole else {}), {}, "").words()
    except (UsageError, KeyError):  # a layer that cannot be trained, or not described without its arrays
        said = kind
    activation = layer.get("activation", "linear") if whole else "linear"
    return said if activation == "linear" else f"{said} / {short_name(str(activation), LONGEST)}"
