"""NumPy with sums in float64, rounded once: what rounding costs. Slow, and the same bits in all that is drawn."""

from __future__ import annotations

import numpy as np

from genreg_np.backends.base import Batch, Brood, Judgement
from genreg_np.backends.numpy_ import NumpyBackend, build, forward, judge
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.model import Float32, Network


class DoubleBackend(NumpyBackend):
    """The backend `double`: what it does not say is NumPy's."""

    name = "double"

    def score(self, brood: Brood, batch: Batch) -> Judgement:
        fitness, accuracy = np.empty(brood.size), np.empty(brood.size)
        for genome in np.arange(brood.size):
            genes = build(brood, np.array([genome]))[0]
            logits = self.logits(brood.network, genes, batch.inputs).T[None]
            fitness[[genome]], accuracy[[genome]] = judge(logits, batch, brood, np.array([genome]))
        return Judgement(fitness, accuracy)

    def logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        with single_threaded_blas(), np.errstate(over="ignore"):
            columns = np.ascontiguousarray(features.T, np.float64)
            return forward(network, genes[None].astype(np.float64), columns)[0].T.astype(np.float32)
