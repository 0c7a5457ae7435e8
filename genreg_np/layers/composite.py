"""Stacks of layers, applied one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, starmap

from genreg_np.layers.base import PREDICTING, Array, Finished, Float32, Kept, Layer, Parameter, Passing


@dataclass(frozen=True)
class Stack:
    """Layers applied one after the other, for a population of networks."""

    layers: tuple[Layer, ...]

    def forward(
        self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING
    ) -> tuple[Array, list[Kept]]:
        """Return the last layer's outputs, and what `backward` will need; `parameters` are the arrays of all layers."""
        kept = []
        for layer, own in zip(self.layers, self.shares(parameters), strict=True):
            values, needed = layer.forward(own, values, passing)
            kept.append(needed)
        return values, kept

    def outputs(self, parameters: Sequence[Array], values: Array) -> Array:
        """Return the last layer's outputs in prediction; nothing is kept."""
        for layer, own in zip(self.layers, self.shares(parameters), strict=True):
            values, _ = layer.forward(own, values)
        return values

    def backward(
        self,
        parameters: Sequence[Array],
        kept: Sequence[Kept],
        gradient: Array,
        *,
        wanted: bool = True,
        learning: bool = True,
    ) -> tuple[Array | None, list[Array]]:
        """Return the gradients with respect to the input and all parameters, as Layer.backward does for one layer."""
        shares, gradients = self.shares(parameters), []
        back: Array | None = gradient
        for index in range(len(self.layers) - 1, -1, -1):
            needed = wanted or any(layer.parameters for layer in self.layers[:index])
            back, own = self.layers[index].backward(shares[index], kept[index], back, wanted=needed, learning=learning)
            gradients.append(own)
            if back is None:  # the layers before have nothing to learn
                break
        return back, list(chain.from_iterable(reversed(gradients)))

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return the layers that a saved model has in its place, with scales joined to the layers before them."""
        done: Finished = []
        for layer, own in zip(self.layers, self.shares(arrays), strict=True):
            for then, values in layer.finished(own):
                before = done[-1] if done else None
                joined = before and then.joined_to(*before, values)
                if before and joined:
                    done[-1] = before[0], joined
                else:
                    done.append((then, values))
        return done

    def shares(self, parameters: Sequence[Array]) -> list[Sequence[Array]]:
        """Return each layer's share of all arrays: its parameters, then its statistics."""
        ends = accumulate((len(layer.parameters) + len(layer.statistics) for layer in self.layers), initial=0)
        return [parameters[first:last] for first, last in pairwise(ends)]


def dealt(layers: Sequence[Layer], learned: Iterable[Array], kept: Iterable[Array]) -> list[list[Array]]:
    """Return each layer's arrays, given the arrays of all parameters and those of all statistics."""
    learned, kept = iter(learned), iter(kept)
    return [[next(learned) for _ in layer.parameters] + [next(kept) for _ in layer.statistics] for layer in layers]


def places_of(parameters: Iterable[Parameter]) -> tuple[tuple[Parameter, slice], ...]:
    """Return parameters, and the place of each in a row of all of them."""
    parameters = tuple(parameters)
    ends = accumulate((parameter.size for parameter in parameters), initial=0)
    return tuple(zip(parameters, starmap(slice, pairwise(ends)), strict=True))


def views_of(row: Float32, places: tuple[tuple[Parameter, slice], ...]) -> list[Float32]:
    """Return views (..., *shape) of the arrays stored one after the other in rows (..., n)."""
    return [row[..., place].reshape(*row.shape[:-1], *parameter.shape) for parameter, place in places]
