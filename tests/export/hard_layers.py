"""Layers of maps of shapes that are easy to get wrong, each behind a scale and shift: targets show what they give."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from genreg_np import infer_layers
from genreg_np.layers.activation import Activation, Prelu
from genreg_np.layers.adversarial import MinibatchDeviation
from genreg_np.layers.branching import Concatenate, Residual
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.layers.normalise import GroupNorm, InstanceNorm, LayerNorm, ScaleShift
from genreg_np.layers.pooling import AdaptivePooling, Pooling
from genreg_np.layers.upsample import TransposedConvolution, Upsample
from genreg_np.model import Network
from tests.helpers import model_of
from tests.zoo import Exhibit

MAPS = (3, 7, 5)
FILTERS = [(1, 1), (1, 3), (2, 1), (2, 2), (3, 2), (4, 1), (4, 3), (5, 7)]  # size, stride
CONV, TANH = Convolution(MAPS, 3, 3, same=True), Activation(math.prod(MAPS), "tanh")
SHOWN = (  # (layer, shape of its input)
    *((Convolution(MAPS, 2, *filters, same=same), MAPS) for filters in FILTERS for same in (True, False)),
    *((TransposedConvolution(MAPS, 2, *filters, same=same), MAPS) for filters in FILTERS for same in (True, False)),
    (Convolution((1, 2, 3), 2, 6, same=True), (1, 2, 3)),
    *((Pooling(MAPS, method, *windows), MAPS) for method in ("max", "avg") for windows in [(2, 2), (3, 1), (1, 4)]),
    *((AdaptivePooling(MAPS, method, size), MAPS) for method in ("max", "avg") for size in (1, 3, 5)),
    (AdaptivePooling((2, 4, 8), "avg", 4), (2, 4, 8)),
    *((Activation(math.prod(MAPS), function), MAPS) for function in infer_layers.FUNCTIONS),
    *((kind(MAPS), MAPS) for kind in (Prelu, ScaleShift, InstanceNorm, LayerNorm, MinibatchDeviation)),
    *((kind((9,)), (9,)) for kind in (Prelu, ScaleShift, LayerNorm)),
    *((GroupNorm((6, 4, 3), groups), (6, 4, 3)) for groups in (1, 3, 6)),
    (Upsample(MAPS, 1), MAPS),
    (Upsample(MAPS, 3), MAPS),
    (Residual(MAPS, ()), MAPS),
    (Residual(MAPS, (CONV, Residual(MAPS, (TANH, CONV)))), MAPS),
    (Concatenate(MAPS, ((),)), MAPS),
    (Concatenate(MAPS, ((CONV,), (), (Concatenate(MAPS, ((TANH,), (CONV, TANH))),))), MAPS),
    (Dense(math.prod(MAPS), 4, "linear"), MAPS),
)


def _exhibits() -> Iterator[tuple[str, Exhibit]]:
    for layer, shape in SHOWN:
        network = Network(shape, (ScaleShift(shape), layer))
        model = model_of(network, class_names=(), input_range=None)
        inputs = np.random.default_rng(6).normal(size=(7, *shape)).astype(np.float32)
        yield f"{layer.kind} {layer.words()} of {shape}".replace("/", "then"), Exhibit(model, inputs)


HARD = dict(_exhibits())
