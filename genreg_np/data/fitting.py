"""Bring pictures of any size to one size: which part of a picture is used, and the means of its squares.

    step    crop: min(H / R, W / C)    pad: max(H / R, W / C)       pixels of the picture for one of R x C squares
    start   (H - R step) / 2 down, (W - C step) / 2 across          so that the middle is used
    level   floor(mean over the square + 1/2)                       counting parts of pixels, black outside the picture

Squares and means are the same as for photographs on the HTML page (export/page/photograph.js and colours.js). In a unit
in which all edges of squares are whole, the sums are whole numbers: equal on every machine and in any order. `stretch`
is Pillow's bilinear scaling of height and width independently, which averages when shrinking.

Shapes: levels (H, W) or (H, W, channels) uint8; size R, C; the result (R, C) or (R, C, channels) uint8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.depth import Ranges
from genreg_np.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

Size = tuple[int, int]  # height, width
Levels = NDArray[np.uint8]

CROP, PAD, STRETCH = FITS = ("crop", "pad", "stretch")
PARTS = {CROP: "the middle of each", PAD: "all of each, with black beside it", STRETCH: "each stretched"}
AUTO, GREY, RGB = COLOURS = ("auto", "grey", "rgb")
MAX_PIXELS = 1 << 26  # of one file, about 8192 x 8192


def check_pixels(where: object, size: Size) -> None:
    """Refuse a size of more than MAX_PIXELS.

    Raises
    ------
    DataError
        If it is larger.
    """
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(
            f"{where}: {size[0]}x{size[1]} pixels, more than {MAX_PIXELS:,} are not unpacked; scale it down first"
        )


def fitted(levels: Levels, size: Size, fit: str) -> Levels:
    """Return a picture at a size.

    Parameters
    ----------
    levels : (H, W) or (H, W, channels) uint8
    size : tuple of int
        Height and width; a picture of this size is returned unchanged.
    fit : str
        crop: the largest middle part with the shape of the size; pad: the whole picture, with black beside it; stretch:
        the whole picture, ignoring its aspect ratio.

    Returns
    -------
    (R, C) or (R, C, channels) uint8

    Raises
    ------
    DataError
        For a size of more than MAX_PIXELS.
    """
    if levels.shape[:2] == size:
        return levels
    check_pixels("the size to scale to", size)
    if fit == STRETCH:
        from PIL import Image

        return np.array(stretched(Image.fromarray(levels), size), np.uint8)
    (height, width), (rows, columns) = levels.shape[:2], size
    if rows * width > 4 * height * columns:  # summing columns first takes less memory
        return np.ascontiguousarray(fitted(levels.swapaxes(0, 1), (columns, rows), fit).swapaxes(0, 1))
    by_height = (height * columns <= width * rows) == (fit == CROP)
    extent, count = (height, rows) if by_height else (width, columns)
    step, unit = 2 * extent, 2 * count  # sides of a square and of a pixel in a unit that makes all edges whole
    flat = np.ascontiguousarray(levels).reshape(height, -1)
    narrow = _sums(flat, rows, step, unit).reshape(rows, width, -1)
    sums = _sums(np.ascontiguousarray(narrow.transpose(1, 0, 2)).reshape(width, -1), columns, step, unit)
    means = (sums + step * step // 2) // (step * step)
    return np.ascontiguousarray(means.astype(np.uint8).reshape(columns, rows, -1).transpose(1, 0, 2)).reshape(
        *size, *levels.shape[2:]
    )


def stretched(image: Image.Image, size: Size) -> Image.Image:
    """Return a Pillow image scaled to a height and width.

    Raises
    ------
    DataError
        For a size of more than MAX_PIXELS.
    """
    from PIL import Image

    check_pixels("the size to scale to", size)
    return image.resize((size[1], size[0]), Image.Resampling.BILINEAR)


def _sums(values: NDArray[np.generic], count: int, step: int, unit: int) -> NDArray[np.int64]:
    """Return the weighted sums of (N, n) values over `count` intervals in the middle of N, (count, n).

    Values have a length of `unit`, intervals of `step`; a value is weighted by the length it shares with the interval.
    """
    extent = len(values)
    start = (extent * unit - count * step) // 2  # both are even
    sums = np.zeros((count, values.shape[1]), np.int64)
    exact = np.uint32 if values.dtype == np.uint8 and extent < 1 << 24 else np.int64  # 255 * 2**24 fits
    for interval in range(count):
        begin = start + interval * step
        end = begin + step
        first, last = max(0, begin // unit), min(extent, -(-end // unit)) - 1
        if first > last:
            continue
        if last - first > 1:
            sums[interval] = values[first + 1 : last].sum(axis=0, dtype=exact)
            sums[interval] *= unit
        for place in {first, last}:
            sums[interval] += (min(end, (place + 1) * unit) - max(begin, place * unit)) * values[place].astype(np.int64)
    return sums


class Remembered(NamedTuple):
    """How the pictures on which a model was trained became its inputs."""

    fit: str
    ranges: Ranges  # of more than 8 bits, by kind


def remembered(header: Mapping[str, Any]) -> Remembered | None:
    """Return how the pictures on which a model was trained became its inputs; None if its header does not say.

    Parameters
    ----------
    header : mapping
        The header of a model file. Its entry `picture` is not trusted: invalid values are ignored.
    """
    picture, shape = header.get("picture"), header["network"]["input_shape"]
    if not isinstance(picture, dict) or picture.get("fit") not in FITS or len(shape) not in (2, 3):
        return None
    ranges = picture.get("range", {})
    return Remembered(picture["fit"], _plain(ranges) if isinstance(ranges, dict) else {})


def _plain(ranges: dict[str, object]) -> Ranges:
    """Return the valid ranges."""
    return {
        kind: (float(value[0]), float(value[1]))
        for kind, value in ranges.items()
        if isinstance(value, list) and len(value) == 2 and all(type(end) in (int, float) for end in value)
        if -1e300 < value[0] < value[1] < 1e300
    }
