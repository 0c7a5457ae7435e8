"""Deskewing, detectors and standardising of images (infer_images.deskew and detect), exact in whole numbers.

A block of LANES images is interleaved, pixel by pixel, so that every loop runs over contiguous memory for any filters
and pools: response, rectification, pooling and the square root are all vector code. Responses fit in 16 bits by the
bound of infer_images._detectors; intermediate sums may wrap around, which cancels out in the end.

Shapes: M images of D channels of H x W pixels, F filters, L lanes.
"""

# mypy: disable-error-code="no-untyped-def, assignment"

from __future__ import annotations

import math

import numpy as np

from genreg_np.backends.numba.kernels.jit import kernel, part
from genreg_np.infer_images import LEVEL

LANES = 32
BRIGHTEST = np.float32(LEVEL)
TAPS = 5  # taps added to a response at a time; a filter's taps are padded with zeros to a multiple of it


@part()
def upright(image, moments):
    """Fill moments with the centre x, centre y and slant of one image (H, W) uint8."""
    height, width = image.shape
    mass, x, y, xy, yy = 0, 0, 0, 0, 0
    for row in range(height):
        line, weighted = 0, 0
        for column in range(width):
            value = np.int64(image[row, column])
            line += value
            weighted += value * column
        mass += line
        x += weighted
        y += line * row
        xy += weighted * row
        yy += line * row * row
    moments[:] = 0
    if mass > 0:
        m, sx, sy = np.float64(mass), np.float64(x), np.float64(y)
        spread = m * np.float64(yy) - sy * sy
        moments[0], moments[1] = sx / m, sy / m
        if spread > 0:
            moments[2] = min(max((m * np.float64(xy) - sx * sy) / spread, -1.0), 1.0)


@part()
def sample(image, row, column, below, right):
    """Return the level at row + below / 256, column + right / 256; 0 outside the image."""
    height, width = image.shape
    total = 0
    if row >= 0:
        if column >= 0:
            total += (256 - below) * (256 - right) * image[row, column]
        if column + 1 < width:
            total += (256 - below) * right * image[row, column + 1]
    if row + 1 < height:
        if column >= 0:
            total += below * (256 - right) * image[row + 1, column]
        if column + 1 < width:
            total += below * right * image[row + 1, column + 1]
    return (total + 32768) >> 16


@part()
def deskew_image(deskewed, image, centred, warp):
    """Fill deskewed (H, W) uint8 with an image made upright, centred if `centred`, and moved by warp (6,)."""
    height, width = image.shape
    moments = np.empty(3)
    upright(image, moments)
    x, y, slant = moments
    middle_x, middle_y = (width - 1) / 2, (height - 1) / 2
    if not centred:
        middle_x, middle_y = x, y
    a, b, c, d, e, f = warp
    for row in range(height):
        v = row - middle_y
        for column in range(width):
            u = column - middle_x
            q = (c * u + d * v) + f
            across = math.floor(256 * ((x + ((a * u + b * v) + e)) + slant * q) + 0.5)
            down = math.floor(256 * (y + q) + 0.5)
            level = 0
            if -256 <= across < 256 * width and -256 <= down < 256 * height:
                level = sample(image, down >> 8, across >> 8, down & 255, across & 255)
            deskewed[row, column] = level


@kernel()
def deskew_images(deskewed, images, centred, warps, first, last):
    """Fill deskewed (M, H, W) uint8 with the upright images; warps are (M, 6) float64, or (1, 6) for all."""
    for i in range(first, last):
        deskew_image(deskewed[i], images[i], centred, warps[i % len(warps)])


@part()
def interleave(block, images, margin):
    """Fill block (D, H + 2 margin, W + 2 margin, L) int16 with at most L images (n, D, H, W), padded with 0."""
    block[:] = 0
    for channel in range(images.shape[1]):
        for row in range(images.shape[2]):
            for column in range(images.shape[3]):
                pixel = block[channel, row + margin, column + margin]
                for lane in range(len(images)):
                    pixel[lane] = images[lane, channel, row, column]


@part()
def add_taps(response, pixels, places, weights, first):
    """Add TAPS taps of a filter to a row of responses (n,), or set it if `first`; `places` are the taps' offsets."""
    n = len(response)
    a, b, c = pixels[places[0] : places[0] + n], pixels[places[1] : places[1] + n], pixels[places[2] : places[2] + n]
    d, e = pixels[places[3] : places[3] + n], pixels[places[4] : places[4] + n]
    v, w, x, y, z = weights[0], weights[1], weights[2], weights[3], weights[4]
    if first:
        for i in range(n):
            response[i] = v * a[i] + w * b[i] + x * c[i] + y * d[i] + z * e[i]
    else:
        for i in range(n):
            response[i] += v * a[i] + w * b[i] + x * c[i] + y * d[i] + z * e[i]


@part()
def pool_row(strip, response, window, stride, signed):
    """Fill strip (signs, columns, L) int32 with the rectified responses (W * L,) of one row, summed over windows."""
    strip[:] = 0
    for column in range(strip.shape[1]):
        for place in range(column * stride, column * stride + window):
            answers = response[place * LANES : place * LANES + LANES]
            if signed:
                plus, minus = strip[0, column], strip[1, column]
                for lane in range(LANES):
                    plus[lane] += max(answers[lane], np.int16(0))
                    minus[lane] += max(-answers[lane], np.int16(0))
            else:
                either = strip[0, column]
                for lane in range(LANES):
                    either[lane] += abs(answers[lane])


@part()
def detect_block(pooled, block, places, weights, response, strip, window, stride):
    """Fill pooled (signs, rows, columns, L) int32 with one filter's sums over a block (D, H, W, L)."""
    signs, rows = pooled.shape[:2]
    pixels, wide = block.reshape(block.size), block.shape[2] * LANES
    pooled[:] = 0
    for y in range((rows - 1) * stride + window):
        for tap in range(0, len(places), TAPS):
            add_taps(response, pixels[y * wide :], places[tap : tap + TAPS], weights[tap : tap + TAPS], tap == 0)
        pool_row(strip, response, window, stride, signs == 2)
        for row in range(max(0, (y - window + stride) // stride), min(rows, y // stride + 1)):
            for sign in range(signs):
                for column in range(pooled.shape[2]):
                    target, source = pooled[sign, row, column], strip[sign, column]
                    for lane in range(LANES):
                        target[lane] += source[lane]


@part()
def write_levels(levels, pooled, gain):
    """Write min(255, floor(gain * sqrt(sum))) of pooled (signs, rows, columns, L) to levels (n, signs * ...)."""
    sums = pooled.reshape(pooled.size // LANES, LANES)
    roots = np.empty(LANES, np.float32)
    for place in range(len(sums)):
        for lane in range(LANES):
            roots[lane] = min(np.floor(gain * np.sqrt(np.float32(sums[place, lane]))), BRIGHTEST)
        for lane in range(len(levels)):
            levels[lane, place] = np.uint8(roots[lane])


@kernel()
def detect_images(levels, images, taps, size, margin, window, stride, signs, grid, gain, first, last):
    """Fill levels (M, F * signs * rows * columns) uint8 from images (M, D, H, W) uint8.

    taps (F, n) int16 are the filters, channel by channel, row by row, with zeros after D * size * size; grid is (rows,
    columns) of pools.
    """
    count, depth, height, width = images.shape
    high, wide = height + 2 * margin, width + 2 * margin
    places = np.zeros(taps.shape[1], np.int64)
    for tap in range(depth * size * size):
        channel, row, column = tap // (size * size), tap // size % size, tap % size
        places[tap] = LANES * ((channel * high + row) * wide + column)
    features = signs * grid[0] * grid[1]
    for number in range(first, last):
        start, stop = number * LANES, min(count, (number + 1) * LANES)
        block = np.empty((depth, high, wide, LANES), np.int16)
        response = np.empty((wide - size + 1) * LANES, np.int16)
        strip = np.empty((signs, grid[1], LANES), np.int32)
        pooled = np.empty((signs, grid[0], grid[1], LANES), np.int32)
        interleave(block, images[start:stop], margin)
        for f in range(len(taps)):
            detect_block(pooled, block, places, taps[f], response, strip, window, stride)
            write_levels(levels[start:stop, f * features : (f + 1) * features], pooled, gain)


@kernel()
def standardise_levels(features, levels, mean, scale, first, last):
    """Fill features (M, I) float32 with (levels - mean) * scale."""
    for i in range(first, last):
        target, source = features[i], levels[i]
        for j in range(len(target)):
            target[j] = (np.float32(source[j]) - mean[j]) * scale[j]
