"""Gradients for every backend, computed by the layers of genreg_np/layers.

A `Learner` gives the gradient of one network on one batch. `descend` trains P networks for whole epochs.

All networks take the same steps on the same batches. One step, with the batch x (I, N) shared:

    forward, loss, backward        layers/dense.py, layers/loss.py        the first layer of all networks is one product
    step                           layers/optimisers.py                   in place

This file is the specification; numba/kernels/descent.py is the fast path on a CPU.

Shapes: M training images, N images of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.threads import single_threaded_blas
from genreg_np.layers.base import PREDICTING, Array, Passing, array_module, on_host
from genreg_np.layers.composite import Stack
from genreg_np.layers.loss import LOSSES, Loss
from genreg_np.layers.optimisers import Optimiser, follow
from genreg_np.model import Float32, Network
from genreg_np.streams import Stream


def check_gradients(network: Network) -> None:
    """Refuse a network with a layer that has no gradient.

    Raises
    ------
    UsageError
        Saying what to choose instead.
    """
    for layer in network.learning:
        layer.check_gradient()


@dataclass(frozen=True)
class Descent:
    """How networks are trained by gradient descent."""

    network: Network
    optimiser: Optimiser
    batch_size: int  # N; the last batch of an order may be smaller
    loss: str = "negative-log-likelihood"  # or another loss of layers/loss.py, whose targets are numbers

    def __post_init__(self) -> None:
        check_gradients(self.network)


@dataclass(frozen=True)
class Gradient:
    """Loss, gradient and outputs of one network on a batch, before any step."""

    loss: float  # mean over the batch; infinite or NaN if the network diverged
    accuracy: float | None  # fraction of the images predicted right; None if the targets are numbers
    gradient: Float32  # (D,) of the loss with respect to the genes
    statistics: Float32  # (E,) after the forward pass
    values: Float32  # (N, K) the outputs


class Learner:
    """Computes the gradient of one network's loss, batch by batch; to be used by one thread at a time.

    Parameters
    ----------
    backend : GradientBackend
        The backend that computes it.
    network : Network
    loss : callable
        A loss of layers/loss.py: loss(values (1, K, N), labels (N,) or targets (K, N)) -> (1,), (1, K, N).

    Raises
    ------
    UsageError
        For a layer that has no gradient.
    """

    def __init__(self, backend: GradientBackend, network: Network, loss: Loss) -> None:
        check_gradients(network)
        self._backend, self._network, self._loss = backend, network, loss
        self._stack = backend.stack(network)

    def gradient(
        self,
        genes: Float32,
        statistics: Float32,
        features: Array,
        wanted: NDArray[np.generic],
        passing: Passing = PREDICTING,
        weights: Float32 | None = None,
    ) -> Gradient:
        """Return loss and gradient on one batch; the arguments are not changed.

        Parameters
        ----------
        genes : (D,) float32
        statistics : (E,) float32
        features : (N, I) float32
            On the backend's device.
        wanted : (N,) int64, or (N, K) float32
            Labels, or targets.
        passing : Passing
            What the pass is for: prediction or, usually, a training step.
        weights : (N,) float32, optional
            Weights of the images in the gradient, 1 on average; the loss is unweighted.
        """
        there, labels = self._backend.to_device, wanted if wanted.ndim == 1 else None
        with self._backend.computing(), np.errstate(all="ignore"):  # a network that diverges is told by its loss
            xp = array_module(features)
            kept = there(statistics[None].copy())
            arrays = self._network.arrays_of(there(genes[None]), kept)
            columns = features.T if self._network.is_dense else xp.ascontiguousarray(features.T)
            values, needed = self._stack.forward(arrays, columns, passing)
            losses, by_values = self._loss(values, xp.asarray(wanted.T))
            if weights is not None:
                by_values = by_values * xp.asarray(weights)
            _, gradients = self._stack.backward(arrays, needed, by_values, wanted=False)
            found = [losses, joined(gradients), kept, values]
            loss, gradient, kept, values = (on_host(array)[0] for array in found)
        right = None if labels is None else float(np.mean(values.argmax(axis=0) == labels))
        return Gradient(float(loss), right, gradient, kept, values.T.copy())  # layers reuse their memory


class GradientBackend:
    """The part of a backend that computes gradients."""

    def to_device(self, features: Array) -> Array:
        """Return an array on the backend's device."""
        return features

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Run array arithmetic on the backend's device, with the same bytes for any number of threads."""
        with single_threaded_blas():
            yield

    def stack(self, network: Network) -> Stack:
        """Return a network's learning layers in this backend's implementation, for one thread at a time."""
        return network.stack

    def stream(self, stream: Stream) -> Stream:
        """Return a stream of the same words, in this backend's implementation."""
        return stream

    def learner(self, network: Network, loss: Loss) -> Learner:
        """Return a learner of a network's gradients on this backend; raises as Learner does."""
        return Learner(self, network, loss)

    def follow(
        self,
        optimiser: Optimiser,
        genes: Float32,
        gradient: Float32,
        moments: Float32,
        number: int,
        decay: Float32 | None = None,
        clip: float = 0.0,
        in_place: bool = False,
    ) -> tuple[Float32, Float32]:
        """Return one network's genes and moments after a step; layers/optimisers.py documents the parameters."""
        return follow(optimiser, genes, gradient, moments, number, decay, clip, in_place)

    def descend(
        self, descent: Descent, genes: Array, features: Array, labels: NDArray[Any], order: NDArray[np.int64]
    ) -> tuple[Array, NDArray[np.float64]]:
        """Train P networks on the same batches, starting with a fresh optimiser.

        Parameters
        ----------
        descent : Descent
        genes : (P, D) float32
            The networks, on the backend's device. They are not changed.
        features : (M, I) float32
            On the backend's device.
        labels : (M,) int64, or (M, K) float32
        order : (n,) int64
            Rows of `features` in training order, one batch after another.

        Returns
        -------
        genes : (P, D) float32
            The trained networks, on the backend's device.
        losses : (P,) float64
            Mean loss over the images while training. Infinite or NaN for a network that diverged.
        """
        with self.computing(), np.errstate(all="ignore"):  # a network that diverges is told by its loss
            genes = self.to_device(genes)
            xp = array_module(genes)
            stack = descent.network.stack
            parameters = separate(descent.network, genes)
            moments = descent.optimiser.start(parameters)
            total = xp.zeros(len(genes), np.float32)
            rows_of_all, labels_of_all, loss = xp.asarray(order), xp.asarray(labels), LOSSES[descent.loss]
            for number, first in enumerate(range(0, len(order), descent.batch_size), start=1):
                rows = rows_of_all[first : first + descent.batch_size]
                columns = xp.ascontiguousarray(features[rows].T)
                logits, kept = stack.forward(parameters, columns)
                losses, gradient = loss(logits, labels_of_all[rows].T)
                _, gradients = stack.backward(parameters, kept, gradient, wanted=False)
                descent.optimiser.step(parameters, gradients, moments, number)
                total += losses * (len(rows) / len(order))
            return joined(parameters), on_host(total).astype(np.float64)


def separate(network: Network, genes: Array) -> list[Array]:
    """Split genes (P, D) into the parameters of all learning layers, an array (P, *shape) each."""
    xp = array_module(genes)
    return [xp.array(parameter, order="C") for parameter in network.parameters_of(genes)]


def joined(parameters: Sequence[Array]) -> Array:
    """Join the arrays of `separate` into genes (P, D) again."""
    xp = array_module(parameters[0])
    return xp.concatenate([array.reshape(len(array), -1) for array in parameters], axis=1)
