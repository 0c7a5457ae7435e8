"""The aim `classes`: a logit for each class, whose softmax is its probability."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.loss import Loss, log_softmax, negative_log_likelihood
from genreg_np.model import Float32
from genreg_np.runs.measures import measures_of
from genreg_np.search.aims.base import Aim
from genreg_np.search.metrics import METRICS


class Classes(Aim):
    """Classification by logits."""

    name = "classes"
    metrics: ClassVar[tuple[str, ...]] = METRICS
    tie = "log-loss"

    def loss(self, classes: int, smoothing: float) -> Loss:
        """Return -log p of the right class."""
        return functools.partial(negative_log_likelihood, smoothing=smoothing)

    def answers(self, values: Float32) -> Float32:
        """Return log p (N, K)."""
        found: Float32 = log_softmax(values.T[None])[0].T
        return found

    def measures(
        self,
        answers: Float32,
        features: Float32,
        labels: NDArray[np.int64],
        class_names: Sequence[str],
        also: Sequence[str],
    ) -> Mapping[str, float]:
        """Return all metrics of log p (N, K)."""
        found = measures_of(answers, labels, class_names)
        for name in also:
            found |= measures_of(answers, labels, class_names, name)
        return found
