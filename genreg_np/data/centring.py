"""Make a picture of a character look like MNIST's, with the arithmetic of the HTML page (mnist.js, pixels.js).

    ink        pixels brighter than INK; its frame is scaled to 20 pixels on the longer side
    step       max(frame's width, frame's height) / 20 pixels of the picture become one of the 28 x 28
    place      shifted by whole pixels of the 28 x 28, so that the centre of brightness lies in pixel (14, 14)
    level      floor(mean of the square + 1/2), counting parts of pixels, black outside the picture

A larger picture is first scaled down to the page's pad, FINENESS pixels on its longer side, since a camera's noise
would count as ink. A background that is not black is made black: levels nearer to the paper's than to the brightest
become 0.

Source: the description at Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".

Shapes: levels (H, W) uint8, ink bright; the result (28, 28) uint8. Sums are in float64, added in the page's order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.fitting import STRETCH, fitted
from genreg_np.infer import Model

SIDE, BOX, MIDDLE = 28, 20, 14
FINENESS = 448  # pixels of the pad's longer side
INK = 25  # levels above this are ink: fainter ones come from smoothing and compression
BLACK = 0.03  # paper darker than this, 0 .. 1, needs no cleaning
LIGHT = 0.5  # if the border of training images was brighter than this, ink is dark

Levels = NDArray[np.uint8]


def takes_centred(model: Model) -> bool:
    """Return whether a model takes 28 x 28 bytes, bright on dark: images that can be centred like MNIST's."""
    return model.input_shape == (SIDE, SIDE) and model.input_range == (0.0, 255.0) and not is_light(model)


def is_light(model: Model) -> bool:
    """Return whether a model's training images had a bright border; False if the model does not say."""
    background = model.trained("background")
    return type(background) in (int, float) and LIGHT < background <= 1


def is_written(model: Model) -> bool:
    """Return whether the classes are digits or letters, so that centring is the right default."""
    return bool(model.class_names) and all(len(name) == 1 and name.isalnum() for name in model.class_names)


def border_mean(levels: Levels, cells: tuple[int, int] = (SIDE, SIDE)) -> float:
    """Return the mean brightness of a picture's border, 0 .. 1: the outermost of this many cells."""
    tall, wide = (max(1, extent // count) for extent, count in zip(levels.shape, cells, strict=True))
    inner = levels[tall:-tall, wide:-wide].sum(dtype=np.int64)
    count = levels.size - levels[tall:-tall, wide:-wide].size
    return float(levels.sum(dtype=np.int64) - inner) / (255 * count)


def centred(levels: Levels) -> Levels | None:
    """Return a picture of any size as MNIST would store it, (28, 28) uint8; None if there is no ink."""
    longer = max(levels.shape)
    if longer > FINENESS:
        height, width = (max(1, round(extent * FINENESS / longer)) for extent in levels.shape)
        levels = fitted(levels, (height, width), STRETCH)
    paper = border_mean(levels)
    if paper > BLACK:
        levels = without_paper(levels, 255 * paper)
    squares = mnist_squares(levels)
    return None if squares is None else square_means(levels, *squares)


def without_paper(levels: Levels, paper: float) -> Levels:
    """Return levels that are black where they are nearer to the paper's than to the brightest."""
    brightest = float(levels.max())
    low, high = paper + (brightest - paper) / 4, paper + (brightest - paper) * 3 / 4
    stretched = 255 * (levels - low) / (high - low or 1)
    cleaned: Levels = np.clip(np.rint(stretched), 0, 255).astype(np.uint8)
    return cleaned


def mnist_squares(levels: Levels) -> tuple[float, float, float] | None:
    """Return left, top and side of the squares that become MNIST's pixels; None if there is no ink."""
    ink = np.where(levels > INK, levels, 0)
    rows, columns = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    (top, bottom), (left, right) = (rows[0], rows[-1]), (columns[0], columns[-1])
    mass = float(ink.sum(dtype=np.int64))
    x = float(ink.sum(axis=0, dtype=np.int64) @ (np.arange(levels.shape[1]) + 0.5)) / mass
    y = float(ink.sum(axis=1, dtype=np.int64) @ (np.arange(levels.shape[0]) + 0.5)) / mass
    step = float(max(right - left + 1, bottom - top + 1)) / BOX
    # The middle of a pixel is half a step from its corner: that of pixel 14 is 14.5 steps from the image's corner.
    before = (_rounded(MIDDLE + 0.5 - (centre - edge) / step) for centre, edge in ((x, left), (y, top)))
    return float(left) - step * next(before), float(top) - step * next(before), step


def square_means(levels: Levels, left: float, top: float, step: float) -> Levels:
    """Return the mean levels of 28 x 28 squares `step` wide, the first with its corner at (left, top)."""
    narrow = np.zeros((SIDE, levels.shape[0]))
    columns = np.ascontiguousarray(levels.T)
    for interval, pixel, part in _overlaps(left, step, levels.shape[1]):
        narrow[interval] += part * columns[pixel]
    sums = np.zeros((SIDE, SIDE))
    for interval, pixel, part in _overlaps(top, step, levels.shape[0]):
        sums[interval] += part * narrow[:, pixel]
    return np.floor(sums / (step * step) + 0.5).astype(np.uint8)


def _overlaps(start: float, step: float, extent: int) -> Iterator[tuple[int, int, float]]:
    """Yield (interval, pixel, part): the part of a pixel that lies in each of 28 intervals from `start`."""
    for interval in range(SIDE):
        begin = start + interval * step
        end = begin + step
        for pixel in range(max(0, math.floor(begin)), min(extent, math.ceil(end))):
            yield interval, pixel, min(end, pixel + 1) - max(begin, pixel)


def _rounded(value: float) -> int:
    """Return the nearest whole number, rounding halves up as JavaScript does."""
    whole = math.floor(value)
    return whole + (value - whole >= 0.5)
