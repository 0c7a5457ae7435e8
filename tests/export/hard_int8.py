"""Models of 8-bit integers that are easy to get wrong: SHAPES of hard_layers.py, and NUMBERS near their bounds.

Each of the latter turns features into 8-bit integers, has one layer with random or extreme numbers, and shows what that
gives: a last layer passes it on.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.export.nodes import FILTERS
from genreg_np.export.quantise import POOLING, quantise
from genreg_np.layers.dense import Dense
from genreg_np.layers.normalise import ScaleShift
from genreg_np.model import Model, Network
from tests.export.hard_layers import SHOWN
from tests.helpers import model_of
from tests.zoo import Exhibit

Parts = dict[str, NDArray[np.generic]]
Made = tuple[dict[str, Any], Parts]  # a layer's header and arrays

MAPS, COUNT = (3, 7, 5), 40
LARGEST, MOST_PRODUCT = 127, 2**53
SHAPED = {"shape": list(MAPS)}


def shown(layer: dict[str, Any], parts: Parts, outputs: int, shape: tuple[int, ...] = MAPS, seed: int = 1) -> Exhibit:
    """Return a model of one layer, and one that passes on what it gives unless these are logits."""
    width = math.prod(shape)
    layers = [{"kind": "quantise", "inputs": width, "low": -LARGEST}, layer]
    arrays: Parts = {"layers.0.a": np.ones(width, np.float32), "layers.0.b": np.zeros(width, np.float32)}
    arrays |= {f"layers.1.{name}": array for name, array in parts.items()}
    if "unit" not in layer:
        layers.append({"kind": "dense-int8", "inputs": outputs, "outputs": outputs, "shift": 0, "unit": 1.0})
        arrays |= {
            "layers.2.weight": np.eye(outputs, dtype=np.int8),
            "layers.2.bias": np.zeros(outputs, np.int32),
            "layers.2.multiplier": np.ones(outputs, np.int32),
        }
    network = {"input_shape": list(shape), "layers": layers}
    header: dict[str, Any] = {"network": network, "class_names": [], "input_range": None}
    rng = np.random.default_rng(seed)
    inputs = rng.integers(-LARGEST, LARGEST + 1, (COUNT, *shape)) * rng.choice([0, 0.1, 1], (COUNT, *shape))
    inputs[0], inputs[1] = LARGEST, -LARGEST
    return Exhibit(Model(header, arrays), np.rint(inputs).astype(np.float32))


def rescaled(rng: np.random.Generator, most: NDArray[np.int64], end: str, shift: int) -> Made:
    """Return the entries and arrays that say what becomes of sums, none beyond `most`: of each end one is near `shift`.

    Multipliers are such that sums come to a few hundred, and never more than they may be.
    """
    largest = np.minimum(2**31 - 1, (MOST_PRODUCT // 4) // np.maximum(most, 1))
    wanted = np.minimum(largest, np.ceil(300 * 2.0**shift / np.maximum(most, 1)))
    multiplier = np.ceil(wanted * rng.uniform(0.2, 1, len(most))).astype(np.int32)
    entries: dict[str, Any] = {"shift": shift}
    parts: Parts = {"multiplier": multiplier}
    if end == "unit":
        entries["unit"] = 2.0**-40
    elif end == "cut":
        entries["low"] = int(rng.integers(-LARGEST, 1))
    else:
        length = {"one": 1, "short": 7, "long": 900}[end]
        entries["low"] = int(rng.integers(-length, 1)) if end != "one" else 2**22
        parts["table"] = rng.integers(-LARGEST, LARGEST + 1, length).astype(np.int8)
    return entries, parts


ENDS = [("cut", 0), ("cut", 30), ("one", 46), ("short", 0), ("long", 20), ("unit", 33), ("unit", 12)]


def _filters(kind: str, end: str, shift: int, **entries: Any) -> Exhibit:
    """Return filters of all magnitudes, of which some are all zeros."""
    rng = np.random.default_rng(shift + 7)
    across, size, filters, channels = kind.startswith("transposed"), entries["size"], 4, MAPS[0]
    weight = rng.integers(-LARGEST, LARGEST + 1, (filters, channels, size, size))
    weight = weight // np.array([1, 10, 100, 1000])[:, None, None, None]
    bias = rng.integers(-(2**22), 2**22, filters) * np.array([1, 1, 0, 0])
    most = LARGEST * np.abs(weight).reshape(filters, -1).sum(axis=1) + np.abs(bias)
    found, parts = rescaled(rng, most, end, shift)
    stored = np.ascontiguousarray(weight.swapaxes(0, 1) if across else weight)
    parts |= {"weight": stored.astype(np.int8), "bias": bias.astype(np.int32)}
    header = {"kind": f"{kind}-int8", **SHAPED, "filters": filters, **entries, **found}
    return shown(header, parts, _outputs(header, parts))


def _windows(kind: str, end: str, shift: int, **entries: int) -> Exhibit:
    """Return sums of windows, each with a multiplier of its own where they may have some."""
    rng, size = np.random.default_rng(shift + 8), entries["size"]
    counts = np.array([size * size])
    if kind == "adaptive-pooling":
        tall, wide = (
            [-(-(place + 1) * extent // size) - place * extent // size for place in range(size)] for extent in MAPS[1:]
        )
        counts = np.outer(tall, wide).ravel()
    found, parts = rescaled(rng, LARGEST * counts, end, shift)
    header = {"kind": f"{kind}-int8", **SHAPED, "method": "avg", **entries, **found}
    return shown(header, parts, _outputs(header, parts))


def _dense(end: str, shift: int, levels: bool) -> Exhibit:
    """Return a dense layer: of levels, sums beyond 24 bits are added in float64."""
    rng, width = np.random.default_rng(shift + 9), 600
    weight = rng.integers(-LARGEST, LARGEST + 1, (5, width)) // np.array([1, 2, 10, 100, 1000])[:, None]
    bias = rng.integers(-(2**20), 2**20, 5)
    most = (255 if levels else LARGEST) * np.abs(weight).sum(axis=1) + np.abs(bias)
    found, parts = rescaled(rng, most, end, shift)
    parts |= {"weight": weight.astype(np.int8), "bias": bias.astype(np.int32)}
    header = {"kind": "dense-int8", "inputs": width, "outputs": 5, **found}
    exhibit = shown(header, parts, 5, (width,))
    if not levels:
        return exhibit
    (_, layer, *rest), arrays = exhibit.model.header["network"]["layers"], exhibit.model.arrays
    layers = [{"kind": "levels", "inputs": width}, layer | {"levels": True}, *rest]
    model = Model(exhibit.model.header | {"network": {"input_shape": [width], "layers": layers}}, arrays)
    return Exhibit(model, np.abs(exhibit.inputs) / np.float32(LARGEST))


def _lookup(shape: tuple[int, ...], rows: int) -> Exhibit:
    table = np.random.default_rng(rows).integers(-LARGEST, LARGEST + 1, (rows, 255)).astype(np.int8)
    return shown({"kind": "lookup-int8", "shape": list(shape)}, {"table": table}, math.prod(shape), shape)


def _normalisation(shape: tuple[int, ...], groups: int, near_zero: int, scale: float) -> Exhibit:
    rng = np.random.default_rng(groups)
    a, b = (rng.normal(0, most, shape[0]).astype(np.float32) for most in (scale, 9))
    header = {"kind": "normalisation-int8", "shape": list(shape), "groups": groups, "near_zero": near_zero}
    return shown(header | {"low": -LARGEST}, {"a": a, "b": b}, math.prod(shape), shape)


TIED = (2, 1, 1)  # extents of maps (LARGEST, -LARGEST), for which r = 254 / sqrt(spread)


def near_ties() -> list[tuple[int, np.float32, np.float32]]:
    """Return (near_zero, r, other r): so that n q - S over a root, and times 1 over it, are not the same float32.

    A float32 and a half of its last bit, m / h with h = 2**24 + 1 or more, are met as nearly as whole numbers can.
    """
    found = []
    spread_of_values = 2 * 2 * LARGEST**2
    for odd in range(2**24 + 1, 2**24 + 4001, 2):
        spread = round((254 / odd * 2.0**50) ** 2)
        while spread >= 2**52:
            spread //= 4
        root = np.sqrt(np.float64(spread))
        right, other = np.float32(254 * (1 / root)), np.float32(254 / root)
        if right != other and spread > spread_of_values:
            found.append((spread - spread_of_values, right, other))
    return found


def _near_tie(near_zero: int, r: np.float32) -> Exhibit:
    """Return a normalisation whose q is 1 if r is as it must be, and less or more if it is another float32."""
    scale = np.float32(1) / np.spacing(r)
    a, b = np.full(2, scale, np.float32), np.full(2, 1 - float(scale) * float(r), np.float32)
    header = {"kind": "normalisation-int8", "shape": list(TIED), "groups": 1, "near_zero": near_zero, "low": -LARGEST}
    exhibit = shown(header, {"a": a, "b": b}, 2, TIED)
    return Exhibit(exhibit.model, np.array([LARGEST, -LARGEST], np.float32).reshape(1, *TIED))


def _residual(own: int, other: int, shift: int, low: int) -> Exhibit:
    """Return maps and a table of them, added."""
    table = np.random.default_rng(shift).integers(-LARGEST, LARGEST + 1, (1, 255)).astype(np.int8)
    header = {
        "kind": "residual-int8", **SHAPED, "layers": [{"kind": "lookup-int8", **SHAPED}], "multipliers": [own, other],
        "shift": shift, "low": low,
    }  # fmt: skip
    return shown(header, {"0.table": table}, math.prod(MAPS))


def _outputs(header: dict[str, Any], parts: Parts) -> int:
    """Return how many values a layer gives."""
    infer.complete([header])
    arrays = {f"layers.0.{name}": array for name, array in parts.items()}
    return infer.LAYERS[header["kind"]](header, arrays, "layers.0", "layer 0")[1]


def _quantised() -> Iterator[tuple[str, Callable[[], Exhibit]]]:
    """Yield layers of awkward shapes as integers, a dense layer after them; where they may be last, also without."""

    def make(network: Network) -> Exhibit:
        model = model_of(network, class_names=(), input_range=None)
        inputs = np.random.default_rng(6).normal(size=(7, *network.input_shape)).astype(np.float32)
        return Exhibit(quantise(model, inputs), inputs)

    for layer, shape in SHOWN:
        name = f"{layer.kind} {layer.words()} of {shape}".replace("/", "then")
        width = math.prod(layer.output_shape(shape))
        yield name, functools.partial(make, Network(shape, (ScaleShift(shape), layer, Dense(width, 4, "linear"))))
        if layer.kind in FILTERS or (layer.kind in POOLING and layer.header()["method"] == "avg"):
            yield f"{name}, last", functools.partial(make, Network(shape, (ScaleShift(shape), layer)))


SHAPES: dict[str, Callable[[], Exhibit]] = dict(_quantised())
NUMBERS: dict[str, Callable[[], Exhibit]] = {}
for end, shift in ENDS:
    words = f"{end}, shift {shift}"
    for kind in ("convolution", "transposed-convolution"):
        for same in (True, False):
            made = functools.partial(_filters, kind, end, shift, size=3, stride=2, same=same)
            NUMBERS[f"{kind}, {words}{', same' * same}"] = made
    NUMBERS[f"pooling, {words}"] = functools.partial(_windows, "pooling", end, shift, size=3, stride=2)
    NUMBERS[f"adaptive-pooling, {words}"] = functools.partial(_windows, "adaptive-pooling", end, shift, size=3)
    for levels in (True, False):
        NUMBERS[f"dense, {words}{', levels' * levels}"] = functools.partial(_dense, end, shift, levels)
for shape, rows in ((MAPS, 1), (MAPS, 3), ((9,), 1), ((9,), 9), ((1, 2, 3), 1)):
    NUMBERS[f"lookup of {shape} in {rows}"] = functools.partial(_lookup, shape, rows)
for shape, groups in ((MAPS, 1), (MAPS, 3), ((6, 2, 2), 2), ((9,), 1), ((9,), 9)):
    for near_zero, scale in ((1, 50.0), (2**52 - 1, 1e7), (10_000, 1e30)):
        made = functools.partial(_normalisation, shape, groups, near_zero, scale)
        NUMBERS[f"normalisation of {shape} in {groups}, near_zero {near_zero}"] = made
for number, (near_zero, r, _) in enumerate(near_ties()[:5]):
    NUMBERS[f"normalisation, r near a tie, {number}"] = functools.partial(_near_tie, near_zero, r)
for own, other, shift, low in ((1, 1, 0, -127), (2**31 - 1, 2**31 - 1, 32, 0), (2**31 - 1, 3, 36, -5), (0, 7, 2, -127)):
    NUMBERS[f"residual, {own} and {other}, shift {shift}"] = functools.partial(_residual, own, other, shift, low)

MAKERS = {**SHAPES, **NUMBERS}


@functools.cache
def hard_int8(name: str) -> Exhibit:
    """Return an exhibit by its name in MAKERS."""
    return MAKERS[name]()
