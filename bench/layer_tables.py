"""The tables of docs/layers.md: every kind of layer in the registry, and how close its numbers are to PyTorch's."""

from __future__ import annotations

import numpy as np
from tables import read, table

from genreg_np.errors import UsageError
from genreg_np.export import TARGETS, target
from genreg_np.layers import REGISTRY, layer_class
from genreg_np.layers.base import Layer, Parameter
from genreg_np.layers.images import FixedLayer

EQUATIONS = {
    "dense": "f(W v + b)",
    "elman": "f(W v + U h + b), h its output of the step before",
    "activation": "f(v): tanh, relu, leaky-relu, sigmoid, elu, selu, step, sign",
    "prelu": "v, or s[c] v where v < 0",
    "convolution": "b[f] + sum of w[f, c, i, j] v[c, s y + i - m, s x + j - m]",
    "pooling": "max or mean of v[c, s y + i, s x + j] over i, j",
    "adaptive-pooling": "the same over R x R windows, from floor(y H / R) to ceil((y + 1) H / R) - 1",
    "upsample": "v[c, y // factor, x // factor]",
    "transposed-convolution": "b[f] + sum of w[c, f, i, j] v[c, y, x] at (s y + i - p, s x + j - p)",
    "batch-norm": "scale[c] (v - mean[c]) / sqrt(variance[c] + 1e-5) + shift[c], of a batch; running in prediction",
    "instance-norm": "the same, with mean and variance of each channel of each image",
    "layer-norm": "the same, over all values of each image",
    "group-norm": "the same, over each of G groups of channels of each image",
    "scale-shift": "scale[c] v + shift[c]",
    "dropout": "v / (1 - P) or, with probability P, 0; v in prediction",
    "flatten": "v, flattened",
    "reshape": "v, as maps",
    "residual": "v + stack(v)",
    "concatenate": "stack 1(v), stack 2(v), ... channel after channel",
    "spectral-norm": "a linear layer with W / sigma, sigma = u^T W v the largest singular value by power iteration",
    "minibatch-deviation": "v, and a channel with its mean standard deviation over the batch; with 0 in prediction",
    "levels": "floor(255 v + 1/2)",
    "deskew": "an image sheared upright and centred",
    "detectors": "filters, rectified, pooled, square-rooted",
    "deviations": "v and abs(v - middle)",
    "branches": "stacks of fixed layers, end to end",
    "responses": "filters with functions of their own, means of cells",
    "statistics": "means of cells, of rows and columns, directions of brightness",
    "columns": "for each column its value, 1 where a word is this one, 1 where it is missing; gaps are filled in",
    "standardise": "(v - mean) scale",
    "project": "W v",
}


def kinds() -> str:
    """Return a row for each kind of layer that has weights, or is placed between layers that do."""
    assert set(EQUATIONS) == set(REGISTRY), "a kind of layer has no equation"
    rows = []
    for kind, layer in examples().items():
        if isinstance(layer, FixedLayer):
            continue
        saved = ", ".join(then.kind for then, _ in layer.finished([np.ones(one.shape) for one in _all(layer)]))
        rows.append(
            [
                f"`{kind}`",
                EQUATIONS[kind],
                "`{}`".format(layer.words().replace("|", r"\|")),
                _names(layer.parameters),
                _names(layer.statistics),
                "yes" if has_gradient(layer) else "-",
                "-" if layer.only_by_gradient else "yes",
                "itself" if saved == kind else saved or "nothing",
            ]
        )
    head = ["kind", "what comes out of v", "in words", "learns", "keeps", "by gradient", "by evolution", "saved as"]
    return table(head, rows)


def fixed() -> str:
    """Return a row for each kind of fixed layer."""
    names = [kind for kind, layer in examples().items() if isinstance(layer, FixedLayer)]
    return table(["kind", "what comes out of v"], [[f"`{kind}`", EQUATIONS[kind]] for kind in names])


def targets() -> str:
    """Return a row for each kind that a saved model can contain, with a column for each export target."""
    taken = {name: target(name).TAKES for name in TARGETS}
    rows = [
        [f"`{kind}`", *("yes" if kind in taken[name] else "-" for name in TARGETS)]
        for kind, layer in examples().items()
        if not layer.needs_finishing
    ]
    return table(["kind", *(f"`{name}`" for name in TARGETS)], rows)


def beside_torch() -> str:
    """Return the largest differences from PyTorch, in double and in single precision."""
    document = read("layers")
    rows = []
    for kind, double in document["float64"].items():
        single = document["float32"][kind]
        figures = [f"{found[what]:.0e}" for found in (double, single) for what in ("output", "gradient")]
        rows.append([f"`{kind}`", str(double["cases"]), *figures])
    return table(
        ["kind", "cases", "outputs, double", "gradients, double", "outputs, single", "gradients, single"], rows
    )


def has_gradient(layer: Layer) -> bool:
    """Return whether gradients pass through a layer."""
    try:
        layer.check_gradient()
    except UsageError:
        return False
    return True


def examples() -> dict[str, Layer]:
    """Return an example of every kind."""
    return {kind: layer_class(kind).example()[0] for kind in REGISTRY}


def _all(layer: Layer) -> tuple[Parameter, ...]:
    return (*layer.parameters, *layer.statistics)


def _names(parameters: tuple[Parameter, ...]) -> str:
    return ", ".join(f"`{one.name}`" for one in parameters) or "-"


PAGE = {"kinds": kinds, "fixed": fixed, "targets": targets, "beside torch": beside_torch}
