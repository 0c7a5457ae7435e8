"""How unfamiliar an input is to a model. Place this file beside infer.py, or append it to that file.

    unfamiliarity(model, images)      # (N,) float32: above 1, the input is unlike anything the model was trained on

x (F,) is the input of one of the model's layers. It is projected, and its distance to the nearest prototype, a mean of
similar training inputs, is divided by a limit that most inputs of the validation split stay below:

    z = scale * (projection x) - shift                     projection (k, F) int8; scale, shift (k,) float32
    unfamiliarity = min over m of |z - prototypes[m]| / limit        prototypes (M, k) int8

in float32. The model's header describes this under `familiarity`; docs/model-format.md has the details.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

from typing import Any

import numpy as np

if "ModelError" not in globals():  # appended to infer.py, this file has all its names already
    if __package__:
        from .infer import Function, Model, array_of, entry_of, in_pieces, require, stack, weights_of, whole_number
    else:
        from infer import (  # type: ignore[import-not-found, no-redef]
            Function,
            Model,
            array_of,
            entry_of,
            in_pieces,
            require,
            stack,
            weights_of,
            whole_number,
        )

MOST_LIMIT = 1e30


class Familiarity(Model):
    """A model's familiarity with inputs, as a model without classes: `outputs` gives unfamiliarity (N, 1).

    ModelError if the model's header has no `familiarity`, or a malformed one.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model.header, model.arrays)
        require("familiarity" in self.header, "the model does not recognise unfamiliar inputs")
        self.class_names, self.output_count = (), 1
        self._forward = _unfamiliarity(self)

    def unfamiliarity(self, inputs: Any) -> np.ndarray:
        """Return how unfamiliar inputs are, (N,) float32: above 1 is unlike anything the model was trained on.

        Inputs are those that the model takes. The result is infinite where numbers are too large for float32.
        """
        found: np.ndarray = self.outputs(inputs)[:, 0]
        return found


def unfamiliarity(model: Model, inputs: Any) -> np.ndarray:
    """Return how unfamiliar inputs are to a model, (N,) float32; for repeated calls, use a Familiarity."""
    return Familiarity(model).unfamiliarity(inputs)


def _unfamiliarity(model: Model) -> Function:
    """Check a model's `familiarity`; return a function that gives the unfamiliarity (n, 1) of prepared inputs."""
    said, layers = entry_of(model.header, "familiarity", dict), model.header["network"]["layers"]
    layer, count, dimensions = (whole_number(said.get(key)) for key in ("layer", "prototypes", "dimensions"))
    limit = said.get("limit")
    require(0 <= layer < len(layers), f"familiarity uses layer {layer}, which does not exist")
    require(count >= 1 and dimensions >= 1, "familiarity has no prototypes")
    require(type(limit) is float and 0 < limit <= MOST_LIMIT, "familiarity has a limit that is not a distance")
    _, width, before = stack(layers[:layer], model.arrays, "layers", model._width)
    projection = array_of(model.arrays, "familiarity.projection", (dimensions, width), np.int8)
    scale, shift = (weights_of(model.arrays, f"familiarity.{name}", (dimensions,)) for name in ("scale", "shift"))
    prototypes = array_of(model.arrays, "familiarity.prototypes", (count, dimensions), np.int8).astype(np.float32)
    columns, squares = projection.T.astype(np.float32), (prototypes * prototypes).sum(axis=1)

    def nearest(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            z = before(x).dot(columns) * scale - shift
            squared = (z * z).sum(axis=1, keepdims=True) + (squares - 2 * z.dot(prototypes.T))
            least = squared.min(axis=1, keepdims=True)
            least[np.isnan(least)] = np.inf
            found: np.ndarray = np.sqrt(np.maximum(least, 0)) / np.float32(limit)
        return found

    return in_pieces(nearest, 4 * (width + dimensions + 2 * count), "familiarity")
