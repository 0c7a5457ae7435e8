"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise, starmap

from genreg_np.layers.base import PREDICTING, Array, Finished, Float32, Kept, Layer, Parameter, Passing


@dataclass(frozen=True)
class Stack:
    """Layers one after the other, over a population of networks."""

    layers: tuple[Layer, ...]

    def forward(
        self, parameters: Sequence[Array], values: Array, passing: Passing = PREDICTING
    ) -> tuple[Array, list[Kept]]:
        """Return what the last layer gives, and what `backward` will need; the arrays are those of all layers."""
        kept = []
        for layer, own in zip(self.layers, self.shares(parameters), strict=True):
            values, needed = layer.forward(own, values, passing)
            kept.append(needed)
        return values, kept

    def outputs(self, parameters: Sequence[Array], values: Array) -> Array:
        """Return what the last layer gives in prediction; nothing is kept."""
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
        """Return the gradients by the input and by all parameters, as Layer.backward does of one layer."""
        shares, gradients = self.shares(parameters), []
        back: Array | None = gradient
        for index in range(len(self.layers) - 1, -1, -1):
            needed = wanted or any(layer.parameters for layer in self.layers[:index])
            back, own = self.layers[index].backward(shares[index], kept[index], back, wanted=needed, learning=learning)
            gradients.append(own)
            if back is None:  # what lies before has nothing to learn
                break
        return back, list(chain.from_iterable(reversed(gradients)))

    def finished(self, arrays: Sequence[Array]) -> Finished:
        """Return what a saved model has in its place: each layer's own, scales joined to what comes before them."""
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
        """Return each layer's own arrays out of those of all: its parameters, then its statistics."""
        ends = accumulate((len(layer.parameters) + len(layer.statistics) for layer in self.layers), initial=0)
        return [parameters[first:last] for first, last in pairwise(ends)]


def dealt(layers: Sequence[Layer], learned: Iterable[Array], kept: Iterable[Array]) -> list[list[Array]]:
    """Return each layer's own arrays, given those of the parameters of all and those of the statistics of all."""
    learned, kept = iter(learned), iter(kept)
    return [[next(learned) for _ in layer.parameters] + [next(kept) for _ in layer.statistics] for layer in layers]


def places_of(parameters: Iterable[Parameter]) -> tuple[tuple[Parameter, slice], ...]:
    """Return parameters, and where each lies in a row that has all of them."""
    parameters = tuple(parameters)
    ends = accumulate((parameter.size for parameter in parameters), initial=0)
    return tuple(zip(parameters, starmap(slice, pairwise(ends)), strict=True))


def views_of(row: Float32, places: tuple[tuple[Parameter, slice], ...]) -> list[Float32]:
    """Return the arrays (..., *shape) that lie one after the other in rows (..., n)."""
    return [row[..., place].reshape(*row.shape[:-1], *parameter.shape) for parameter, place in places]
