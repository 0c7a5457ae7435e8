"""A model whose dense layers run on a backend: for `infer` and `eval` on a GPU."""

from __future__ import annotations

import os

from genreg_np import backends, model
from genreg_np.backends.base import Backend
from genreg_np.errors import UsageError
from genreg_np.model import Float32, Model


class BackendModel(Model):
    """A model that computes its dense layers on a backend."""

    def __init__(self, loaded: Model, backend: Backend) -> None:
        super().__init__(loaded.header, loaded.arrays)
        network, genes = loaded.network, loaded.genes
        if self.start():
            raise UsageError("a model that remembers is stepped through by Model itself: leave out the backend")

        def forward(x: Float32) -> Float32:
            for layer in network.fixed:
                x = layer.apply(x)
            return backend.logits(network, genes, x)

        self._forward = forward


def load_on(path: str | os.PathLike[str], backend: str) -> BackendModel:
    """Read a model file whose model predicts on a backend.

    Raises
    ------
    infer.ModelError
        If the file is not a usable model.
    BackendError
        If the backend cannot run here.
    UsageError
        For a model that remembers.
    """
    return BackendModel(model.load(path), backends.create(backend))
