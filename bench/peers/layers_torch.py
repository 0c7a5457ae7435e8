"""PyTorch's outputs and gradients of layers described in a file; does not need genreg-np.

python layers_torch.py IN.npz OUT.npz        IN has `cases`, a JSON list, and for case n the arrays
                                             n.input (N, I), n.weights (N, O), n.parameter.NAME, n.statistic.NAME
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import torch
from torch.nn import functional

Tensors = dict[str, torch.Tensor]
ACTIVATIONS = {
    "linear": lambda z: z,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky-relu": functional.leaky_relu,
    "sigmoid": torch.sigmoid,
    "elu": functional.elu,
    "selu": functional.selu,
}


class Holder(torch.nn.Module):
    """A weight to which spectral norm can be applied."""

    def __init__(self, weight: torch.nn.Parameter, direction: torch.Tensor, dim: int) -> None:
        super().__init__()
        self.weight = weight
        torch.nn.utils.spectral_norm(self, "weight", n_power_iterations=1, dim=dim)
        self.weight_u = direction

    def forward(self) -> torch.Tensor:
        """Return the weight divided by its norm."""
        return self.weight


def within(arrays: Tensors, name: str) -> Tensors:
    """Return an inner layer's arrays."""
    return {key.removeprefix(name): array for key, array in arrays.items() if key.startswith(name)}


def stacked(layers: list[dict[str, Any]], arrays: Tensors, x: torch.Tensor, training: bool, name: str) -> torch.Tensor:
    """Return the output of consecutive layers."""
    for index, layer in enumerate(layers):
        x = computed(layer, within(arrays, f"{name}{index}."), x, training)
    return x


def convolved(layer: dict[str, Any], arrays: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Return a convolution; PyTorch's "same" does not support strides, so zeros are padded first."""
    size, stride = layer["size"], layer["stride"]
    if layer["same"]:
        around = [max(0, (-(-extent // stride) - 1) * stride + size - extent) for extent in reversed(x.shape[2:])]
        x = functional.pad(x, [part for zeros in around for part in (zeros // 2, zeros - zeros // 2)])
    return functional.conv2d(x, arrays["weight"], arrays["bias"], stride)


def transposed(layer: dict[str, Any], arrays: Tensors, x: torch.Tensor) -> torch.Tensor:
    """Return a transposed convolution; with `same` the output has stride times as many rows."""
    excess = layer["size"] - layer["stride"] if layer["same"] else 0
    padding = max(0, excess + 1) // 2
    options = {"stride": layer["stride"], "padding": padding, "output_padding": 2 * padding - excess}
    return functional.conv_transpose2d(x, arrays["weight"], arrays["bias"], **options)


def deviation(x: torch.Tensor, training: bool) -> torch.Tensor:
    """Return the inputs with a channel of their mean deviation over the batch."""
    spread = (x.var(dim=0, unbiased=False) + 1e-8).sqrt().mean() if training else x.new_zeros(())
    return torch.cat([x, spread.expand(len(x), 1, *x.shape[2:])], dim=1)


def pooled(layer: dict[str, Any], x: torch.Tensor) -> torch.Tensor:
    """Return the largest or the mean values of windows."""
    if layer["kind"] == "adaptive-pooling":
        return getattr(functional, f"adaptive_{layer['method']}_pool2d")(x, layer["size"])
    return getattr(functional, f"{layer['method']}_pool2d")(x, layer["size"], layer["stride"])


def computed(layer: dict[str, Any], arrays: Tensors, x: torch.Tensor, training: bool) -> torch.Tensor:
    """Return the output of a layer for inputs (N, ...)."""
    kind, scale, shift = layer["kind"], arrays.get("scale"), arrays.get("shift")
    flat, x = x.flatten(1), x.reshape(len(x), *layer.get("shape", x.shape[1:]))
    if kind == "dense":
        return ACTIVATIONS[layer["activation"]](functional.linear(flat, arrays["weight"], arrays["bias"]))
    if kind == "spectral-norm":
        inner = layer["layer"]
        dim = 1 if inner["kind"] == "transposed-convolution" else 0
        holder = Holder(arrays["weight"], arrays["direction"], dim).train(training)
        return computed(inner, {**arrays, "weight": holder()}, x, training)
    if kind == "concatenate":
        branches = enumerate(layer["branches"])
        return torch.cat([stacked(own, arrays, x, training, f"{number}.") for number, own in branches], dim=1)
    makers = {
        "activation": lambda: ACTIVATIONS[layer["function"]](x),
        "prelu": lambda: functional.prelu(x, arrays["slope"]),
        "convolution": lambda: convolved(layer, arrays, x),
        "transposed-convolution": lambda: transposed(layer, arrays, x),
        "pooling": lambda: pooled(layer, x),
        "adaptive-pooling": lambda: pooled(layer, x),
        "upsample": lambda: functional.interpolate(x, scale_factor=layer["factor"], mode="nearest"),
        "batch-norm": lambda: functional.batch_norm(x, arrays["mean"], arrays["variance"], scale, shift, training),
        "group-norm": lambda: functional.group_norm(x, layer["groups"], scale, shift),
        "instance-norm": lambda: functional.instance_norm(x, weight=scale, bias=shift),
        "layer-norm": lambda: functional.group_norm(x, 1, scale, shift),
        "scale-shift": lambda: (x.flatten(2).mT * scale + shift).mT if x.ndim > 2 else x * scale + shift,
        "dropout": lambda: x * arrays["factors"] if training else x,
        "flatten": lambda: flat,
        "reshape": lambda: x,
        "minibatch-deviation": lambda: deviation(x, training),
        "residual": lambda: x + stacked(layer["layers"], arrays, x, training, "").reshape(x.shape),
    }
    return makers[kind]()


def main() -> None:
    """Compute every case and write the results."""
    with np.load(sys.argv[1], allow_pickle=False) as file:
        data = {name: torch.from_numpy(file[name]) for name in file.files if name != "cases"}
        cases = json.loads(str(file["cases"]))
    found = {"version": np.array(torch.__version__)}
    for number, case in enumerate(cases):
        own = within(data, f"{number}.")
        learned = {name: torch.nn.Parameter(array) for name, array in within(own, "parameter.").items()}
        kept = within(own, "statistic.")
        x = own["input"].requires_grad_()
        output = computed(case["layer"], {**learned, **kept}, x, case["training"]).reshape(len(x), -1)
        (output * own["weights"]).sum().backward()
        results = {"output": output, "by_input": x.grad}
        results |= {f"by_parameter.{name}": array.grad for name, array in learned.items()}
        results |= {f"statistic.{name}": array for name, array in kept.items() if name != "factors"}
        found |= {f"{number}.{name}": array.detach().numpy() for name, array in results.items()}
    np.savez(sys.argv[2], **found)


if __name__ == "__main__":
    main()
