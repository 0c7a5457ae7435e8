"""docs/int8.md a second time, in Python's integers and lists: what infer_int8.py is held to."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer

Q = list[int]
Header = dict[str, Any]
LEVELS = ("levels", "deskew", "detectors", "deviations", "branches")


def reference(model: infer.Model, inputs: NDArray[np.generic]) -> NDArray[np.int64]:
    """Return t of the last layer: (N, O)."""
    layers = model.header["network"]["layers"]
    count = next(index for index, layer in enumerate(layers) if layer["kind"] not in LEVELS)
    features = model.prepare(inputs)
    if count:
        features = infer.stack(layers[:count], model.arrays, "layers", features.shape[1])[2](features)
    found = []
    for x in features:
        if count:
            q = x.astype(int).tolist()
        else:
            parts, low = _arrays(model, "layers.0"), layers[0]["low"]
            floats = np.floor(np.float64(parts["a"]) * np.float64(x) + np.float64(parts["b"]))
            q = [_cut(int(value), low, 127) for value in floats]
        found.append(_stack(model, layers, q, "layers", max(count, 1)))
    return np.array(found, np.int64)


def _stack(model: infer.Model, layers: list[Header], q: Q, where: str, first: int = 0) -> Q:
    for index, layer in enumerate(layers[first:], start=first):
        place = f"{where}.{index}"
        q = _layer(model, layer, _arrays(model, place), q, place)
    return q


def _arrays(model: infer.Model, where: str) -> dict[str, Any]:
    start = f"{where}."
    names = [name for name in model.arrays if name.startswith(start) and "." not in name[len(start) :]]
    return {name[len(start) :]: model.arrays[name] for name in names}


def _cut(value: int, low: int, high: int) -> int:
    return min(max(value, low), high)


def _layer(model: infer.Model, layer: Header, parts: dict[str, Any], q: Q, where: str) -> Q:
    kind = layer["kind"]
    if kind == "dense-int8":
        assert all(0 <= value <= 255 for value in q) if layer.get("levels") else all(abs(value) <= 127 for value in q)
        rows = parts["weight"].tolist()
        sums = [b + sum(w * v for w, v in zip(row, q, strict=True)) for b, row in zip(parts["bias"].tolist(), rows)]  # noqa: B905
        return _rescaled(layer, parts, [[acc] for acc in sums])
    assert all(abs(value) <= 127 for value in q)
    if kind == "residual-int8":
        other = _stack(model, layer["layers"], q, where)
        m, k = layer["multipliers"]
        half, by = 2 ** layer["shift"] // 2, 2 ** layer["shift"]
        return [_cut((v * m + f * k + half) // by, layer["low"], 127) for v, f in zip(q, other, strict=True)]
    if kind == "concatenate":
        stacks = [_stack(model, branch, q, f"{where}.{n}") for n, branch in enumerate(layer["branches"])]
        return list(itertools.chain.from_iterable(stacks))
    channels, *extents = layer["shape"]
    area = math.prod(extents)
    maps = [q[start : start + area] for start in range(0, channels * area, area)]
    if kind == "lookup-int8":
        rows = parts["table"].tolist() * (channels if len(parts["table"]) == 1 else 1)
        return [row[v + 127] for row, values in zip(rows, maps, strict=True) for v in values]
    if kind == "normalisation-int8":
        return _normalised(layer, parts, maps)
    if kind == "minibatch-deviation":
        return q + [0] * area
    return _of_maps(layer, parts, maps)


def _normalised(layer: Header, parts: dict[str, Any], maps: list[Q]) -> Q:
    size = len(maps) // layer["groups"]
    found = []
    for first in range(0, len(maps), size):
        values = [v for values in maps[first : first + size] for v in values]
        n, total, squares = len(values), sum(values), sum(v * v for v in values)
        inverse = 1 / math.sqrt(n * squares - total * total + layer["near_zero"])
        for channel in range(first, first + size):
            a, b = (float(parts[part][channel]) for part in "ab")
            for v in maps[channel]:
                r = float(np.float32((n * v - total) * inverse))
                found.append(_cut(math.floor(a * r + b), layer["low"], 127))
    return found


def _of_maps(layer: Header, parts: dict[str, Any], maps: list[Q]) -> Q:
    kind, (height, width) = layer["kind"], layer["shape"][1:]
    grid = [[values[row * width : (row + 1) * width] for row in range(height)] for values in maps]
    if kind == "upsample":
        times = range(layer["factor"])
        return [v for rows in grid for row in rows for _ in times for v in row for _ in times]
    if "pooling" in kind:
        pairs = list(itertools.product(spans(layer, 0), spans(layer, 1)))
        windows = [
            [[rows[y][x] for y in range(*down) for x in range(*across)] for down, across in pairs] for rows in grid
        ]
        if layer["method"] == "max":
            return [max(values) for found in windows for values in found]
        return _rescaled(layer, parts, [[sum(values) for values in found] for found in windows], by_place=True)
    weight, bias = parts["weight"].tolist(), parts["bias"].tolist()
    size, stride = layer["size"], layer["stride"]
    sums = []
    for f, b in enumerate(bias):
        if kind == "convolution-int8":
            sums.append(_filtered(layer, grid, weight[f], b))
            continue
        tall, wide = (stride * e if layer["same"] else (e - 1) * stride + size for e in (height, width))
        m = max(0, -(-(size - stride) // 2)) if layer["same"] else 0
        added = [[b] * wide for _ in range(tall)]
        for c, u, v in itertools.product(range(len(grid)), range(height), range(width)):
            for i, j in itertools.product(range(size), range(size)):
                y, x = stride * u + i - m, stride * v + j - m
                if 0 <= y < tall and 0 <= x < wide:
                    added[y][x] += weight[c][f][i][j] * grid[c][u][v]
        sums.append([value for row in added for value in row])
    return _rescaled(layer, parts, sums)


def _filtered(layer: Header, grid: list[list[Q]], taps: list[list[Q]], bias: int) -> Q:
    size, stride, (height, width) = layer["size"], layer["stride"], layer["shape"][1:]
    found, before, counts = [], [], []
    for extent in (height, width):
        count = -(-extent // stride) if layer["same"] else (extent - size) // stride + 1
        counts.append(count)
        before.append(max(0, (count - 1) * stride + size - extent) // 2 if layer["same"] else 0)
    for y, x in itertools.product(range(counts[0]), range(counts[1])):
        acc = bias
        for c, i, j in itertools.product(range(len(grid)), range(size), range(size)):
            row, column = stride * y + i - before[0], stride * x + j - before[1]
            if 0 <= row < height and 0 <= column < width:
                acc += taps[c][i][j] * grid[c][row][column]
        found.append(acc)
    return found


def spans(layer: Header, axis: int) -> list[tuple[int, int]]:
    """Return the first and the end of each window along an axis."""
    extent, size = layer["shape"][1 + axis], layer["size"]
    if "adaptive" in layer["kind"]:
        return [(place * extent // size, -(-(place + 1) * extent // size)) for place in range(size)]
    return [(first, first + size) for first in range(0, extent - size + 1, layer["stride"])]


def _rescaled(layer: Header, parts: dict[str, Any], sums: list[Q], by_place: bool = False) -> Q:
    multiplier, by = parts["multiplier"].tolist(), 2 ** layer["shift"]
    found = []
    for row, values in enumerate(sums):
        for place, acc in enumerate(values):
            m = multiplier[place % len(multiplier) if by_place else row]
            product = acc * m + by // 2
            assert abs(acc) < 2**31
            assert abs(product) < 2**53
            found.append(product // by)
    if "unit" in layer:
        return found
    if "table" not in parts:
        return [_cut(t, layer["low"], 127) for t in found]
    table, low = parts["table"].tolist(), layer["low"]
    return [table[_cut(t, low, low + len(table) - 1) - low] for t in found]
