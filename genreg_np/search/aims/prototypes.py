"""The aim `prototypes`: a space in which images of a class lie near its mean (Snell et al. 2017, "Prototypical
Networks for Few-shot Learning").

Every batch is an episode with all classes, in which each image is a query: it is assigned to the class with the nearest
mean, where the mean of its own class leaves the image itself out. So individuals learn to classify from few images,
which is all that a tiny dataset has.

What is saved is an ordinary network. With m the mean of a class's training images,

    -|z - m|^2 = 2 m . z - |m|^2 - |z|^2

and |z|^2 is the same for all classes, so a dense layer of weights 2 m and biases -|m|^2 gives the same probabilities.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.base import Array, array_module
from genreg_np.layers.dense import Dense
from genreg_np.layers.loss import Loss, log_softmax
from genreg_np.model import Float32, Network
from genreg_np.search.aims.base import Known
from genreg_np.search.aims.classes import Classes

OF_EACH = 200  # the most training images that a class's mean is taken over
UNSEEN = -1e6  # the logit of a class without images


class Prototypes(Classes):
    """Classification by class means in a learned space."""

    name = "prototypes"

    def loss(self, classes: int, smoothing: float) -> Loss:
        """Return -log p of the right class, by distances to the means of a batch, without smoothing."""
        return functools.partial(prototypical, classes=classes)

    def learned(self, values: Callable[[NDArray[np.int64]], Float32], labels: NDArray[np.int64], classes: int) -> Known:
        """Return the mean of each class (K, V); NaN for one without images, as a fold of a tiny set may have."""
        own = [np.flatnonzero(labels == label)[:OF_EACH] for label in range(classes)]
        seen = [values(rows).mean(axis=0, dtype=np.float64).astype(np.float32) for rows in own if len(rows)]
        means = np.full((classes, seen[0].shape[0]), np.nan, np.float32)
        means[[label for label in range(classes) if len(own[label])]] = seen
        return means

    def finished(self, network: Network, genes: Float32, known: Known) -> tuple[Network, Float32]:
        """Return the network with a dense layer that gives each class's logit; unseen classes get a very low one."""
        assert known is not None
        classes, size = known.shape
        unseen = np.asarray(np.isnan(known).any(axis=1))
        means = np.where(unseen[:, None], np.float32(0), known)
        biases = -np.square(means.astype(np.float64)).sum(axis=1).astype(np.float32)
        biases[unseen] = UNSEEN
        layers = (*network.layers, Dense(size, classes))
        return Network(network.input_shape, layers), np.concatenate([genes, (2 * means).ravel(), biases])


def prototypical(values: Array, labels: Array, classes: int) -> tuple[Array, Array]:
    """Return losses (P,) and the gradient (P, V, N) for points (P, V, N) with labels (N,).

    In a class of n images, the distance of an image z from the mean of the others is n / (n - 1) times its distance
    from the mean of all. An image that is alone in its class has no loss.
    """
    xp = array_module(values)
    own = (labels[:, None] == xp.arange(classes)).astype(values.dtype)  # (N, K)
    counts = own.sum(axis=0)  # (K,)
    means = xp.matmul(values, own) / xp.maximum(counts, 1)  # (P, V, K)
    places = values.swapaxes(1, 2)  # (P, N, V)
    further = counts / xp.maximum(counts - 1, 1)  # (K,) distance to the mean of the others / to the mean of all
    stretch = 1 + own * (further * further - 1)  # (N, K)
    squares = (
        (places * places).sum(axis=2)[:, :, None] - 2 * xp.matmul(places, means) + (means * means).sum(axis=1)[:, None]
    )  # (P, N, K)
    unseen = (counts == 0).astype(values.dtype) * UNSEEN
    logits = unseen - squares * stretch
    log_p = log_softmax(logits.swapaxes(1, 2)).swapaxes(1, 2)
    asked = ((own * (counts > 1).astype(values.dtype)).sum(axis=1))[:, None]  # (N, 1) of 0 and 1
    share = 1 / xp.maximum(asked.sum(axis=0), 1)  # (1,)
    losses = (log_p * own * asked).sum(axis=(1, 2)) * -share
    by_squares = (xp.exp(log_p) - own) * asked * stretch * (share * -1)  # (P, N, K)
    by_means = 2 * (means * by_squares.sum(axis=1)[:, None] - xp.matmul(values, by_squares))  # (P, V, K)
    by_places = 2 * (places * by_squares.sum(axis=2)[:, :, None] - xp.matmul(by_squares, means.swapaxes(1, 2)))
    return losses, by_places.swapaxes(1, 2) + xp.matmul(by_means / xp.maximum(counts, 1), own.T)
