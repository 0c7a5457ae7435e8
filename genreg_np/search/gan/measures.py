"""How similar generated images are to real ones, as seen by a classifier of real images.

    fcd           Frechet distance between two normal distributions with the means and covariances of both sets of
                  features: |m - n|^2 + tr(A + B - 2 (A B)^(1/2)). With Inception's features it is known as FID (Heusel
                  et al. 2017); with those of another classifier, its values can only be compared with one another,
                  under the same classifier
    coverage      share of real images with a generated image nearby: within the distance to their k-th nearest real
                  neighbour
    density       the mean number of such neighbourhoods a generated image lies in, divided by k; 1 for real images
                  (both: Naeem et al. 2020, k = 5)
    tvd           half the sum of absolute differences between the class shares
    modes         number of classes predicted at least a tenth as often as among real images
    confident     share of images with a highest class probability above .9
    variety       exp of the mean divergence of an image's class probabilities from their mean: 1 .. K (Salimans et al.
                  2016 use Inception)
    copying       median distance of generated images to their nearest training image, relative to that of real images
                  not trained on: near 0 for copies
    copies        share of generated images nearer than a quarter of that to a training image, minus the same share of
                  real images
    copying-psnr  median peak signal-to-noise ratio of generated images against the training image nearest in pixels, in
                  decibels: it can reveal copies, and nothing else
    duplicates    share of generated images that are almost identical to another of them

Shapes: N images, F features, K classes, I pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.loss import log_softmax
from genreg_np.model import Float32

NEIGHBOURS = 5  # k
CERTAIN = 0.9
LEAST_SHARE = 0.1  # of its share among real images, for a class to count
SAME = 0.05  # share of the usual nearest-neighbour distance of real images, below which images are the same
MOST_ROWS = 500  # images whose distances are computed at a time
MOST_VALUES = 1 << 23  # of the images that they are compared with at a time, and of the distances


def frechet(one: Float32, other: Float32) -> float:
    """Return the Frechet distance of features (N, F) and (M, F)."""
    means = [values.mean(axis=0, dtype=np.float64) for values in (one, other)]
    first, second = (np.atleast_2d(np.cov(values.astype(np.float64), rowvar=False)) for values in (one, other))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    apart = means[0] - means[1]
    return float(max(0.0, apart @ apart + np.trace(first) + np.trace(second) - 2 * cross))


def squares(one: Float32, other: Float32) -> Iterator[tuple[slice, Float32]]:
    """Yield the squared distances (n, M) of some rows of (N, F) to all of (M, F), with the rows.

    |x - y|^2 = |x|^2 + |y|^2 - 2 x y is one product of longer vectors: sums of large matrices take longer than that.
    """
    lengths = [np.square(values).sum(axis=1, keepdims=True) for values in (one, other)]
    left = np.hstack([one, lengths[0], np.ones_like(lengths[0])])
    right = np.hstack([-2 * other, np.ones_like(lengths[1]), lengths[1]]).T
    for first in range(0, len(one), MOST_ROWS):
        rows = slice(first, first + MOST_ROWS)
        found: Float32 = left[rows] @ right
        yield rows, np.maximum(found, 0, out=found)


def nearest(one: Float32, other: Float32, rank: int = 0) -> Float32:
    """Return the squared distance (N,) of each of (N, F) to its rank-th nearest of (M, F), counted from 0."""
    if not rank:
        least = np.full(len(one), np.inf, np.float32)
        each = max(1, MOST_VALUES // max(MOST_ROWS, other.shape[1]))
        for first in range(0, len(other), each):
            for rows, found in squares(one, other[first : first + each]):
                least[rows] = np.minimum(least[rows], found.min(axis=1))
        return least
    return np.concatenate([np.partition(found, rank, axis=1)[:, rank] for _, found in squares(one, other)])


def radii(real: Float32) -> Float32:
    """Return the squared distance (N,) of real features (N, F) to their k-th nearest real neighbour."""
    return nearest(real, real, min(NEIGHBOURS, len(real) - 1))  # the nearest is the image itself


def covered(real: Float32, within: Float32, generated: Float32) -> tuple[float, float]:
    """Return coverage and density of generated features (M, F), given real ones (N, F) and their radii (N,)."""
    reached, inside = np.zeros(len(real), bool), 0
    for rows, found in squares(real, generated):
        near = found < within[rows, None]
        reached[rows] = near.any(axis=1)
        inside += int(np.count_nonzero(near))
    return float(reached.mean()), inside / (NEIGHBOURS * len(generated))


def of_classes(logits: Float32, shares: NDArray[np.float64]) -> dict[str, float]:
    """Return tvd, modes, confident and variety of logits (N, K), given the class shares (K,) of real images."""
    log_p = log_softmax(logits.T[None].astype(np.float64))[0].T
    p = np.exp(log_p)
    counted = np.bincount(p.argmax(axis=1), minlength=len(shares)) / len(p)
    mean = p.mean(axis=0)
    divergence = (p * (log_p - np.log(np.maximum(mean, 1e-300)))).sum(axis=1).mean()
    return {
        "tvd": float(np.abs(counted - shares).sum() / 2),
        "modes": float((counted >= LEAST_SHARE * shares).sum()),
        "confident": float((p.max(axis=1) > CERTAIN).mean()),
        "variety": math.exp(divergence),
    }


def duplicated(generated: Float32, usual: float) -> float:
    """Return the share of generated features (N, F) that coincide with another, relative to the usual distance."""
    others = nearest(generated, generated, 1)
    return float((np.sqrt(others) < SAME * usual).mean())
