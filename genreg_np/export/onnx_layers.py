"""The layers of any inputs in ONNX; onnx_images.py has those of images, onnx_maps.py of maps, onnx_int8.py of integers.

Each function takes a value (N, I) float32 and returns (N, O) float32, by the runtime's arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer_images
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


def standardise(x: Value, layer: Layer) -> Value:
    """Add (x - mean) * scale."""
    return (x - layer.constant("mean")) * layer.constant("scale")


def project(x: Value, layer: Layer) -> Value:
    """Add matrix x."""
    return x.op("Gemm", layer.constant("matrix"), transB=1)


def levels(x: Value, layer: Layer) -> Value:
    """Add floor(255 x + 1/2)."""
    return (x * infer_images.LEVEL + 0.5).op("Floor").clip(0, infer_images.LEVEL)
