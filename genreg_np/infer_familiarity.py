"""How unfamiliar an input is to a model that can tell: this file lies beside infer.py, or is joined to its end.

    unfamiliarity(model, images)      # (N,) float32: above 1 is like nothing the model was trained on

x (F,) is what arrives at one of the model's layers. It is projected, and its distance to the nearest prototype, a mean
of alike training inputs, is measured by the limit that most inputs of the validation split keep:

    z = scale * (projection x) - shift                     projection (k, F) int8; scale, shift (k,) float32
    unfamiliarity = min over m of |z - prototypes[m]| / limit        prototypes (M, k) int8

in float32. A model's header says so under `familiarity`; docs/model-format.md has it all.

Written for Python 3.9+ and NumPy 1.22+; part of genreg-np (MIT licence).
"""

from __future__ import annotations

from typing import Any

import numpy as np

if "ModelError" not in globals():  # joined to the end of infer.py, all its names are here
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
    """What a model has of its training inputs. `outputs` gives unfamiliarity (N, 1); of classes there are none.

    ModelError if the model has no such part, or a malformed one.
    """

    def __init__(self, model: Model) -> None:
        super().__init__(model.header, model.arrays)
        require("familiarity" in self.header, "the model has no distance to what it was trained on")
        self.class_names, self.output_count = (), 1
        self._forward = _unfamiliarity(self)

    def unfamiliarity(self, inputs: Any) -> np.ndarray:
        """Return how unfamiliar inputs are, (N,) float32: above 1 is like nothing the model was trained on.

        Inputs are those that the model takes. Infinite where numbers are too large for float32.
        """
        found: np.ndarray = self.outputs(inputs)[:, 0]
        return found


def unfamiliarity(model: Model, inputs: Any) -> np.ndarray:
    """Return how unfamiliar inputs are to a model, (N,) float32. To ask often, make one Familiarity of it."""
    return Familiarity(model).unfamiliarity(inputs)


def _unfamiliarity(model: Model) -> Function:
    """Check what a model says of its training inputs; return the unfamiliarity (n, 1) of prepared inputs."""
    said, layers = entry_of(model.header, "familiarity", dict), model.header["network"]["layers"]
    layer, count, dimensions = (whole_number(said.get(key)) for key in ("layer", "prototypes", "dimensions"))
    limit = said.get("limit")
    require(0 <= layer < len(layers), f"familiarity looks at layer {layer}, which is not there")
    require(count >= 1 and dimensions >= 1, "familiarity has no prototypes")
    require(type(limit) is float and 0 < limit <= MOST_LIMIT, "familiarity has a limit that is no distance")
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
