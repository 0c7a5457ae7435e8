"""Copies: pictures of the split, and below each the reconstruction by an autoencoder."""

from __future__ import annotations

import math

import numpy as np

from genreg_np.report.shown import Picture, Shown
from genreg_np.report.subject import Subject
from genreg_np.report.tiles import brightness, draw_tiles, pictures_of
from genreg_np.search.aims.itself import decibels

COLUMNS, ROWS = 6, 2


def section(subject: Subject) -> Shown | None:
    """Show pictures above their copies; None for a model that does not reconstruct pictures."""
    model = subject.model
    if model.class_names or not len(subject.labels) or model.output_count != math.prod(model.input_shape):
        return None
    chosen = np.unique(np.linspace(0, len(subject.labels) - 1, COLUMNS * ROWS).astype(int))
    inputs = subject.inputs[chosen]
    pictures = pictures_of(inputs, model.input_shape)
    if pictures is None or model.input_range is None:
        return None
    copies = pictures_of(model.outputs(inputs).reshape(inputs.shape), model.input_shape)
    assert copies is not None
    originals = brightness(pictures, model.input_range)
    ratios = [decibels(one - copy) for one, copy in zip(originals, copies, strict=True)]
    tiles, words = [], []
    for first in range(0, len(chosen), COLUMNS):
        row = slice(first, first + COLUMNS)
        empty = [np.ones_like(originals[0])] * (COLUMNS - len(originals[row]))
        tiles += [*originals[row], *empty, *copies[row]]
        words += ["" for _ in range(COLUMNS)] + [f"{value:.1f} dB" for value in ratios[row]]
    listed = ", ".join(f"{value:.1f}" for value in ratios)
    return Shown(
        "Copies",
        f"For {len(chosen)} pictures of the {subject.split_name} split, the peak signal-to-noise ratio of the copy is "
        f"{np.median(ratios):.1f} decibels by the median (higher is more alike).",
        [
            Picture(
                "copies", draw_tiles(tiles, words, COLUMNS),
                f"{len(chosen)} pictures and their copies, with peak signal-to-noise ratios of {listed} decibels.",
                "Each picture, and below it its copy.",
            )
        ],
    )  # fmt: skip
