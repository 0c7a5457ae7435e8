"""The same five, each broken in a way of its own: the shared tests must notice every one of them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from genreg_np import backends, export, infer, layers, strategies
from genreg_np.backends.base import Brood
from genreg_np.data import built_in
from genreg_np.data.dataset import Dataset, Split
from genreg_np.export import python_
from genreg_np.model import Float32, Model, Network
from tests.extensions.my_backend import DoubleBackend
from tests.extensions.my_dataset import MOONS, load_moons
from tests.extensions.my_layer import Absolute, absolute
from tests.extensions.my_strategy import HillClimber, HillClimberState

counter = itertools.count()


class Forgetful(HillClimber):
    """Remembers something that is no part of its state, and takes NaN for the best of all."""

    @classmethod
    def breed(cls, state: HillClimberState, context: Any, stream: Any, told: bool = False) -> Brood:
        return replace(super().breed(state, context, stream, told), generation=next(counter))

    @classmethod
    def select(
        cls, state: HillClimberState, context: Any, brood: Brood, fitness: Any, accuracy: float | None = None
    ) -> HillClimberState:
        return super().select(state, context, brood, np.where(np.isnan(fitness), np.inf, fitness), accuracy)


class Inexact(DoubleBackend):
    """Builds genomes a little off, and adds to all logits."""

    def rebuild(self, brood: Brood, chosen: Any) -> Float32:
        return super().rebuild(brood, chosen) * np.float32(1.0001)

    def logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        return super().logits(network, genes, features) + np.float32(0.01)


@dataclass(frozen=True)
class Careless(Absolute):
    """Is not saved as it is, computes something else than the runtime, and has the gradient of a third thing."""

    def header(self) -> dict[str, Any]:
        return {"inputs": self.width, "outputs": self.width}

    @classmethod
    def read(cls, described: Any, arrays: Any, where: str) -> Absolute:
        return Absolute(described["inputs"])

    def forward(self, parameters: Sequence[Any], values: Any) -> tuple[Any, Any]:
        return values / 2, values

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape


def load_leaking() -> Dataset:
    """Return other points each time, some of them in train and in test."""
    made = load_moons()
    moved = made.train.inputs + np.float32(next(counter))
    return replace(made, train=Split(moved, made.train.labels), test=Split(moved[:90], made.train.labels[:90]))


SUMMARY = "a file\nof JSON"
TAKES = frozenset({"dense", "no such kind"})


def files(model: Model, name: str) -> dict[str, bytes]:
    return {f"{name}/../{next(counter)}.json": b""}


strategies.REGISTRY["hill-climber"] = "tests.extensions.broken:Forgetful"
backends.REGISTRY["double"] = "tests.extensions.broken:Inexact"
built_in.REGISTRY["moons"] = "tests.extensions.broken:LEAKING"
export.REGISTRY["json"] = "tests.extensions.broken"
layers.REGISTRY["absolute"] = "tests.extensions.broken:Careless"
infer.LAYERS["absolute"] = absolute

LEAKING = replace(MOONS, load=load_leaking)
python_.TAKES -= {"absolute"}
