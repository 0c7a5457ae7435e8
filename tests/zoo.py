"""A model of every kind that can be trained: exporters are held to infer.py on all of them."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.data.dataset import Dataset, Split
from genreg_np.export import kinds_of
from genreg_np.export.quantise import quantise
from genreg_np.model import Model, Network
from tests import test_detector_bank, test_genreg_2
from tests.helpers import model_of

Inputs = NDArray[np.generic]


@dataclass(frozen=True)
class Exhibit:
    """A model, and inputs it may meet."""

    model: Model
    inputs: Inputs  # (N, *input_shape)


def features() -> Dataset:
    """Return float features of three classes."""
    rng = np.random.default_rng(8)

    def split(count: int) -> Split:
        labels = np.arange(count) % 3
        return Split(rng.normal(0, [1, 20, 0.01, 5], (count, 4)).astype(np.float32) + labels[:, None], labels)

    return Dataset("features", split(90), split(30), split(30), ("a", "b", "c"), None)


def named_features() -> Dataset:
    """Return the same with names of its columns."""
    return replace(features(), feature_names=tuple("wxyz"))


def _dense(hidden: tuple[int, ...], activation: str = "relu", seed: int = 1) -> Exhibit:
    images = test_detector_bank.DATASET.test.inputs
    network = Network.build((10, 10), hidden, 3, activation)
    small = model_of(network, seed)
    return Exhibit(Model.build(network, small.genes * np.float32(0.3), small.class_names, (0.0, 255.0)), images)


def _trained(evolution: object, dataset: Dataset) -> Exhibit:
    evolution.run()  # type: ignore[attr-defined]
    (genes, *_) = evolution.champion_genes().values()  # type: ignore[attr-defined]
    network = evolution.network  # type: ignore[attr-defined]
    return Exhibit(Model.build(network, genes, dataset.class_names, dataset.input_range), dataset.test.inputs)


def _standardised() -> Exhibit:
    from genreg_np.strategies.problem import HiddenLayers, network_for

    dataset = features()
    model = model_of(network_for(dataset, HiddenLayers((6,), "tanh")), input_range=None)
    return Exhibit(model, dataset.test.inputs)


NASTY_NAMES = ("width / cm", "*/ evil /* ??/", 'größe "\\', "")  # what a table's header may hold


def _named() -> Exhibit:
    exhibit = _standardised()
    model, dataset = exhibit.model, features()
    named = Model.build(model.network, model.genes, dataset.class_names, None, feature_names=NASTY_NAMES)
    return Exhibit(named, exhibit.inputs)


def _values() -> Exhibit:
    return Exhibit(
        model_of(Network.build((3,), (4,), 2), class_names=(), input_range=None), np.eye(3, dtype=np.float32)
    )


def _raw_range() -> Exhibit:
    inputs = np.random.default_rng(2).integers(0, 17, (20, 4, 4)).astype(np.uint8)
    return Exhibit(model_of(Network.build((4, 4), (5,), 3), input_range=(0.0, 16.0)), inputs)


def _bank(**changes: object) -> Exhibit:
    return _trained(test_detector_bank.bank(**{**changes, "generations": 8}), test_detector_bank.DATASET)


def _int8(name: str) -> Exhibit:
    exhibit = exhibit_of(name)
    return Exhibit(quantise(exhibit.model, exhibit.inputs), exhibit.inputs)


MAKERS = {
    **{f"dense, {activation}": functools.partial(_dense, (7,), activation) for activation in infer.ACTIVATIONS},
    "dense, no hidden layer": functools.partial(_dense, ()),
    "dense, deep": functools.partial(_dense, (9, 8, 5), "tanh"),
    "standardised features": _standardised,
    "standardised features with names": _named,
    "values, not classes": _values,
    "raw values 0 to 16": _raw_range,
    "detectors, not deskewed": _bank,
    "deskew and detectors": functools.partial(_bank, deskew=True),
    "two stages": functools.partial(_bank, **{**test_detector_bank.TWO_STAGES, "detectors": 0, "copies": 1}),
    "branches, hidden layer": functools.partial(_bank, **{**test_detector_bank.TWO_STAGES, "copies": 1, "hidden": [6]}),
    "genreg-2": lambda: _trained(test_genreg_2.run(), test_genreg_2.DATASET),
    **{f"int8, {activation}": functools.partial(_int8, f"dense, {activation}") for activation in infer.ACTIVATIONS},
    "int8, deep": functools.partial(_int8, "dense, deep"),
    "int8, no hidden layer": functools.partial(_int8, "dense, no hidden layer"),
    "int8, standardised features": functools.partial(_int8, "standardised features"),
    "int8, values": functools.partial(_int8, "values, not classes"),
    "int8, raw values 0 to 16": functools.partial(_int8, "raw values 0 to 16"),
}
ZOO = tuple(MAKERS)


@functools.cache
def exhibit_of(name: str) -> Exhibit:
    """Return an exhibit by its name in ZOO."""
    return MAKERS[name]()


def kinds_shown() -> set[str]:
    """Return every kind of layer that some exhibit has."""
    return {kind for name in ZOO for _, kind in kinds_of(exhibit_of(name).model.header["network"]["layers"])}
