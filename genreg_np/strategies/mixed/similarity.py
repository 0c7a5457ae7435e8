"""Similarity of networks: cosines of their weights, layer by layer, and the clusters they form.

    cos(u, v) = u v / (|u| |v|)        over all weights of a layer, or of a parallel part of one, without biases

A cluster is a set of networks joined by a chain of pairs with cosines of at least CLUSTERED (single linkage). The
notebook uses scatter plots instead; this definition is ours.

Niches (fitness.py) are clusters by another measure: the mean of a pair's cosines over layers, from niche_similarity up.

Shapes: P networks, D genes, T layers or parts ("1", "2a", "2b", "3" of the vertical network).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Backend
from genreg_np.layers.base import Array, array_module
from genreg_np.model import Float32, Network

CLUSTERED = 0.9


def layer_slices(network: Network, first: int = 1) -> dict[str, slice]:
    """Return the weights of each layer or part among the genes, by names like 1a, counting layers from `first`."""
    slices = {}
    for index, (layer, (weights, _)) in enumerate(zip(network.dense, network.weight_slices, strict=True)):
        pieces = layer.part_rows
        for number, rows in enumerate(pieces):
            start = weights.start + rows.start * layer.inputs
            name = f"{index + first}{part_name(number, len(pieces))}"
            slices[name] = slice(start, start + len(rows) * layer.inputs)
    return slices


def part_name(number: int, parts: int) -> str:
    """Return the suffix of a layer's name for one of its parts: a to z, or .1, .2, ... if there are more than 26."""
    if parts == 1:
        return ""
    return chr(ord("a") + number) if parts <= 26 else f".{number + 1}"


def cosines(backend: Backend, genes: Array, slices: dict[str, slice]) -> Float32:
    """Return the cosines of all pairs of networks (P, D), layer by layer: (T, P, P) float32, 1 on the diagonal.

    They are computed on the device, in float64; only the cosines are copied to the host.
    """
    xp = array_module(genes)
    found = np.empty((len(slices), len(genes), len(genes)), np.float32)
    with backend.computing():
        for matrix, chosen in zip(found, slices.values(), strict=True):
            weights = genes[:, chosen].astype(np.float64)
            lengths = xp.sqrt(xp.square(weights).sum(axis=1))
            weights /= xp.where(lengths > 0, lengths, 1.0)[:, None]
            products = xp.clip(xp.matmul(weights, weights.T), -1, 1)
            matrix[:] = backend.to_host(products.astype(np.float32))
            np.fill_diagonal(matrix, 1)
    return found


def mean_pairwise(similarity: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean of cosines (..., P, P) over all pairs of different networks, (...,)."""
    size = similarity.shape[-1]
    total = similarity.sum(axis=(-2, -1), dtype=np.float64) - np.trace(similarity, axis1=-2, axis2=-1, dtype=np.float64)
    return np.asarray(total / (size * (size - 1)))


def clusters(similarity: NDArray[np.floating], least: float = CLUSTERED) -> NDArray[np.int64]:
    """Return the number of each network's cluster, (P,), from cosines (P, P); network 0 is in cluster 0."""
    labels = np.full(len(similarity), -1, np.int64)
    for network in range(len(labels)):
        if labels[network] >= 0:
            continue
        labels[network], reached = labels.max() + 1, [network]
        while reached:
            near = np.flatnonzero((similarity[reached.pop()] >= least) & (labels < 0))
            labels[near] = labels[network]
            reached += near.tolist()
    return labels


def cluster_counts(similarity: NDArray[np.floating]) -> list[int]:
    """Return the number of clusters in each layer, (T,), from cosines (T, P, P)."""
    return [int(clusters(matrix).max()) + 1 for matrix in similarity]
