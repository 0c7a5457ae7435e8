"""The genes of a genome that crossover exchanges together; layers/groups.py has the groups of one layer."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.groups import Gene, joined_groups
from genreg_np.model import Network


def crossover_runs(network: Network, gene: Gene) -> NDArray[np.int64]:
    """Return the start and the bit of each run of genes that share a crossover bit, (R, 2) int64, in order.

    There are no runs if every gene has a bit of its own or no gene is exchanged.
    """
    if gene in (Gene.NONE, Gene.WEIGHT):
        return np.empty((0, 2), np.int64)
    parts = [(layer.gene_count, layer.groups(gene)) for layer in network.learning if layer.parameters]
    return np.array(joined_groups(parts).runs, np.int64)
