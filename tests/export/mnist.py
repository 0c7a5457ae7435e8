"""Models of the real MNIST, trained for a few seconds: what tests marked `data` share."""

from __future__ import annotations

import functools
from dataclasses import replace

from genreg_np.data import load_dataset
from genreg_np.data.dataset import Dataset
from genreg_np.export.quantise import quantise
from genreg_np.model import Model
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution


@functools.cache
def dataset() -> Dataset:
    """Return MNIST."""
    return load_dataset("mnist")


def _trained(preset: str, generations: int, images: int) -> Model:
    part = dataset().train
    fewer = replace(dataset(), train=type(part)(part.inputs[:images], part.labels[:images]))
    evolution = Evolution(TrainConfig.from_preset(preset, generations=generations), fewer)
    evolution.run()
    return evolution.champions()["best"]


@functools.cache
def dense() -> Model:
    """Return 784-64-10."""
    return _trained("nodes", 300, 20_000)


@functools.cache
def integers() -> Model:
    """Return the same in 8-bit integers."""
    return quantise(dense(), dataset().validation.inputs)


@functools.cache
def bank() -> Model:
    """Return a detector bank."""
    return _trained("fast", 50, 4_000)


@functools.cache
def convolution() -> Model:
    """Return a convolutional network."""
    return _trained("convolution", 100, 10_000)
