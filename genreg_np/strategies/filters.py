"""Filters for detectors, made without gradients: int8 taps (F, size, size), or (F, D, size, size) of D channels.

    random      normal deviates
    principal   principal axes of image patches (unsupervised: labels are not used)
    clusters    centres of image patches by k-means (unsupervised)
    separable   evolved to respond differently to different classes (fisher.py; uses labels)

The mean of every filter is removed, so that it responds to shape and not to brightness, unless it is to be kept: colour
is the brightness of channels. Filters are scaled so that no response to levels 0 .. 255 exceeds 16 bits: the positive
and the negative taps sum to at most 128 each.

Shapes: F filters, P patches, T = D * size * size taps.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.threads import single_threaded_blas
from genreg_np.errors import UsageError
from genreg_np.layers.images import Int8, UInt8, quantised
from genreg_np.strategies import fisher
from genreg_np.strategies.axes import longest_axes
from genreg_np.streams import Purpose, Stream

SOURCES = ("random", "principal", "clusters", "separable")
PATCHES = 20_000
CLUSTER_ROUNDS = 10

Float64 = NDArray[np.float64]


def make(
    source: str,
    images: UInt8,
    labels: NDArray[np.int64],
    count: int,
    size: int,
    stream: Stream,
    number: int,
    brightness: bool = False,
) -> Int8:
    """Make filters.

    Parameters
    ----------
    source : str
        One of SOURCES.
    images : (n, D, H, W) uint8
        The images to learn from.
    labels : (n,) int64
        Their classes; only `separable` uses them.
    count, size : int
        F, and the size of each filter.
    stream : Stream
    number : int
        Different numbers give different filters for the same seed.
    brightness : bool
        Whether filters keep their mean.

    Returns
    -------
    (F, size, size) int8 for one channel, (F, D, size, size) for more

    Raises
    ------
    UsageError
        For more principal axes than there are, blank images, or `separable` with colour images.
    """
    depth = images.shape[1]
    extents = (count, size, size) if depth == 1 else (count, depth, size, size)
    if source == "random":
        taps = stream.normals(Purpose.FILTERS, number, 0, math.prod(extents))
    elif source == "separable":
        if depth > 1:
            raise UsageError("filters = separable is for grey images: use principal, or --color grey")
        taps = fisher.separable(images[:, 0], labels, count, size, stream, number).astype(np.float64)
    else:
        patches = draw_patches(images, size, stream, number, brightness)
        if len(patches) == 0:
            raise UsageError(f"filters = {source}: the images are blank or uniform; use filters = random")
        taps = principal_axes(patches, count) if source == "principal" else cluster_centres(patches, count)
    return quantised(taps.reshape(extents), centred=not brightness)


def available(source: str, count: int, taps: int) -> int:
    """Return how many of F filters of T taps are available: at most T - 1 principal axes, otherwise all."""
    return min(count, taps - 1) if source == "principal" else count


def draw_patches(images: UInt8, size: int, stream: Stream, number: int, brightness: bool = False) -> Float64:
    """Return random patches (P, T) float64 that are not uniform, with their mean removed and scaled to length 1.

    With `brightness`, return all patches with the mean patch removed.
    """
    count, _, height, width = images.shape
    words = stream.words(Purpose.FILTERS, number, 1, 3 * PATCHES).reshape(3, PATCHES).astype(np.uint64)
    extents = np.array([[count], [height - size + 1], [width - size + 1]], np.uint64)
    image, row, column = (words * extents >> np.uint64(32)).astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(2, 3))
    patches = windows[image, :, row, column].reshape(PATCHES, -1).astype(np.float64)
    if brightness:
        varied: Float64 = patches - patches.mean(axis=0)
        return varied if varied.any() else varied[:0]
    patches -= patches.mean(axis=1, keepdims=True)
    lengths = np.sqrt((patches * patches).sum(axis=1, keepdims=True))
    lit = lengths[:, 0] > 0
    normal: Float64 = patches[lit] / lengths[lit]
    return normal


def principal_axes(patches: Float64, count: int) -> Float64:
    """Return the first F principal axes of patches (P, T), the longest first, each with its largest tap positive."""
    taps = patches.shape[1]
    if count > (axes := available("principal", count, taps)):
        raise UsageError(f"filters = principal: patches of {taps} pixels have {axes} axes, not {count}")
    with single_threaded_blas():
        scatter = patches.T @ patches
    return longest_axes(scatter, count)


def cluster_centres(patches: Float64, count: int) -> Float64:
    """Return F centres of patches (P, T) by k-means: Lloyd's rounds, starting with the first F patches.

    A centre that is nearest to no patch is not moved.
    """
    if count > len(patches):
        raise UsageError(f"filters = clusters: {count} centres of {len(patches)} patches that are not blank")
    centres = patches[:count].copy()
    with single_threaded_blas():
        for _ in range(CLUSTER_ROUNDS):
            distances = (centres * centres).sum(axis=1) - 2 * patches @ centres.T
            nearest = distances.argmin(axis=1)
            for index in np.unique(nearest):
                centres[index] = patches[nearest == index].mean(axis=0)
    return centres
