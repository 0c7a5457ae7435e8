"""What a run of mixed evolution computes once and never saves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from genreg_np.backends.base import Backend
from genreg_np.backends.gradients import Descent
from genreg_np.layers.base import Array
from genreg_np.model import Network
from genreg_np.strategies.mixed.options import MixedOptions


@dataclass(frozen=True)
class MixedContext:
    """Data shared by all generations."""

    options: MixedOptions
    backend: Backend
    descent: Descent
    features: Array = field(repr=False)  # (M, I) on the device: the training images
    labels: NDArray[Any]  # (M,), or (M, K) numbers
    judged: Array = field(repr=False)  # (n, I) on the device: the selecting split
    judged_labels: NDArray[Any]  # (n,), or (n, K) numbers
    layers: dict[str, slice]  # (T,) weights of each layer or part among the genes
    generations: int  # of the whole run

    @property
    def network(self) -> Network:
        """The network that evolves."""
        return self.descent.network
