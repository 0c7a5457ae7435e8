"""Fixed image layers by the kernels of kernels/detectors.py; backends/images.py is the specification."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.images import Warps
from genreg_np.backends.moving import affine_parts
from genreg_np.backends.numba.kernels import detectors as kernels
from genreg_np.backends.numba.kernels.moving import move_images
from genreg_np.infer_images import UNMOVED
from genreg_np.layers.images import Branches, Deskew, Detectors, FixedLayer, Standardise, UInt8
from genreg_np.model import PIECE, Float32

ShareOut = Callable[..., None]  # share_out(tiles, kernel, *arguments) runs a kernel on all tiles


def levels_of(layers: Sequence[FixedLayer], levels: UInt8, warps: Warps | None, share_out: ShareOut) -> UInt8:
    """Apply layers of levels to levels (N, I) uint8, piece by piece: (N, O) uint8."""
    outputs = np.empty((len(levels), layers[-1].outputs if layers else levels.shape[1]), np.uint8)
    for start in range(0, len(levels), PIECE):
        piece = slice(start, start + PIECE)
        writable = np.require(levels[piece], requirements=["C", "W"])  # to kernels, read-only arrays are another type
        outputs[piece] = _apply(layers, writable, UNMOVED if warps is None else warps[piece], share_out)
    return outputs


def standardised(layer: Standardise, levels: UInt8, share_out: ShareOut) -> Float32:
    """Apply a layer to levels (N, I) uint8: (N, I) float32."""
    features = np.empty(levels.shape, np.float32)
    share_out(len(levels), kernels.standardise_levels, features, levels, layer.mean, layer.scale)
    return features


def moved(
    images: Float32,
    moves: NDArray[np.int64],
    matrices: NDArray[np.float64],
    fields: Float32 | None,
    share_out: ShareOut,
) -> Float32:
    """Return images (N, C, H, W) moved as in backends/moving.py, with the same bytes."""
    found, parts = np.empty(images.shape, np.float32), affine_parts(images.shape[2:], moves, matrices)
    bent = np.empty((0, 2, *images.shape[2:]), np.float32) if fields is None else fields
    images, bent = (np.require(array, np.float32, ["C", "W"]) for array in (images, bent))
    share_out(len(images), move_images, found, images, *map(np.ascontiguousarray, parts), bent)
    return found


def _apply(layers: Sequence[FixedLayer], levels: UInt8, warps: Warps, share_out: ShareOut) -> UInt8:
    for layer in layers:
        if isinstance(layer, Deskew):
            images = levels.reshape(-1, *layer.shape)
            deskewed = np.empty_like(images)
            share_out(len(images), kernels.deskew_images, deskewed, images, layer.centred, warps)
            levels = deskewed.reshape(len(levels), -1)
        elif isinstance(layer, Detectors):
            levels = _detect(layer, levels, share_out)
        elif isinstance(layer, Branches):
            levels = np.concatenate([_apply(stack, levels, warps, share_out) for stack in layer.stacks], axis=1)
        else:
            levels = layer.apply(levels.astype(np.float32)).astype(np.uint8)
    return levels


def _detect(layer: Detectors, levels: UInt8, share_out: ShareOut) -> UInt8:
    filters, size = layer.filters.reshape(len(layer.filters), -1), layer.filters.shape[-1]
    count, width = filters.shape
    taps = np.zeros((count, -(-width // kernels.TAPS) * kernels.TAPS), np.int16)
    taps[:, :width] = filters
    images, signs, grid = levels.reshape(-1, layer.depth, *layer.shape[1:]), 1 + layer.signed, layer.grid
    found = np.empty((len(images), count * signs * grid[0] * grid[1]), np.uint8)
    shape = (size, layer.margin, layer.window, layer.stride, signs, grid)
    blocks = -(-len(images) // kernels.LANES)
    share_out(blocks, kernels.detect_images, found, images, taps, *shape, np.float32(layer.gain))
    return found.reshape(len(levels), layer.outputs)
