"""Gradient descent of P networks at once: what every backend can do, by the layers of genreg_np/layers.

All networks take the same steps on the same batches. One step, with the batch x (I, N) shared:

    forward, loss, backward        layers/dense.py, layers/loss.py        the first layer of all networks is one product
    step                           layers/optimisers.py                   in place

This file is the specification; numba/kernels/descent.py is the fast path on a CPU.

Shapes: M training images, N of a batch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.threads import single_threaded_blas
from genreg_np.layers.base import Array, array_module
from genreg_np.layers.composite import Stack
from genreg_np.layers.loss import negative_log_likelihood
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Float32, Network


@dataclass(frozen=True)
class Descent:
    """How networks learn."""

    network: Network
    optimiser: Optimiser
    batch_size: int  # N; the last batch of an order may be smaller

    def __post_init__(self) -> None:
        for layer in self.network.learning:
            layer.check_gradient()

    @functools.cached_property
    def stack(self) -> Stack:
        """The network's learning layers."""
        return Stack(self.network.learning)


class GradientBackend:
    """The part of a backend that follows gradients."""

    def to_device(self, features: Array) -> Array:
        """Return an array where the backend computes."""
        return features

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Let array arithmetic happen where the backend computes, the same bytes for any number of threads."""
        with single_threaded_blas():
            yield

    def stack(self, network: Network) -> Stack:
        """Return the learning layers as this backend computes them, for one thread at a time."""
        return network.stack

    def descend(
        self, descent: Descent, genes: Array, features: Array, labels: NDArray[np.int64], order: NDArray[np.int64]
    ) -> tuple[Array, NDArray[np.float64]]:
        """Train P networks on the same batches, with an optimiser that begins anew.

        Parameters
        ----------
        descent : Descent
        genes : (P, D) float32
            The networks; the backend's own. They are not changed.
        features : (M, I) float32
            The backend's own.
        labels : (M,) int64
        order : (n,) int64
            Rows of `features`, in the order in which they are learned from, a batch after another.

        Returns
        -------
        genes : (P, D) float32
            The trained networks; the backend's own.
        losses : (P,) float64
            Mean loss over the images as they were learned from. Infinite or NaN for a network that diverged.
        """
        with self.computing(), np.errstate(all="ignore"):  # a network that diverges is told by its loss
            genes = self.to_device(genes)
            xp = array_module(genes)
            stack = descent.stack
            parameters = separate(descent.network, genes)
            moments = descent.optimiser.start(parameters)
            total = xp.zeros(len(genes), np.float32)
            rows_of_all, labels_of_all = xp.asarray(order), xp.asarray(labels)
            for number, first in enumerate(range(0, len(order), descent.batch_size), start=1):
                rows = rows_of_all[first : first + descent.batch_size]
                columns = xp.ascontiguousarray(features[rows].T)
                logits, kept = stack.forward(parameters, columns)
                losses, gradient = negative_log_likelihood(logits, labels_of_all[rows])
                _, gradients = stack.backward(parameters, kept, gradient, wanted=False)
                descent.optimiser.step(parameters, gradients, moments, number)
                total += losses * (len(rows) / len(order))
            return joined(parameters), _on_host(total)


def separate(network: Network, genes: Array) -> list[Array]:
    """Return genes (P, D) as the parameters of all learning layers, each an array of its own, (P, *shape)."""
    xp = array_module(genes)
    return [xp.array(parameter, order="C") for parameter in network.parameters_of(genes)]


def joined(parameters: Sequence[Array]) -> Array:
    """Return what `separate` took apart as genes (P, D)."""
    xp = array_module(parameters[0])
    return xp.concatenate([array.reshape(len(array), -1) for array in parameters], axis=1)


def _on_host(array: Array) -> NDArray[np.float64]:
    found: Float32 = array if isinstance(array, np.ndarray) else array_module(array).asnumpy(array)
    return found.astype(np.float64)
