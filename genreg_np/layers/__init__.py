"""Layers: those that are made once and never change in training (fixed.py), and those that have a backward pass.

fixed.py         levels, deskew, detectors, ...: computed by infer_layers.py
base.py          what a layer with a backward pass is, over a population of networks, in NumPy or CuPy
dense.py         dense layers and activations
composite.py     layers one after the other, layers side by side
loss.py          log-softmax and the negative log-likelihood
optimisers.py    from slopes to steps: SGD with momentum, Adam, RMSprop
"""

from genreg_np.layers.images import (
    Arrays,
    Branches,
    Deskew,
    Detectors,
    FixedLayer,
    Float32,
    Int8,
    Levels,
    Project,
    Responses,
    Standardise,
    Statistics,
    UInt8,
    from_header,
    quantised,
)

__all__ = [
    "Arrays",
    "Branches",
    "Deskew",
    "Detectors",
    "FixedLayer",
    "Float32",
    "Int8",
    "Levels",
    "Project",
    "Responses",
    "Standardise",
    "Statistics",
    "UInt8",
    "from_header",
    "quantised",
]
