"""Histograms: the weights of each learning layer beside those that the run began with, and those that no answer uses.

A weight is neutral where its input is 0 in all training inputs, such as a pixel at the border: no answer depends on it,
so that selection cannot have chosen it. How large such weights are is what mutation alone does, or decay, or a mean of
several genomes; how large the others are is to be read beside it. (An input that is the same in all but not 0 works as
a bias, and counts with the others.) What is saved may be the mean of survivors, while a run began with single genomes:
then "now" and "at the start" are unlike things, and it is said.

Shapes: D genes, O x I weights of a dense layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.layers.dense import Dense
from genreg_np.layers.images import Standardise
from genreg_np.model import Float32, Network
from genreg_np.report.figures import spread_out
from genreg_np.report.shown import COLOURS, SMALL, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject

LEAST_BINS, MOST_BINS = 12, 60  # about as many as the root of the weights
WITHIN = 0.999  # of all weights; the few beyond are counted in the bins at the ends
MOST_PANELS = 4
MOVING = ("shift", "rotation", "scaling", "shear", "elastic", "flip", "brightness", "noise")  # settings of moved inputs
OF_A_MEAN = (
    "What is saved is the mean of the survivors, and at the start there was a single genome: where survivors differ, "
    "their mean has smaller weights than any of them, so that narrower than at the start does not mean shrunk."
)
NOTHING = 1e-6  # what a standardised column that never varies may be away from 0


@dataclass(frozen=True)
class Weights:
    """The weights of a layer, now and at the start."""

    name: str
    now: NDArray[np.float64]  # (n,)
    start: NDArray[np.float64] | None  # (n,)


def section(subject: Subject) -> Shown | None:
    """Show the weights of a model; nothing of one of 8-bit integers."""
    if subject.model.is_int8:
        return None
    layers = weights_of(subject.model.network, subject.model.genes, subject.initial)
    if not layers:
        return None
    words = "What the weights were at the start is not known."
    if subject.initial is not None:
        words = OF_A_MEAN if subject.is_mean else ""
    parts: list[Picture | Table] = [_picture(layers, subject.is_mean), _table(layers)]
    neutral = _neutral(subject)
    if neutral is not None:
        said, table = neutral
        words, parts = f"{words} {said}".strip(), [*parts, table] if table else parts
    return Shown("Weights, now and at the start", words, parts)


def weights_of(network: Network, genes: Float32, start: Float32 | None) -> list[Weights]:
    """Return the weights of each layer that has some, of genes (D,) and of those at the start; biases do not count."""
    found, place = [], 0
    for index, layer in enumerate(network.learning, start=len(network.fixed)):
        own = []
        for parameter in layer.parameters:
            own += [slice(place, place + parameter.size)] if parameter.role == "weight" else []
            place += parameter.size
        if own:
            now, then = (
                None if row is None else np.concatenate([row[at] for at in own], dtype=np.float64)
                for row in (genes, start)
            )
            assert now is not None
            found.append(Weights(f"layer {index}, {layer.kind}", now, then))
    return found


def silent_inputs(subject: Subject) -> NDArray[np.bool_] | None:
    """Return which inputs (I,) of the first learning layer, a dense one, are 0 in all training inputs.

    None where that is not known: without a run and its data, after filters, or of inputs that are moved in training.
    """
    if subject.run is None or subject.dataset is None:
        return None
    network, data = subject.model.network, subject.dataset
    plain = isinstance(network.learning[0], Dense) and all(isinstance(layer, Standardise) for layer in network.fixed)
    if not plain or any(getattr(subject.run.config.options, name, 0) for name in MOVING):
        return None
    inputs = data.train.inputs.reshape(len(data.train), -1)
    same = inputs.min(axis=0) == inputs.max(axis=0)
    features = network.features(data.train.inputs[:1], data.input_range)[0]
    found: NDArray[np.bool_] = same & (np.abs(features) <= NOTHING)
    return found


def _neutral(subject: Subject) -> tuple[str, Table | None] | None:
    """Return what there is to say of neutral weights, and a table of them where there are any."""
    silent = silent_inputs(subject)
    if silent is None:
        return None
    if not silent.any():
        return "No input is 0 throughout training: every weight of the first layer matters.", None
    network = subject.model.network
    outputs = network.learning[0].parameters[0].shape[0]
    some = np.zeros((outputs, len(silent)), np.bool_)
    some[:, silent] = True
    chosen = some.ravel()
    (first, *_) = weights_of(network, subject.model.genes, subject.initial)
    columns, deviations = (
        [("weights of the first layer", "number", "of all genes", "deviation at the start", "deviation now")],
        [],
    )
    for name, which in (("of inputs always 0", chosen), ("others", ~chosen)):
        if not which.any():
            continue
        count, now = int(which.sum()), float(first.now[which].std())
        start = None if first.start is None else float(first.start[which].std())
        deviations.append((now, start))
        share = f"{100 * count / network.gene_count:.1f} %"
        columns.append((name, f"{count:,}", share, "?" if start is None else f"{start:.3g}", f"{now:.3g}"))
    share = 100 * chosen.sum() / network.gene_count
    said = (
        f"{silent.sum():,} of {len(silent):,} inputs are 0 in all training inputs: {share:.0f} % of all genes are "
        "weights of these, on which no answer depends, so that training cannot have chosen them."
    )
    now, start = deviations[0]
    if start is not None:
        change = f"is {now:.3g}" if subject.is_mean else f"went from {start:.3g} to {now:.3g}"
        others = "is" if subject.is_mean else "to"
        said += f" Their standard deviation {change}"
        said += f", that of the layer's others {others} {deviations[1][0]:.3g}." if len(deviations) > 1 else "."
    head, *rows = zip(*columns, strict=True)
    return said, Table(head, rows, "weights that no answer depends on, and the others")


def _picture(layers: list[Weights], is_mean: bool) -> Picture:
    """Draw a histogram for each layer: filled as it is, in outline as it was."""
    shown = [layers[number] for number in spread_out(len(layers), MOST_PANELS)]
    figure = new_figure(height=0.8 + 1.8 * len(shown))
    says = []
    for number, (panel, layer) in enumerate(zip(figure.subplots(len(shown), squeeze=False)[:, 0], shown, strict=True)):
        sets = [layer.now] if layer.start is None else [layer.now, layer.start]
        reach = max(max(float(np.quantile(np.abs(weights), WITHIN)) for weights in sets), 1e-6)
        bins = int(np.clip(np.sqrt(len(layer.now)), LEAST_BINS, MOST_BINS))
        edges = np.linspace(-reach, reach, bins + 1)
        shares = [np.histogram(np.clip(weights, -reach, reach), edges)[0] / len(weights) * 100 for weights in sets]
        panel.stairs(shares[0], edges, fill=True, color=COLOURS[0], alpha=0.4, label="now")
        if layer.start is not None:
            panel.stairs(shares[1], edges, color=COLOURS[1], linewidth=1.6, label="at the start")
            if shares[1].max() > 4 * shares[0].max():  # weights that all began alike would hide what became of them
                panel.set_ylim(0, 1.6 * shares[0].max())
        panel.set(ylabel="weights, %", xlim=(-reach, reach))
        panel.set_title(f"{layer.name}, {len(layer.now):,} weights", fontsize=SMALL, loc="left")
        if number == 0:
            panel.legend()
        start = "" if layer.start is None else f", {layer.start.std():.3g} at the start"
        says.append(f"{layer.name}: standard deviation {layer.now.std():.3g}{start}")
    figure.axes[-1].set_xlabel("weight")
    return Picture(
        "histograms", png_of(figure), f"Histograms of the weights. {'; '.join(says)}.",
        "Filled: the weights now; outline: at the start. "
        + ("What is filled is a mean." if is_mean else "A filled shape wider than the outline has grown."),
    )  # fmt: skip


def _table(layers: list[Weights]) -> Table:
    """Return sizes and spread of each layer's weights, as they were in brackets."""

    def both(layer: Weights, measure: str) -> str:
        sets = [layer.now] if layer.start is None else [layer.now, layer.start]
        sizes = [np.abs(weights) for weights in sets]
        values = {
            "mean": [size.mean() for size in sizes],
            "largest": [size.max() for size in sizes],
            "deviation": [weights.std() for weights in sets],
        }[measure]
        return f"{values[0]:.3g}" + "".join(f" ({value:.3g})" for value in values[1:])

    rows = [
        (layer.name, f"{len(layer.now):,}", *(both(layer, name) for name in ("mean", "largest", "deviation")))
        for layer in layers
    ]
    known = any(layer.start is not None for layer in layers)
    return Table(
        ("layer", "weights", "mean |w|", "largest |w|", "deviation"), rows, "in brackets: at the start" if known else ""
    )
