"""The layers of images in ONNX: deskew, detectors, deviations, responses, statistics.

Each function takes levels (N, C * H * W) float32, whole numbers 0 .. 255. The first three return exactly the levels of
infer_images.py: with its operations in its order where float64 rounds, elsewhere as whole numbers below 2**24 in
float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from genreg_np import infer_images
from genreg_np.export.onnx_graph import Operand, Value, concatenate, ints
from genreg_np.export.onnx_layers import Layer

AROUND = 2  # dark pixels padded around an image before it is sampled


def deskew(x: Value, layer: Layer) -> Value:
    """Add infer_images.deskew: images sheared upright and centred, bilinear in steps of 1/256 pixel."""
    height, width = layer.header["shape"]
    u, v = np.arange(float(width)), np.arange(float(height))[:, None]  # broadcast to (N, H, W)
    images = x.reshape(0, height, width)
    # Brightness of each row, plain and times u; then the sums of both: plain, times v and times v**2.
    of_rows = images.cast(np.float64) @ np.stack([u**0, u], axis=1)
    sums = of_rows.op("Transpose", perm=[0, 2, 1]).reshape(-1, height) @ np.concatenate([v**0, v, v * v], axis=1)
    moments = sums.reshape(-1, 6, 1)
    mass, cy, yy, cx, xy = (moments.op("Gather", ints(place), axis=1) for place in range(5))
    # Whole numbers: if a divisor is 0, so is the dividend, and 1 will do.
    slant = ((mass * xy - cx * cy) / (mass * yy - cy * cy).op("Max", 1)).clip(-1, 1)
    cx, cy = (total / mass.op("Max", 1) for total in (cx, cy))
    p: Operand = u - (width - 1) / 2
    q: Operand = v - (height - 1) / 2
    if not layer.header["centred"]:
        p, q = x.graph.constant(u) - cx, x.graph.constant(v) - cy
    column, right = _place((cx + p) + slant * q, width)
    row, below = _place(cy + q, height)
    wide = width + 2 * AROUND
    flat = images.op("Pad", ints(0, AROUND, AROUND, 0, AROUND, AROUND)).reshape(0, (height + 2 * AROUND) * wide)
    corner = (row * wide + column).reshape(0, height * width)

    def at(step: int) -> Value:
        return flat.op("GatherElements", corner + step if step else corner, axis=1).reshape(0, height, width)

    upper, lower = (at(step) * (256 - right) + at(step + 1) * right for step in (0, wide))
    found = ((upper * (256 - below) + lower * below + 32768) / 65536).op("Floor")
    return found.reshape(0, height * width)


def _place(place: Value, extent: int) -> tuple[Value, Value]:
    """Return the padded pixel of a place, int64, and the distance beyond it in 256ths, float32."""
    # Everything beyond these bounds is dark. Numbers are made positive, because integer Div and Mod round towards 0.
    steps = (place.clip(-AROUND, extent) * 256 + 0.5).floor_to_int64() + 256 * AROUND
    return steps / 256, steps.op("Mod", 256).cast(np.float32)


def detectors(x: Value, layer: Layer) -> Value:
    """Add infer_images.detect: filters, rectified, pooled, square-rooted."""
    channels, height, width = layer.header["shape"]
    depth, size = layer.header.get("depth", 1), layer.header["size"]
    margin, window, stride, signed = (layer.header[key] for key in ("margin", "window", "stride", "signed"))
    filters = layer.array("filters").astype(np.float32).reshape(-1, depth, size, size)
    # The negated filter gives -r, so that one rectifier serves both signs.
    taps = np.stack([filters, -filters], axis=1).reshape(-1, *filters.shape[1:]) if signed else filters
    tall, wide = (extent + 2 * margin - size + 1 for extent in (height, width))
    response = x.reshape(-1, depth, height, width).op("Conv", taps, pads=[margin] * 4)
    rows, columns = ((extent - window) // stride + 1 for extent in (tall, wide))
    sums = response.op("Relu" if signed else "Abs")
    for across in (True, False):  # sums of windows: along rows, then along columns
        ones = np.ones((len(taps), 1, *((1, window) if across else (window, 1))), np.float32)
        sums = sums.op("Conv", ones, group=len(taps), strides=[1, stride] if across else [stride, 1])
    # Some implementations of float32 square roots are approximate. That of float64, rounded to float32, is exact.
    roots = sums.cast(np.float64).op("Sqrt").cast(np.float32)
    gain: float = layer.header["gain"]
    found = (roots * gain).op("Floor").op("Min", infer_images.LEVEL)
    return found.reshape(-1, channels // depth * len(taps) * rows * columns)


def deviations(x: Value, layer: Layer) -> Value:
    """Add x, and the distance of each value from its middle."""
    return concatenate([x, (x - layer.array("middle").astype(np.float32)).op("Abs")], axis=1)


def _means(images: Value, extents: tuple[int, int], grid: tuple[int, int]) -> Value:
    """Return the means of a grid's cells, (N, C, rows, columns), for (N, C, H, W) images with `extents` (H, W)."""
    size = [extent // count for extent, count in zip(extents, grid, strict=True)]
    covered = [extent * count for extent, count in zip(size, grid, strict=True)]
    if tuple(covered) != extents:  # the last few rows and columns are in no cell
        images = images.op("Slice", ints(0, 0), ints(*covered), ints(2, 3))
    return images.op("AveragePool", kernel_shape=size, strides=size)


RESPONSES: dict[str, Callable[[Value], Value]] = {
    "relu": lambda r: r.op("Relu"),
    "abs": lambda r: r.op("Abs"),
    "sin": lambda r: r.op("Sin"),
    "cos": lambda r: r.op("Cos"),
    "gaussian": lambda r: (-r * r).op("Exp"),
    "leaky-relu": lambda r: r.op("LeakyRelu", alpha=0.1),
    "square": lambda r: r * r,
    "tanh": lambda r: r.op("Tanh"),
}


def responses(x: Value, layer: Layer) -> Value:
    """Add infer_images.respond: filters, each with a function, and means over grids of cells."""
    height, width = layer.header["shape"]
    filters, functions = layer.array("filters").astype(np.float32), np.array(layer.header["functions"])
    tall, wide = (extent - filters.shape[1] + 1 for extent in (height, width))
    images = x.reshape(0, 1, height, width) / infer_images.LEVEL
    chosen = {name: np.flatnonzero(functions == name) for name in dict.fromkeys(functions.tolist())}
    answers = [RESPONSES[name](images.op("Conv", filters[which][:, None])) for name, which in chosen.items()]
    response = concatenate(answers, axis=1)  # filters grouped by function
    found = concatenate(
        [
            _means(response, (tall, wide), (rows, columns)).reshape(0, len(filters), rows * columns)
            for rows, columns in layer.header["grids"]
        ],
        axis=2,
    )
    order = np.concatenate(list(chosen.values()))
    if (np.diff(order) < 0).any():  # restore the order of the filters
        found = found.op("Gather", ints(*np.argsort(order)), axis=1)
    return found.reshape(0, len(filters) * sum(rows * columns for rows, columns in layer.header["grids"]))


def statistics(x: Value, layer: Layer) -> Value:
    """Add infer_images.statistics: means of cells, rows and columns, and histograms of gradient directions."""
    extents = height, width = tuple(layer.header["shape"])
    levels = x.reshape(0, 1, height, width)
    images = levels / infer_images.LEVEL
    cells = [(4, 4), (7, 7)]
    found = [
        _means(images, extents, grid).reshape(0, math.prod(grid))
        for grid in (*cells, (height // 2, 1), (1, width // 2))  # pairs of rows, pairs of columns
    ]
    across, down = _slope(levels, 3), _slope(levels, 2)
    steepness = (across * across + down * down).op("Sqrt") / (2 * infer_images.LEVEL)
    points_there = _direction(across, down).op("Equal", np.arange(8, dtype=np.float32).reshape(8, 1, 1))
    parts = points_there.where(steepness, 0)  # (N, 8, H, W)
    for grid in cells:
        sums = _means(parts, extents, grid).op("Transpose", perm=[0, 2, 3, 1]).reshape(0, 8 * math.prod(grid))
        found.append(sums / (sums.op("ReduceSum", ints(1)) + 1e-6))
    return concatenate(found, axis=1)


def _slope(levels: Value, axis: int) -> Value:
    """Return the next pixel's level minus the previous one's along an axis of (N, 1, H, W), 0 at the ends."""
    after, before = (levels.op("Slice", ints(first), ints(end), ints(axis)) for first, end in ((2, 1 << 30), (0, -2)))
    ends = [int(place == axis) for place in range(4)]
    return (after - before).op("Pad", ints(*ends, *ends))


def _direction(across: Value, down: Value) -> Value:
    """Return the eighth of a turn, counted from -pi, in which a gradient of whole numbers points: 0 .. 7, float32."""
    upper = down >= 0
    ahead = upper.where(across, -across)  # a lower gradient rotated by half a turn
    rise = down.op("Abs")
    beyond = (rise >= ahead, ahead <= 0, rise <= -ahead)
    first, second, third = (truth.cast(np.float32) for truth in beyond)
    return upper.cast(np.float32) * 4 + first + second + third
