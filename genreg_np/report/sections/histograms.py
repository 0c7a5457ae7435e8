"""Histograms: the weights of each trainable layer compared with the start of the run, and weights without effect.

A weight is neutral if its input is 0 in all training inputs, such as a pixel at the border: no answer depends on it, so
selection cannot have chosen it. The size of such weights shows what mutation alone does, or decay, or the mean of
several genomes, and is the reference for the others. (A constant input other than 0 works as a bias, and counts with
the others.) The saved genome may be the mean of survivors, while a run begins with single genomes: the page says so,
as "now" and "at the start" are then different things.

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

LEAST_BINS, MOST_BINS = 12, 60  # about the square root of the number of weights
WITHIN = 0.999  # of all weights; the few beyond are counted in the bins at the ends
MOST_PANELS = 4
MOVING = ("shift", "rotation", "scaling", "shear", "elastic", "flip", "brightness", "noise")  # augmentation settings
OF_A_MEAN = (
    "The saved genome is the mean of the survivors, and the start was a single genome: where survivors differ, their "
    "mean has smaller weights than each of them, so a narrower distribution does not mean that weights have shrunk."
)
NOTHING = 1e-6  # largest deviation from 0 of a standardised column that never varies


@dataclass(frozen=True)
class Weights:
    """The weights of a layer, now and at the start."""

    name: str
    now: NDArray[np.float64]  # (n,)
    start: NDArray[np.float64] | None  # (n,)


def section(subject: Subject) -> Shown | None:
    """Show the weights of a model; None for 8-bit integers."""
    if subject.model.is_int8:
        return None
    layers = weights_of(subject.model.network, subject.model.genes, subject.initial)
    if not layers:
        return None
    words = "The weights at the start are not known."
    if subject.initial is not None:
        words = OF_A_MEAN if subject.is_mean else ""
    parts: list[Picture | Table] = [_picture(layers, subject.is_mean), _table(layers)]
    neutral = _neutral(subject)
    if neutral is not None:
        said, table = neutral
        words, parts = f"{words} {said}".strip(), [*parts, table] if table else parts
    return Shown("Weights, now and at the start", words, parts)


def weights_of(network: Network, genes: Float32, start: Float32 | None) -> list[Weights]:
    """Return the weights of each layer that has any, from genes (D,) and those at the start; biases do not count."""
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
    """Return which inputs (I,) of a first dense layer are 0 in all training inputs.

    None if that is not known: without a run and its data, after filters, or if inputs are augmented in training.
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
    """Return a sentence on neutral weights, and a table of them if there are any."""
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
        "weights of these, on which no answer depends, so training cannot have chosen them."
    )
    now, start = deviations[0]
    if start is not None:
        change = f"is {now:.3g}" if subject.is_mean else f"went from {start:.3g} to {now:.3g}"
        others = "is" if subject.is_mean else "to"
        said += f" Their standard deviation {change}"
        said += f", that of the layer's other weights {others} {deviations[1][0]:.3g}." if len(deviations) > 1 else "."
    head, *rows = zip(*columns, strict=True)
    return said, Table(head, rows, "weights that no answer depends on, and the others")


def _picture(layers: list[Weights], is_mean: bool) -> Picture:
    """Draw a histogram for each layer: filled for now, an outline for the start."""
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
            if shares[1].max() > 4 * shares[0].max():  # weights that all began alike would hide the present ones
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
        + ("The filled shape is a mean." if is_mean else "A filled shape wider than the outline has grown."),
    )  # fmt: skip


def _table(layers: list[Weights]) -> Table:
    """Return sizes and spread of each layer's weights, with those at the start in brackets."""

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
