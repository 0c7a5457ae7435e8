"""How like real images generated ones are, by what a classifier of these images makes of both.

    fcd           Frechet distance of two normal distributions that have the means and covariances of both sets of
                  features: |m - n|^2 + tr(A + B - 2 (A B)^(1/2)). With the features of Inception it is known as FID
                  (Heusel et al. 2017); with those of another classifier its values mean something beside one another
                  only, and under the same classifier
    coverage      share of real images near which a generated one lies: within their own k-th nearest real neighbour
    density       how many such neighbourhoods a generated image lies in, as a share of k; 1 of real ones
                  (both: Naeem et al. 2020, k = 5)
    tvd           half the sum of differences between the shares of classes
    modes         classes that at least a tenth of their real share is predicted as
    confident     share of images of which the classifier is certain: its highest probability is above .9
    variety       exp of the mean divergence of an image's class probabilities from those of all: 1 .. K (Salimans et
                  al. 2016 take Inception)
    copying       median distance of generated images to their nearest training image, as a share of what it is of real
                  images that nobody trained on: near 0 of copies
    copies        share of generated images that are nearer than a quarter of that to a training image, less what that
                  share is of real ones
    copying-psnr  peak signal-to-noise ratio of generated images beside the training image nearest in pixels, median,
                  in decibels: it can tell copies, and nothing else
    duplicates    share of generated images that are all but the same as another of them

Shapes: N images, F features, K classes, I pixels.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.loss import log_softmax
from genreg_np.model import Float32

NEIGHBOURS = 5  # k
CERTAIN = 0.9
LEAST_SHARE = 0.1  # of its real share, for a class to count
SAME = 0.05  # of the distance to a nearest neighbour that real images have: nearer ones are the same
MOST_ROWS = 2000  # distances from so many images at once


def frechet(one: Float32, other: Float32) -> float:
    """Return the Frechet distance of features (N, F) and (M, F)."""
    means = [values.mean(axis=0, dtype=np.float64) for values in (one, other)]
    first, second = (np.atleast_2d(np.cov(values.astype(np.float64), rowvar=False)) for values in (one, other))
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    apart = means[0] - means[1]
    return float(max(0.0, apart @ apart + np.trace(first) + np.trace(second) - 2 * cross))


def squares(one: Float32, other: Float32) -> Float32:
    """Return squared distances (N, M) of (N, F) and (M, F)."""
    found: Float32 = np.square(one).sum(axis=1)[:, None] + np.square(other).sum(axis=1) - 2 * (one @ other.T)
    return np.maximum(found, 0, out=found)


def nearest(one: Float32, other: Float32, rank: int = 0) -> Float32:
    """Return the squared distance (N,) of each of (N, F) to the rank-th nearest of (M, F), from 0 on."""
    pieces = [
        np.partition(squares(one[first : first + MOST_ROWS], other), rank, axis=1)[:, rank]
        for first in range(0, len(one), MOST_ROWS)
    ]
    return np.concatenate(pieces)


def radii(real: Float32) -> Float32:
    """Return the squared distance (N,) of real features (N, F) to their k-th nearest neighbour among themselves."""
    return nearest(real, real, min(NEIGHBOURS, len(real) - 1))  # the nearest is each itself


def covered(real: Float32, within: Float32, generated: Float32) -> tuple[float, float]:
    """Return coverage and density of generated features (M, F) beside real ones (N, F) and their radii (N,)."""
    reached, inside = np.zeros(len(real), bool), 0
    for first in range(0, len(generated), MOST_ROWS):
        near = squares(real, generated[first : first + MOST_ROWS]) < within[:, None]
        reached |= near.any(axis=1)
        inside += int(near.sum())
    return float(reached.mean()), inside / (NEIGHBOURS * len(generated))


def of_classes(logits: Float32, shares: NDArray[np.float64]) -> dict[str, float]:
    """Return tvd, modes, confident and variety of logits (N, K), beside the shares (K,) that real images have."""
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
    """Return the share of generated features (N, F) that are the same as another's, by the usual distance of two."""
    others = nearest(generated, generated, 1)
    return float((np.sqrt(others) < SAME * usual).mean())
