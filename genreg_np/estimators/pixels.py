"""Images of whole numbers: raw pixels, whatever type they are stored in, and held to the range of those of `fit`.

Shapes: N images of any shape.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError

LARGEST = 2.0**31  # beyond it, whole floats are not taken for pixels


def as_pixels(images: NDArray[Any]) -> NDArray[Any]:
    """Return images (N, ...) of floats that are whole numbers beyond 0 .. 1 as integers; others as they are."""
    if images.dtype.kind != "f" or not images.size:
        return images
    most = np.abs(images).max()
    if not 1 < most < LARGEST or not np.array_equal(images, np.rint(images)):  # also NaN
        return images
    return images.astype(np.int64)


def as_in_fit(images: NDArray[Any], input_range: tuple[float, float] | None) -> NDArray[Any]:
    """Return images (N, ...) as a model takes them; pixels beyond its range count as its nearest.

    Parameters
    ----------
    images : (N, ...) ndarray
    input_range : tuple of float or None
        The model's: the least and largest pixel of `fit`, or None if it was fitted to fractions.

    Raises
    ------
    DataError
        For pixels, if it was fitted to fractions.
    """
    found = as_pixels(images)
    if found.dtype.kind not in "iub":
        return found
    if input_range is not None:
        low, high = input_range
        bytes_fit = found.dtype == np.uint8 and low <= 0 and high >= 255
        return found if bytes_fit else np.clip(found.astype(np.int64), int(low), int(high))
    if found.size and found.max() > 1:
        raise DataError("X: has whole numbers, but fit was given fractions: divide them as there")
    return found.astype(np.float32)
