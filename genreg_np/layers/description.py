"""Converts a network's layers to one line of words, and back.

    conv 16 3 / relu / max 2 / conv 32 3 stride 2 same / relu / dense 10

Layers are separated by slashes. WORDS lists what can be written, and how each word makes a layer for an input shape; a
new kind needs one line there. In `usage`, FILTERS stands for a required number, `max|avg` for one of two words, and
[stride S] and [same] are optional.

Shapes: inputs (C, H, W), or (H, W) for a single channel, or flat (I,), over which filters cannot slide.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from genreg_np.errors import UsageError, did_you_mean, nearest
from genreg_np.infer import ACTIVATIONS
from genreg_np.layers.activation import FUNCTIONS, Activation, Prelu
from genreg_np.layers.base import Layer
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.dropout import Dropout
from genreg_np.layers.normalise import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.layers.recurrent import Elman
from genreg_np.layers.shaping import Flatten, Reshape
from genreg_np.layers.upsample import TransposedConvolution, Upsample
from genreg_np.settings import whole_numbers

MOST_LAYERS, MOST_NUMBER = 256, 1 << 30
COLOURS_LAST = 8  # with this many rows and columns or more, a last extent of 1, 3 or 4 is taken for channels

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Word:
    """How a kind of layer is written."""

    usage: str
    make: Callable[..., Layer]  # takes the input shape, the numbers and words given, and options by name


@dataclass(frozen=True)
class Step:
    """A layer as it is written."""

    number: int  # counted from 1
    text: str
    word: Word
    given: tuple[Any, ...]
    options: dict[str, Any]

    def refused(self, why: object) -> UsageError:
        """Return an error that names the place."""
        return _refused(self.number, self.text, why)


def _refused(number: int, text: str, why: object) -> UsageError:
    shown = " ".join(text.split())
    return UsageError(f"network: layer {number}, {shown if len(shown) <= 60 else shown[:57] + '...'!r}: {why}")


def _maps(shape: Shape) -> tuple[int, int, int]:
    """Return a shape as channels, rows and columns."""
    if len(shape) == 2:
        return 1, shape[0], shape[1]
    if len(shape) != 3:
        raise UsageError(f"needs maps, channels x rows x columns, but {shown(shape)} flat values arrive")
    return shape[0], shape[1], shape[2]


def _channels(shape: Shape) -> Shape:
    """Return a shape whose first extent is channels; each flat value is a channel."""
    return shape if len(shape) == 1 else _maps(shape)


def _channels_last(shape: Shape) -> str:
    """Return a hint if maps seem to have their channels, grey or colours, last."""
    last = len(shape) == 3 and shape[2] in (1, 3, 4) and min(shape[:2]) >= COLOURS_LAST
    return f", and channels come first: {shape[2]} x {shape[0]} x {shape[1]}" if last else ""


def shown(shape: Shape) -> str:
    """Return e.g. "16 x 26 x 26"."""
    return " x ".join(str(extent) for extent in shape)


def _activation(name: str) -> Word:
    return Word(name, lambda shape: Activation(math.prod(shape), name))


WORDS: dict[str, Word] = {
    "conv": Word("conv FILTERS KERNEL [stride S] [same]", lambda shape, *n, **o: Convolution(_maps(shape), *n, **o)),
    "max": Word("max K [stride S]", lambda shape, size, **o: Pooling(_maps(shape), "max", size, **o)),
    "avg": Word("avg K [stride S]", lambda shape, size, **o: Pooling(_maps(shape), "avg", size, **o)),
    "adaptive": Word("adaptive max|avg K", lambda shape, *n: AdaptivePooling(_maps(shape), *n)),
    "dense": Word("dense N", lambda shape, units: Dense(math.prod(shape), units)),
    "elman": Word("elman N", lambda shape, units: Elman(math.prod(shape), units)),
    "prelu": Word("prelu", lambda shape: Prelu(_channels(shape))),
    "batch-norm": Word("batch-norm", lambda shape: BatchNorm(_channels(shape))),
    "instance-norm": Word("instance-norm", lambda shape: InstanceNorm(_channels(shape))),
    "layer-norm": Word("layer-norm", lambda shape: LayerNorm(_channels(shape))),
    "group-norm": Word("group-norm G", lambda shape, groups: GroupNorm(_channels(shape), groups)),
    "dropout": Word("dropout P", lambda shape, rate: Dropout(math.prod(shape), rate)),
    "upsample": Word("upsample K", lambda shape, factor: Upsample(_maps(shape), factor)),
    "transposed": Word(
        "transposed FILTERS KERNEL [stride S] [same]",
        lambda shape, *n, **o: TransposedConvolution(_maps(shape), *n, **o),
    ),
    "flatten": Word("flatten", lambda shape: Flatten(shape)),
    "reshape": Word("reshape C H W", lambda _, *extents: Reshape(extents)),
    **{name: _activation(name) for name in FUNCTIONS},
}
FROM_PYTHON = ("residual", "concatenate", "spectral-norm", "minibatch-deviation", "scale-shift")
HINTS = {  # for words from other libraries or from docs/layers.md that a line cannot contain
    "softmax": ": leave it out, the last layer's values are logits",
    **dict.fromkeys(FROM_PYTHON, ": it is made from Python only, as docs/networks.md shows"),
    **dict.fromkeys(("linear", "fc"), " (did you mean 'dense'?)"),
    "convolution": " (did you mean 'conv'?)",
    **dict.fromkeys(("rnn", "recurrent"), " (did you mean 'elman'?)"),
    "bn": " (did you mean 'batch-norm'?)",
}


def parse(text: str, shape: Shape) -> tuple[Layer, ...]:
    """Return the layers that a line describes; an activation after a dense layer becomes part of it.

    Parameters
    ----------
    text : str
    shape : tuple of int
        Shape of an input.

    Raises
    ------
    UsageError
        For text that is not a line of layers, or does not fit such inputs; the message names the place.
    """
    layers: list[Layer] = []
    for step in steps(text):
        before = layers[-1] if layers else None
        name = step.word.usage
        if isinstance(before, Dense) and before.activation == "linear" and name in ACTIVATIONS:
            layers[-1] = replace(before, activation=name)
            continue
        try:
            layer = step.word.make(shape, *step.given, **step.options)
            if not layers and _channels_last(shape) and not isinstance(layer, (Dense, Flatten, Activation, Dropout)):
                raise UsageError("needs channels, rows and columns: reorder axes, as numpy.moveaxis(x, 3, 1) does")
            shape = layer.output_shape(shape)
        except UsageError as error:
            raise step.refused(f"{error} (its input is {shown(shape)}{_channels_last(shape)})") from None
        layers.append(layer)
    return tuple(layers)


def built(hidden: Sequence[int] | str, seen: Shape, outputs: int | None, activation: str) -> tuple[Layer, ...]:
    """Return learning layers: dense layers of the given widths, the last one linear, or those described in words.

    Parameters
    ----------
    hidden : sequence of int, or str
        Units of hidden layers, or a description of all layers.
    seen : tuple of int
        Input shape.
    outputs : int or None
        Number of outputs; None for a description, which contains it.
    activation : str
        Activation of hidden layers given by their units.

    Raises
    ------
    UsageError
        If a width is invalid, layers do not fit together, or the description has another number of outputs.
    """
    if isinstance(hidden, str):
        layers, shape = parse(hidden, seen), seen
        for layer in layers:
            shape = layer.output_shape(shape)
        if outputs not in (None, math.prod(shape)):
            raise UsageError(f"{hidden!r} gives {math.prod(shape)} outputs, not {outputs}: leave outputs out")
        return layers
    if outputs is None:
        raise UsageError("outputs: the number of the network's outputs is missing")
    widths = (math.prod(seen), *whole_numbers(hidden, "hidden"), outputs)
    functions = [activation] * (len(widths) - 2) + ["linear"]
    return tuple(Dense(*each) for each in zip(widths[:-1], widths[1:], functions, strict=True))


def words(layers: Iterable[Layer]) -> str:
    """Return layers as one line."""
    return " / ".join(layer.words() for layer in layers)


def tidied(text: str) -> str:
    """Return a line in its stored form, with single blanks between words.

    Raises
    ------
    UsageError
        For text that is not a line of layers.
    """
    return " / ".join(step.text for step in steps(text))


def steps(text: str) -> list[Step]:
    """Return the layers of a line as they are written; raises as `tidied` does."""
    pieces = text.split("/")
    if len(pieces) > MOST_LAYERS:
        raise UsageError(f"network: has {len(pieces):,} layers, but must have at most {MOST_LAYERS}")
    return [_step(number, piece) for number, piece in enumerate(pieces, start=1)]


def _step(number: int, piece: str) -> Step:
    """Return one layer."""
    name, *rest = piece.lower().split() or [""]
    text = " ".join([name, *rest])
    if name not in WORDS:
        if not name:
            raise _refused(number, text, "nothing is written there; layers are separated by single slashes")
        raise _refused(number, text, f"there is no layer {name[:40]!r}{HINTS.get(name) or did_you_mean(name, WORDS)}")
    word = WORDS[name]
    given, options = [], {}
    required, optional = _parts(word.usage)
    try:
        for kind in required:
            given.append(_value(kind, rest.pop(0) if rest else None))
        while rest:
            key = rest.pop(0)
            if key not in optional or key in options:
                raise UsageError(f"{key[:40]!r} is not expected there{did_you_mean(key, optional) if optional else ''}")
            kinds = optional[key]
            options[key] = _value(f"{key} {kinds}", rest.pop(0) if rest else None) if kinds else True
    except UsageError as error:
        raise _refused(number, text, f"{error}; usage: {word.usage}") from None
    return Step(number, text, word, tuple(given), options)


def _parts(usage: str) -> tuple[list[str], dict[str, str]]:
    """Return what must follow the name, and the argument of each option: the name of a number, or empty."""
    options = dict(re.findall(r"\[(\S+?)(?: (\S+))?\]", usage))
    return re.sub(r"\[.*?\]", "", usage).split()[1:], options


def _value(kind: str, word: str | None) -> Any:
    """Return the value of a word: one of several words, a share P, or a whole number."""
    if word is None:
        raise UsageError(f"{kind} is missing")
    if "|" in kind:
        choices = kind.split("|")
        if word not in choices:
            raise UsageError(f"{word[:40]!r} must be one of {', '.join(choices)}{nearest(word, choices)}")
        return word
    if kind == "P":
        if not re.fullmatch(r"[0-9]{0,9}\.?[0-9]{1,400}", word) or float(word) >= 1:
            raise UsageError(f"P = {word[:40]!r} must be a share from 0 to below 1")
        return float(word)
    if not re.fullmatch(r"[0-9]{1,10}", word) or not 1 <= int(word) <= MOST_NUMBER:
        raise UsageError(f"{kind} = {word[:40]!r} must be a whole number from 1 to {MOST_NUMBER:,}")
    return int(word)


def in_words(layers: Sequence[Layer], seen: tuple[int, ...], genes: int) -> str:
    """Return e.g. "784-64-10, tanh, 50,890 weights and biases"; the line of layers if they are not all dense.

    Parameters
    ----------
    layers : sequence of Layer
        The learning layers.
    seen : tuple of int
        Input shape of the first one.
    genes : int
        Number of their weights and biases.
    """
    dense = [layer for layer in layers if isinstance(layer, Dense)]
    if len(dense) < len(layers):
        before = " x ".join(str(extent) for extent in seen)
        return f"{before}: {words(layers)}, {genes:,} weights and biases"
    widths = "-".join(str(width) for width in (dense[0].inputs, *(layer.outputs for layer in dense)))
    last = dense[-1].activation
    activations = list(dict.fromkeys(layer.activation for layer in dense[:-1]))
    if last != "linear" or not activations:  # linear is the default for the last layer, so it is not named
        activations.append(last if not activations else f"then {last}")
    return f"{widths}, {', '.join(activations)}, {genes:,} weights and biases"
