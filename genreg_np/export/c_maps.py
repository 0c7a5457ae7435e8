"""Translate layers for maps (C, H, W), and other trainable layers between them, to C.

Values are floats, channel by channel, row by row; layers that only move values or take the largest also accept whole
numbers. A layer that works in place keeps its buffer, unless that is shared.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from genreg_np.export.c_program import Program, Value
from genreg_np.export.c_stack import Header, Maker, kind_after, label_of, side_by_side, stack

GROUPS = (4, 2, 1)  # filters computed at a time
AT_ONCE = 8  # places that a processor may compute at once: places are padded to a multiple, so that none remains


def _as_floats(program: Program, value: Value) -> Value:
    """Return a value as floats that stay in place until they are released."""
    return value if value.kind == "float" else program.floats(value, program.numbers(value.width))


def _moved(program: Program, value: Value) -> Value:
    """Return a value in a form that can be moved: whole numbers unchanged, raw values as floats."""
    return _as_floats(program, value) if value.kind == "raw" else value


def _done(program: Program, floats: Value, value: Value) -> None:
    """Release the copy that `_as_floats` or `_moved` made of a value."""
    if floats is not value:
        program.release(floats)


def _own(program: Program, value: Value, goal: Value | None) -> Value:
    """Return a value as floats that may be changed in place."""
    if value.kind != "float":
        return program.floats(value, program.numbers(value.width, goal))
    return program.own(value, goal)


def _array(program: Program, where: str, part: str) -> str:
    """Add one of a layer's arrays and return its name."""
    return program.constant(f"layer_{label_of(where)}_{part}", program.model.arrays[f"{where}.{part}"])


def _activation(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    values = _own(program, value, goal)
    program.call(program.each(layer["function"]), values.place, value.width)
    return values


def _scale_shift(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    values, channels = _own(program, value, goal), layer["shape"][0]
    scale, shift = (_array(program, where, part) for part in ("scale", "shift"))
    program.call(program.part("scale_shift"), values.place, channels, value.width // channels, scale, shift)
    return values


def _convolution(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    """Add a convolution of stride 1; for other strides, the maps are split first, and padded with zeros if required.

    Outputs initially have the pitch of those maps, so the buffer has extra space for the last filters.
    """
    (channels, *extents), filters, size, stride = (layer[key] for key in ("shape", "filters", "size", "stride"))
    grid = [-(-extent // stride) if layer["same"] else (extent - size) // stride + 1 for extent in extents]
    around = [max(0, (count - 1) * stride + size - extent) for count, extent in zip(grid, extents, strict=True)]
    tall, pitch = (-(-(extent + zeros) // stride) for extent, zeros in zip(extents, around, strict=True))
    places, spread, kept = math.prod(grid), (grid[0] - 1) * pitch + grid[1], min(size, stride)
    steps = [divmod(step, stride) for step in range(size)]
    taps = [((i * kept + j) * tall + y) * pitch + x for y, i in steps for x, j in steps]
    floats, label = _as_floats(program, value), label_of(where)
    maps = floats
    if stride > 1 or any(around):
        maps = program.numbers(channels * kept * kept * tall * pitch)
        part, (top, left) = program.part("surround"), (zeros // 2 for zeros in around)
        numbers = {"channels": channels, "height": extents[0], "width": extents[1], "top": top, "left": left}
        numbers |= {"stride": stride, "kept": kept, "tall": tall, "pitch": pitch}
        margins = program.record("Surroundings", f"layer_{label}_around", numbers)
        program.call(part, floats.place, f"&{margins}", maps.place)
    beyond = -spread % AT_ONCE
    if beyond and program.followed_by_zeros(maps, beyond):
        spread += beyond
    group = next(count for count in GROUPS if filters % count == 0)
    result = program.numbers(filters * places + group * (spread - places))
    weight = program.model.arrays[f"{where}.weight"].reshape(filters // group, group, channels * size, size)
    fields: dict[str, object] = {"channels": channels, "extent": kept * kept * tall * pitch, "filters": filters}
    fields["weights"] = program.constant(f"layer_{label}_weight", weight.transpose(0, 2, 1, 3))
    fields["bias"] = _array(program, where, "bias")
    fields["taps"] = program.constant(f"layer_{label}_taps", np.array(taps, np.int32))
    fields |= {"rows": grid[0], "columns": grid[1], "pitch": pitch, "spread": spread}
    record = program.record("Convolution", f"layer_{label}", fields)
    program.call(_convolve(program, group, size), maps.place, f"&{record}", result.place)
    for used in (maps, floats):
        _done(program, used, value)
    return replace(result, width=filters * places)


def _convolve(program: Program, group: int, size: int) -> str:
    """Add the functions that convolve with `group` filters at a time, and return the name of the one to call."""
    products = [" + ".join(f"w[{k * size + j}] * s{j}" for j in range(size)) for k in range(group)]
    name = program.part(
        "convolve",
        {
            "SUMS": ", ".join(f"float *restrict z{k}" for k in range(group)),
            "TAPS": "\n    ".join(f"const float *restrict v{j} = maps + taps[{j}];" for j in range(size)),
            "SEEN": ", ".join(f"s{j} = v{j}[p]" for j in range(size)),
            "ADDED": "\n        ".join(f"z{k}[p] += {products[k]};" for k in range(group)),
            "PLACES": ", ".join(f"z + {k} * layer->spread + first" for k in range(group)),
        },
        FILTERS=group,
        SIZE=size,
    )
    program.frames[name] = 256 + 16 * group * size  # weights may be kept in vectors
    return name


def _pooling(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    (channels, *extents), size, stride = layer["shape"], layer["size"], layer["stride"]
    largest = layer["method"] == "max"
    values = _moved(program, value) if largest else _as_floats(program, value)
    width = channels * math.prod((extent - size) // stride + 1 for extent in extents)
    result = program.numbers(width, goal, values.kind)
    kind = values.kind if largest else ""
    pool = program.part(f"pool_{layer['method']}", kind=kind, SIZE=size, STRIDE=stride)
    program.call(pool, values.place, channels, *extents, result.place)
    _done(program, values, value)
    return result


def _prelu(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    values, channels = _own(program, value, goal), layer["shape"][0]
    slope = _array(program, where, "slope")
    program.call(program.part("bend"), values.place, channels, value.width // channels, slope)
    return values


def _normalisation(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    values, channels = _own(program, value, goal), layer["shape"][0]
    parts = {"instance-norm": channels, "layer-norm": 1}.get(layer["kind"]) or layer["groups"]
    program.call(program.part("normalise"), values.place, parts, value.width // parts)
    return _scale_shift(program, layer, where, values, goal)


def _adaptive_pooling(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    shape, size, largest = layer["shape"], layer["size"], layer["method"] == "max"
    values = _moved(program, value) if largest else _as_floats(program, value)
    result = program.numbers(shape[0] * size * size, goal, values.kind)
    adapt = program.part(f"adapt_{layer['method']}", kind=values.kind if largest else "", SIZE=size)
    program.call(adapt, values.place, *shape, result.place)
    _done(program, values, value)
    return result


def _upsample(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    (channels, height, width), factor = layer["shape"], layer["factor"]
    values = _moved(program, value)
    result = program.numbers(value.width * factor * factor, goal, values.kind)
    repeat = program.part("repeat", kind=values.kind)
    program.call(repeat, values.place, channels * height, width, factor, result.place)
    _done(program, values, value)
    return result


def _transposed_convolution(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    (channels, *extents), filters, size, stride = (layer[key] for key in ("shape", "filters", "size", "stride"))
    before, grid = 0, [(extent - 1) * stride + size for extent in extents]
    if layer["same"]:
        before, grid = max(0, size - stride + 1) // 2, [extent * stride for extent in extents]
    fields = {"channels": channels, "height": extents[0], "width": extents[1]}
    fields |= {"filters": filters, "size": size, "stride": stride, "before": before}
    fields |= {"rows": grid[0], "columns": grid[1]}
    label, weight = label_of(where), program.model.arrays[f"{where}.weight"]
    fields["weights"] = program.constant(f"layer_{label}_weight", weight.swapaxes(0, 1))
    fields["bias"] = _array(program, where, "bias")
    floats = _as_floats(program, value)
    result = program.numbers(filters * math.prod(grid), goal)
    record = program.record("Transposed", f"layer_{label}", fields)
    program.call(program.part("transpose"), floats.place, f"&{record}", result.place)
    _done(program, floats, value)
    return result


def _minibatch_deviation(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    kind = "float" if value.kind == "raw" else value.kind
    result = program.numbers(value.width + math.prod(layer["shape"][1:]), goal, kind)
    stack(program, [], where, value, replace(result, width=value.width))
    program.call(program.part("clear", kind=kind), f"{result.place} + {value.width}", result.width - value.width)
    return result


def _residual(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    floats = _as_floats(program, value)
    result = program.numbers(value.width, goal)
    stack(program, layer["layers"], where, floats, result)
    program.call(program.part("add"), result.place, floats.place, value.width)
    _done(program, floats, value)
    return result


def _concatenate(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    values = _as_floats(program, value) if kind_after([layer], value.kind) == "float" else value
    result = side_by_side(program, layer, where, values, goal)
    _done(program, values, value)
    return result


LAYERS: dict[str, Maker] = {
    "activation": _activation,
    "prelu": _prelu,
    "scale-shift": _scale_shift,
    "group-norm": _normalisation,
    "instance-norm": _normalisation,
    "layer-norm": _normalisation,
    "convolution": _convolution,
    "transposed-convolution": _transposed_convolution,
    "pooling": _pooling,
    "adaptive-pooling": _adaptive_pooling,
    "upsample": _upsample,
    "minibatch-deviation": _minibatch_deviation,
    "residual": _residual,
    "concatenate": _concatenate,
}
