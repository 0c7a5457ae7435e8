"""A layer that remembers: what it gives depends on all inputs before, through what it gave the step before.

    h' = f(W x + U h + b)        h is 0 before the first step

A network with such a layer is a policy, run step by step (`infer.Model.start`, `step`) and trained by evolution on a
fitness of one's own. `forward` is the first step of every column, and no more is needed: samples of a dataset have no
order, so that they are refused (`check_samples`).

Shapes: W (P, O, I), U (P, O, O), b (P, O), x (P, I, N) or shared (I, N), h (O,) of one network.

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
    """f(W x + U h + b), with h what it gave the step before.

    Raises
    ------
    UsageError
        For a width that is no whole number from 1 on, or an unknown activation.
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
        _ = self.first_step  # refuses an unknown activation

    @classmethod
    def example(cls) -> tuple[Elman, tuple[int, ...]]:
        """Return one of four units."""
        return cls(6, 4), (6,)

    @functools.cached_property
    def first_step(self) -> Dense:
        """What it is while h is 0."""
        return Dense(self.inputs, self.outputs, self.activation)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return (O,); inputs of any shape are taken as they lie."""
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
        """Return e.g. "elman 16", and in brackets, which only Python can say, an activation that is not tanh."""
        return f"elman {self.outputs}" + (f" ({self.activation})" if self.activation != "tanh" else "")

    def header(self) -> dict[str, Any]:
        """Return the layer as the model file's header describes it."""
        return self.first_step.header()

    @classmethod
    def read(cls, described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Elman:
        """Return the layer that a model file describes."""
        return cls(int(described["inputs"]), int(described["outputs"]), described["activation"])

    def groups(self, gene: Gene) -> Groups:
        """Return units with all their weights, blocks, or the layer: what is exchanged as a whole."""
        return recurrent_groups(self.inputs, self.outputs, gene)

    def forward(self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING) -> tuple[Array, Kept]:
        """Return f(W x + b) (P, O, N), the first step of each column."""
        weights, _, biases = parameters
        return self.first_step.forward((weights, biases), values, passing)


def check_samples(layers: Iterable[Layer]) -> None:
    """Refuse layers that remember where samples of a dataset are to go through them.

    Raises
    ------
    UsageError
        With what trains them instead.
    """
    if any(layer.remembers for layer in layers):
        raise UsageError("the network remembers, but samples have no order: evolve it by a fitness of your own")
