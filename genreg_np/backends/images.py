"""Fixed layers, applied by every backend to all images before training (layers/images.py has the equations).

Shapes: N images, I inputs, O outputs of the last layer. Levels are uint8 and exact, so every backend gives the same
bits as infer_images.py, for any number of threads. This file is the specification; numba/images.py is the fast path.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer_images
from genreg_np.backends import moving
from genreg_np.backends.threads import in_order
from genreg_np.layers.images import Deskew, FixedLayer, Levels, Standardise, UInt8
from genreg_np.model import PIECE, Float32, Network, mapped

SMALL_PIECE = 256  # images that one thread transforms at a time: a fixed number, like IMAGE_TILE
Warps = NDArray[np.float64]  # (N, 6): how each image is moved when it is deskewed (infer_images.deskew)


class ImageBackend:
    """The part of a backend that computes features."""

    threads: int = 1  # how many of our own threads compute at once here

    def levels(self, layers: Sequence[FixedLayer], levels: UInt8, warps: Warps | None = None) -> UInt8:
        """Apply layers of levels to levels (N, I) uint8: (N, O) uint8."""
        pieces = []
        for start in range(0, max(1, len(levels)), PIECE):
            values = levels[start : start + PIECE].astype(np.float32)
            for layer in layers:
                if isinstance(layer, Deskew) and warps is not None:
                    values = infer_images.deskew(values, *layer.shape, layer.centred, warps[start : start + PIECE])
                else:
                    values = layer.apply(values)
            pieces.append(values.astype(np.uint8))
        return np.concatenate(pieces)

    def standardise(self, layer: Standardise, levels: UInt8) -> Float32:
        """Apply a layer to levels (N, I) uint8: (N, I) float32."""
        return layer.apply(levels.astype(np.float32))

    def moved(
        self,
        images: Float32,
        moves: NDArray[np.int64],
        matrices: NDArray[np.float64],
        fields: Float32 | None = None,
    ) -> Float32:
        """Return images (N, C, H, W) moved as in backends/moving.py; all arrays are on the host."""
        return moving.moved(images, moves, matrices, fields)

    def features(
        self, network: Network, inputs: NDArray[np.generic], input_range: tuple[float, float] | None
    ) -> Float32:
        """Return the first dense layer's inputs, (N, I) float32, bit for bit those of infer_images.py."""
        layers = network.fixed
        if not (layers and isinstance(layers[0], Levels)):
            return network.features(inputs, input_range)
        whole = next((index for index, layer in enumerate(layers) if not layer.whole), len(layers))
        levels = self.levels(layers[1:whole], to_levels(inputs, input_range))
        if whole < len(layers) and isinstance(layer := layers[whole], Standardise):
            features, whole = self.standardise(layer, levels), whole + 1
            return features if whole == len(layers) else self.apply(layers[whole:], features)
        return self.apply(layers[whole:], levels)

    def apply(self, layers: Sequence[FixedLayer], values: NDArray[np.generic]) -> Float32:
        """Apply any layers to values (N, I): (N, O) float32, the same bytes for any number of threads."""

        def piece(start: int) -> Float32:
            features = values[start : start + SMALL_PIECE].astype(np.float32)
            for layer in layers:
                features = layer.apply(features)
            return features

        starts = range(0, max(1, len(values)), SMALL_PIECE)
        return np.concatenate(list(in_order(piece, starts, self.threads)))


def to_levels(inputs: NDArray[np.generic], input_range: tuple[float, float] | None) -> UInt8:
    """Return the levels (N, I) uint8 of inputs (N, ...), as computed by the layer Levels."""
    level = Levels(1)
    if inputs.dtype != np.uint8 or input_range is None:
        return level.apply(mapped(inputs, input_range)).astype(np.uint8)
    table = level.apply(mapped(np.arange(256, dtype=np.uint8), input_range)).astype(np.uint8)[:, 0]
    flat = inputs.reshape(len(inputs), -1).astype(np.uint8, copy=False)
    return flat if (table == np.arange(256)).all() else table[flat]
