"""NumPy with sums in float64, rounded once: what rounding costs. Slow, and the same bits in all that is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genreg_np.backends.base import Batch, Brood, Judgement, numbers_of
from genreg_np.backends.numpy_ import NumpyBackend, build, forward, judge
from genreg_np.backends.threads import single_threaded_blas
from genreg_np.model import Float32, Network


class DoubleBackend(NumpyBackend):
    """The backend `double`: what it does not say is NumPy's."""

    name = "double"

    def score(self, brood: Brood, batch: Batch, chosen: NDArray[np.integer] | None = None) -> Judgement:
        numbers_of(brood.size, chosen)  # refuses genomes that are not there
        logits = self.outputs(brood, batch.inputs).swapaxes(1, 2)
        return Judgement(*judge(logits, batch, brood, np.arange(brood.size))).of(chosen)

    def outputs(self, brood: Brood, features: Float32, chosen: NDArray[np.integer] | None = None) -> Float32:
        numbers = numbers_of(brood.size, chosen)
        found = np.empty((len(numbers), len(features), brood.network.outputs), np.float32)
        for answers, number in zip(found, numbers, strict=True):
            answers[:] = self.logits(brood.network, build(brood, np.array([number]))[0], features)
        return found

    def logits(self, network: Network, genes: Float32, features: Float32) -> Float32:
        with single_threaded_blas(), np.errstate(over="ignore"):
            columns = np.ascontiguousarray(features.T, np.float64)
            return forward(network, genes[None].astype(np.float64), columns)[0].T.astype(np.float32)
