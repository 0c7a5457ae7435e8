"""A model of every kind that can be trained, and of every kind of layer: exporters are held to infer.py on them."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.data.dataset import Dataset, Split
from genreg_np.export import kinds_of, target
from genreg_np.export.quantise import TAKES, quantise
from genreg_np.layers import REGISTRY, layer_class
from genreg_np.layers.activation import Activation, Prelu
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.images import Branches, Detectors, Deviations, FixedLayer, Levels, Standardise, quantised
from genreg_np.layers.normalise import GroupNorm, InstanceNorm, ScaleShift
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.layers.recurrent import Elman
from genreg_np.layers.upsample import TransposedConvolution, Upsample
from genreg_np.model import Model, Network
from tests import test_detector_bank, test_genreg_2
from tests.helpers import KINDS, model_of

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


def _layer(kind: str) -> Exhibit:
    """Return the layer's own example, and three classes after it."""
    layer, shape = layer_class(kind).example()
    network = Network(shape, (layer, Dense(math.prod(layer.output_shape(shape)), 3)))
    inputs = np.random.default_rng(4).integers(0, 256, (20, *shape)).astype(np.uint8)
    return Exhibit(model_of(network), inputs)


def _maps() -> Exhibit:
    """Return two stages of convolution, and a mean over what is left of the maps."""
    layers = (
        Convolution((1, 10, 10), 4, 3, same=True),
        Activation(400, "relu"),
        Pooling((4, 10, 10), "max", 2),
        Convolution((4, 5, 5), 6, 3, 2),
        Prelu((6, 2, 2)),
        AdaptivePooling((6, 2, 2), "avg", 1),
        Dense(6, 3),
    )
    return Exhibit(model_of(Network((10, 10), layers)), test_detector_bank.DATASET.test.inputs)


def _deep() -> Exhibit:
    """Return maps that go through stacks in stacks, as a search may put them together."""
    maps = (6, 10, 10)
    inner = (
        Convolution(maps, 6, 3, same=True),
        GroupNorm(maps, 2),
        Activation(600, "elu"),
        Residual(maps, (Convolution(maps, 6, 1), Activation(600, "tanh"))),
    )
    branches = (
        (Pooling(maps, "avg", 2),),
        (Convolution(maps, 4, 3, 2, same=True), Activation(100, "sigmoid")),
        (Pooling(maps, "max", 2),),
    )
    layers = (
        Convolution((1, 10, 10), 6, 3, same=True),
        ScaleShift(maps),
        Prelu(maps),
        Residual(maps, inner),
        Activation(600, "relu"),
        Concatenate(maps, branches),
        AdaptivePooling((16, 5, 5), "avg", 3),
        Dense(144, 4, "tanh"),
        Dense(4, 3),
    )
    return Exhibit(model_of(Network((10, 10), layers)), test_detector_bank.DATASET.test.inputs)


def _down_and_up() -> Exhibit:
    """Return maps that become smaller and larger again, as those of a generator do."""
    layers = (
        Convolution((1, 10, 10), 5, 5, 2),
        Pooling((5, 3, 3), "max", 2, 1),
        Activation(20, "leaky-relu"),
        TransposedConvolution((5, 2, 2), 3, 3, 2),
        InstanceNorm((3, 5, 5)),
        Upsample((3, 5, 5), 2),
        Convolution((3, 10, 10), 4, 3, same=True),
        AdaptivePooling((4, 10, 10), "max", 3),
        Dense(36, 3),
    )
    return Exhibit(model_of(Network((10, 10), layers)), test_detector_bank.DATASET.test.inputs)


def _stage(shape: tuple[int, ...], depth: int, size: int = 3, signed: bool = True, seed: int = 0) -> Detectors:
    """Return four filters that see `depth` channels at once."""
    channels, height, width = shape
    taps = np.random.default_rng(seed).normal(size=(4, depth, size, size))
    return Detectors((channels, height, width), quantised(taps, centred=size != 2), 1, 4, 2, signed, 1.2)


def _colour(channels: int, *stages: FixedLayer) -> Exhibit:
    """Return stages on pictures of 9 x 8 pixels, what deviates after them, and three classes."""
    pictures = np.random.default_rng(9).integers(0, 256, (20, channels, 9, 8)).astype(np.uint8)
    fixed = (Levels(math.prod(pictures.shape[1:])), *stages)
    levels = pictures.reshape(20, -1).astype(np.float32)
    for stage in stages:
        levels = stage.apply(levels)
    both = Deviations.fit(levels.astype(np.uint8))
    fixed = (*fixed, both, Standardise.fit(both.apply(levels)))
    return Exhibit(model_of(Network.build(pictures.shape[1:], (), 3, fixed=fixed)), pictures)


def _two_branches() -> Exhibit:
    """Return stages of two sizes of filters side by side, one of them with a second stage after it."""
    shape = (3, 9, 8)
    first = _stage(shape, 3, signed=False, seed=1)
    branches = ((_stage(shape, 3, 2),), (first, _stage((first.maps, *first.grid), 2, 2, seed=2)))
    return _colour(3, Branches(branches))


def _steps(
    network: Network, input_range: tuple[float, float] | None, class_names: tuple[str, ...] = ("a", "b", "c")
) -> Exhibit:
    """Return a model of small weights, as what it remembers fades so, and steps that it may take."""
    small = np.random.default_rng(11).normal(size=network.gene_count).astype(np.float32) * np.float32(0.4)
    steps = np.random.default_rng(12).normal(size=(30, *network.input_shape)).astype(np.float32)
    if input_range is not None:
        steps = np.random.default_rng(12).integers(0, 256, steps.shape).astype(np.uint8)
    return Exhibit(Model.build(network, small, class_names, input_range), steps)


def _policy(activation: str) -> Exhibit:
    """Return what a game of four numbers and two moves may be played by."""
    return _steps(Network((4,), (Elman(4, 16, activation), Dense(16, 2))), None, ())


def _two_memories() -> Exhibit:
    """Return two layers that remember, the second of what the first gives, between others."""
    fixed = Standardise.of(np.array([1.0, -2.0, 0.5]), np.array([2.0, 0.1, 1.0]))
    return _steps(Network((3,), (fixed, Elman(3, 5, "relu"), Dense(5, 4, "tanh"), Elman(4, 6), Dense(6, 3))), None)


def _filtering_policy() -> Exhibit:
    """Return a layer that remembers what filters give."""
    layers = (Convolution((1, 6, 5), 3, 3), Activation(36, "relu"), Elman(36, 7), Prelu((7,)), Dense(7, 3))
    return _steps(Network((6, 5), layers), (0.0, 255.0))


COLOUR = {
    "colour, three channels at once": lambda: _colour(3, _stage((3, 9, 8), 3)),
    "colour, six channels by threes": lambda: _colour(6, _stage((6, 9, 8), 3, 2)),
    "colour, six channels by twos": lambda: _colour(6, _stage((6, 9, 8), 2, signed=False)),
    "colour, filters of two sizes": _two_branches,
}


# Kinds that the models below have; every other kind that a saved model can have has an exhibit of its own, last.
IMAGES = (
    "levels", "deskew", "detectors", "deviations", "branches", "responses", "statistics", "standardise", "project",
)  # fmt: skip
SHOWN = ("dense", *IMAGES, "convolution", "activation", "prelu", "pooling", "adaptive-pooling")
ALONE = [kind for kind in REGISTRY if kind in KINDS and kind not in (*SHOWN, *infer.REMEMBERS)]
DEEP = {"maps, stacks in stacks": _deep, "maps, down and up": _down_and_up}  # of kinds that are shown alone, too
BANKS = (
    "detectors, not deskewed", "deskew and detectors", "two stages", "filters of two sizes", "branches, hidden layer",
)  # fmt: skip
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
    "filters of two sizes": functools.partial(_bank, more_sizes=[5]),
    "branches, hidden layer": functools.partial(_bank, **{**test_detector_bank.TWO_STAGES, "copies": 1, "hidden": [6]}),
    "genreg-2": lambda: _trained(test_genreg_2.run(), test_genreg_2.DATASET),
    **{f"int8, {activation}": functools.partial(_int8, f"dense, {activation}") for activation in infer.ACTIVATIONS},
    "int8, deep": functools.partial(_int8, "dense, deep"),
    "int8, no hidden layer": functools.partial(_int8, "dense, no hidden layer"),
    "int8, standardised features": functools.partial(_int8, "standardised features"),
    "int8, values": functools.partial(_int8, "values, not classes"),
    "int8, raw values 0 to 16": functools.partial(_int8, "raw values 0 to 16"),
    "maps, two stages": _maps,
    **DEEP,
    **COLOUR,
    **{f"layer of {kind}": functools.partial(_layer, kind) for kind in ALONE},
    **{f"int8, {name}": functools.partial(_int8, name) for name in ("maps, two stages", *DEEP, *COLOUR)},
    **{f"int8, {name}": functools.partial(_int8, name) for name in BANKS},
    **{f"int8, layer of {kind}": functools.partial(_int8, f"layer of {kind}") for kind in ALONE if kind in TAKES},
}
ZOO = tuple(MAKERS)
POLICIES = {  # models that remember: their inputs are steps, one after another
    **{f"elman, {activation}": functools.partial(_policy, activation) for activation in ("tanh", "relu", "sigmoid")},
    "elman, alone": lambda: _steps(Network((6,), (layer_class("elman").example()[0],)), None, ()),
    "elman, two, of standardised features": _two_memories,
    "elman, of bytes": lambda: _steps(Network((3, 4), (Elman(12, 5), Dense(5, 3))), (0.0, 255.0)),
    "elman, of filters": _filtering_policy,
}


@functools.cache
def exhibit_of(name: str) -> Exhibit:
    """Return an exhibit by its name in ZOO or POLICIES."""
    return (MAKERS | POLICIES)[name]()


def exhibit_for(to: str, name: str) -> Exhibit:
    """Return an exhibit that a target takes; skip where it does not, which test_export.py holds to be refused."""
    exhibit = exhibit_of(name)
    if missing := kinds_in(exhibit.model) - target(to).TAKES:
        pytest.skip(f"{to} takes no {', '.join(sorted(missing))}")
    return exhibit


def kinds_in(model: Model) -> set[str]:
    """Return the kinds of a model's layers, those in branches too."""
    return {kind for _, kind in kinds_of(model.header["network"]["layers"])}


def kinds_shown(names: Iterable[str] = (*ZOO, *POLICIES)) -> set[str]:
    """Return every kind of layer that some exhibit has."""
    return set().union(*(kinds_in(exhibit_of(name).model) for name in names))
