"""The outputs of a model's hidden layers.

A trainable layer is taken together with the activation and normalisation after it. Layers that move values or take the
largest of them, such as pooling, do not count as layers of units here.

Shapes: n inputs, H values of a layer, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genreg_np import infer
from genreg_np.export.whole import LARGEST, output_step
from genreg_np.model import Float32, Model

MOST_VALUES = 1 << 25  # of a layer over all inputs: larger layers are left out, as are numbers beyond float32
LEFT_OUT = "hidden layers have too many values, or too large ones"
BESIDE = ("activation", *infer.SCALES, "lookup-int8", "normalisation-int8")  # layers that belong to the one before


@dataclass(frozen=True)
class Hidden:
    """The outputs of a hidden layer."""

    name: str  # as in "layer 2, convolution"
    kind: str
    values: Float32 = field(repr=False)  # (n, H), H = C x places of maps, channel by channel
    channels: int  # C for maps; H for single units
    function: str = "linear"  # the last activation

    @property
    def units(self) -> Float32:
        """The values of each unit, or of each channel at all its places, (n, C, places)."""
        return self.values.reshape(len(self.values), self.channels, -1)

    @property
    def learned(self) -> bool:
        """Whether it is a trainable layer, not a fixed one."""
        return self.kind in infer.WEIGHTED


def hidden_of(model: Model, inputs: Any) -> tuple[Hidden, ...]:
    """Return the outputs of all trainable layers but the last, or the inputs of a single one.

    Outputs of layers of 8-bit integers are scaled to real values for bounded activations such as tanh, else unscaled.

    Parameters
    ----------
    model : Model
    inputs : (n, *input_shape)
        As `Model.prepare` takes them.
    """
    layers = model.header["network"]["layers"]
    starts = [index for index, layer in enumerate(layers) if _learns(layer)]
    if not starts:
        return ()
    values, found, start = model.prepare(inputs), [], 0
    before: Hidden | None = None
    for index in range(starts[-1]):
        if layers[index]["kind"] not in BESIDE:
            start = index
        values = after(model, index, values)
        if layers[index + 1]["kind"] in BESIDE or values.size > MOST_VALUES or not np.isfinite(values).all():
            continue
        kind, function = layers[start]["kind"], _function(layers[start : index + 1])
        if kind == "quantise":  # the inputs in 8 bits
            continue
        step = np.float32(output_step(function, LARGEST) if kind in infer.INT8 else 1)
        channels = _channels(model, start, values.shape[1])
        before = Hidden(f"layer {start}, {kind}", kind, values * step, channels, function)
        if start in starts:
            found.append(before)
    return tuple(found) if found or before is None or len(starts) > 1 else (before,)


def has_hidden(model: Model) -> bool:
    """Return whether a model has trainable hidden layers."""
    return sum(map(_learns, model.header["network"]["layers"])) > 1


def after(model: Model, index: int, values: Float32) -> Float32:
    """Return the outputs of a layer of a model for values (n, I)."""
    layer = model.header["network"]["layers"][index]
    before = f"layers.{index}."
    arrays = {
        "layers.0." + name.removeprefix(before): array
        for name, array in model.arrays.items()
        if name.startswith(before)
    }
    _, _, function = infer.stack([layer], arrays, "layers", values.shape[1])
    return np.asarray(function(values), np.float32)


def _learns(layer: dict[str, Any]) -> bool:
    return layer["kind"] in infer.WEIGHTED and layer["kind"] not in (*BESIDE, "adaptive-pooling-int8", "pooling-int8")


def _function(layers: list[dict[str, Any]]) -> str:
    """Return the last activation of a layer and those that belong to it."""
    for layer in reversed(layers):
        if layer["kind"] in ("prelu", "lookup-int8"):
            return str(layer["kind"])
        if (name := layer.get("function", layer.get("activation", "linear"))) != "linear":
            return str(name)
    return "relu" if layers[0]["kind"] in infer.INT8 and layers[-1].get("low") == 0 else "linear"


def _channels(model: Model, index: int, width: int) -> int:
    """Return the number of channels of a layer's output; that of its values if there are no maps."""
    bias = model.arrays.get(f"layers.{index}.bias")
    if bias is not None:
        return len(bias)
    if model.is_int8:
        layer = model.header["network"]["layers"][index]
        return int(layer["shape"][0]) if layer["kind"] == "residual-int8" else width
    shape = model.network.input_shape
    for layer in model.network.layers[: index + 1]:
        shape = layer.output_shape(shape)
    return int(shape[0])
