"""A recurrent layer: its outputs depend on all earlier inputs, through the outputs of the previous step.

    h' = f(W x + U h + b)        h is 0 before the first step

A network with such a layer is a policy, run step by step (`infer.Model.start`, `step`) and trained by evolution with
the user's own fitness. `forward` computes only the first step of every column: samples of a dataset have no order, so
they are refused (`check_samples`).

Shapes: W (P, O, I), U (P, O, O), b (P, O), x (P, I, N) or shared (I, N), h (O,) for one network.

Source: Elman 1990, "Finding structure in time".
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.layers.base import PREDICTING, Array, Kept, Layer, Parameter, Passing
from genreg_np.layers.dense import Dense
from genreg_np.layers.groups import Gene, Groups, recurrent_groups
from genreg_np.settings import whole_number


@dataclass(frozen=True)
class Elman(Layer):
    """f(W x + U h + b), with h the output of the previous step.

    Raises
    ------
    UsageError
        For a width that is not a whole number of at least 1, or an unknown activation.
    """

    kind: ClassVar[str] = "elman"
    remembers: ClassVar[bool] = True
    inputs: int  # I
    outputs: int  # O
    activation: str = "tanh"  # a key of infer.ACTIVATIONS

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            number = whole_number(getattr(self, name), f"{name} of an elman layer", least=1)
            object.__setattr__(self, name, number)
        _ = self.first_step  # raises for an unknown activation

    @classmethod
    def example(cls) -> tuple[Elman, tuple[int, ...]]:
        """Return an example with four units."""
        return cls(6, 4), (6,)

    @functools.cached_property
    def first_step(self) -> Dense:
        """The equivalent layer while h is 0."""
        return Dense(self.inputs, self.outputs, self.activation)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (O,); inputs of any shape are flattened."""
        return self.first_step.output_shape(shape)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Weights (O, I), recurrent weights (O, O) and biases (O,)."""
        fan_in = self.inputs + self.outputs
        return (
            Parameter("weight", (self.outputs, self.inputs), fan_in),
            Parameter("recurrent", (self.outputs, self.outputs), fan_in),
            Parameter("bias", (self.outputs,), fan_in, "bias"),
        )

    def words(self) -> str:
        """Return e.g. "elman 16", with an activation other than tanh in brackets, for display only."""
        return f"elman {self.outputs}" + (f" ({self.activation})" if self.activation != "tanh" else "")

    def header(self) -> dict[str, Any]:
        """Return the layer's description in the model file's header."""
        return self.first_step.header()

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Elman:
        """Return the layer described in a model file."""
        return cls(int(described["inputs"]), int(described["outputs"]), described["activation"])

    def groups(self, gene: Gene) -> Groups:
        """Return the groups of genes exchanged together: units with all their weights, blocks, or the layer."""
        return recurrent_groups(self.inputs, self.outputs, gene)

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return f(W x + b) (P, O, N), the first step of each column."""
        weights, _, biases = parameters
        return self.first_step.forward((weights, biases), values, passing)


def check_samples(layers: Iterable[Layer]) -> None:
    """Refuse recurrent layers for the samples of a dataset.

    Raises
    ------
    UsageError
        Saying how to train them instead.
    """
    if any(layer.remembers for layer in layers):
        raise UsageError("the network remembers, but samples have no order: evolve it by a fitness of your own")
