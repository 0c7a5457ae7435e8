"""The aim `itself`: reconstruct an image from a short code."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.loss import Loss, least_squares
from genreg_np.model import Float32
from genreg_np.search.aims.base import Aim

LEAST_ERROR = 1e-10  # keeps the signal-to-noise ratio of a perfect copy finite


class Itself(Aim):
    """Reconstruction, judged by the mean squared error of pixels."""

    name = "itself"
    metrics: ClassVar[tuple[str, ...]] = ("squared-error", "psnr")
    tie = "squared-error"
    by_labels = False

    def loss(self, classes: int, smoothing: float) -> Loss:
        """Return the mean squared error."""
        return least_squares

    def measures(
        self,
        answers: Float32,
        features: Float32,
        labels: NDArray[np.int64],
        class_names: Sequence[str],
        also: Sequence[str],
    ) -> Mapping[str, float]:
        """Return the mean squared error of pixels in 0 .. 1, and its peak signal-to-noise ratio in decibels."""
        errors = answers.astype(np.float64) - features
        return {"squared-error": float(np.square(errors).mean()), "psnr": decibels(errors)}


def decibels(errors: NDArray[np.floating]) -> float:
    """Return the peak signal-to-noise ratio of errors of pixels in 0 .. 1, in decibels."""
    return -10 * math.log10(max(float(np.square(errors, dtype=np.float64).mean()), LEAST_ERROR))
