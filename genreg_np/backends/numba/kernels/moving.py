"""Images rotated, stretched, shifted and distorted; backends/moving.py is the specification, to the byte."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

import numpy as np

from genreg_np.backends.numba.kernels.jit import kernel

NOTHING, ONE = np.float32(0), np.float32(1)


@kernel()
def move_images(found, images, corners, by_row, by_column, fields, first, last):
    """Fill images first .. last - 1 of found (N, C, H, W).

    corners, by_row, by_column (N, 2): backends.moving.affine_parts. fields (N, 2, H, W), or none.
    """
    _, channels, height, width = images.shape
    padded = np.zeros((height + 3, width + 3), np.float32)  # zeros: one line before, two after
    places = np.empty((2, height, width), np.float32)
    for image in range(first, last):
        for axis in range(2):
            corner, down, across = corners[image, axis], by_row[image, axis], by_column[image, axis]
            limit = np.float32((height if axis == 0 else width) + 1)
            for y in range(height):
                own, start = places[axis, y], corner + down * np.float32(y)
                for x in range(width):
                    own[x] = start + across * np.float32(x)
                if len(fields):
                    bent = fields[image, axis, y]
                    for x in range(width):
                        own[x] += bent[x]
                for x in range(width):
                    place = own[x] + ONE
                    place = NOTHING if place < NOTHING else place
                    own[x] = limit if place > limit else place
        for c in range(channels):
            for y in range(height):
                inside, own = padded[y + 1], images[image, c, y]
                for x in range(width):
                    inside[x + 1] = own[x]
            for y in range(height):
                out, from_y, from_x = found[image, c, y], places[0, y], places[1, y]
                for x in range(width):
                    row, column = np.int64(from_y[x]), np.int64(from_x[x])
                    down, right = from_y[x] - np.float32(row), from_x[x] - np.float32(column)
                    upper, below = padded[row], padded[row + 1]
                    above = upper[column] + right * (upper[column + 1] - upper[column])
                    under = below[column] + right * (below[column + 1] - below[column])
                    out[x] = above + down * (under - above)
