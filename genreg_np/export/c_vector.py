"""NAME_test.h: one input and infer.py's outputs for it, so that firmware can check what was flashed.

In a good vector, every part of the model influences the answer. So no raw value is the smallest, which is often a 0
that hides its weights; and of several random vectors, the one is chosen that detects the most of a number of altered
models, in each of which a single number has the opposite sign. The random vectors are

    raw values   from 1/4 of the range to its end, or the same in the first half, quarter or eighth of the range
    features     mean + deviation x -1 .. 1, or a half, quarter or eighth of that, if the first layer has a mean; else
                 -1 .. 1

For a recurrent model, a vector is several of these in a row, with the answer to the last.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import UsageError
from genreg_np.export import c_text
from genreg_np.export.c_api import Api
from genreg_np.export.c_input import Input, literal
from genreg_np.infer import ModelError
from genreg_np.infer_table import VALUE, inputs_of
from genreg_np.model import Model
from genreg_np.streams import philox

CONTRASTS = (1, 1 / 2, 1 / 4, 1 / 8) * 3  # of the random inputs
STEPS = 4  # inputs in a row
SPOILT = 32  # models with one altered number
BOUND = 2e-5  # tolerance for float answers, relative to the largest
PURPOSE = 0x74657374  # differs from those of streams.Purpose

Numbers = NDArray[np.int64] | NDArray[np.float32]

ONE = "an input, and infer.py's outputs for it"
TEXT = """/* A test of {name}: {given_words}. In firmware:
 *
 *     static {ctype} {outputs}[{count}];
 *     if (!{name}_test({scratch}{outputs}))
 *         weights, code or compiler have changed
 *
 * Its arrays are only in this file, so that products without the test need no memory for them. One input cannot
 * reveal every fault, since a unit that is off for it hides its weights. */
#ifndef {macro}_TEST_H
#define {macro}_TEST_H

#include "{name}.h"

static const {input_type} {name}_test_{given}[{steps}{macro}_INPUTS] = {{
{inputs}
}};

static const {ctype} {name}_test_{outputs}[{count}] = {{
{answers}
}};

/* Return 1 if the answer to the test is infer.py's, {exactness}; else 0. Write the answer to {outputs}. */
static inline int {name}_test({parameters})
{{
{call}
    for (int k = 0; k < {count}; k++) {{
{differs}
            return 0;
    }}
    return 1;
}}

#endif
"""


@dataclass(frozen=True)
class Vector:
    """An input and its answer."""

    inputs: Numbers  # (I,) raw values or features; for a recurrent model STEPS of these, concatenated
    outputs: NDArray[np.float32]  # (K,) of infer.py
    bound: float  # tolerance for floats


def header(api: Api) -> str:
    """Return NAME_test.h.

    Raises
    ------
    UsageError
        If the model gives no finite outputs.
    """
    given, vector = api.program.inputs, drawn(api.program.model)
    macro = api.macro
    inputs = f"{api.name}_test_{given.name}" + (f" + step * {macro}_INPUTS" if api.remembers else "")
    call = api.call(api.answers, api.outputs, inputs=inputs, scratch="scratch")
    lines = [f"if ({call} != 0)", "    return 0;"] if api.may_fail else [f"{call};"]
    if api.remembers:
        begun = [f"{api.name}_state state;", f"{api.name}_start(&state);"]
        lines = [*begun, f"for (int step = 0; step < {STEPS}; step++) {{", *(f"    {line}" for line in lines), "}"]
    wanted = f"{api.name}_test_{api.outputs}[k]"
    if api.unit is None:
        answers = [c_text.number(value) for value in vector.outputs]
        bound = c_text.number(vector.bound)
        exactness = f"each number within {bound[:-1]}"
        differs = f"        const float off = {api.outputs}[k] - {wanted};\n"
        differs += f"        if (!(off >= -{bound} && off <= {bound})) /* nor NaN */"
    else:
        answers = [str(round(float(value) / api.unit)) for value in vector.outputs]
        exactness = "each number to the bit"
        differs = f"        if ({api.outputs}[k] != {wanted})"
    return TEXT.format(
        name=api.name,
        given_words=f"{STEPS} inputs in a row, and infer.py's outputs for the last" if api.remembers else ONE,
        steps=f"{STEPS} * " if api.remembers else "",
        macro=macro,
        ctype=api.ctype,
        outputs=api.outputs,
        count=api.count,
        scratch="&scratch, " if api.handed_over else "",
        parameters=f"{f'{api.name}_scratch *scratch, ' if api.handed_over else ''}{api.ctype} *{api.outputs}",
        exactness=exactness,
        call="\n".join(f"    {line}" for line in lines),
        differs=differs,
        input_type=given.ctype,
        given=given.name,
        inputs=c_text.wrapped([literal(int(v)) if given.raw else c_text.number(v) for v in vector.inputs]),
        answers=c_text.wrapped(answers),
    )


def drawn(model: Model) -> Vector:
    """Return the random input that reveals the most of a model; equal models get equal inputs."""
    inputs = np.stack([_draw(model, number, contrast) for number, contrast in enumerate(CONTRASTS)])
    if model.start():
        inputs = np.stack([np.roll(inputs, -step, axis=0) for step in range(STEPS)], axis=1)
    with np.errstate(all="ignore"):
        outputs = _answers(model, inputs)
    finite = np.isfinite(outputs).all(axis=1)
    if not finite.any():
        raise UsageError("the model cannot be expressed in c: its outputs are infinite or not numbers")
    bound = max(BOUND * float(np.abs(outputs[finite]).max()), float(np.finfo(np.float32).tiny))
    hidden = 0.0 if "unit" in model.header["network"]["layers"][-1] else bound  # the largest undetected difference
    told_apart = np.zeros(len(inputs), np.int64)
    with np.errstate(all="ignore"):
        for other in _spoilt(model):
            told_apart += np.abs(_answers(other, inputs) - outputs).max(axis=1) > hidden
    best = int(np.where(finite, told_apart, -1).argmax())
    return Vector(inputs[best].ravel(), outputs[best], bound)


def _answers(model: Model, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return a model's outputs (N, K) for inputs (N, I), or a recurrent one's after inputs in a row (N, STEPS, I)."""
    given = inputs.reshape(*inputs.shape[:-1], *model.input_shape)
    if not model.start():
        return model.outputs(given)
    found = []
    for row in given:
        state = model.start()
        for one in row:
            state, outputs = model.step(state, one)
        found.append(outputs)
    return np.stack(found)


def _spoilt(model: Model) -> Iterator[Model]:
    """Yield models with one altered number, array by array."""
    names = sorted(name for name, array in model.arrays.items() if array.size)
    for number in range(SPOILT if names else 0):
        array = model.arrays[names[number % len(names)]].copy()
        place = int(_words(1, len(CONTRASTS) + number)[0]) % array.size
        array.flat[place] = -array.flat[place] if array.flat[place] else 1
        with contextlib.suppress(ModelError):  # an invalid model
            yield Model(model.header, {**model.arrays, names[number % len(names)]: array})


def _words(count: int, number: int) -> NDArray[np.uint32]:
    """Return random words (count,)."""
    counter = np.zeros((-(-count // 4), 4), np.uint32)
    counter[:, 0], counter[:, 1], counter[:, 3] = np.arange(len(counter)), number, PURPOSE
    return philox(counter, 0).ravel()[:count]


def _draw(model: Model, number: int, contrast: float) -> Numbers:
    """Return one random input (I,)."""
    draws = (_words(math.prod(model.input_shape), number).astype(np.float64) + 0.5) / 2**32  # within 0 .. 1
    if model.input_range is not None:
        given = Input.of(model)
        steps = contrast * (given.high - given.low)
        raw = [given.low + math.ceil((1 + 3 * draw) / 4 * steps) for draw in draws.tolist()]
        return np.array(raw, np.int64)
    if columns := model.header.get("columns"):
        return _row(model, columns, draws, contrast)
    mean, deviation = _known(model)
    with np.errstate(over="ignore", invalid="ignore"):
        values = (mean + deviation * contrast * (2 * draws - 1)).astype(np.float32)
    values[~np.isfinite(values)] = 0
    return values


def _row(model: Model, columns: list[dict[str, Any]], draws: NDArray[np.float64], contrast: float) -> Numbers:
    """Return one row (I,): random words and flags, numbers around the replacements for missing ones."""
    fill = model.arrays["layers.0.fill"].astype(np.float64)
    source, mode = model.arrays["layers.0.source"], model.arrays["layers.0.mode"]
    deviation, second = np.ones(len(fill)), model.header["network"]["layers"][1]
    if second["kind"] == "standardise":
        values = np.flatnonzero(mode == VALUE)
        scale = model.arrays["layers.1.scale"].astype(np.float64)[values]
        deviation[source[values]] = 1 / np.where(scale, scale, 1)
    found, place = fill + deviation * contrast * (2 * draws - 1), 0
    for column in columns:
        for _ in inputs_of(column):
            if column["kind"] in ("words", "flags"):
                most = len(column["words"]) + 1 if column["kind"] == "words" else 2
                found[place] = np.floor(draws[place] * most)
            place += 1
    return found.astype(np.float32)


def _known(model: Model) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the mean and deviation of features (I,) from the first layer, if it has them; else 0 and 1."""
    count = math.prod(model.input_shape)
    first, arrays = model.header["network"]["layers"][0], model.arrays
    mean, scale = np.zeros(count), np.ones(count)
    if first["kind"] == "standardise":
        mean, scale = (arrays[f"layers.0.{part}"].astype(np.float64) for part in ("mean", "scale"))
    elif first["kind"] == "quantise":  # q = a x + b is cut at 127
        a, b = (arrays[f"layers.0.{part}"].astype(np.float64) for part in "ab")
        scale = a / 127
        mean = -(b - 0.5) / np.where(a, a, 1)
    return mean, 1 / np.where(scale, scale, 1)
