"""A generation shared out: genomes are scored by their numbers, in other processes or on other machines.

What goes out once is the training data. Each generation goes out as it is described: the survivors, the parents of each
genome, and which images it is judged on; who scores genomes 1000 .. 1999 rebuilds them from that and the seed. What
comes back is a number for each. A genome earns the same to the bit, whoever else is scored beside it, so that runs are
the same for every engine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import backends
from genreg_np.backends.base import Backend, Batch, Brood, Judgement, numbers_of
from genreg_np.engines import create
from genreg_np.engines.base import OK, Engine
from genreg_np.errors import RunError, UsageError

if TYPE_CHECKING:
    from genreg_np.runs.generations import Generations

TASKS = 2  # for each that runs at once: none waits long for another
NONE = np.empty((0, 0), np.float32)


@dataclass
class Scoring:
    """The function that an engine runs: what some genomes of a brood earn."""

    features: NDArray[np.float32] = field(repr=False)  # (M, I) of the training split
    backend: str

    def __call__(self, argument: tuple[Any, NDArray[np.int64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return fitness and accuracy (C,) of the chosen genomes (C,) of what is shared, a brood and its batch."""
        shared, chosen = argument
        brood, batch = shared.value
        backend = _backend(self.backend)
        if not batch.features.size:
            batch = dataclasses.replace(batch, features=backend.to_device(self.features))
        judged = backend.score(brood, batch, chosen)
        return judged.fitness, judged.accuracy


class SharedBackend:
    """A backend whose genomes are scored elsewhere; all else it leaves to another.

    Parameters
    ----------
    host : Backend
        What it leaves the rest to.
    engine : Engine
        Runs a Scoring.
    features : array (M, I)
        The host's own, of the training split: these are elsewhere already.
    """

    def __init__(self, host: Backend, engine: Engine, features: Any) -> None:
        self._host, self._engine, self._features = host, engine, features

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def score(self, brood: Brood, batch: Batch, chosen: NDArray[np.integer] | None = None) -> Judgement:
        """Judge genomes of the brood on the batch, as Backend.score does.

        Raises
        ------
        RunError
            If one who scores cannot.
        """
        numbers = numbers_of(brood.size, chosen)
        known = batch.features is self._features
        described = dataclasses.replace(brood, survivors=self._host.to_host(brood.survivors))
        judged_on = dataclasses.replace(batch, features=NONE, importance=None) if known else batch
        shared = self._engine.share((described, judged_on))
        pieces = np.array_split(numbers, min(len(numbers), TASKS * self._engine.size))
        found = []
        for outcome in self._engine.map([(shared, piece) for piece in pieces]):
            if outcome.status != OK:
                raise RunError(f"genomes of generation {brood.generation} could not be scored: {outcome.why}")
            found.append(outcome.value)
        fitness, accuracy = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return Judgement(fitness, accuracy)


@contextlib.contextmanager
def scored_by(evolution: Generations, engine: str, workers: int, address: str) -> Iterator[None]:
    """Have an evolution's genomes scored by an engine for a while.

    Raises
    ------
    UsageError
        For an evolution without a dataset, of a strategy that judges no whole genomes, or on a GPU.
    """
    features = evolution._problem.features
    if features is None or not evolution.strategy.keeps_population:
        raise UsageError(
            f"engine {engine} scores whole genomes on a dataset, or calls a fitness of your own: strategy "
            f"{evolution.config.strategy} has none to share out"
        )
    host = evolution.backend
    if host.name == "cupy":
        raise UsageError(f"engine {engine} shares out what processors do: choose a backend of the CPU, not {host.name}")
    scoring = Scoring(np.asarray(host.to_host(features)), host.name)
    with create(engine, scoring, workers, address=address) as running:
        context = evolution.context
        evolution.context = dataclasses.replace(context, backend=SharedBackend(host, running, features))
        try:
            yield
        finally:
            evolution.context = dataclasses.replace(evolution.context, backend=host)


@functools.cache
def _backend(name: str) -> Backend:
    """Return a backend of one thread, the same one in all tasks of a process."""
    return backends.create(name, 1)


Backend.register(SharedBackend)
