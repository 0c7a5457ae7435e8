"""Target `onnx`: one file for onnxruntime and other readers of ONNX, from raw inputs to probabilities.

    NAME           (N, 1)               a column of a table with columns other than numbers: float32, or text for words
    input          (N, *input_shape)    uint8 for raw values 0 .. 255, int64 for another range, else float32
    logits         (N, K) float32       called `outputs` for a model without classes, and then the only output
    probabilities  (N, K) float32       softmax of the logits
    label          (N,) int64           the most probable class, the lowest of ties

The file needs ONNX 1.8: operator set 13, in which ReduceSum and others took their present form, and IR version 7, the
lowest that goes with it. onnxruntime reads both since 1.6, and has long supported all operators used here for their
types: tested with 1.6, 1.9, 1.11, 1.15 and 1.32.

Everything that infer.py defines in whole numbers is exact: levels, deskew, detectors, deviations, and entire models of
8-bit integers.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from genreg_np.errors import UsageError, missing_extra
from genreg_np.export import onnx_images, onnx_int8, onnx_layers, onnx_maps
from genreg_np.export.onnx_graph import Graph, Node, Port, Value, concatenate
from genreg_np.export.onnx_layers import Arrays, Emitter, Layer
from genreg_np.model import Model
from genreg_np.version import __version__

OPSET, IR_VERSION = 13, 7
ML_OPSET = 2  # of LabelEncoder, for words
MOST_BYTES = (1 << 31) - (1 << 20)  # of weights: protocol buffers are limited to 2 GiB
# Entries of `training` copied into the file.
FACTS = ("method", "genome", "generations", "generation", "seed", "accuracies", "note", "config", "source", "int8")


def _side_by_side(x: Value, layer: Layer) -> Value:
    """Add several stacks on the same input, concatenated."""
    branches = enumerate(layer.header["branches"])
    ends = [_stack(x, headers, layer.arrays, f"{layer.where}.{number}") for number, headers in branches]
    x.graph.scope = layer.where
    return concatenate(ends, axis=1)


def _residual(x: Value, layer: Layer) -> Value:
    """Add x + f(x) with a stack of layers f; integers are rescaled."""
    inner = _stack(x, layer.header["layers"], layer.arrays, layer.where)
    x.graph.scope = layer.where
    return x + inner if layer.header["kind"] == "residual" else onnx_int8.residual(x, inner, layer)


LAYERS: dict[str, Emitter] = {
    "dense": onnx_layers.dense,
    "columns": onnx_layers.columns,
    "standardise": onnx_layers.standardise,
    "project": onnx_layers.project,
    "levels": onnx_layers.levels,
    "deskew": onnx_images.deskew,
    "detectors": onnx_images.detectors,
    "deviations": onnx_images.deviations,
    "responses": onnx_images.responses,
    "statistics": onnx_images.statistics,
    "branches": _side_by_side,
    "activation": onnx_maps.activation,
    "prelu": onnx_maps.prelu,
    "scale-shift": onnx_maps.scale_shift,
    "group-norm": onnx_maps.normalisation,
    "instance-norm": onnx_maps.normalisation,
    "layer-norm": onnx_maps.normalisation,
    "convolution": onnx_maps.convolution,
    "transposed-convolution": onnx_maps.transposed_convolution,
    "pooling": onnx_maps.pooling,
    "adaptive-pooling": onnx_maps.adaptive_pooling,
    "upsample": onnx_maps.upsample,
    "minibatch-deviation": onnx_maps.minibatch_deviation,
    "residual": _residual,
    "concatenate": _side_by_side,
    "quantise": onnx_int8.quantise,
    "dense-int8": onnx_int8.dense,
    "convolution-int8": onnx_int8.convolution,
    "transposed-convolution-int8": onnx_int8.transposed_convolution,
    "pooling-int8": onnx_int8.pooling,
    "adaptive-pooling-int8": onnx_int8.adaptive_pooling,
    "lookup-int8": onnx_int8.lookup,
    "normalisation-int8": onnx_int8.normalisation,
    "residual-int8": _residual,
}
SUMMARY = "one file for onnxruntime: raw inputs to probabilities, any batch"
TAKES = frozenset(LAYERS)


def _stack(x: Value, headers: list[dict[str, Any]], arrays: Arrays, where: str) -> Value:
    """Add layers in order; `where` is the prefix of their arrays' names."""
    for index, header in enumerate(headers):
        layer = Layer(x.graph, header, arrays, f"{where}.{index}")
        x.graph.scope = layer.where
        x = LAYERS[header["kind"]](x, layer)
    return x


def graph_of(model: Model) -> Graph:
    """Return the graph of a model, from raw inputs."""
    graph = Graph()
    if columns := model.header.get("columns"):
        x = onnx_layers.rows(graph, columns)
    else:
        x = graph.input("input", _input_type(model), ("N", *model.input_shape)).cast(np.float32)
    if model.input_range:
        low, high = model.input_range
        x = (x - low if low else x) / (high - low)
    if len(model.input_shape) > 1:
        x = x.reshape(0, math.prod(model.input_shape))
    values = _stack(x, model.header["network"]["layers"], model.arrays, "layers")
    graph.scope = ""
    if not model.class_names:
        graph.output("outputs", values, ("N", model.output_count))
        return graph
    logits = graph.output("logits", values, ("N", model.output_count))
    graph.output("probabilities", logits.op("Softmax", axis=1), ("N", model.output_count))
    label = graph.node("ArgMax", [logits], np.int64, axis=1, keepdims=0, select_last_index=0)
    graph.output("label", label, ("N",))
    return graph


def _input_type(model: Model) -> type[np.generic]:
    """Return the type of raw values."""
    if model.input_range is None:
        return np.float32
    return np.uint8 if model.input_range == (0.0, 255.0) else np.int64


def files(model: Model, name: str) -> dict[str, bytes]:
    """Return NAME.onnx; equal models give equal bytes.

    Raises
    ------
    UsageError
        If the weights do not fit into a file.
    MissingExtraError
        Without the package onnx.
    """
    size = sum(array.nbytes for array in model.arrays.values())
    if size > MOST_BYTES:
        raise UsageError(f"the model's weights take {size:,} bytes, but an onnx file holds at most {MOST_BYTES:,}")
    try:
        from onnx import TensorProto, helper, numpy_helper
    except ImportError:
        raise missing_extra("onnx", "export", "write ONNX files") from None

    def attributes(node: Node) -> dict[str, Any]:
        types = {key: value for key, value in node.attributes.items() if isinstance(value, np.dtype)}
        return node.attributes | {key: helper.np_dtype_to_tensor_dtype(value) for key, value in types.items()}

    def ports(of: list[Port]) -> list[Any]:
        types = [
            TensorProto.STRING if port.dtype.kind == "O" else helper.np_dtype_to_tensor_dtype(port.dtype) for port in of
        ]
        return [
            helper.make_tensor_value_info(port.name, type, port.shape) for port, type in zip(of, types, strict=True)
        ]

    graph = graph_of(model)
    message = helper.make_model(
        helper.make_graph(
            [
                helper.make_node(node.op, node.inputs, [node.output], node.output, **attributes(node))
                for node in graph.nodes
            ],
            name,
            ports(graph.inputs),
            ports(graph.outputs),
            [numpy_helper.from_array(array, constant) for constant, array in graph.constants.items()],
        ),
        ir_version=IR_VERSION,
        opset_imports=[
            helper.make_opsetid("", OPSET),
            *([helper.make_opsetid("ai.onnx.ml", ML_OPSET)] if model.header.get("columns") else []),
        ],
        producer_name="genreg-np",
        producer_version=__version__,
    )
    helper.set_model_props(message, metadata(model, name))
    return {f"{name}.onnx": message.SerializeToString(deterministic=True)}


def metadata(model: Model, name: str) -> dict[str, str]:
    """Return the file's metadata, each entry as JSON: names of classes and inputs, range, training."""
    facts = {fact: model.training[fact] for fact in FACTS if fact in model.training}
    said: dict[str, Any] = {"name": name, "class_names": model.class_names, "input_range": model.input_range, **facts}
    if model.feature_names:
        said["feature_names"] = model.feature_names
    if model.value_names:
        said["value_names"] = model.value_names
    return {entry: json.dumps(value, sort_keys=True) for entry, value in said.items()}
