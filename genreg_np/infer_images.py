"""Fixed layers for images. For a model that has some, place this file beside infer.py, or append it to that file.

    levels        floor(255 x + 1/2)       deskew, detectors, deviations   exact in whole numbers 0 .. 255, the levels
                                           responses, statistics           of levels, in float32

They come before the learning layers and never change in training. This file defines what they compute: exporters,
backends and kernels must match it. infer.py looks for this file when it reads a model that needs it.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

if "ModelError" not in globals():  # outside a package, infer.py has already put its names here
    from .infer import (
        ACTIVATIONS,
        LAYERS,
        Arrays,
        Function,
        Layer,
        ModelError,
        array_of,
        entry_of,
        in_pieces,
        weights_of,
        whole_number,
    )

__all__ = ["RESPONSES", "cells", "deskew", "detect", "patches_of", "respond", "statistics"]

LEVEL = 255  # the largest level
MOST_RESPONSE = 32767  # of a detector: it fits into 16 bits
MOST_WINDOW = 22  # MOST_RESPONSE * MOST_WINDOW**2 < 2**24: float32 sums are then exact in any order
UNMOVED = np.array([[1.0, 0.0, 0.0, 1.0, 0.0, 0.0]])


def _levels(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = whole_number(layer["inputs"])
    return inputs, inputs, lambda x: np.clip(np.floor(x * np.float32(LEVEL) + np.float32(0.5)), 0, LEVEL)


def _deskew(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    height, width = (whole_number(extent) for extent in entry_of(layer, "shape", list))
    if min(height, width) < 1:
        raise ModelError(f"{name} takes images of {height} x {width} pixels")
    area, centred = height * width, layer["centred"]
    if type(centred) is not bool:
        raise ModelError(f"{name} neither centres nor leaves images where they are")
    return area, area, in_pieces(lambda x: deskew(x, height, width, centred), 128 * area, name)


def deskew(
    levels: np.ndarray, height: int, width: int, centred: bool = True, warps: np.ndarray = UNMOVED
) -> np.ndarray:
    """Shear images upright, and centre them if requested: whole-number levels (n, height * width) to the same.

    With (cx, cy) the centre of brightness, mu11 and mu02 the mixed and the vertical second moment about it, and (u, v)
    an output pixel relative to the middle of the image (if not centred: to the centre of brightness),

        slant = mu11 / mu02, cut to -1 .. 1        p = a u + b v + e        q = c u + d v + f
        output(u, v) = input(cx + p + slant q, cy + q)

    bilinear, in steps of 1/256 pixel, dark outside the image. `warps` (n or 1, 6) float64 are a, b, c, d, e, f, which
    transform each image for augmentation; by default nothing is transformed.
    """
    n, area = len(levels), height * width
    u, v = np.tile(np.arange(float(width)), height), np.repeat(np.arange(float(height)), width)
    moments = levels.astype(np.float64) @ np.stack([np.ones(area), u, v, u * v, v * v], axis=1)
    mass, x, y, xy, yy = moments.T[..., None]  # whole numbers, so exact in any order
    lit = mass > 0
    spread = mass * yy - y * y
    tall = lit & (spread > 0)
    slant = np.clip(np.divide(mass * xy - x * y, spread, out=np.zeros_like(mass), where=tall), -1, 1)
    x, y = (np.divide(total, mass, out=np.zeros_like(mass), where=lit) for total in (x, y))
    u, v = (u - (width - 1) / 2, v - (height - 1) / 2) if centred else (u - x, v - y)
    a, b, c, d, e, f = warps.T[..., None]
    q = (c * u + d * v) + f
    places = (x + ((a * u + b * v) + e)) + slant * q, y + q
    padded = np.zeros((n, height + 4, width + 4))
    padded[:, 2:-2, 2:-2] = levels.reshape(n, height, width)
    (column, right), (row, below) = (
        (np.clip(np.floor(steps / 256), -2, extent).astype(np.int64) + 2, steps % 256)
        for steps, extent in ((np.floor(256 * place + 0.5), extent) for place, extent in zip(places, (width, height)))  # noqa: B905
    )
    flat, corner = padded.reshape(n, (height + 4) * (width + 4)), row * (width + 4) + column
    upper, lower = (
        np.take_along_axis(flat, corner + step, 1) * (256 - right)
        + np.take_along_axis(flat, corner + step + 1, 1) * right
        for step in (0, width + 4)
    )
    sampled: np.ndarray = np.floor((upper * (256 - below) + lower * below + 32768) / 65536)
    return sampled.astype(np.float32)


def _detectors(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    shape = tuple(whole_number(extent) for extent in entry_of(layer, "shape", list))
    size, margin, window, stride = (whole_number(layer[key]) for key in ("size", "margin", "window", "stride"))
    count, depth = whole_number(layer["filters"]), whole_number(layer.get("depth", 1))
    extents = (count, depth, size, size) if "depth" in layer else (count, size, size)
    filters = array_of(arrays, f"{where}.filters", extents, np.int8)
    gain, signed = layer["gain"], layer["signed"]
    if len(shape) != 3 or min(*shape, count, depth, size, window, stride) < 1 or not 0 <= margin < size:
        raise ModelError(f"{name} has impossible extents")
    if shape[0] % depth:
        raise ModelError(f"{name} has filters of {depth} channels, but its images have {shape[0]}")
    grid = [(extent + 2 * margin - size + 1 - window) // stride + 1 for extent in shape[1:]]
    if min(grid) < 1 or window > MOST_WINDOW:
        raise ModelError(f"{name} pools {window} x {window} responses: more than there are, or than {MOST_WINDOW}")
    if type(gain) is not float or not 0 < gain < 1e9 or type(signed) is not bool:
        raise ModelError(f"{name} has an impossible gain or sign")
    taps = filters.reshape(count, -1)
    if LEVEL * max(np.maximum(taps, 0).sum(1).max(), -np.minimum(taps, 0).sum(1).min()) > MOST_RESPONSE:
        raise ModelError(f"{name} has filters whose responses are beyond 16 bits")
    outputs = shape[0] // depth * count * (1 + signed) * math.prod(grid)
    tall, wide = (extent + 2 * margin - size + 1 for extent in shape[1:])
    room = 4 * shape[0] * tall * wide * (size * size + 2 * count)
    settings = (shape, filters, margin, window, stride, signed, gain)
    windows = 4 * (grid[0] * tall + grid[1] * wide)
    return math.prod(shape), outputs, in_pieces(lambda x: detect(x, *settings), room, name, windows)


def detect(
    levels: np.ndarray,
    shape: tuple[int, ...],
    filters: np.ndarray,
    margin: int,
    window: int,
    stride: int,
    signed: bool,
    gain: float,
) -> np.ndarray:
    """Slide filters over images and pool their responses; levels to levels, exact whole numbers in float32.

        response r(y, x) = sum over the filter of filter(d, i, j) * image(d, y + i - margin, x + j - margin)
        output = min(255, floor(gain * sqrt(sum over a window of max(r, 0)))), and the same for max(-r, 0) if signed;
                 otherwise for |r|

    Parameters
    ----------
    levels : (n, C * H * W) float32
        C channels of H x W = shape[1:] pixels each; every D of them form an image, and each filter sees every image.
    filters : (F, size, size) or (F, D, size, size) int8
        For one channel, or for D at once.

    Returns
    -------
    (n, C / D * F * signs * rows * columns) float32
    """
    size, depth = filters.shape[-1], math.prod(filters.shape[1:-2])
    (height, width), count = shape[1:], len(levels) * shape[0] // depth
    tall, wide = height + 2 * margin - size + 1, width + 2 * margin - size + 1
    rows, columns = (_windows(extent, window, stride) for extent in (tall, wide))
    taps = filters.reshape(len(filters), -1).T.astype(np.float32)
    images = levels.reshape(count, depth, height, width)
    padded = np.pad(images, ((0, 0), (0, 0), (margin, margin), (margin, margin)))
    patches = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(2, 3)).transpose(0, 2, 3, 1, 4, 5)
    response = (patches.reshape(-1, depth * size * size) @ taps).reshape(count, tall, wide * len(filters))
    pooled = np.empty((count, len(filters), 1 + signed, len(rows), len(columns)), np.float32)
    for sign, half in enumerate((response, -response) if signed else (np.abs(response),)):
        strips = (rows @ np.maximum(half, 0)).reshape(count * len(rows), wide, len(filters))
        sums = (columns @ strips).reshape(count, len(rows), len(columns), len(filters))
        pooled[:, :, sign] = sums.transpose(0, 3, 1, 2)
    found = np.minimum(np.floor(np.float32(gain) * np.sqrt(pooled)), np.float32(LEVEL))
    return found.reshape(len(levels), shape[0] // depth * math.prod(pooled.shape[1:]))


def _windows(extent: int, window: int, stride: int) -> np.ndarray:
    """Return which of `extent` positions lie in each window, (windows, extent) float32."""
    first, place = np.arange(0, extent - window + 1, stride)[:, None], np.arange(extent)
    return ((first <= place) & (place < first + window)).astype(np.float32)


RESPONSES: dict[str, Function] = {
    "relu": ACTIVATIONS["relu"],
    "abs": np.abs,
    "sin": np.sin,
    "cos": np.cos,
    "gaussian": lambda r: np.exp(-r * r),
    "leaky-relu": lambda r: np.where(r > 0, r, r * np.float32(0.1)),
    "square": np.square,
    "tanh": np.tanh,
}


def _responses(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    height, width = (whole_number(extent) for extent in entry_of(layer, "shape", list))
    functions, size = tuple(entry_of(layer, "functions", list)), whole_number(layer["size"])
    taps = weights_of(arrays, f"{where}.filters", (len(functions), size, size))
    grids = [tuple(whole_number(extent) for extent in grid) for grid in entry_of(layer, "grids", list)]
    if not functions or any(not isinstance(function, str) or function not in RESPONSES for function in functions):
        raise ModelError(f"{name} has an unknown function; use a newer infer.py")
    tall, wide = height - size + 1, width - size + 1
    if size < 1 or not grids or any(not (0 < rows <= tall and 0 < columns <= wide) for rows, columns in grids):
        raise ModelError(f"{name} has impossible extents")
    outputs = len(functions) * sum(rows * columns for rows, columns in grids)

    def run(x: np.ndarray) -> np.ndarray:
        pools = np.concatenate([np.kron(cells(tall, rows), cells(wide, columns)) for rows, columns in grids])
        found = respond(patches_of(x, height, width, size), taps, functions, pools)
        return found.reshape(len(x), outputs)

    room, pools = 4 * tall * wide * (size * size + 2 * len(functions)), 4 * tall * wide * (outputs // len(functions))
    return height * width, outputs, in_pieces(run, room, name, 3 * pools)


def patches_of(levels: np.ndarray, height: int, width: int, size: int) -> np.ndarray:
    """Return all size x size patches of levels (n, height * width), as 0 .. 1: (n, places, size * size) float32."""
    images = (levels / np.float32(LEVEL)).reshape(-1, height, width)
    windows = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    return windows.reshape(len(levels), (height - size + 1) * (width - size + 1), size * size)


def respond(patches: np.ndarray, taps: np.ndarray, functions: tuple[str, ...], pools: np.ndarray) -> np.ndarray:
    """Return the pooled responses f(filter . patch) of images, (n, F, G) float32.

    Parameters
    ----------
    patches : (n, places, T) float32
    taps : (F, size, size) float32
        Each with its function of RESPONSES.
    pools : (G, places) float32
        The weight of each place in a pool.
    """
    images, places, size = patches.shape
    order = sorted(range(len(functions)), key=functions.__getitem__)  # filters with the same function side by side
    response = taps.reshape(-1, size)[order] @ patches.reshape(-1, size).T
    first = 0
    for function in sorted(set(functions)):
        last = first + functions.count(function)
        response[first:last] = RESPONSES[function](response[first:last])
        first = last
    pooled = np.empty((images, len(taps), len(pools)), np.float32)
    pooled[:, order] = (response.reshape(-1, places) @ pools.T).reshape(len(taps), images, len(pools)).swapaxes(0, 1)
    return pooled


def cells(extent: int, count: int) -> np.ndarray:
    """Return the weight of each of `extent` places in the mean of each of `count` cells, (count, extent) float32."""
    size = extent // count
    means: np.ndarray = (np.arange(extent) // size == np.arange(count)[:, None]) / np.float32(size)
    return means.astype(np.float32)


def _statistics(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    height, width = (whole_number(extent) for extent in entry_of(layer, "shape", list))
    if min(height, width) < 7:
        raise ModelError(f"{name} takes images of {height} x {width} pixels, but needs 7 x 7")
    outputs = 9 * (4 * 4 + 7 * 7) + height // 2 + width // 2
    pairs = 16 * (height * (height // 2) + width * (width // 2))
    return (
        height * width,
        outputs,
        in_pieces(lambda x: statistics(x, height, width), 256 * height * width, name, pairs),
    )


def statistics(levels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return simple statistics of images: levels (n, height * width) to (n, 9 * 65 + height // 2 + width // 2) float32.

    Means of 4 x 4 and 7 x 7 cells; means of pairs of rows and of columns; and histograms of gradient orientation, 8
    bins over -pi .. pi, in the same cells, weighted by the gradient's magnitude and divided by their sum.
    """
    whole = levels.reshape(-1, height, width)
    images = whole / np.float32(LEVEL)
    grids = [(cells(height, parts), cells(width, parts).T) for parts in (4, 7)]
    found = [rows @ images @ columns for rows, columns in grids]
    found += [cells(height, height // 2) @ images.mean(axis=2)[..., None]]
    found += [cells(width, width // 2) @ images.mean(axis=1)[..., None]]
    # Gradients in whole numbers: rounding must not decide on which side of a diagonal a direction lies.
    across, down = np.zeros_like(whole), np.zeros_like(whole)
    across[:, :, 1:-1], down[:, 1:-1] = whole[:, :, 2:] - whole[:, :, :-2], whole[:, 2:] - whole[:, :-2]
    steepness = np.sqrt(across * across + down * down) / np.float32(2 * LEVEL)
    bins = np.clip((np.arctan2(down, across) + np.pi) * (8 / (2 * np.pi)), 0, 7).astype(np.int8)
    for rows, columns in grids:
        sums = [rows @ np.where(bins == direction, steepness, np.float32(0)) @ columns for direction in range(8)]
        histogram = np.stack(sums, axis=-1).reshape(len(images), 8 * len(rows) * columns.shape[1])
        found.append(histogram / (histogram.sum(axis=1, keepdims=True) + np.float32(1e-6)))
    return np.concatenate([part.reshape(len(images), math.prod(part.shape[1:])) for part in found], axis=1)


def _deviations(layer: dict[str, Any], arrays: Arrays, where: str, name: str) -> Layer:
    inputs = whole_number(layer["inputs"])
    middle = array_of(arrays, f"{where}.middle", (inputs,), np.uint8).astype(np.float32)
    return inputs, 2 * inputs, lambda x: np.concatenate([x, np.abs(x - middle)], axis=1)


LAYERS |= {
    "levels": _levels,
    "deskew": _deskew,
    "detectors": _detectors,
    "deviations": _deviations,
    "responses": _responses,
    "statistics": _statistics,
}
