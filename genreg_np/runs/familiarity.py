"""Fit a model's familiarity with its training inputs, so that it can recognise inputs unlike any of them.

x (n, F) are the inputs of the last layer with weights, for some training inputs of every class.

    S = covariance of x within the classes, V (k, F) its first axes, w (k,) the variance along them
    z = (V x - mean) / sqrt(w)                          whitened
    prototypes = each class's k-means of z              (Lloyd 1982)
    limit = the distance to the nearest prototype that the share LIMIT of the validation inputs stays within

This is the Mahalanobis distance with one covariance for all classes (Lee et al., "A Simple Unified Framework for
Detecting Out-of-Distribution Samples", NeurIPS 2018), to several points of a class instead of its mean, along the axes
of largest variance. V is stored as 8-bit integers with a scale per axis, and prototypes as whole numbers, scaled to
fill 8 bits. The axes come from subspace iteration with the Rayleigh-Ritz procedure, which needs no F x F matrix.

Nothing is random: samples and starting points are evenly spaced among the inputs of a class. infer_familiarity.py
computes the distance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.infer_familiarity import Familiarity
from genreg_np.model import Float32, Model

DIMENSIONS = 32  # k at most
SAMPLE = 5000  # training inputs used, of all classes
SAMPLE_VALUES = 1 << 24  # most features of these together
OF_CLASS, OF_ALL = 20, 512  # prototypes at most
MEMBERS = 5  # training inputs per prototype, at least
PER_AXIS = 4  # training inputs per axis, at least
LIMIT = 0.98  # share of the validation inputs within the limit
SPARE, ROUNDS = 8, 3  # extra axes, and rounds, of subspace iteration
LLOYD = 10  # rounds of k-means
LEAST = 1e-3  # smallest variance of an axis, relative to the first one's
WHOLE = 127  # the largest 8-bit integer


def sample_of(labels: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    """Return the indices of the training inputs to use: evenly spaced, equally many of each class, by class."""
    classes = np.unique(labels)
    each = max(1, min(SAMPLE, SAMPLE_VALUES // width) // len(classes))
    return np.concatenate([_spaced(np.flatnonzero(labels == label), each) for label in classes])


def layer_of(model: Model) -> int:
    """Return the index of the last layer with weights, whose inputs are compared."""
    kinds = [layer["kind"] for layer in model.header["network"]["layers"]]
    return max(number for number, kind in enumerate(kinds) if kind in infer.WEIGHTED)


def with_familiarity(
    model: Model, training: Float32, labels: NDArray[np.int64], validation: Float32, first: int
) -> Model:
    """Return the model with the arrays it needs to recognise unfamiliar inputs.

    Parameters
    ----------
    model : Model
        With float32 weights.
    training, validation : (n, I) float32
        The inputs of layer `first`, for training inputs chosen by `sample_of`, and for the validation split.
    labels : (n,) int64
        The training inputs' classes.
    first : int
        The number of layers already applied, at most the index that `layer_of` returns.

    Returns
    -------
    Model
        The unchanged model if there are too few inputs or no differences within classes.
    """
    layer = layer_of(model)
    with single_threaded_blas():
        forward = _forward(model, first, layer, training.shape[1])
        parts = _fitted(forward(training), labels)
        if parts is None or not len(validation):
            return model
        said: dict[str, Any] = {"layer": layer, "limit": 1.0}
        said |= {"prototypes": len(parts["prototypes"]), "dimensions": len(parts["scale"])}
        arrays = dict(model.arrays) | {f"familiarity.{name}": array for name, array in parts.items()}
        distances = _distances(_projected(forward(validation), parts), parts["prototypes"].astype(np.float32))
    limit = float(np.quantile(distances.min(axis=1), LIMIT, method="higher"))
    if not limit > 0:
        return model
    told = Model(model.header | {"familiarity": said | {"limit": limit}}, arrays)
    Familiarity(told)
    return told


def _forward(model: Model, first: int, last: int, width: int) -> infer.Function:
    """Return the layers from `first` to the one before `last` as one function."""
    layers = model.header["network"]["layers"][first:last]
    arrays: infer.Arrays = {}
    for name, array in model.arrays.items():
        _, number, *rest = name.split(".")
        arrays[".".join(["layers", str(int(number) - first), *rest])] = array
    return infer.stack(layers, arrays, "layers", width)[2]


def _fitted(x: Float32, labels: NDArray[np.int64]) -> dict[str, NDArray[Any]] | None:
    """Return the projection and the prototypes; None if there are no differences within classes."""
    classes = np.unique(labels)
    centred = x.copy()
    for label in classes:
        centred[labels == label] -= x[labels == label].mean(axis=0)
    wanted = min(DIMENSIONS, x.shape[1], (len(x) - len(classes)) // PER_AXIS)
    if wanted < 1 or not np.isfinite(centred).all() or not centred.any():
        return None
    axes, variances = _axes(centred, wanted)
    largest = np.abs(axes).max(axis=1, keepdims=True)
    projection = np.rint(axes / largest * WHOLE).astype(np.int8)
    scale = largest[:, 0] / WHOLE / np.sqrt(variances)
    parts = {"projection": projection, "scale": scale, "shift": np.zeros_like(scale)}
    z = _projected(x, parts)
    shift = z.mean(axis=0)
    most = max(1, min(OF_CLASS, OF_ALL // len(classes)))
    prototypes = np.concatenate([_means(z[labels == label] - shift, most) for label in classes])
    unit = np.float32(WHOLE / (np.abs(prototypes).max() or 1))
    parts |= {"scale": scale * unit, "shift": shift * unit}
    return parts | {"prototypes": np.rint(prototypes * unit).astype(np.int8)}


def _axes(centred: Float32, wanted: int) -> tuple[Float32, Float32]:
    """Return the first principal axes (k, F) of centred rows (n, F), and the variance along each (k,)."""
    start = _spaced(np.arange(len(centred)), wanted + SPARE)
    basis = np.linalg.qr(centred[start].T)[0]
    for _ in range(ROUNDS):
        basis = np.linalg.qr(centred.T @ (centred @ basis))[0]
    seen = centred @ basis
    variances, turned = np.linalg.eigh(seen.T @ seen / len(centred))
    order = np.argsort(-variances)[:wanted]
    order = order[variances[order] > LEAST * variances[order[0]]]
    return (basis @ turned[:, order]).T, variances[order]


def _projected(x: Float32, parts: dict[str, NDArray[Any]]) -> Float32:
    """Return z (n, k)."""
    z: Float32 = (x @ parts["projection"].T.astype(np.float32)) * parts["scale"] - parts["shift"]
    return z


def _means(z: Float32, most: int) -> Float32:
    """Return at most `most` cluster means of rows, by k-means from evenly spaced starting points."""
    means = z[_spaced(np.arange(len(z)), min(most, max(1, len(z) // MEMBERS)))]
    for _ in range(LLOYD):
        nearest = _distances(z, means).argmin(axis=1)
        for number in np.unique(nearest):
            means[number] = z[nearest == number].mean(axis=0)
    return means


def _distances(z: Float32, points: Float32) -> Float32:
    """Return the distance of each row to each point, (n, M)."""
    squared = (z * z).sum(axis=1, keepdims=True) + ((points * points).sum(axis=1) - 2 * (z @ points.T))
    found: Float32 = np.sqrt(np.maximum(squared, 0))
    return found


def _spaced(items: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return at most `count` items, evenly spaced."""
    return items[np.linspace(0, len(items) - 1, min(count, len(items))).astype(np.int64)]
