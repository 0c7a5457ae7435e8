"""Network, the immutable description of a net, and Model, a network with its weights.

A network is a stack of layers: fixed ones first (they transform the input and never change in training), then dense
ones, which evolve. All weights and biases of the dense layers form one flat genome of D genes:

    genes (D,) = W1 (O1, I1) row by row, b1 (O1,), W2 (O2, I2), b2 (O2,), ...
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.errors import UsageError, did_you_mean
from genreg_np.files import pack_arrays, write_atomic
from genreg_np.layers import FixedLayer, Float32, Standardise, from_header
from genreg_np.settings import whole_number, whole_numbers

__all__ = ["Dense", "FixedLayer", "Float32", "Model", "Network", "Standardise", "load"]

PIECE = 4096  # inputs that fixed layers transform at a time, to save memory


@dataclass(frozen=True)
class Dense:
    """a(W x + b): an evolving layer."""

    inputs: int  # I
    outputs: int  # O
    activation: str  # a key of infer.ACTIVATIONS

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            number = whole_number(getattr(self, name), f"{name} of a dense layer", least=1)
            object.__setattr__(self, name, number)
        if self.activation not in infer.ACTIVATIONS:
            raise UsageError(
                f"unknown activation {self.activation!r}" + did_you_mean(self.activation, infer.ACTIVATIONS)
            )

    @property
    def genes(self) -> int:
        """Number of weights and biases."""
        return self.outputs * (self.inputs + 1)


@dataclass(frozen=True)
class Network:
    """An immutable description: input shape, fixed layers, dense layers.

    Raises
    ------
    UsageError
        If layers do not fit together.
    """

    input_shape: tuple[int, ...]
    dense: tuple[Dense, ...]
    fixed: tuple[FixedLayer, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", whole_numbers(self.input_shape, "input_shape", least=1))
        width = math.prod(self.input_shape)
        if not self.dense:
            raise UsageError("a network needs at least one dense layer")
        for number, fixed in enumerate(self.fixed):
            if fixed.inputs != width:
                raise UsageError(f"fixed layer {number} ({fixed.kind}) takes {fixed.inputs} inputs, but {width} arrive")
            width = fixed.outputs
        for index, layer in enumerate(self.dense):
            if layer.inputs != width:
                raise UsageError(f"dense layer {index} takes {layer.inputs} inputs, but {width} arrive")
            width = layer.outputs

    @classmethod
    def build(
        cls,
        input_shape: tuple[int, ...],
        hidden: tuple[int, ...],
        outputs: int,
        activation: str = "tanh",
        fixed: tuple[FixedLayer, ...] = (),
    ) -> Network:
        """Build inputs - hidden ... hidden - outputs, the last layer linear (its values are the logits).

        Raises
        ------
        UsageError
            If a width is no whole number, NumPy's included, or less than 1, or layers do not fit together.
        """
        input_shape, hidden = whole_numbers(input_shape, "input_shape", least=1), whole_numbers(hidden, "hidden")
        widths = (fixed[-1].outputs if fixed else math.prod(input_shape), *hidden, outputs)
        activations = [activation] * len(hidden) + ["linear"]
        dense = tuple(Dense(*shape) for shape in zip(widths[:-1], widths[1:], activations, strict=True))
        return cls(input_shape, dense, fixed)

    @property
    def gene_count(self) -> int:
        """D, the number of evolving weights and biases."""
        return sum(layer.genes for layer in self.dense)

    @property
    def outputs(self) -> int:
        """K, the width of the last layer."""
        return self.dense[-1].outputs

    @property
    def weight_slices(self) -> tuple[tuple[slice, slice], ...]:
        """Where each dense layer's weights and biases lie among the genes."""
        slices, start = [], 0
        for layer in self.dense:
            middle = start + layer.outputs * layer.inputs
            slices.append((slice(start, middle), slice(middle, start + layer.genes)))
            start += layer.genes
        return tuple(slices)

    def unpack(self, genes: Float32) -> list[tuple[Float32, Float32]]:
        """Return each dense layer's weights (..., O, I) and biases (..., O) as views of genes (..., D)."""
        lead = genes.shape[:-1]
        return [
            (genes[..., weights].reshape(*lead, layer.outputs, layer.inputs), genes[..., biases])
            for layer, (weights, biases) in zip(self.dense, self.weight_slices, strict=True)
        ]

    def features(self, inputs: NDArray[np.generic], input_range: tuple[float, float] | None) -> Float32:
        """Return what the first dense layer sees, (N, I) float32: inputs mapped to 0 .. 1, fixed layers applied.

        The same arithmetic as infer.Model, so that training and prediction see the same numbers.
        """
        if self.fixed and len(inputs) > PIECE:
            starts = range(0, len(inputs), PIECE)
            return np.concatenate([self.features(inputs[start : start + PIECE], input_range) for start in starts])
        features = mapped(inputs, input_range)
        for layer in self.fixed:
            features = layer.apply(features)
        return features

    def describe(self) -> str:
        """Return e.g. "784-64-10, tanh, 50,890 weights and biases"."""
        widths = "-".join(str(width) for width in (self.dense[0].inputs, *(layer.outputs for layer in self.dense)))
        activations = ", ".join(dict.fromkeys(layer.activation for layer in self.dense[:-1])) or "linear"
        return f"{widths}, {activations}, {self.gene_count:,} weights and biases"


def mapped(inputs: NDArray[np.generic], input_range: tuple[float, float] | None) -> Float32:
    """Return inputs as (N, I) float32, integers mapped from their range to 0 .. 1, as infer.Model.prepare does."""
    flat = np.ascontiguousarray(inputs.reshape(len(inputs), -1))
    if flat.dtype.kind == "f" or input_range is None:
        return np.ascontiguousarray(flat, np.float32)
    low, high = np.float32(input_range[0]), np.float32(input_range[1] - input_range[0])
    return (flat.astype(np.float32) - low) / high


class Model(infer.Model):
    """A network with its weights and where they came from. Predicts as infer.Model does, and can be saved."""

    @classmethod
    def build(
        cls,
        network: Network,
        genes: Float32,
        class_names: tuple[str, ...] = (),
        input_range: tuple[float, float] | None = None,
        training: Mapping[str, Any] | None = None,
        feature_names: tuple[str, ...] = (),
    ) -> Model:
        """Make a model of a genome.

        Parameters
        ----------
        network : Network
        genes : (D,) float32
        class_names : tuple of str
            K names; none where the outputs are values.
        input_range : tuple of float or None
            Smallest and largest raw value of integer inputs; None where inputs are features.
        training : mapping
            What determined the weights (configuration, seed, accuracies), as plain JSON values.
        feature_names : tuple of str
            A name for each input; none where inputs have no names.
        """
        layers: list[dict[str, Any]] = []
        arrays: dict[str, NDArray[np.generic]] = {}
        for fixed in network.fixed:
            arrays |= {f"layers.{len(layers)}.{name}": array for name, array in fixed.arrays().items()}
            layers.append({"kind": fixed.kind, **fixed.header()})
        for layer, (weight, bias) in zip(network.dense, network.unpack(np.array(genes, np.float32)), strict=True):
            arrays[f"layers.{len(layers)}.weight"], arrays[f"layers.{len(layers)}.bias"] = weight, bias
            layers.append({"kind": "dense", **asdict(layer)})
        header: dict[str, Any] = {
            "format": infer.FORMAT_NAME,
            "version": infer.FORMAT_VERSION,
            "network": {"input_shape": list(network.input_shape), "layers": layers},
            "class_names": list(class_names),
            "input_range": None if input_range is None else [float(bound) for bound in input_range],
            "training": dict(training or {}),
        }
        if feature_names:
            header["feature_names"] = list(feature_names)
        return cls(header, arrays)

    @property
    def network(self) -> Network:
        """The description of this model's net.

        Raises
        ------
        UsageError
            For a model of 8-bit integers, which predicts and is nothing else.
        """
        self._needs_genes()
        fixed, dense = [], []
        for index, layer in enumerate(self.header["network"]["layers"]):
            if layer["kind"] == "dense":
                dense.append(Dense(int(layer["inputs"]), int(layer["outputs"]), layer["activation"]))
            else:
                fixed.append(from_header(layer, self.arrays, f"layers.{index}"))
        return Network(self.input_shape, tuple(dense), tuple(fixed))

    @property
    def genes(self) -> Float32:
        """All evolving weights and biases, (D,) float32; raises as `network` does."""
        self._needs_genes()
        parts = [
            self.arrays[f"layers.{index}.{part}"].ravel()
            for index, layer in enumerate(self.header["network"]["layers"])
            if layer["kind"] == "dense"
            for part in ("weight", "bias")
        ]
        return np.concatenate(parts)

    def _needs_genes(self) -> None:
        if any(layer["kind"] == "dense-int8" for layer in self.header["network"]["layers"]):
            raise UsageError("a model of 8-bit integers only predicts, by infer.py: use the one it was made from")

    @property
    def training(self) -> dict[str, Any]:
        """What determined the weights: configuration, seed, accuracies."""
        training = self.header.get("training")
        return dict(training) if isinstance(training, dict) else {}

    def pack(self) -> bytes:
        """Return the bytes of the model file: equal models give equal bytes."""
        header = json.dumps(self.header, sort_keys=True, ensure_ascii=False, allow_nan=False).encode("utf-8")
        return pack_arrays({"header": np.frombuffer(header, np.uint8), **self.arrays})

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model file, atomically.

        Raises
        ------
        OSError
            If the file cannot be written; an older file of that name is then untouched.
        """
        write_atomic(Path(path), self.pack())


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model file.

    Raises
    ------
    infer.ModelError
        If the file is missing, damaged, or not a model this version can run.
    """
    loaded = infer.load(path)
    return Model(loaded.header, loaded.arrays)
