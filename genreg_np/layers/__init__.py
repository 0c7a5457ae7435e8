"""The kinds of layers: one file per family, one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.settings import look_up

if TYPE_CHECKING:
    from genreg_np.layers.base import Layer

REGISTRY = {
    "dense": "genreg_np.layers.dense:Dense",
    "elman": "genreg_np.layers.recurrent:Elman",
    "activation": "genreg_np.layers.activation:Activation",
    "prelu": "genreg_np.layers.activation:Prelu",
    "convolution": "genreg_np.layers.convolution:Convolution",
    "pooling": "genreg_np.layers.pooling:Pooling",
    "adaptive-pooling": "genreg_np.layers.pooling:AdaptivePooling",
    "upsample": "genreg_np.layers.upsample:Upsample",
    "transposed-convolution": "genreg_np.layers.upsample:TransposedConvolution",
    "batch-norm": "genreg_np.layers.normalise:BatchNorm",
    "instance-norm": "genreg_np.layers.normalise:InstanceNorm",
    "layer-norm": "genreg_np.layers.normalise:LayerNorm",
    "group-norm": "genreg_np.layers.normalise:GroupNorm",
    "scale-shift": "genreg_np.layers.normalise:ScaleShift",
    "dropout": "genreg_np.layers.dropout:Dropout",
    "flatten": "genreg_np.layers.shaping:Flatten",
    "reshape": "genreg_np.layers.shaping:Reshape",
    "residual": "genreg_np.layers.branching:Residual",
    "concatenate": "genreg_np.layers.branching:Concatenate",
    "spectral-norm": "genreg_np.layers.adversarial:SpectralNorm",
    "minibatch-deviation": "genreg_np.layers.adversarial:MinibatchDeviation",
    "levels": "genreg_np.layers.images:Levels",
    "deskew": "genreg_np.layers.images:Deskew",
    "detectors": "genreg_np.layers.images:Detectors",
    "deviations": "genreg_np.layers.images:Deviations",
    "branches": "genreg_np.layers.images:Branches",
    "responses": "genreg_np.layers.responses:Responses",
    "statistics": "genreg_np.layers.responses:Statistics",
    "columns": "genreg_np.layers.table:Columns",
    "standardise": "genreg_np.layers.images:Standardise",
    "project": "genreg_np.layers.images:Project",
}


def layer_class(kind: str) -> type[Layer]:
    """Return the class of a kind of layer.

    Raises
    ------
    UsageError
        For an unknown kind.
    """
    found: type[Layer] = look_up(REGISTRY, kind, "kind of layer")
    return found


def read_layer(described: Mapping[str, Any], arrays: Mapping[str, NDArray[np.generic]], where: str) -> Layer:
    """Return a layer from its description in a (checked) model file; its arrays' names begin with `where`."""
    return layer_class(described["kind"]).read(described, arrays, where)
