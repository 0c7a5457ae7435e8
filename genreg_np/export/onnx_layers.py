"""The layers of any inputs in ONNX; those of images are in onnx_images.py, those of maps in onnx_maps.py.

Each function takes a value (N, I) float32 and returns (N, O) float32, by the runtime's arithmetic. Whole numbers are
exact wherever those of infer_int8.py are, in any order of adding and with any instruction set: sums of float32 stay
below 2**24, those of float64 below 2**53. MatMulInteger would store less while it runs, but on processors without VNNI
some of its kernels add pairs of products in 16 bits, which saturate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer_images, infer_int8
from genreg_np.export.onnx_graph import Graph, Value

Arrays = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class Layer:
    """A layer of the model file."""

    graph: Graph
    header: dict[str, Any]
    arrays: Arrays  # of the whole model
    where: str  # what its arrays' names begin with

    def array(self, name: str) -> NDArray[np.generic]:
        """Return one of its arrays."""
        return self.arrays[f"{self.where}.{name}"]

    def constant(self, name: str) -> Value:
        """Store one of its arrays in the graph, under the name it has in the model file."""
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


def quantise(x: Value, layer: Layer) -> Value:
    """Add q = floor(a x + b), cut to low .. 127."""
    a, b = (layer.constant(part).cast(np.float64) for part in ("a", "b"))
    # Cut first: the bounds are whole, and what lies far beyond them has no int64.
    steps = (x.cast(np.float64) * a + b).clip(layer.header["low"], infer_int8.MOST_INT8)
    return steps.floor_to_int64().cast(np.float32)


def dense_int8(q: Value, layer: Layer) -> Value:
    """Add a dense layer of whole numbers: t = floor((acc multiplier + half) / 2**shift), table[t - low] or t unit."""
    weight, bias = (layer.array(part).astype(np.int64) for part in ("weight", "bias"))
    most = infer_int8.MOST_INT8 * np.abs(weight).sum(axis=1) + np.abs(bias)
    kind = np.float32 if most.max() < 2**24 else np.float64
    acc = q.cast(kind).op("Gemm", layer.constant("weight").cast(kind), layer.constant("bias").cast(kind), transB=1)
    shift: int = layer.header["shift"]
    half = 2.0 ** (shift - 1) if shift else 0.0
    steps = (acc.cast(np.float64) * layer.constant("multiplier").cast(np.float64) + half) * 2.0**-shift
    if "unit" in layer.header:
        unit: float = layer.header["unit"]  # a power of two, and t has at most 24 bits
        return steps.floor_to_int64().cast(np.float32) * unit
    low, entries = layer.header["low"], len(layer.array("table"))
    t = steps.clip(low, low + entries - 1).floor_to_int64()
    return layer.constant("table").cast(np.float32).op("Gather", t - low)


def standardise(x: Value, layer: Layer) -> Value:
    """Add (x - mean) * scale."""
    return (x - layer.constant("mean")) * layer.constant("scale")


def project(x: Value, layer: Layer) -> Value:
    """Add matrix x."""
    return x.op("Gemm", layer.constant("matrix"), transB=1)


def levels(x: Value, layer: Layer) -> Value:
    """Add floor(255 x + 1/2)."""
    return (x * infer_images.LEVEL + 0.5).op("Floor").clip(0, infer_images.LEVEL)
