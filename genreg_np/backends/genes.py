"""Which genes of a whole genome crossover exchanges together; what a layer's own are, layers/groups.py says."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.groups import Gene
from genreg_np.model import Network


def crossover_runs(network: Network, gene: Gene) -> NDArray[np.int64]:
    """Return where each run of genes that share a crossover bit begins, and the bit: (R, 2) int64, in order.

    None where every gene has a bit of its own, or none is exchanged.
    """
    runs: list[tuple[int, int]] = []
    start = group = 0
    for layer in network.learning if gene not in (Gene.NONE, Gene.WEIGHT) else ():
        if layer.parameters:
            groups = layer.groups(gene)
            runs += [(start + first, group + number) for first, number in groups.runs]
            group += groups.count
        start += layer.gene_count
    return np.array(runs, np.int64).reshape(-1, 2)
