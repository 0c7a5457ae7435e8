"""Translate layers of 8-bit integers, except dense ones, to C: convolutions, pooling, and the layers between them.

Convolutions copy the patches under four places, in 16 bits, and multiply them by each filter: products of rows, which
compilers turn into vector instructions. Only the sums of one filter at four places are kept. If max pooling of 2 x 2
places follows, these are the four places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from genreg_np.export.c_program import Program, Value
from genreg_np.export.c_stack import Header, Maker, label_of, stack

AT_ONCE = 16  # taps that a processor may multiply at once: larger filters are padded to whole vectors
MOST_LOGIT = 2**24
LARGEST = 127


def _array(program: Program, where: str, part: str) -> str:
    """Add one of a layer's arrays and return its name."""
    return program.constant(f"layer_{label_of(where)}_{part}", program.model.arrays[f"{where}.{part}"])


def _finish(program: Program, layer: Header, where: str) -> str:
    """Add the record of how a layer's sums are finished, and return its address."""
    fields: dict[str, object] = {"multiplier": _array(program, where, "multiplier"), "shift": layer["shift"]}
    table = program.model.arrays.get(f"{where}.table")
    low, high = (-MOST_LOGIT, MOST_LOGIT) if "unit" in layer else (layer["low"], LARGEST)
    if table is not None and "unit" not in layer:
        high = low + table.size - 1
        fields["table"] = _array(program, where, "table")
    program.part("finished")
    return f"&{program.record('Finish', f'layer_{label_of(where)}_finish', fields | {'low': low, 'high': high})}"


def _kind(layer: Header) -> str:
    """Return the kind of a layer's outputs: logits or 8-bit integers."""
    return "int32_t" if "unit" in layer else "int8_t"


@dataclass(frozen=True)
class _Grid:
    """Where filters are applied, and where their outputs go."""

    before: tuple[int, int]  # zeros above and to the left of the maps
    stride: int  # between places
    pool: int  # places from a window of 2 x 2 to the next, or 0
    extents: tuple[int, int]  # of the outputs
    step: int  # from one output's place in the result to the next
    first: tuple[int, int]  # the place of the first output
    whole: tuple[int, int]  # extents of the result


def _slide(
    program: Program, layer: Header, where: str, name: str, weight: NDArray[np.int8], grid: _Grid
) -> tuple[str, str]:
    """Add filters (F, C, rows, columns), and return the address of their record and the buffer for patches."""
    filters, channels, tall, wide = weight.shape
    count = channels * tall * wide
    taps = count + (-count % AT_ONCE if count > AT_ONCE // 2 else 0)
    padded = np.zeros((filters, taps), np.int8)
    padded[:, :count] = weight.reshape(filters, count)
    _, height, width = layer["shape"]
    fields: dict[str, object] = {"channels": channels, "height": height, "width": width}
    fields |= {"filters": filters, "tall": tall, "wide": wide, "taps": taps}
    fields |= {"weights": program.constant(f"{name}_weight", padded), "bias": f"layer_{label_of(where)}_bias"}
    fields |= {"top": grid.before[0], "left": grid.before[1], "stride": grid.stride, "pool": grid.pool}
    fields |= {"rows": grid.extents[0], "columns": grid.extents[1]}
    fields |= {"first": grid.first[0] * grid.whole[1] + grid.first[1], "across": grid.step}
    fields |= {"down": grid.step * grid.whole[1], "area": math.prod(grid.whole)}
    return f"&{program.record('Filters', name, fields)}", program.buffer("seen", "int16_t", 4 * taps)


def _convolution(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    (_, *extents), size, stride = (layer[key] for key in ("shape", "size", "stride"))
    whole = [-(-extent // stride) if layer["same"] else (extent - size) // stride + 1 for extent in extents]
    around = [max(0, (count - 1) * stride + size - extent) for count, extent in zip(whole, extents, strict=True)]
    pool = layer["pool"]["stride"] if "pool" in layer else 0
    if pool:
        whole = [(extent - 2) // pool + 1 for extent in whole]
    tall, wide = whole
    before = (around[0] // 2, around[1] // 2)
    grid = _Grid(before, stride, pool, (tall, wide), 1, (0, 0), (tall, wide))
    slide = program.part("slide", kind=_kind(layer))
    result = program.numbers(layer["filters"] * tall * wide, goal, _kind(layer))
    finish, weight = _finish(program, layer, where), program.model.arrays[f"{where}.weight"]
    _array(program, where, "bias")
    record, seen = _slide(program, layer, where, f"layer_{label_of(where)}", weight, grid)
    program.call(slide, value.place, record, finish, seen, result.place)
    return result


def _transposed(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    """Add a convolution of stride 1 for every remainder of rows and columns, with the taps that contribute there.

    y = stride Y + r is reached from u = Y + d - e by the tap stride e + k, where r + m = stride d + k: so the E taps
    of k, reversed, see the places from Y - (E - 1 - d) on.
    """
    (_, *extents), size, stride = (layer[key] for key in ("shape", "size", "stride"))
    before = max(0, size - stride + 1) // 2 if layer["same"] else 0
    tall, wide = (extent * stride if layer["same"] else (extent - 1) * stride + size for extent in extents)
    slide = program.part("slide", kind=_kind(layer))
    result = program.numbers(layer["filters"] * tall * wide, goal, _kind(layer))
    finish, weight = _finish(program, layer, where), program.model.arrays[f"{where}.weight"].swapaxes(0, 1)
    _array(program, where, "bias")
    for first in product(range(min(stride, tall)), range(min(stride, wide))):
        (down, i), (across, j) = (divmod(rest + before, stride) for rest in first)
        taps = weight[:, :, i::stride, j::stride][:, :, ::-1, ::-1]
        top, left = taps.shape[2] - 1 - down, taps.shape[3] - 1 - across
        if not taps.size:
            taps, top, left = np.zeros((*weight.shape[:2], 1, 1), np.int8), 0, 0
        rows, columns = (-(-(extent - rest) // stride) for extent, rest in zip((tall, wide), first, strict=True))
        grid = _Grid((top, left), 1, 0, (rows, columns), stride, first, (tall, wide))
        name = f"layer_{label_of(where)}" + (f"_from_{first[0]}_{first[1]}" if stride > 1 else "")
        record, seen = _slide(program, layer, where, name, taps, grid)
        program.call(slide, value.place, record, finish, seen, result.place)
    return result


def _mean(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    (channels, *extents), size, label = layer["shape"], layer["size"], label_of(where)
    adaptive = layer["kind"] == "adaptive-pooling-int8"
    if adaptive:
        spans = [
            [(place * extent // size, -(-(place + 1) * extent // size)) for place in range(size)] for extent in extents
        ]
    else:
        starts = [range(0, extent - size + 1, layer["stride"]) for extent in extents]
        spans = [[(start, start + size) for start in along] for along in starts]
    fields: dict[str, object] = {"channels": channels, "height": extents[0], "width": extents[1]}
    fields |= {"rows": len(spans[0]), "columns": len(spans[1])}
    for axis, along in zip(("down", "across"), spans, strict=True):
        fields[axis] = program.constant(f"layer_{label}_{axis}", np.array(along, np.int32))
    record = program.record("Windows", f"layer_{label}", fields | {"each": int(adaptive)})
    mean, finish = program.part("mean", kind=_kind(layer)), _finish(program, layer, where)
    result = program.numbers(channels * len(spans[0]) * len(spans[1]), goal, _kind(layer))
    program.call(mean, value.place, f"&{record}", finish, result.place)
    return result


def _lookup(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    values, table = program.own(value, goal), program.model.arrays[f"{where}.table"]
    channels, length = table.shape
    named = _array(program, where, "table")
    apart = length if channels > 1 else 0
    program.call(program.part("look_up_int8"), values.place, channels, value.width // channels, named, apart)
    return values


def _normalisation(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    values, (channels, *_), groups = program.own(value, goal), layer["shape"], layer["groups"]
    fields: dict[str, object] = {"groups": groups, "channels": channels // groups, "area": value.width // channels}
    fields |= {"near_zero": f"INT64_C({layer['near_zero']})", "low": layer["low"]}
    fields |= {part: _array(program, where, part) for part in ("a", "b")}
    function = program.part("normalise_int8")
    program.call(function, values.place, f"&{program.record('Groups', f'layer_{label_of(where)}', fields)}")
    return values


def _residual(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    result = program.numbers(value.width, goal, "int8_t")
    stack(program, layer["layers"], where, value, result)
    own, other = layer["multipliers"]
    numbers = (value.width, own, other, layer["shift"], layer["low"])
    program.call(program.part("add_int8"), result.place, value.place, *numbers)
    return result


LAYERS: dict[str, Maker] = {
    "convolution-int8": _convolution,
    "transposed-convolution-int8": _transposed,
    "pooling-int8": _mean,
    "adaptive-pooling-int8": _mean,
    "lookup-int8": _lookup,
    "normalisation-int8": _normalisation,
    "residual-int8": _residual,
}
