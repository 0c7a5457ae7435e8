"""What an aim is: the loss that individuals follow, what they answer, and what they are judged by.

    loss        of what comes out and what was wanted: layers/loss.py
    learned     what is to be known of the training images after learning, beside weights; often nothing
    finished    the network that answers: what learned, and perhaps a layer made of what is known
    measures    of answers: by names, one of which drives selection

Shapes: N images, I inputs, V values that come out, K classes, D genes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.loss import Loss
from genreg_np.model import Float32, Network

Known = NDArray[np.float32] | None


class Aim(ABC):
    """An aim."""

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    tie: ClassVar[str]  # the metric that decides between equals: the lower the better
    by_labels: ClassVar[bool] = True  # whether labels are wanted; if not, the images themselves are

    @abstractmethod
    def loss(self, classes: int, smoothing: float) -> Loss:
        """Return what is followed."""

    def learned(self, values: Callable[[NDArray[np.int64]], Float32], labels: NDArray[np.int64], classes: int) -> Known:
        """Return what is to be known of training images.

        Parameters
        ----------
        values : callable
            values(rows) -> (n, V) what comes out of images, as they are.
        labels : (N,) int64
            Of the training images.
        classes : int
        """
        return None

    def finished(self, network: Network, genes: Float32, known: Known) -> tuple[Network, Float32]:
        """Return the network that answers, and its genes."""
        return network, genes

    def answers(self, values: Float32) -> Float32:
        """Return what is measured (N, V) of what a finished network gives (N, V)."""
        return values

    @abstractmethod
    def measures(
        self,
        answers: Float32,
        features: Float32,
        labels: NDArray[np.int64],
        class_names: Sequence[str],
        metric: str,
    ) -> Mapping[str, float]:
        """Return all metrics, and `metric` where it is of a single class.

        Parameters
        ----------
        answers : (N, V) float32
        features : (N, I) float32
        labels : (N,) int64
        class_names : sequence of str
        metric : str
        """
