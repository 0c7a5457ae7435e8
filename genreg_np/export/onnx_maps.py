"""The layers that learn, of maps (C, H, W), in ONNX: convolution, pooling, normalisation, upsampling and so on.

Each function takes a value (N, C * H * W) float32 and returns (N, O) float32, by the definitions of infer_layers.py.
Normalisation is written out, as group normalisation came to ONNX with operation set 18 only.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from genreg_np import infer_layers
from genreg_np.export.onnx_graph import Value, concatenate, ints
from genreg_np.export.onnx_layers import ACTIVATIONS, Layer
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.pooling import AdaptivePooling
from genreg_np.layers.upsample import TransposedConvolution

FUNCTIONS: dict[str, Callable[[Value], Value]] = ACTIVATIONS | {
    "elu": lambda z: z.op("Elu"),
    "selu": lambda z: z.op("Selu", alpha=infer_layers.SELU_ALPHA, gamma=infer_layers.SELU_SCALE),
}


def activation(x: Value, layer: Layer) -> Value:
    """Add a function of each value."""
    return FUNCTIONS[layer.header["function"]](x)


def prelu(x: Value, layer: Layer) -> Value:
    """Add x, or slope x where x < 0."""
    return _flat(_channels(x, layer).op("PRelu", _of_channels(layer, "slope")))


def scale_shift(x: Value, layer: Layer) -> Value:
    """Add scale x + shift."""
    return _flat(_scaled(_channels(x, layer), layer))


def normalisation(x: Value, layer: Layer) -> Value:
    """Add scale (x - mean) / sqrt(variance + NEAR_ZERO) + shift, of groups of channels."""
    shape: list[int] = layer.header["shape"]
    groups: int = {"instance-norm": shape[0], "layer-norm": 1}.get(layer.header["kind"]) or layer.header["groups"]
    parts = x.reshape(0, groups, math.prod(shape) // groups)
    parts = parts - parts.op("ReduceMean", axes=[2])
    variance = (parts * parts).op("ReduceMean", axes=[2])
    parts = parts / (variance + infer_layers.NEAR_ZERO).op("Sqrt")
    return _flat(_scaled(_channels(parts, layer), layer))


def convolution(x: Value, layer: Layer) -> Value:
    """Add filters slid over the maps."""
    (top, bottom), (left, right) = Convolution.read(layer.header, {}, layer.where).margins
    pads, stride = [top, left, bottom, right], layer.header["stride"]
    weights = (layer.constant("weight"), layer.constant("bias"))
    return _flat(_maps(x, layer).op("Conv", *weights, pads=pads, strides=[stride] * 2))


def transposed_convolution(x: Value, layer: Layer) -> Value:
    """Add filters that make maps larger."""
    padding, beyond = TransposedConvolution.read(layer.header, {}, layer.where).padding
    stride: int = layer.header["stride"]
    # What is beyond the end is cut off less there, as long as anything is cut: ONNX adds less than a stride only.
    cut, added = max(0, padding - beyond), max(0, beyond - padding)
    shape = {"pads": [padding, padding, cut, cut], "strides": [stride] * 2, "output_padding": [added] * 2}
    weights = (layer.constant("weight"), layer.constant("bias"))
    return _flat(_maps(x, layer).op("ConvTranspose", *weights, **shape))


def pooling(x: Value, layer: Layer) -> Value:
    """Add the largest or the mean value of windows."""
    size, stride = layer.header["size"], layer.header["stride"]
    op = "MaxPool" if layer.header["method"] == "max" else "AveragePool"
    return _flat(_maps(x, layer).op(op, kernel_shape=[size] * 2, strides=[stride] * 2))


def adaptive_pooling(x: Value, layer: Layer) -> Value:
    """Add the largest or the mean values of windows that cover a map: along columns, then of these along rows."""
    op = "ReduceMax" if layer.header["method"] == "max" else "ReduceMean"
    maps = _maps(x, layer)
    for axis, spans in enumerate(AdaptivePooling.read(layer.header, {}, layer.where).spans, 2):
        windows = [maps.op("Slice", ints(span.start), ints(span.stop), ints(axis)) for span in spans]
        maps = concatenate([window.op(op, axes=[axis]) for window in windows], axis=axis)
    return _flat(maps)


def upsample(x: Value, layer: Layer) -> Value:
    """Add each value so often along both axes."""
    (channels, height, width), factor = layer.header["shape"], layer.header["factor"]
    apart = x.reshape(0, channels, height, 1, width, 1)
    return _flat(apart.op("Expand", ints(1, 1, 1, factor, 1, factor)))


def minibatch_deviation(x: Value, layer: Layer) -> Value:
    """Add a channel of zeros."""
    return x.op("Pad", ints(0, 0, 0, math.prod(layer.header["shape"][1:])))


def _maps(x: Value, layer: Layer) -> Value:
    """Return values as (N, C, H, W)."""
    return x.reshape(0, *layer.header["shape"])


def _channels(x: Value, layer: Layer) -> Value:
    """Return values as (N, C, rest)."""
    shape: list[int] = layer.header["shape"]
    return x.reshape(0, shape[0], math.prod(shape[1:]))


def _flat(x: Value) -> Value:
    """Return values of any shape as (N, O)."""
    return x.op("Flatten", axis=1)


def _of_channels(layer: Layer, name: str) -> Value:
    """Return a value for each channel as (C, 1)."""
    return layer.constant(name).reshape(-1, 1)


def _scaled(x: Value, layer: Layer) -> Value:
    """Return scale x + shift, of x (N, C, rest)."""
    return x * _of_channels(layer, "scale") + _of_channels(layer, "shift")
