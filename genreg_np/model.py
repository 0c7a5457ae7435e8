"""Network, an immutable description of a neural network, and Model, a network with its weights.

A network is a tuple of layers. Fixed ones come first (they transform the input and never change in training); the
others learn. Their parameters form one flat genome of D genes, layer after layer, each in the order of its parameters:

    genes (D,) = W1 (O1, I1) row by row, b1 (O1,), W2 (O2, I2), b2 (O2,), ...        for dense layers
"""

from __future__ import annotations

import functools
import itertools
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.errors import UsageError
from genreg_np.files import pack_arrays, write_atomic
from genreg_np.layers import read_layer
from genreg_np.layers.base import Arrays, Float32, Layer, Parameter
from genreg_np.layers.composite import Stack, dealt, places_of, views_of
from genreg_np.layers.dense import Dense
from genreg_np.layers.description import built, in_words
from genreg_np.layers.images import FixedLayer, Standardise
from genreg_np.layers.normalise import ScaleShift
from genreg_np.layers.recurrent import check_samples
from genreg_np.layers.targets import Targets
from genreg_np.settings import names_of, whole_numbers

__all__ = ["Dense", "FixedLayer", "Float32", "Model", "Network", "Standardise", "load"]

PIECE = 4096  # inputs that fixed layers transform at a time, to save memory


@dataclass(frozen=True)
class Network:
    """An immutable description of a network: input shape and layers.

    Raises
    ------
    UsageError
        If layers do not fit together, or none learns.
    """

    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    outputs: int = field(init=False, compare=False, repr=False)  # K, the number of values of the last layer

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", whole_numbers(self.input_shape, "input_shape", least=1))
        object.__setattr__(self, "layers", tuple(self.layers))
        for layer in self.layers:
            if not isinstance(layer, Layer):
                raise UsageError(f"{layer!r:.60} is not a layer: pass layers such as Dense(784, 64, 'tanh')")
        shape = self.input_shape
        for number, layer in enumerate(self.layers):
            try:
                shape = layer.output_shape(shape)
            except UsageError as error:
                raise UsageError(f"layer {number} ({layer.kind}) {error}") from None
            if number > len(self.fixed) and isinstance(layer, FixedLayer):
                raise UsageError(f"layer {number} ({layer.kind}) is fixed: it must come before those that learn")
        if not infer.is_shallow(self.header(), infer.MOST_NESTING - 1):  # a model's header has one level more
            raise UsageError("layers are nested too deeply for a model file")
        if not self.gene_count:
            raise UsageError("a network needs at least one layer that learns, such as a dense one")
        object.__setattr__(self, "outputs", math.prod(shape))

    @classmethod
    def build(
        cls,
        input_shape: tuple[int, ...],
        hidden: tuple[int, ...] | str,
        outputs: int | None = None,
        activation: str = "tanh",
        fixed: tuple[FixedLayer, ...] = (),
    ) -> Network:
        """Build a network inputs - hidden ... hidden - outputs with a linear last layer (its values are the logits).

        Parameters
        ----------
        input_shape : tuple of int
            Shape of one input.
        hidden : tuple of int, or str
            Units of the hidden layers; or all learning layers in words, including the last: "elman 8 / dense 2".
        outputs : int, optional
            Units of the last layer, if `hidden` is not in words.
        activation : str
            Activation of the hidden layers, if `hidden` is not in words.
        fixed : tuple of FixedLayer
            Layers that come before.

        Raises
        ------
        UsageError
            If a width is not a whole number (Python's or NumPy's) of at least 1, or layers do not fit together.
        """
        shape = whole_numbers(input_shape, "input_shape", least=1)
        seen = (fixed[-1].outputs,) if fixed else shape
        return cls(shape, (*fixed, *built(hidden, seen, outputs, activation)))

    @functools.cached_property
    def fixed(self) -> tuple[FixedLayer, ...]:
        """The leading layers, which do not learn."""
        leading = itertools.takewhile(lambda layer: isinstance(layer, FixedLayer), self.layers)
        return tuple(layer for layer in leading if isinstance(layer, FixedLayer))

    @property
    def learning(self) -> tuple[Layer, ...]:
        """The layers after the fixed ones."""
        return self.layers[len(self.fixed) :]

    @functools.cached_property
    def dense(self) -> tuple[Dense, ...]:
        """The learning layers, if all of them are dense.

        Raises
        ------
        UsageError
            If any is not.
        """
        for number, layer in enumerate(self.learning, start=len(self.fixed)):
            if not isinstance(layer, Dense):
                raise UsageError(f"layer {number} ({layer.kind}) is not dense, and only dense layers are taken here")
        return tuple(layer for layer in self.learning if isinstance(layer, Dense))

    @functools.cached_property
    def is_dense(self) -> bool:
        """Whether all learning layers are dense, as the fastest kernels require."""
        return all(isinstance(layer, Dense) for layer in self.learning)

    @functools.cached_property
    def stack(self) -> Stack:
        """The learning layers as one stack."""
        return Stack(self.learning)

    @functools.cached_property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The input shape of the first learning layer, and the output shape of each."""
        shapes = [self.feature_shape]
        for layer in self.learning:
            shapes.append(layer.output_shape(shapes[-1]))
        return tuple(shapes)

    @property
    def gene_count(self) -> int:
        """D, the number of learned weights and biases."""
        return sum(layer.gene_count for layer in self.learning)

    @functools.cached_property
    def feature_shape(self) -> tuple[int, ...]:
        """The input shape of the first learning layer."""
        return (self.fixed[-1].outputs,) if self.fixed else self.input_shape

    @functools.cached_property
    def parameter_slices(self) -> tuple[tuple[Parameter, slice], ...]:
        """Each parameter of the learning layers, and its place among the genes."""
        return places_of(parameter for layer in self.learning for parameter in layer.parameters)

    @functools.cached_property
    def statistic_slices(self) -> tuple[tuple[Parameter, slice], ...]:
        """Each statistic of the learning layers, and its place among all of them."""
        return places_of(statistic for layer in self.learning for statistic in layer.statistics)

    @functools.cached_property
    def first_statistics(self) -> Float32:
        """The statistics before training, (E,)."""
        found = [np.full(statistic.size, statistic.first, np.float32) for statistic, _ in self.statistic_slices]
        return np.concatenate([np.empty(0, np.float32), *found])

    @functools.cached_property
    def weight_slices(self) -> tuple[tuple[slice, slice], ...]:
        """The places of each dense layer's weights and biases among the genes; raises as `dense` does."""
        places = [place for _, place in self.parameter_slices]
        return tuple((places[2 * number], places[2 * number + 1]) for number in range(len(self.dense)))

    def unpack(self, genes: Float32) -> list[tuple[Float32, Float32]]:
        """Return each dense layer's weights (..., O, I) and biases (..., O) as views of genes (..., D).

        Raises
        ------
        UsageError
            If any learning layer is not dense.
        """
        arrays = self.parameters_of(genes)
        return [(arrays[2 * number], arrays[2 * number + 1]) for number in range(len(self.dense))]

    def parameters_of(self, genes: Float32) -> list[Float32]:
        """Return the parameters (..., *shape) of all learning layers as views of genes (..., D)."""
        return views_of(genes, self.parameter_slices)

    def arrays_of(self, genes: Float32, statistics: Float32) -> list[Float32]:
        """Return the arrays that `stack` takes, layer by layer, as views of genes (..., D) and statistics (..., E)."""
        learned, kept = self.parameters_of(genes), views_of(statistics, self.statistic_slices)
        return list(itertools.chain.from_iterable(dealt(self.learning, learned, kept))) if kept else learned

    @functools.cached_property
    def finished(self) -> Network:
        """The network as a saved model has it, without layers that are only for training."""
        nothing = np.broadcast_to(np.float32(0), self.gene_count)  # takes no memory, however many genes there are
        return self.finish(nothing, self.first_statistics)[0]

    def finish(self, genes: Float32, statistics: Float32) -> tuple[Network, Float32]:
        """Return `finished` and its genes, given this network's genes (D,) and statistics (E,) after training."""
        if not any(layer.needs_finishing for layer in self.learning):
            return self, genes
        done = self.stack.finished(self.arrays_of(genes, statistics))
        network = Network(self.input_shape, (*self.fixed, *(layer for layer, _ in done)))
        arrays = [np.ravel(array) for _, own in done for array in own]
        return network, np.concatenate(arrays).astype(np.float32, copy=False)

    def features(self, inputs: NDArray[np.generic], input_range: tuple[float, float] | None) -> Float32:
        """Return the inputs of the first learning layer, (N, I) float32: mapped to 0 .. 1, with fixed layers applied.

        Uses the same arithmetic as infer.Model, so training and prediction see the same numbers. UsageError if a layer
        is recurrent, since samples have no order.
        """
        check_samples(self.layers)
        if self.fixed and len(inputs) > PIECE:
            starts = range(0, len(inputs), PIECE)
            return np.concatenate([self.features(inputs[start : start + PIECE], input_range) for start in starts])
        features = mapped(inputs, input_range)
        for layer in self.fixed:
            features = layer.apply(features)
        return features

    def header(self) -> dict[str, Any]:
        """Return the network's description for a model file's header, without the layers' arrays."""
        layers = [{"kind": layer.kind, **layer.header()} for layer in self.layers]
        return {"input_shape": list(self.input_shape), "layers": layers}

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]]) -> Network:
        """Return the network that a (checked) header describes, given its arrays: (O, I) weights, (O,) biases, ..."""
        layers = [read_layer(layer, arrays, f"layers.{index}") for index, layer in enumerate(described["layers"])]
        return cls(tuple(described["input_shape"]), tuple(layers))

    def describe(self) -> str:
        """Return e.g. "784-64-10, tanh, 50,890 weights and biases"; if not all layers are dense, their kinds."""
        return in_words(self.learning, self.feature_shape, self.gene_count)


def mapped(inputs: NDArray[np.generic], input_range: tuple[float, float] | None) -> Float32:
    """Return inputs as (N, I) float32, integers mapped from their range to 0 .. 1, as infer.Model.prepare does."""
    flat = np.ascontiguousarray(inputs.reshape(len(inputs), -1))
    if flat.dtype.kind == "f" or input_range is None:
        return np.ascontiguousarray(flat, np.float32)
    return infer.mapped(flat, *input_range)


class Model(infer.Model):
    """A network with its weights and their origin; it predicts as infer.Model does and can be saved."""

    @classmethod
    def build(
        cls,
        network: Network,
        genes: Float32,
        class_names: tuple[str, ...] = (),
        input_range: tuple[float, float] | None = None,
        training: Mapping[str, Any] | None = None,
        feature_names: tuple[str, ...] = (),
        picture: Mapping[str, Any] | None = None,
        targets: Targets | None = None,
        columns: Sequence[Mapping[str, Any]] = (),
        label: str = "",
        table: Mapping[str, Any] | None = None,
    ) -> Model:
        """Make a model of a genome.

        Parameters
        ----------
        network : Network
        genes : (D,) float32
        class_names : tuple of str
            K names; empty if the outputs are values.
        input_range : tuple of float or None
            Smallest and largest raw value of integer inputs; None if inputs are features.
        training : mapping
            What determined the weights (configuration, seed, accuracies), as plain JSON values.
        feature_names : tuple of str
            A name for each input; empty if inputs have no names.
        picture : mapping or None
            How pictures become inputs: `Dataset.picture`.
        targets : Targets or None
            How numeric targets were scaled: the model then ends with a layer that reverses that.
        columns : sequence of mapping
            How the fields of a table's row become inputs: `Dataset.columns`; empty if they are plain numbers.
        label, table : str, mapping or None
            A table's column of classes, and where it has its columns without a header: `Dataset.label` and `table`.

        Raises
        ------
        UsageError
            If there are not D genes, names are not a list, or the network is not finished (Network.finish).
        ModelError
            If there are not K class names.
        """
        if network.finished is not network:
            raise UsageError("the network has layers that are only for training: save the result of Network.finish")
        genes = np.array(genes, np.float32)
        if genes.shape != (network.gene_count,):
            given = f"{genes.size:,}" if genes.ndim == 1 else f"an array of shape {genes.shape}"
            raise UsageError(f"genes: {given}, but this network has {network.gene_count:,} weights and biases")
        if targets is not None:
            network = Network(network.input_shape, (*network.layers, ScaleShift((network.outputs,))))
            genes = np.concatenate([genes, targets.scale, targets.offset]).astype(np.float32)
        values = iter(network.parameters_of(genes))
        arrays: Arrays = {}
        for index, layer in enumerate(network.layers):
            own = layer.arrays([next(values) for _ in layer.parameters])
            arrays |= {f"layers.{index}.{name}": array for name, array in own.items()}
        header: dict[str, Any] = {
            "format": infer.FORMAT_NAME,
            "version": infer.FORMAT_VERSION,
            "network": network.header(),
            "class_names": list(names_of(class_names, "class_names")),
            "input_range": None if input_range is None else [float(bound) for bound in input_range],
            "training": dict(training or {}),
        }
        named, rows = list(names_of(feature_names, "feature_names")), [dict(column) for column in columns]
        more = {"picture": picture, "feature_names": named, "columns": rows, "label": label, "table": table}
        header |= {name: dict(value) if isinstance(value, Mapping) else value for name, value in more.items() if value}
        if targets is not None:
            header |= {"task": "values", "values": targets.header()}
        return cls(header, arrays)

    def __repr__(self) -> str:
        kinds = ", ".join(layer["kind"] for layer in self.header["network"]["layers"])
        return f"Model({self.input_shape} to {self.output_count}: {kinds})"

    @property
    def network(self) -> Network:
        """The description of this model's network.

        Raises
        ------
        UsageError
            For a model of 8-bit integers, which can only predict.
        """
        if self.is_int8:
            raise UsageError("a model of 8-bit integers can only predict: use the model it was made from")
        return Network.read(self.header["network"], self.arrays)

    @property
    def genes(self) -> Float32:
        """All learned weights and biases, (D,) float32; raises as `network` does."""
        network = self.network
        parts = [
            self.arrays[f"layers.{index}.{parameter.name}"].ravel()
            for index, layer in enumerate(network.layers)
            for parameter in layer.parameters
        ]
        return np.concatenate(parts)

    @property
    def is_int8(self) -> bool:
        """Whether this is a model of 8-bit integers, which can only predict."""
        return any(layer["kind"] in infer.INT8 for layer in self.header["network"]["layers"])

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
            If the file cannot be written; an existing file is then unchanged.
        """
        write_atomic(Path(path), self.pack())


def load(path: str | os.PathLike[str]) -> Model:
    """Read a model file.

    Raises
    ------
    infer.ModelError
        If the file is missing, damaged, or not a model that this version can run.
    """
    loaded = infer.load(path)
    return Model(loaded.header, loaded.arrays)
