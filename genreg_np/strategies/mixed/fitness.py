"""The fitness by which networks are selected; higher is better.

accuracy     the fraction of the selecting split's images predicted right (as published)
diversity    accuracy + weight * mean over the other networks of (1 - cosine), with the mean cosine over layers
niches       accuracy - rank within its niche, 0 for the best: the best of every niche come before any second best.
             A niche is a cluster by the mean cosine over layers (similarity.py)

Shapes: n networks, T layers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.model import Float32
from genreg_np.strategies.mixed.options import MixedOptions
from genreg_np.strategies.mixed.similarity import clusters


def fitness_of(accuracy: NDArray[np.float64], similarity: Float32, options: MixedOptions) -> NDArray[np.float64]:
    """Return the fitness (n,) of networks from accuracy (n,) and cosines (T, n, n)."""
    if options.fitness == "accuracy":
        return accuracy
    alike = similarity.mean(axis=0, dtype=np.float64)
    if options.fitness == "diversity":
        others = max(1, len(accuracy) - 1)
        distance = (len(accuracy) - alike.sum(axis=1)) / others  # its distance from itself is 0
        return np.asarray(accuracy + options.diversity_weight * distance)
    return accuracy - places_in_niches(accuracy, clusters(alike, options.niche_similarity))


def places_in_niches(accuracy: NDArray[np.float64], niches: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each network's rank by accuracy within its niche, 0 for the best, (n,); ties go to the lower number."""
    places = np.empty(len(niches), np.int64)
    for niche in np.unique(niches):
        members = np.flatnonzero(niches == niche)
        places[members[np.argsort(-accuracy[members], kind="stable")]] = np.arange(len(members))
    return places
