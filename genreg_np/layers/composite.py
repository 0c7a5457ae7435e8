"""Layers one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

from genreg_np.layers.base import Array, Kept, Layer


@dataclass(frozen=True)
class Stack:
    """Layers one after the other, over a population of networks."""

    layers: tuple[Layer, ...]

    def forward(self, parameters: Sequence[Array], values: Array) -> tuple[Array, list[Kept]]:
        """Return what the last layer gives, and what `backward` will need; the parameters are those of all layers."""
        kept = []
        for layer, own in zip(self.layers, self._shares(parameters), strict=True):
            values, needed = layer.forward(own, values)
            kept.append(needed)
        return values, kept

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
        shares, gradients = self._shares(parameters), []
        back: Array | None = gradient
        for index in range(len(self.layers) - 1, -1, -1):
            needed = wanted or any(layer.parameters for layer in self.layers[:index])
            back, own = self.layers[index].backward(shares[index], kept[index], back, wanted=needed, learning=learning)
            gradients.append(own)
            if back is None:  # what lies before has nothing to learn
                break
        return back, list(chain.from_iterable(reversed(gradients)))

    def _shares(self, parameters: Sequence[Array]) -> list[Sequence[Array]]:
        """Return each layer's own parameters out of those of all."""
        ends = accumulate((len(layer.parameters) for layer in self.layers), initial=0)
        return [parameters[first:last] for first, last in pairwise(ends)]
