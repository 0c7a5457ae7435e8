"""Layers one after the other (Stack), and side by side on the same input (Parallel). Both are layers themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise

from genreg_np.layers.base import Array, Kept, Layer, Parameter, array_module


def _shares(layers: Sequence[Layer], parameters: Sequence[Array]) -> list[Sequence[Array]]:
    """Return each layer's own parameters out of those of all."""
    ends = accumulate((len(layer.parameters) for layer in layers), initial=0)
    return [parameters[first:last] for first, last in pairwise(ends)]


@dataclass(frozen=True)
class Stack(Layer):
    """Layers one after the other."""

    layers: tuple[Layer, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of all layers, in order."""
        return tuple(chain.from_iterable(layer.parameters for layer in self.layers))

    def forward(self, parameters: Sequence[Array], values: Array) -> tuple[Array, Kept]:
        """Return what the last layer gives."""
        kept = []
        for layer, own in zip(self.layers, _shares(self.layers, parameters), strict=True):
            values, needed = layer.forward(own, values)
            kept.append(needed)
        return values, kept

    def backward(
        self, parameters: Sequence[Array], kept: Kept, slope: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Go back from the last layer to the first."""
        shares, slopes = _shares(self.layers, parameters), []
        back: Array | None = slope
        for index in range(len(self.layers) - 1, -1, -1):
            needed = wanted or any(layer.parameters for layer in self.layers[:index])
            back, own = self.layers[index].backward(shares[index], kept[index], back, wanted=needed, learning=learning)
            slopes.append(own)
            if back is None:  # what lies before has nothing to learn
                break
        return back, list(chain.from_iterable(reversed(slopes)))


@dataclass(frozen=True)
class Parallel(Layer):
    """Branches that all see the same input; what they give is put end to end along the first axis after P."""

    branches: tuple[Layer, ...]

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of all branches, in order."""
        return tuple(chain.from_iterable(branch.parameters for branch in self.branches))

    def forward(self, parameters: Sequence[Array], values: Array) -> tuple[Array, Kept]:
        """Return the branches' outputs, end to end."""
        shares = _shares(self.branches, parameters)
        found = [branch.forward(own, values) for branch, own in zip(self.branches, shares, strict=True)]
        outputs = [output for output, _ in found]
        sizes = [output.shape[1] for output in outputs]
        return array_module(outputs[0]).concatenate(outputs, axis=1), (sizes, [needed for _, needed in found])

    def backward(
        self, parameters: Sequence[Array], kept: Kept, slope: Array, *, wanted: bool = True, learning: bool = True
    ) -> tuple[Array | None, list[Array]]:
        """Hand each branch its share of the slope; the input's slope is the sum of theirs."""
        (sizes, needed), total, slopes = kept, None, []
        bounds = pairwise(accumulate(sizes, initial=0))
        shares = _shares(self.branches, parameters)
        for branch, own, one, (first, last) in zip(self.branches, shares, needed, bounds, strict=True):
            back, by_parameters = branch.backward(own, one, slope[:, first:last], wanted=wanted, learning=learning)
            slopes += by_parameters
            if back is not None:
                total = back if total is None else total + back
        return total, slopes
