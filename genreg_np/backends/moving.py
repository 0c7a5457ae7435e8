"""Images rotated, stretched, shifted and distorted, with bilinear interpolation; every backend can do it.

    x'(p) = x(c + A (p - c - t) + d(p)), 0 outside; c the centre, t whole pixels, d a field

This file is the specification; numba/kernels/moving.py is the fast path, with the same bytes.

Shapes: N images, C channels of H x W, float32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.model import Float32

PIECE = 8192  # pixels moved at a time: their intermediate results stay in the nearest cache


def moved(
    images: Float32, moves: NDArray[np.int64], matrices: NDArray[np.float64], fields: Float32 | None = None
) -> Float32:
    """Return images (N, C, H, W) moved by t (N, 2), A (N, 2, 2) and d (N, 2, H, W), in the order y, x."""
    count, _, height, width = images.shape
    found, size = np.empty_like(images), max(1, PIECE // (height * width))
    for first in range(0, count, size):
        some = slice(first, first + size)
        sources = affine_sources((height, width), moves[some], matrices[some])
        if fields is not None:
            sources += fields[some]
        found[some] = bilinear(images[some], sources)
    return found


def affine_parts(
    shape: tuple[int, int], moves: NDArray[np.int64], matrices: NDArray[np.float64]
) -> tuple[Float32, Float32, Float32]:
    """Return the source of the corner and its change per row and per column, (N, 2) each, in the order y, x."""
    middle = (np.array(shape) - 1) / 2
    start = middle - np.einsum("nij,nj->ni", matrices, middle + moves)
    return start.astype(np.float32), matrices[:, :, 0].astype(np.float32), matrices[:, :, 1].astype(np.float32)


def affine_sources(shape: tuple[int, int], moves: NDArray[np.int64], matrices: NDArray[np.float64]) -> Float32:
    """Return the source of each pixel, (N, 2, H, W) as y, x, for matrices (N, 2, 2) and whole-pixel moves (N, 2)."""
    rows, columns = np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32)
    corner, by_row, by_column = (part[..., None, None] for part in affine_parts(shape, moves, matrices))
    found: Float32 = corner + by_row * rows[:, None] + by_column * columns
    return found


def bilinear(images: Float32, sources: Float32) -> Float32:
    """Return images (N, C, H, W) sampled at sources (N, 2, H, W), y and x, by bilinear interpolation."""
    count, channels, height, width = images.shape
    tall, wide = height + 3, width + 3  # zeros: one line before, two after
    padded = np.zeros((count, channels, tall, wide), np.float32)
    padded[:, :, 1:-2, 1:-2] = images
    limits = np.array([height + 1, width + 1], np.float32)[:, None, None]
    places = np.clip(sources + 1, 0, limits)
    corners = places.astype(np.int32)
    down, right = (places - corners.astype(np.float32)).swapaxes(0, 1)[:, :, None]
    inside = (corners[:, 0] * wide + corners[:, 1])[:, None]
    first = np.arange(count * channels, dtype=np.int32).reshape(count, channels, 1, 1) * (tall * wide) + inside
    flat = padded.reshape(-1)
    upper, below = flat.take(first), flat.take(first + wide)
    upper += right * (flat.take(first + 1) - upper)
    below += right * (flat.take(first + (wide + 1)) - below)
    found: Float32 = upper + down * (below - upper)
    return found
