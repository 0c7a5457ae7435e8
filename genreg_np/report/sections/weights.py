"""Weights: what the first units see: filters, or the weights of pixels as pictures; of a small table a map of columns.

What stands between the input and the weights may move pixels, or scale them, but must leave a picture.
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

MOST_UNITS = 64  # of a picture: those of the largest weights
FEW_UNITS = 16  # where they are mostly grain: more of it tells no more
MOST_COLUMNS = 40  # of a table whose weights are shown
MOST_PARTS = 6
PASSING = ("levels", "deskew", "standardise")  # what leaves a picture a picture
DENSE = ("dense", "project")
NESTING = ("branches", "concatenate")
CANCEL = "what they like and dislike nearly cancels"
GRAINY, SMOOTH = 0.2, 0.5  # how alike neighbours are


@dataclass(frozen=True)
class Seen:
    """What the units of a layer see."""

    where: str  # "layer 0, detectors"
    kind: str  # of the layer
    weights: NDArray[np.float64] = field(repr=False)  # (U, *shape)
    is_last: bool = False  # a unit for each class

    @property
    def noun(self) -> str:
        """What a unit is called."""
        return "output" if self.is_last else "unit" if self.kind in DENSE else "filter"

    @property
    def pictures(self) -> NDArray[np.float64] | None:
        """The weights as grey pictures (U, H, W) or pictures in colour (U, H, W, 3); None of what sees none."""
        if self.kind in DENSE:
            return pictures_of(self.weights, self.weights.shape[1:])
        return from_channels(self.weights) if self.weights.ndim == 4 else self.weights


def section(subject: Subject) -> Shown | None:
    """Show what the first layer sees; nothing where that is no picture, and no small table either."""
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
    """Yield what the first layers of weights of a stack see, where their input is still as it came.

    Parameters
    ----------
    layers, arrays
        As a model's header describes them, and its arrays.
    shape : tuple of int
        Of an input.
    where : str
        Of the stack among the arrays.
    is_whole : bool
        Whether what the stack gives are the model's outputs.
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
    """Return which units (U, ...) are shown: those of the largest norm, that one first."""
    return [int(place) for place in np.argsort(-_norms(weights), kind="stable")[:MOST_UNITS]]


def alikeness(pictures: NDArray[np.float64]) -> float:
    """Return the correlation of weights of pixels (U, H, W[, 3]) that lie side by side or one above the other."""
    pairs = [(pictures[:, :, :-1], pictures[:, :, 1:]), (pictures[:, :-1], pictures[:, 1:])]
    one, other = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    if not (one.std() and other.std()):
        return math.nan
    return float(np.corrcoef(one, other)[0, 1])


def _filters_in_words(found: Sequence[Seen]) -> list[str]:
    """Return in a sentence for each kind of layer whether its filters see brightness or differences."""
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
            else f"{even:,} of them see differences ({CANCEL}), the others brightness, too"
            if even
            else "all of them see brightness, none differences alone"
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
    """Return what pictures of units that see all pixels come to: whether they are grain."""
    count = len(one.weights)
    alike = alikeness(pictures)
    if math.isnan(alike):
        return f"{one.where[0].upper()}{one.where[1:]} sees the input itself."
    verdict = (
        "they form smooth shapes"
        if alike >= SMOOTH
        else "they are mostly grain"
        if alike < GRAINY
        else "shapes in grain"
    )
    return (
        f"The {count:,} {one.noun}s of {one.where} see every pixel; weights of neighbouring pixels correlate by "
        f"{alike:.2f}: {verdict}."
    )


def _norms(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    norms: NDArray[np.float64] = np.sqrt((weights.reshape(len(weights), -1) ** 2).sum(axis=1))
    return norms


def _pictures(one: Seen, pictures: NDArray[np.float64], name: str, class_names: Sequence[str]) -> Picture:
    """Draw what units see: outputs in the order of the classes, others by their norm."""
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
        how = "brighter than grey speaks for it, darker against it, each colour by itself; grey does not count"
    else:
        largest = float(np.quantile(sizes, 0.995)) or largest
        shown = 0.5 + 0.5 * shown / largest
        how = "white pixels speak for it, black ones against it, grey ones do not count"
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
    """Draw the weights of a table's columns, a row each, a column for each unit."""
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
        f"A row for each {whole}, a column for each {one.noun}: white speaks for it, black against it, "
        "grey does not count.",
    )  # fmt: skip


def _columns_in_words(one: Seen, subject: Subject) -> str:
    """Return in a sentence which columns' weights have grown most since the start, where that is known.

    The mean size of n random weights is uncertain by about 0.6 / sqrt(n) of itself, and a quotient of two by more.
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
        return f"In {one.where}, {whose} have grown by more than those of others, beyond chance."
    most = ", ".join(f"{names[place]} (x {growth[place]:.2g})" for place in order[:3])
    return (
        f"Against their size at the start, the weights of {most} are largest in {one.where}, those of "
        f"{names[order[-1]]} (x {growth[order[-1]]:.2g}) smallest."
    )


def first_weights(subject: Subject) -> NDArray[np.float64] | None:
    """Return the weights (O, I) of the first learning layer as they were at the start, or None."""
    if subject.initial is None or not isinstance(subject.model.network.learning[0], Dense):
        return None
    weights = subject.model.network.learning[0].parameters[0]
    return np.asarray(subject.initial[: weights.size], np.float64).reshape(weights.shape)


def _by_input_word(one: Seen, subject: Subject) -> list[tuple[str, float]]:
    """Return columns by the mean size of their weights, the largest first."""
    sizes = np.abs(one.weights).mean(axis=0)
    names = _names(one, subject)
    return [(names[place], float(sizes[place])) for place in np.argsort(-sizes, kind="stable")]


def _names(one: Seen, subject: Subject) -> list[str]:
    given = written(subject.model.feature_names, 24)
    return given or [f"{_input_word(subject)} {place + 1}" for place in range(one.weights.shape[1])]


def _input_word(subject: Subject) -> str:
    """Return what one of the inputs is called: a column of a table, where there is one."""
    return "input" if subject.is_own and not subject.model.feature_names else "column"
