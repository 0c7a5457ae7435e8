"""Observation and action spaces of an environment: observations as inputs of a network, outputs as actions.

    Discrete(K)    K outputs, of which the largest is the action; the model has classes called 0 .. K - 1
    Box (A,)       A outputs, scaled to the bounds by tanh; the model predicts numbers, in the environment's units

Shapes: I numbers of an observation, K outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.layers.activation import Activation
from genreg_np.layers.base import Layer
from genreg_np.layers.dense import Dense
from genreg_np.layers.description import parse
from genreg_np.layers.images import FixedLayer, Standardise
from genreg_np.layers.targets import Targets
from genreg_np.model import Network

WIDEST = 1e6  # larger bounds are ignored
LEAST_SHARE = 0.05  # least standard deviation of a number of an observation, relative to half the width of its bounds
MOST_INPUTS = 1 << 20


def input_shape(space: Any, where: str) -> tuple[int, ...]:
    """Return the shape of an observation.

    Raises
    ------
    UsageError
        If it is not an array of numbers; the message says how to make it one.
    """
    kind = type(space).__name__
    if kind != "Box":
        raise UsageError(
            f"{where}: observations are {kind}, but a network takes arrays of numbers: name a function that returns a "
            "wrapped environment, such as gymnasium.wrappers.FlattenObservation(gymnasium.make(...))"
        )
    shape = tuple(int(extent) for extent in space.shape)
    if not shape or not 0 < math.prod(shape) <= MOST_INPUTS:
        raise UsageError(f"{where}: observations have shape {shape}, which a network cannot take: wrap it")
    return shape


@dataclass(frozen=True)
class Actions:
    """How outputs become an action."""

    names: tuple[str, ...]  # of the discrete actions, or of the numbers of an action
    start: int = 0  # number of the first discrete action
    shape: tuple[int, ...] | None = None  # of an action made of numbers; None for discrete actions
    low: NDArray[np.float64] | None = None  # (K,) bounds of numbers, infinite where there are none
    high: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, space: Any, where: str) -> Actions:
        """Read an action space.

        Raises
        ------
        UsageError
            If it is neither discrete nor a box of numbers.
        """
        kind = type(space).__name__
        if kind == "Discrete":
            start = int(space.start)
            return cls(tuple(str(start + number) for number in range(int(space.n))), start)
        if kind != "Box":
            raise UsageError(
                f"{where}: actions are {kind}, but a policy gives one of several (Discrete) or numbers (Box): "
                "wrap it so that it takes one of these"
            )
        shape, count = tuple(int(extent) for extent in space.shape), int(np.prod(space.shape))
        if np.dtype(space.dtype).kind != "f":
            raise UsageError(
                f"{where}: an action is {count} whole number{'s' * (count > 1)} ({space.dtype}), but a policy gives "
                "fractions: wrap it so that it takes these, or one of several actions (Discrete)"
            )
        names = ("action",) if count == 1 else tuple(f"action {number}" for number in range(count))
        low, high = (np.asarray(bound, np.float64).reshape(-1) for bound in (space.low, space.high))
        return cls(names, shape=shape, low=low, high=high)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The model's classes; () if it predicts numbers."""
        return self.names if self.shape is None else ()

    @property
    def targets(self) -> Targets | None:
        """How the model scales its numbers; None if it has classes."""
        if self.shape is None:
            return None
        if not self.is_bounded:
            return Targets(self.names, np.zeros(len(self.names)), np.ones(len(self.names)))
        assert self.low is not None
        assert self.high is not None
        half = (self.high - self.low) / 2
        return Targets(self.names, (self.high + self.low) / 2, np.where(half > 0, half, 1.0))

    @property
    def is_bounded(self) -> bool:
        """Whether actions are numbers that all have bounds, which tanh covers exactly."""
        if self.low is None or self.high is None:
            return False
        return bool((np.abs(self.low) < WIDEST).all() and (np.abs(self.high) < WIDEST).all())

    @property
    def last(self) -> str:
        """The activation of the last layer."""
        return "tanh" if self.is_bounded else "linear"

    def chosen(self, values: NDArray[np.float32]) -> Any:
        """Return the action for outputs (K,): a number of a discrete action, or an array of the space's shape.

        None if outputs are not finite.
        """
        if self.shape is None:
            best = int(values.argmax())  # the place of a NaN, if there is one
            return self.start + best if math.isfinite(values.item(best)) else None
        if not np.isfinite(values).all():
            return None
        assert self.low is not None
        assert self.high is not None
        bounded = np.minimum(np.maximum(values, self.low), self.high)  # rounding may exceed bounds; some are one-sided
        return bounded.astype(np.float32).reshape(self.shape)


def scaling(mean: NDArray[np.float64], deviation: NDArray[np.float64], space: Any) -> Standardise:
    """Return the layer that standardises observations.

    Parameters
    ----------
    mean, deviation : (I,) float64
        Of sampled observations.
    space : gymnasium.spaces.Box
        Its bounds, unless they are very large, limit the scaling of numbers that hardly varied.
    """
    low, high = (np.asarray(bound, np.float64).reshape(-1) for bound in (space.low, space.high))
    bounded = (np.abs(low) < WIDEST) & (np.abs(high) < WIDEST)
    floor = np.where(bounded, LEAST_SHARE * (np.where(bounded, high, 0) - np.where(bounded, low, 0)) / 2, 0)
    return Standardise.of(mean, np.maximum(deviation, floor))


def policy(
    shape: tuple[int, ...], fixed: FixedLayer, actions: Actions, hidden: Sequence[int], activation: str, described: str
) -> Network:
    """Return a network from observations to actions.

    Parameters
    ----------
    shape : tuple of int
        Shape of an observation.
    fixed : FixedLayer
        The layer that scales observations.
    actions : Actions
    hidden : sequence of int
        Units of hidden layers.
    activation : str
        Activation of hidden layers.
    described : str
        All layers in words instead, such as "elman 8 / dense 2".

    Raises
    ------
    UsageError
        If layers do not fit, or their number of outputs is wrong.
    """
    count = len(actions.names)
    layers: list[Layer]
    if described:
        layers = list(parse(described, (math.prod(shape),)))
        layers += [Activation(count, "tanh")] if actions.is_bounded else []
    else:
        widths = (math.prod(shape), *hidden, count)
        functions = [activation] * len(hidden) + [actions.last]
        layers = [Dense(*each) for each in zip(widths[:-1], widths[1:], functions, strict=True)]
    network = Network(shape, (fixed, *layers))
    if network.outputs != count:
        raise UsageError(f"network: gives {network.outputs:,} outputs, but there are {count} actions: `dense {count}`")
    return network
