"""Quantise a trained model with float32 weights to 8-bit integers.

    quantise     q = cut(floor(a x + b))                  a = scale / step,  b = 1/2 - mean scale / step
    filters      W[o, i] = s[o] w[o, i]                   w = round(W / s), s[o] = max over i of |W[o, i]| / 127 or more
                 acc = sum of w q + round(bias / (s step))
                 pre-activation = acc s[o] step           step: the real value of one unit of q
                 t = floor((acc m[o] + half) / 2**shift)  m[o] = round(s[o] step / unit 2**shift)
    activation   q = table[t - low], or t cut to low .. 127
    last         logit = t unit

`step` is 1/127 for inputs in 0 .. 1; for other inputs, and for the outputs of layers, it is the largest magnitude found
in calibration divided by 127. whole.py does the rounding, nodes.py prepares the layers, infer_int8.py is the arithmetic
that uses these numbers; docs/int8.md defines it.
"""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer, infer_layers
from genreg_np.errors import UsageError
from genreg_np.export import kinds_of
from genreg_np.export.nodes import FILTERS, Header, Node, Parts, folded, nodes_of, observe, written
from genreg_np.export.whole import (
    BEYOND,
    LARGEST,
    SWITCHES,
    Float64,
    Whole,
    grid_of,
    multipliers,
    output_step,
    rounded,
    rows_of,
    step_of,
    unit_of,
)
from genreg_np.infer_int8 import MOST_LEVEL, MOST_NEAR_ZERO, counts_of
from genreg_np.model import Float32, Model

DENSE_BITS, SLID_BITS = 30.0, 23.5  # of sums: those of convolutions are exact in float32
# Layers that already give whole numbers, if branches contain nothing else.
OF_LEVELS = ("levels", "deskew", "detectors", "deviations", "branches")
NORMS = ("group-norm", "instance-norm", "layer-norm")
TABLED = ("activation", "prelu", "scale-shift")
MOVING = ("upsample", "minibatch-deviation")
POOLING = ("pooling", "adaptive-pooling")
TAKES = frozenset({*OF_LEVELS, "standardise", *FILTERS, *NORMS, *TABLED, *MOVING, *POOLING, "residual", "concatenate"})


def quantise(model: Model, inputs: NDArray[np.generic]) -> Model:
    """Return the model in 8-bit integers.

    Parameters
    ----------
    model : Model
    inputs : (N, *input_shape)
        Representative images or features to calibrate on, preferably the validation split.

    Returns
    -------
    Model
        Its `training.int8` records the SHA-256 of the original model's file and the number of inputs. It cannot
        recognise unfamiliar inputs.

    Raises
    ------
    UsageError
        For a layer that int8 cannot express; the message names it.
    """
    levels, standard, learned = _apart(model)
    features = model.prepare(inputs)
    if not len(features):
        raise UsageError("there are no inputs to calibrate on: int8 needs at least one")
    with np.errstate(over="ignore", invalid="ignore"):
        observe([*levels, *standard, *learned], features)
        mean, scale = np.zeros(1), np.ones(1)
        if standard:
            mean, scale = (standard[0].arrays[part].astype(np.float64) for part in ("mean", "scale"))
        if levels:
            first, *rest = learned
            scaled = Node(
                first.name, first.header, first.arrays | {"weight": first.arrays["weight"].astype(np.float64) * scale}
            )
            scaled.largest, then = first.largest, _next(rest)
            made, step = _sums(scaled, then, 1.0, not rest, mean)
            found = [*levels, made, *_stack(rest, step, ends=True)[0]]
        else:
            first, step = _inputs(model, features, mean, scale)
            found = [first, *_stack(learned, step, ends=True)[0]]
    layers, arrays = written(found)
    header = model.header | {"network": {"input_shape": list(model.input_shape), "layers": layers}}
    header.pop("familiarity", None)  # its distances are of floats
    origin = {"from": hashlib.sha256(model.pack()).hexdigest(), "inputs": len(features)}
    try:
        return Model(header | {"training": model.training | {"int8": origin}}, arrays)
    except infer.ModelError as error:
        raise UsageError(f"{BEYOND}: {error}") from None


def recorded(whole: Model, **facts: Any) -> Model:
    """Return a model of integers with more facts about its making in `training.int8`, as plain JSON values."""
    made = whole.training["int8"] | facts
    return Model(whole.header | {"training": whole.training | {"int8": made}}, whole.arrays)


def check(model: Model) -> None:
    """Raise a UsageError that names the first layer that int8 cannot express."""
    _apart(model)


def _apart(model: Model) -> tuple[list[Node], list[Node], list[Node]]:
    """Return the layers that give levels, a standardising layer or none, and the trainable layers, folded."""
    kinds = list(kinds_of(model.header["network"]["layers"]))
    if any(kind in infer.INT8 for _, kind in kinds):
        raise UsageError("the model already has 8-bit integers")
    nodes = nodes_of(model)
    levels = next(index for index, node in enumerate([*nodes, None]) if node is None or node.kind not in OF_LEVELS)
    learned = levels + (levels < len(nodes) and nodes[levels].kind == "standardise")
    fitting = {node.name for node in nodes[levels:learned]}
    for name, kind in kinds:
        if kind not in TAKES or (kind == "standardise" and name not in fitting):
            raise _refused(name, kind)
    found = folded(nodes[learned:])
    if levels and found[0].kind != "dense":
        raise _refused(found[0].name, found[0].kind, ": only a dense layer takes levels")
    last = nodes[-1]
    if found[-1].kind not in FILTERS and (found[-1].kind not in POOLING or found[-1].takes_largest):
        function = last.header.get("activation", last.header.get("function", last.header.get("method")))
        kind = f"{last.kind}, {function}" if function else last.kind
        raise _refused(last.name, kind, ": the last layer must be linear and sum: dense, a convolution or a mean")
    return nodes[:levels], nodes[levels:learned], found


def _refused(name: str, kind: str, why: str = "") -> UsageError:
    return UsageError(f"{name} ({kind}) cannot be computed in 8-bit integers{why or ': leave out --int8'}")


def _inputs(model: Model, features: Float32, mean: Float64, scale: Float64) -> tuple[Node, float]:
    """Return the layer that turns inputs into whole numbers, and its step."""
    width = features.shape[1]
    as_they_are = not mean.any() and (scale == 1).all()
    bounded = as_they_are and features.min() >= 0 and features.max() <= 1 and model.input_range is not None
    values = features if as_they_are else (features - mean) * scale
    step = 1 / LARGEST if bounded else step_of(float(np.abs(values).max()))
    a, b = (np.broadcast_to(part, width).astype(np.float32) for part in (scale / step, 0.5 - mean * scale / step))
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError(f"{BEYOND}: inputs are too near 0, or too far from it")
    header = {"kind": "quantise", "inputs": width, "low": 0 if bounded else -LARGEST}
    return Node("the inputs", header, {"a": a, "b": b}), step


def _stack(nodes: list[Node], step: float, ends: bool = False) -> tuple[list[Node], float]:
    """Return layers in whole numbers, and the step of their outputs; the last gives logits if `ends`."""
    found: list[Node] = []
    rest = list(nodes)
    while rest:
        node = rest.pop(0)
        if node.kind in FILTERS or (node.kind in POOLING and not node.takes_largest):
            then = _next(rest)
            made, step = _sums(node, then, step, ends and not rest)
        elif node.kind in TABLED:
            several = [node]
            while rest and rest[0].kind in TABLED:
                several.append(rest.pop(0))
            made, step = _lookup(several, step)
        elif node.kind in NORMS:
            made, step = _normalised(node, _next(rest, "relu"), step)
        elif node.kind == "residual":
            made, step = _added(node, _next(rest, "relu"), step)
        elif node.kind == "concatenate":
            made, step = _side_by_side(node, step)
        else:
            made = Node(node.name, node.header, node.arrays)  # it moves integers just like floats
        found.append(made)
    return found, step


def _next(rest: list[Node], function: str = "") -> Node | None:
    """Remove and return the activation that comes next in `rest`: any, or one with this function."""
    taken = rest and rest[0].kind == "activation" and function in ("", rest[0].header["function"])
    return rest.pop(0) if taken else None


def _sums(node: Node, then: Node | None, step: float, last: bool, mean: Float64 | None = None) -> tuple[Node, float]:
    """Return a layer of sums and its activation in whole numbers; levels as inputs are too large by `mean`."""
    header: Header = node.header | {"kind": f"{node.kind}-int8"}
    if node.kind in FILTERS:
        parts, scale, most = _filters(node, step, mean)
        header["activation"] = then.header["function"] if then else "linear"
        header |= {} if mean is None else {"levels": True}
    else:
        counts = counts_of(header)
        parts, scale, most = {}, step / counts, LARGEST * counts
    multiplier, shift = np.ones(len(most), np.int32), 0
    if last:
        header["unit"] = unit = unit_of(float((most * scale).max()))
        multiplier, shift = multipliers(scale / unit, most)
    else:
        function = then.header["function"] if then else "linear"
        grid = grid_of(function, node.largest, (then or node).largest)
        header["low"], step = grid.low, grid.step
        if grid.table is not None:
            parts["table"] = grid.table
        if function not in SWITCHES:  # with a ratio above the table's length, 1 in acc already leaves the table
            multiplier, shift = multipliers(np.minimum(scale / grid.unit, grid.high - grid.low + 1), most)
    header["shift"] = shift
    return Node(node.name, header, parts | {"multiplier": multiplier}), step


def _filters(node: Node, step: float, mean: Float64 | None) -> tuple[Parts, Float64, Whole]:
    """Return weights and biases as whole numbers, the real value of 1 in each sum, and the sums' limits."""
    weight, bias = (node.arrays[part].astype(np.float64) for part in ("weight", "bias"))
    across = node.kind == "transposed-convolution"
    weight = weight.swapaxes(0, 1) if across else weight
    rows = weight.reshape(len(bias), -1)
    middle = np.zeros(1) if mean is None else mean
    largest, bits = LARGEST if mean is None else MOST_LEVEL, DENSE_BITS if node.kind == "dense" else SLID_BITS
    scale, whole = rows_of(rows, bias - (rows * middle).sum(axis=1), step, largest, bits)
    added = np.rint(bias / (scale * step) - (whole * middle).sum(axis=1)).astype(np.int64)
    shaped = whole.reshape(weight.shape).astype(np.int8)
    parts: Parts = {"weight": np.ascontiguousarray(shaped.swapaxes(0, 1)) if across else shaped}
    most: Whole = largest * np.abs(whole).sum(axis=1) + np.abs(added)
    return parts | {"bias": added.astype(np.int32)}, scale * step, most


def _lookup(nodes: list[Node], step: float) -> tuple[Node, float]:
    """Return functions of each value, composed in order, as a table of 8-bit integers for all channels or each."""
    shape, channels = [nodes[0].layer[0]], 1
    for node in nodes:
        if node.kind != "activation":
            shape, channels = node.header["shape"], node.header["shape"][0]
    values = np.tile(np.arange(-LARGEST, LARGEST + 1, dtype=np.float32) * np.float32(step), channels)[None]
    for node in nodes:
        header = node.header | {"inputs": values.size, "shape": [channels, values.size // channels]}
        values = Node(node.name, header, node.arrays).layer[2](values)
    step = output_step(nodes[-1].header.get("function", "linear"), nodes[-1].largest)
    table = rounded(values.astype(np.float64).reshape(channels, -1), step)
    return Node(nodes[0].name, {"kind": "lookup-int8", "shape": shape}, {"table": table}), step


def _normalised(node: Node, then: Node | None, step: float) -> tuple[Node, float]:
    """Return a normalisation, and a relu after it, in whole numbers."""
    shape: list[int] = node.header["shape"]
    groups = {"instance-norm": shape[0], "layer-norm": 1}.get(node.kind) or node.header["groups"]
    near_zero = round((node.layer[0] // groups / step) ** 2 * infer_layers.NEAR_ZERO)
    if near_zero >= MOST_NEAR_ZERO:
        raise UsageError(f"{BEYOND}: the inputs of {node.name} ({node.kind}) are too near 0")
    after = step_of((then or node).largest)
    header = {"kind": "normalisation-int8", "shape": shape, "groups": groups, "near_zero": max(1, near_zero)}
    scale, shift = (node.arrays[part].astype(np.float64) for part in ("scale", "shift"))
    parts: Parts = {"a": (scale / after).astype(np.float32), "b": (0.5 + shift / after).astype(np.float32)}
    return Node(node.name, header | {"low": 0 if then else -LARGEST}, parts), after


def _added(node: Node, then: Node | None, step: float) -> tuple[Node, float]:
    """Return a residual layer, and a relu after it, in whole numbers."""
    inner, own = _stack(node.stacks[0], step)
    after = step_of((then or node).largest)
    found, shift = multipliers(np.array([step, own]) / after, np.array([LARGEST, LARGEST]))
    header = {"kind": "residual-int8", "shape": node.header["shape"], "layers": [], "low": 0 if then else -LARGEST}
    return Node(node.name, header | {"multipliers": found.tolist(), "shift": shift}, {}, [inner]), after


def _side_by_side(node: Node, step: float) -> tuple[Node, float]:
    """Return stacks side by side, with outputs converted to one step."""
    made = [_stack(inner, step) for inner in node.stacks]
    after = max(own for _, own in made)
    for number, (inner, own) in enumerate(made):
        if own != after:
            width = node.stacks[number][-1].width if node.stacks[number] else math.prod(node.header["shape"])
            table = rounded(np.arange(-LARGEST, LARGEST + 1, dtype=np.float64) * own, after)[None]
            inner.append(Node(node.name, {"kind": "lookup-int8", "shape": [width]}, {"table": table}))
    return Node(node.name, node.header, {}, [inner for inner, _ in made]), after
