"""What an aim is: the loss that individuals minimise, what they predict, and how they are judged.

    loss        of the outputs against what was wanted: layers/loss.py
    learned     what is computed from the training images after learning, besides the weights; often nothing
    finished    the network that predicts: the learned one, perhaps with a layer made from what was computed
    measures    of predictions: by name; one of them drives selection

Shapes: N images, I inputs, V outputs, K classes, D genes.
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
    """What individuals learn."""

    name: ClassVar[str]
    metrics: ClassVar[tuple[str, ...]]
    tie: ClassVar[str]  # the metric that breaks ties: lower is better
    by_labels: ClassVar[bool] = True  # whether the targets are labels; if not, they are the images themselves

    @abstractmethod
    def loss(self, classes: int, smoothing: float) -> Loss:
        """Return the loss to minimise."""

    def learned(self, values: Callable[[NDArray[np.int64]], Float32], labels: NDArray[np.int64], classes: int) -> Known:
        """Return what is computed from the training images.

        Parameters
        ----------
        values : callable
            values(rows) -> (n, V) outputs for images, unaugmented.
        labels : (N,) int64
            Labels of the training images.
        classes : int
        """
        return None

    def finished(self, network: Network, genes: Float32, known: Known) -> tuple[Network, Float32]:
        """Return the network that predicts, and its genes."""
        return network, genes

    def answers(self, values: Float32) -> Float32:
        """Return the predictions (N, V) to measure, given the outputs (N, V) of a finished network."""
        return values

    @abstractmethod
    def measures(
        self,
        answers: Float32,
        features: Float32,
        labels: NDArray[np.int64],
        class_names: Sequence[str],
        also: Sequence[str],
    ) -> Mapping[str, float]:
        """Return all metrics, and those of a single class that are asked for.

        Parameters
        ----------
        answers : (N, V) float32
        features : (N, I) float32
        labels : (N,) int64
        class_names : sequence of str
        also : sequence of str
            Metrics of a single class.
        """
