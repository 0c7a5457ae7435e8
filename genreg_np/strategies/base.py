"""What a strategy is given to solve."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from genreg_np.model import Float32, Network


@dataclass(frozen=True)
class Problem:
    """A network to train, and labelled features to train it on unless the user brings a fitness."""

    network: Network
    features: Float32 | None = field(default=None, repr=False)  # (N, I), after the network's fixed layers
    labels: NDArray[np.int64] | None = None  # (N,)
