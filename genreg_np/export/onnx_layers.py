"""Layers for any inputs in ONNX; onnx_images.py has those for images, onnx_maps.py for maps, onnx_int8.py for integers.

Each function takes a value (N, I) float32 and returns (N, O) float32, with the runtime's arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer_images
from genreg_np.export.onnx_graph import Graph, Value, concatenate
from genreg_np.infer_table import EQUALS, FLAGS, MISSING, MISSING_FLAG, WHOLE_NUMBER, inputs_of

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Layer:
    """A layer of the model file."""

    graph: Graph
    header: dict[str, Any]
    arrays: Arrays  # of the whole model
    where: str  # prefix of its arrays' names

    def array(self, name: str) -> NDArray[np.generic]:
        """Return one of its arrays."""
        return self.arrays[f"{self.where}.{name}"]

    def constant(self, name: str) -> Value:
        """Store one of its arrays in the graph, under its name in the model file."""
        return self.graph.constant(self.array(name), f"{self.where}.{name}")


Emitter = Callable[[Value, Layer], Value]

ACTIVATIONS: dict[str, Callable[[Value], Value]] = {
    "linear": lambda z: z,
    "tanh": lambda z: z.op("Tanh"),
    "relu": lambda z: z.op("Relu"),
    "leaky-relu": lambda z: z.op("LeakyRelu", alpha=0.01),
    "sigmoid": lambda z: z.op("Sigmoid"),
    "step": lambda z: (z > 0).cast(np.float32),
    "sign": lambda z: (z > 0).cast(np.float32) * 2 - 1,
}


def dense(x: Value, layer: Layer) -> Value:
    """Add a(W x + b)."""
    z = x.op("Gemm", layer.constant("weight"), layer.constant("bias"), transB=1)
    return ACTIVATIONS[layer.header["activation"]](z)


def standardise(x: Value, layer: Layer) -> Value:
    """Add (x - mean) * scale."""
    return (x - layer.constant("mean")) * layer.constant("scale")


def columns(x: Value, layer: Layer) -> Value:
    """Add values with missing ones filled in, and flags of 1 or 0 for missing values and for equality."""
    mode, value = (layer.array(name) for name in ("mode", "value"))
    given = x.op("Gather", layer.graph.constant(layer.array("source").astype(np.int64)), axis=1)
    missing = layer.graph.node("IsNaN", [given], np.bool_)
    fill = layer.graph.constant(layer.array("fill")[layer.array("source")])
    filled = layer.graph.node("Where", [missing, fill, given], np.float32)
    equal = filled.op("Equal", layer.graph.constant(value)).cast(np.float32)
    flags, equals = (layer.graph.constant(mode == number) for number in (MISSING_FLAG, EQUALS))
    found = layer.graph.node("Where", [equals, equal, filled], np.float32)
    return layer.graph.node("Where", [flags, missing.cast(np.float32), found], np.float32)


def rows(graph: Graph, columns: list[dict[str, Any]]) -> Value:
    """Add an input for each column, with one number or text per row, and return them as (N, I) float32."""
    parts = []
    for column in columns:
        for name in inputs_of(column):
            if column["kind"] not in ("words", "flags"):
                parts.append(graph.input(name, np.float32, ("N", 1)))
                continue
            texts, values, other = codes_of(column)
            field = graph.input(name, np.dtype("O"), ("N", 1))
            parts.append(
                graph.node(
                    "LabelEncoder",
                    [field],
                    np.float32,
                    domain="ai.onnx.ml",
                    keys_strings=texts,
                    values_floats=values,
                    default_float=other,
                )
            )
    return concatenate(parts, axis=1)


def codes_of(column: dict[str, Any]) -> tuple[list[str], list[float], float]:
    """Return texts, their codes, and the code of all other texts; texts that mean a missing value have NaN.

    Texts are compared as a whole, so only usual spellings are known: docs/export.md lists them.
    """
    known: dict[str, float] = {}
    if column["kind"] == "words":
        known |= {word: float(place) for place, word in enumerate(column["words"])}
        known |= {
            f"{word}{end}": place for word, place in known.items() if WHOLE_NUMBER.fullmatch(f"{word}.") for end in ENDS
        }
    else:
        known |= {form: value for word, value in FLAGS.items() for form in (word, word.capitalize(), word.upper())}
        known |= {f"{digit}{end}": float(digit) for digit in "10" for end in ("", *ENDS)}
    nothing = [
        form
        for word in sorted(MISSING)
        for form in dict.fromkeys((word, word.capitalize(), word.upper(), CASES.get(word, word)))
    ]
    known |= {text: float("nan") for text in nothing if text not in known}
    return list(known), list(known.values()), float(len(column["words"])) if column["kind"] == "words" else float("nan")


ENDS = tuple("." + "0" * zeros for zeros in range(7))  # with which programs write a whole number: 3. to 3.000000
CASES = {"nan": "NaN", "nat": "NaT", "none": "None"}  # usual spellings


def project(x: Value, layer: Layer) -> Value:
    """Add matrix x."""
    return x.op("Gemm", layer.constant("matrix"), transB=1)


def levels(x: Value, layer: Layer) -> Value:
    """Add floor(255 x + 1/2)."""
    return (x * infer_images.LEVEL + 0.5).op("Floor").clip(0, infer_images.LEVEL)
