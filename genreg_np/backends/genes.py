"""Which genes of a whole genome crossover exchanges together; what a layer's own are, layers/groups.py says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.groups import Gene, joined_groups
from genreg_np.model import Network


def crossover_runs(network: Network, gene: Gene) -> NDArray[np.int64]:
    """Return where each run of genes that share a crossover bit begins, and the bit: (R, 2) int64, in order.

    None where every gene has a bit of its own, or none is exchanged.
    """
    if gene in (Gene.NONE, Gene.WEIGHT):
        return np.empty((0, 2), np.int64)
    parts = [(layer.gene_count, layer.groups(gene)) for layer in network.learning if layer.parameters]
    return np.array(joined_groups(parts).runs, np.int64)
