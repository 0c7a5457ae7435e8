"""The table of docs/export.md: which layers each export target supports, from the registry of targets."""

from __future__ import annotations

from tables import table

from genreg_np import infer
from genreg_np.export import TARGETS, target
from genreg_np.export.quantise import TAKES

WORDS = {
    "dense": "dense: weights, biases and any activation",
    "elman": "elman: a layer that remembers, for policies",
    "columns": "columns: words, dates and missing values of a table",
    "standardise": "standardise: features with mean 0 and standard deviation 1",
    "project": "project: onto principal axes, for example",
    "levels": "levels: whole numbers 0 .. 255",
    "deskew": "deskew: upright and centred",
    "detectors": "detectors: filters, rectified, pooled, square-rooted",
    "deviations": "deviations: levels, and how far each is from its middle",
    "responses": "responses: filters with functions of their own",
    "statistics": "statistics: means of cells, directions of slopes",
    "branches": "branches: stacks side by side",
    "convolution": "convolution: filters slid over maps",
    "transposed-convolution": "transposed-convolution: filters that make maps larger",
    "pooling": "pooling: the largest or the mean value of windows",
    "adaptive-pooling": "adaptive-pooling: a given number of windows",
    "upsample": "upsample: values repeated",
    "activation": "activation: a function on its own",
    "prelu": "prelu: a slope for each channel",
    "scale-shift": "scale-shift: for each channel, what batch norm becomes",
    "group-norm": "group-norm: over groups of channels of an image",
    "instance-norm": "instance-norm: over each channel of an image",
    "layer-norm": "layer-norm: over all values of an image",
    "minibatch-deviation": "minibatch-deviation: a channel of zeros in prediction",
    "residual": "residual: a stack and its input, added",
    "concatenate": "concatenate: stacks side by side, channel after channel",
}


def support() -> str:
    """Return a row for each kind of layer, with a column for each target and one for `--int8`."""
    assert set(WORDS) | set(infer.INT8) == {*infer.LAYERS, *infer.ELSEWHERE}, "a kind of layer has no words"
    taken = {name: target(name).TAKES for name in TARGETS}
    rows = [
        [words, *(_sign(kind in taken[name]) for name in TARGETS), _sign(kind in TAKES)]
        for kind, words in WORDS.items()
    ]
    rows.append(["models of 8-bit integers", *(_sign(set(infer.INT8) <= taken[name]) for name in TARGETS), ""])
    return table(["layer", *(f"`{name}`" for name in TARGETS), "with `--int8`"], rows)


def _sign(taken: bool) -> str:
    return "yes" if taken else "-"
