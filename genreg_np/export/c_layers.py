"""Translate layers to C: constants, buffers for their outputs, and calls of the functions in c_parts/.

Layers exchange floats, levels (uint8_t) or 8-bit integers (int8_t), depending on their outputs; the first one receives
raw values as the application has them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.errors import UsageError
from genreg_np.export.c_program import Program, Value
from genreg_np.export.c_stack import Header, Maker, label_of, side_by_side

AT_ONCE = 16  # sums that a processor may update at once: if there are fewer, each is computed separately


def _levels_only(layer: Header, where: str, value: Value) -> str:
    """Return where a layer's levels are; raises UsageError for any other kind of input."""
    if value.kind != "uint8_t":
        name = f"layer {where.removeprefix('layers.')} ({layer['kind']})"
        raise UsageError(f"{name} cannot be expressed in c: it takes levels, but its inputs are {value.words}")
    return value.place


def _dense(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    outputs, activation = layer["outputs"], layer["activation"]
    result = _product(program, program.model.arrays[f"{where}.weight"], where, value, goal)
    bias = program.constant(f"layer_{label_of(where)}_bias", program.model.arrays[f"{where}.bias"])
    program.call(program.part("add"), result.place, bias, outputs)
    if activation != "linear":
        program.call(program.each(activation), result.place, outputs)
    return result


def _elman(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    label, outputs, arrays = label_of(where), layer["outputs"], program.model.arrays
    result = _product(program, arrays[f"{where}.weight"], where, value, goal)
    recurrent = program.constant(f"layer_{label}_recurrent", arrays[f"{where}.recurrent"].T)
    bias = program.constant(f"layer_{label}_bias", arrays[f"{where}.bias"])
    state, sums = program.state(f"layer_{label}", outputs), program.numbers(outputs)
    program.call("multiply", state, outputs, recurrent, outputs, sums.place)
    for added in (sums.place, bias):
        program.call(program.part("add"), result.place, added, outputs)
    program.release(sums)
    if layer["activation"] != "linear":
        program.call(program.each(layer["activation"]), result.place, outputs)
    program.call("memcpy", state, result.place, f"sizeof {state}")
    return result


def _product(program: Program, matrix: NDArray[np.generic], where: str, value: Value, goal: Value | None) -> Value:
    """Multiply by a matrix (O, I), stored input by input."""
    outputs, inputs = matrix.shape
    floats = program.floats(value)
    result = program.numbers(outputs, goal)
    weight = program.constant(f"layer_{label_of(where)}_weight", matrix.T)
    program.call(program.part("multiply"), floats.place, inputs, weight, outputs, result.place)
    return result


def _project(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    return _product(program, program.model.arrays[f"{where}.matrix"], where, value, goal)


def _standardise(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    label, width = label_of(where), layer["inputs"]
    result = program.numbers(width, goal)
    floats = program.floats(value, result)
    mean, scale = (
        program.constant(f"layer_{label}_{part}", program.model.arrays[f"{where}.{part}"]) for part in ("mean", "scale")
    )
    program.call(program.part("standardise"), floats.place, mean, scale, width, result.place)
    return result


def _columns(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    label, arrays = label_of(where), program.model.arrays
    floats, result = program.floats(value), program.numbers(layer["outputs"], goal)
    named = [
        program.constant(f"layer_{label}_{part}", arrays[f"{where}.{part}"])
        for part in ("source", "mode", "value", "fill")
    ]
    program.call(program.part("columns"), floats.place, *named, layer["outputs"], result.place)
    return result


def _quantise(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    label, width = label_of(where), layer["inputs"]
    a, b = (program.model.arrays[f"{where}.{part}"] for part in ("a", "b"))
    every = program.inputs.mapped()
    if value.kind == "raw" and len(every) and (a == a[0]).all() and (b == b[0]).all():
        one = {"kind": "quantise", "inputs": 1, "low": layer["low"]}
        table = infer.LAYERS["quantise"](one, {".a": a[:1], ".b": b[:1]}, "", "")[2](every[:, None])
        return replace(value, table=program.constant(f"layer_{label}_table", table.astype(np.int8)))
    result = program.numbers(width, goal, "int8_t")
    floats = program.floats(value)
    named = (program.constant(f"layer_{label}_{part}", array) for part, array in (("a", a), ("b", b)))
    program.call(program.part("quantise"), floats.place, *named, width, layer["low"], result.place)
    return result


def _multiply_int8(program: Program, layer: Header, where: str, value: Value, sums: Value) -> None:
    """Multiply 8-bit integers, raw values that index some, or levels by a matrix (O, I), and add its bias."""
    label, matrix = label_of(where), program.model.arrays[f"{where}.weight"]
    if value.table and layer["outputs"] < AT_ONCE:
        value = program.entries(value)
    place = _levels_only(layer, where, value) if layer.get("levels") else value.place
    numbers: list[object] = [place, layer["inputs"]]
    if value.table:
        numbers.append(value.table)
        part = program.part("multiply_raw", {"RAW": program.inputs.ctype, "PLACE": program.inputs.entry})
    else:
        part = program.part("multiply_whole", kind=value.kind)
    weight = program.constant(f"layer_{label}_weight", matrix.T if value.table else matrix)
    bias = program.constant(f"layer_{label}_bias", program.model.arrays[f"{where}.bias"])
    program.call(part, *numbers, weight, bias, layer["outputs"], sums.place)


def _dense_int8(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    label, outputs, arrays = label_of(where), layer["outputs"], program.model.arrays
    last = "unit" in layer
    sums = goal if last and goal else program.result("sums", "int32_t", outputs, None)
    _multiply_int8(program, layer, where, value, sums)
    multiplier = program.constant(f"layer_{label}_multiplier", arrays[f"{where}.multiplier"])
    if last:
        program.call(program.part("rescale"), sums.place, outputs, multiplier, layer["shift"])
        return sums
    result = program.numbers(outputs, goal, "int8_t")
    table = arrays.get(f"{where}.table")
    if table is None:
        program.call(
            program.part("cut_int8"), sums.place, outputs, multiplier, layer["shift"], layer["low"], result.place
        )
        return result
    named = program.constant(f"layer_{label}_table", table)
    program.call(
        program.part("activate_int8"), sums.place, outputs, multiplier, layer["shift"], named, layer["low"], table.size,
        result.place,
    )  # fmt: skip
    return result


def _levels(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    every = program.inputs.mapped()
    if value.kind == "raw" and len(every):
        table = infer.LAYERS["levels"]({"inputs": 1}, {}, "", "")[2](every[:, None])[:, 0].astype(np.uint8)
        if program.inputs.ctype == "uint8_t" and np.array_equal(table, np.arange(256)):
            return Value(value.place, "uint8_t", value.width)  # raw values are already levels
        result = program.result(f"levels_{label_of(where)}", "uint8_t", value.width, goal)
        return program.looked_up(value, program.constant(f"layer_{label_of(where)}_table", table), result)
    floats = program.floats(value)
    result = program.result(f"levels_{label_of(where)}", "uint8_t", value.width, goal)
    program.call(program.part("to_levels"), floats.place, value.width, result.place)
    return result


def _deskew(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    image, (height, width) = _levels_only(layer, where, value), layer["shape"]
    result = program.result(f"upright_{label_of(where)}", "uint8_t", height * width, goal)
    program.call(program.part("deskew"), image, height, width, int(layer["centred"]), result.place)
    return result


def _detectors(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    images, label = _levels_only(layer, where, value), label_of(where)
    channels, height, width = layer["shape"]
    places = 1
    for extent in (height, width):
        places *= extent + 2 * layer["margin"] - layer["size"] + 1
    response = program.buffer("response", "int16_t", places)
    _, outputs, _ = infer.LAYERS["detectors"](layer, program.model.arrays, where, "")
    result = program.result(f"maps_{label}", "uint8_t", outputs, goal)
    filters = program.constant(f"layer_{label}_filters", program.model.arrays[f"{where}.filters"])
    fields = {"channels": channels, "height": height, "width": width, "depth": layer.get("depth", 1)}
    fields |= {"filters": filters, "count": layer["filters"]}
    fields |= {key: layer[key] for key in ("size", "margin", "window", "stride")}
    fields["is_signed"] = int(layer["signed"])
    fields["least"] = program.constant(f"layer_{label}_least", _least_sums(layer["gain"]))
    bank = program.record("Detectors", f"layer_{label}", fields)
    program.call(program.part("detectors"), images, f"&{bank}", response, result.place)
    return result


def _least_sums(gain: float) -> NDArray[np.int32]:
    """Return the smallest sum of a pool that gives each level from 1 to 255, or 2**24 - 1, which no sum reaches.

    Levels grow monotonically with sums, also in infer.py's float32, so 24 bisections find each threshold.
    """
    levels, sums = np.arange(1, 256), np.zeros(255, np.int32)
    for step in 2 ** np.arange(23, -1, -1, dtype=np.int32):
        below = np.float32(gain) * np.sqrt((sums + step - 1).astype(np.float32)) < levels
        sums += np.where(below, step, 0).astype(np.int32)
    return sums


def _deviations(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    levels, label, width = _levels_only(layer, where, value), label_of(where), layer["inputs"]
    middle = program.constant(f"layer_{label}_middle", program.model.arrays[f"{where}.middle"])
    result = program.result(f"deviations_{label}", "uint8_t", 2 * width, goal)
    program.call(program.part("deviations"), levels, middle, width, result.place)
    return result


def _responses(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    image, label = _levels_only(layer, where, value), label_of(where)
    (height, width), size, grids = layer["shape"], layer["size"], layer["grids"]
    answers = program.buffer("answers", "float", (height - size + 1) * (width - size + 1))
    outputs = len(layer["functions"]) * sum(rows * columns for rows, columns in grids)
    result = program.numbers(outputs, goal)
    program.part("responses")
    named = [program.each("response leaky-relu" if name == "leaky-relu" else name) for name in layer["functions"]]
    filters = program.constant(f"layer_{label}_filters", program.model.arrays[f"{where}.filters"])
    functions = program.list_of("Function *const", f"layer_{label}_functions", named)
    cells = program.list_of("const int", f"layer_{label}_grids", [str(extent) for grid in grids for extent in grid])
    fields = {"height": height, "width": width, "filters": filters, "count": len(named), "size": size}
    fields |= {"functions": functions, "grids": cells, "grid_count": len(grids)}
    program.call("responses", image, f"&{program.record('Responses', f'layer_{label}', fields)}", answers, result.place)
    return result


def _statistics(program: Program, layer: Header, where: str, value: Value, goal: Value | None) -> Value:
    image, (height, width) = _levels_only(layer, where, value), layer["shape"]
    _, outputs, _ = infer.LAYERS["statistics"](layer, program.model.arrays, where, "")
    result = program.numbers(outputs, goal)
    program.call(program.part("statistics"), image, height, width, result.place)
    return result


LAYERS: dict[str, Maker] = {
    "dense": _dense,
    "elman": _elman,
    "quantise": _quantise,
    "dense-int8": _dense_int8,
    "columns": _columns,
    "standardise": _standardise,
    "project": _project,
    "levels": _levels,
    "deskew": _deskew,
    "detectors": _detectors,
    "deviations": _deviations,
    "responses": _responses,
    "statistics": _statistics,
    "branches": side_by_side,
}
