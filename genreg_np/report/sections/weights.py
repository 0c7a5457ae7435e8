"""Weights: what the first units see: filters or the weights of pixels as pictures, or a map of a small table's columns.

Layers between the input and the weights may move or scale pixels, but must preserve the picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.dense import Dense
from genreg_np.report.names import PLAIN, drawn, written
from genreg_np.report.shown import SMALL, Picture, Shown, new_figure, png_of
from genreg_np.report.subject import Subject
from genreg_np.report.tiles import draw_tiles, from_channels, pictures_of

MOST_UNITS = 64  # of a picture: those with the largest weights
FEW_UNITS = 16  # if they are mostly noise, which more pictures would only repeat
MOST_COLUMNS = 40  # of a table whose weights are shown
MOST_PARTS = 6
PASSING = ("levels", "deskew", "standardise")  # layers that preserve a picture
DENSE = ("dense", "project")
NESTING = ("branches", "concatenate")
CANCEL = "their positive and negative weights nearly cancel"
GRAINY, SMOOTH = 0.2, 0.5  # correlation of neighbours


@dataclass(frozen=True)
class Seen:
    """The input weights of a layer's units."""

    where: str  # "layer 0, detectors"
    kind: str  # of the layer
    weights: NDArray[np.float64] = field(repr=False)  # (U, *shape)
    is_last: bool = False  # a unit for each class

    @property
    def noun(self) -> str:
        """The word for a unit."""
        return "output" if self.is_last else "unit" if self.kind in DENSE else "filter"

    @property
    def pictures(self) -> NDArray[np.float64] | None:
        """The weights as grey pictures (U, H, W) or colour pictures (U, H, W, 3); None for other inputs."""
        if self.kind in DENSE:
            return pictures_of(self.weights, self.weights.shape[1:])
        return from_channels(self.weights) if self.weights.ndim == 4 else self.weights


def section(subject: Subject) -> Shown | None:
    """Show what the first layer sees; None if that is neither a picture nor a small table."""
    found = list(seen_by(subject.model.header["network"]["layers"], subject.model.arrays, subject.model.input_shape))
    found = [one for one in found if np.isfinite(one.weights).all() and one.weights.any()][:MOST_PARTS]
    words, parts = _filters_in_words([one for one in found if one.noun == "filter"]), []
    for number, one in enumerate(found):
        name = "weights" if len(found) == 1 else f"weights-{number + 1}"
        pictures = one.pictures
        if pictures is not None:
            parts.append(_pictures(one, pictures, name, subject.model.class_names))
            words += [in_words(one, pictures)] if one.noun != "filter" else []
        elif one.weights.ndim == 2 and one.weights.shape[1] <= MOST_COLUMNS:
            parts.append(_columns(one, name, subject))
            words.append(_columns_in_words(one, subject))
    return Shown("Weights", " ".join(words), parts) if parts else None


def seen_by(
    layers: Sequence[dict[str, Any]], arrays: Mapping[str, NDArray[np.generic]], shape: tuple[int, ...],
    where: str = "layers", is_whole: bool = True,
) -> Iterator[Seen]:  # fmt: skip
    """Yield the input weights of a stack's first layers, if they see the input itself.

    Parameters
    ----------
    layers, arrays
        From a model's header, and its arrays.
    shape : tuple of int
        Shape of an input.
    where : str
        Prefix of the stack's arrays.
    is_whole : bool
        Whether the outputs of the stack are the model's.
    """
    for index, layer in enumerate(layers):
        kind, at = layer["kind"], f"{where}.{index}"
        named = f"layer {at.removeprefix('layers.')}, {kind}"
        if kind in PASSING:
            continue
        if kind in NESTING:
            for number, branch in enumerate(layer["branches"]):
                yield from seen_by(branch, arrays, shape, f"{at}.{number}", False)
        elif kind == "residual":
            yield from seen_by(layer["layers"], arrays, shape, at, False)
        elif kind in DENSE:
            weights = arrays[f"{at}.{'weight' if kind == 'dense' else 'matrix'}"].astype(np.float64)
            yield Seen(named, kind, weights.reshape(-1, *shape), is_whole and index == len(layers) - 1)
        elif kind in ("detectors", "responses", "convolution"):
            filters = arrays[f"{at}.{'weight' if kind == 'convolution' else 'filters'}"].astype(np.float64)
            yield Seen(named, kind, filters)
        return


def strongest(weights: NDArray[np.float64]) -> list[int]:
    """Return the units (U, ...) that are shown: those with the largest norms, in order."""
    return [int(place) for place in np.argsort(-_norms(weights), kind="stable")[:MOST_UNITS]]


def alikeness(pictures: NDArray[np.float64]) -> float:
    """Return the correlation of weights of horizontally or vertically adjacent pixels (U, H, W[, 3])."""
    pairs = [(pictures[:, :, :-1], pictures[:, :, 1:]), (pictures[:, :-1], pictures[:, 1:])]
    one, other = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    if not (one.std() and other.std()):
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _filters_in_words(found: Sequence[Seen]) -> list[str]:
    """Return a sentence for each kind of layer on whether its filters see brightness or differences."""
    said = []
    for kind in dict.fromkeys(one.kind for one in found):
        layers = [one for one in found if one.kind == kind]
        flat = [one.weights.reshape(len(one.weights), -1) for one in layers]
        even = sum(int((np.abs(rows.sum(axis=1)) <= 0.25 * np.abs(rows).sum(axis=1)).sum()) for rows in flat)
        count = sum(len(rows) for rows in flat)
        numbers = _joined(one.where.removeprefix("layer ").partition(",")[0] for one in layers)
        sides = _joined(f"{one.weights.shape[-2]} x {one.weights.shape[-1]}" for one in layers)
        others = (
            f"all of them see differences ({CANCEL})"
            if even == count
            else f"{even:,} of them see differences ({CANCEL}), the others also brightness"
            if even
            else "all of them see brightness, none only differences"
        )
        said.append(
            f"The {count:,} filters of layer{'s' if len(layers) > 1 else ''} {numbers} ({kind}) see {sides} pixels "
            f"at a time; {others}."
        )
    return said


def _joined(texts: Iterable[str]) -> str:
    """Return texts as a list in words, each once."""
    *most, last = dict.fromkeys(texts)
    return f"{', '.join(most)} and {last}" if most else last


def in_words(one: Seen, pictures: NDArray[np.float64]) -> str:
    """Return a sentence on pictures of units that see all pixels: whether they are noise."""
    count = len(one.weights)
    alike = alikeness(pictures)
    if math.isnan(alike):
        return f"{one.where[0].upper()}{one.where[1:]} sees the input itself."
    verdict = (
        "they form smooth shapes"
        if alike >= SMOOTH
        else "they are mostly noise"
        if alike < GRAINY
        else "they form noisy shapes"
    )
    return (
        f"The {count:,} {one.noun}s of {one.where} see every pixel; weights of neighbouring pixels correlate by "
        f"{alike:.2f}: {verdict}."
    )


def _norms(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.sqrt((weights.reshape(len(weights), -1) ** 2).sum(axis=1))
    return norms


def _pictures(one: Seen, pictures: NDArray[np.float64], name: str, class_names: Sequence[str]) -> Picture:
    """Draw the input weights of units: outputs in the order of the classes, others by norm."""
    count, norms = len(one.weights), _norms(one.weights)
    named = one.is_last and len(class_names) == count <= MOST_UNITS
    order = list(range(count)) if named else strongest(one.weights)
    if not named and one.noun != "filter" and alikeness(pictures) < GRAINY:
        order = order[:FEW_UNITS]
    called = drawn(class_names, 10) if named else [str(place) for place in order]
    in_colour = pictures.ndim == 4
    shown = pictures[order]
    sizes = np.abs(shown)
    largest = float(sizes.max()) or 1.0
    if in_colour:
        shown = 0.5 + 0.5 * shown / np.maximum(sizes.max(axis=(1, 2, 3), keepdims=True), 1e-30)
        how = "brighter than grey is positive, darker is negative, for each colour separately; grey is near 0"
    else:
        largest = float(np.quantile(sizes, 0.995)) or largest
        shown = 0.5 + 0.5 * shown / largest
        how = "white is positive, black is negative, grey is near 0"
    columns = min(8, max(4, math.ceil(math.sqrt(len(order)))))
    legend = None if in_colour else (f"-{largest:.3g}", "0", f"+{largest:.3g}")
    kind = f"{one.noun}s of {one.where}"
    some = (
        f"the {len(order)} of the largest weights of {count:,} {kind}" if len(order) < count else f"the {count} {kind}"
    )
    positive = 100 * float((pictures > 0).sum() / max(1, np.count_nonzero(pictures)))
    rows, across = pictures.shape[1:3]
    most = called[order.index(int(norms.argmax()))]
    return Picture(
        name, draw_tiles(list(shown), called, columns, legend),
        f"What units see: {some}, {rows} x {across} pixels each; {positive:.0f} % of all weights are positive; "
        f"norms run from {norms.max():.3g} ({one.noun} {most}) down to {norms.min():.3g}.",
        f"{some[0].upper()}{some[1:]}{'' if named else ', largest first'}: {how}.",
    )  # fmt: skip


def _columns(one: Seen, name: str, subject: Subject) -> Picture:
    """Draw the weights of a table's columns as rows, with a column for each unit."""
    count, order = len(one.weights), strongest(one.weights)
    named = one.is_last and len(subject.model.class_names) == count <= MOST_UNITS
    order = list(range(count)) if named else order
    called = drawn(subject.model.class_names, 10) if named else [str(place) for place in order]
    weights = one.weights[order].T
    largest = float(np.abs(weights).max())
    names = _names(one, subject)
    figure = new_figure(height=1.2 + 0.18 * len(names))
    panel = figure.subplots()
    shades = panel.imshow(weights, cmap="gray", vmin=-largest, vmax=largest, aspect="auto", interpolation="nearest")
    panel.set_yticks(range(len(names)), drawn(subject.model.feature_names, 24) or names, **PLAIN)
    if len(order) <= 16:
        panel.set_xticks(range(len(order)), called, **PLAIN)
    panel.tick_params(labelsize=SMALL)
    panel.set_xlabel(f"{one.noun}s" + ("" if named else ", largest weights first"), fontsize=SMALL)
    figure.colorbar(shades, ax=panel, fraction=0.04, label="weight")
    whole = "column of the table" if _input_word(subject) == "column" else "input"
    strongest_columns = ", ".join(f"{column} {size:.3g}" for column, size in _by_input_word(one, subject)[:10])
    return Picture(
        name, png_of(figure, 64),
        f"Weights of {len(names)} {_input_word(subject)}s in {len(order)} of {count:,} {one.noun}s. "
        f"Mean size: {strongest_columns}.",
        f"A row for each {whole}, a column for each {one.noun}: white is positive, black is negative, grey is near 0.",
    )  # fmt: skip


def _columns_in_words(one: Seen, subject: Subject) -> str:
    """Return a sentence on which columns' weights have grown most since the start, if that is known.

    The mean size of n random weights has a relative error of about 0.6 / sqrt(n), and a quotient of two a larger one.
    """
    start = first_weights(subject)
    if start is None or start.shape != one.weights.shape or not np.abs(start).mean(axis=0).all():
        return (
            f"The {len(one.weights):,} {one.noun}s of {one.where} see {one.weights.shape[1]} {_input_word(subject)}s."
        )
    growth = np.abs(one.weights).mean(axis=0) / np.abs(start).mean(axis=0)
    names, order = _names(one, subject), np.argsort(-growth, kind="stable")
    chance = 4 * 0.6 * math.sqrt(2 / len(one.weights))
    if growth.max() <= (1 + chance) * growth.min():
        whose = f"no {_input_word(subject)}'s weights"
        return f"In {one.where}, {whose} have grown more than those of others, beyond chance."
    most = ", ".join(f"{names[place]} (x {growth[place]:.2g})" for place in order[:3])
    return (
        f"Compared with the start, the weights of {most} have grown most in {one.where}, those of "
        f"{names[order[-1]]} (x {growth[order[-1]]:.2g}) least."
    )


def first_weights(subject: Subject) -> NDArray[np.float64] | None:
    """Return the weights (O, I) of the first trainable layer at the start, or None."""
    if subject.initial is None or not isinstance(subject.model.network.learning[0], Dense):
        return None
    weights = subject.model.network.learning[0].parameters[0]
    return np.asarray(subject.initial[: weights.size], np.float64).reshape(weights.shape)


def _by_input_word(one: Seen, subject: Subject) -> list[tuple[str, float]]:
    """Return columns with the mean size of their weights, the largest first."""
    sizes = np.abs(one.weights).mean(axis=0)
    names = _names(one, subject)
    return [(names[place], float(sizes[place])) for place in np.argsort(-sizes, kind="stable")]


def _names(one: Seen, subject: Subject) -> list[str]:
    given = written(subject.model.feature_names, 24)
    return given or [f"{_input_word(subject)} {place + 1}" for place in range(one.weights.shape[1])]


def _input_word(subject: Subject) -> str:
    """Return the word for an input: a column of a table, if there is one."""
    return "input" if subject.is_own and not subject.model.feature_names else "column"
