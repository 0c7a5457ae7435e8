"""Distributed scoring: the genomes of a generation are scored in other processes or on other machines.

The training data are sent once. Of each generation only a description is sent: the survivors, the parents of each
genome, and the images it is judged on; a worker that scores genomes 1000 .. 1999 rebuilds them from that and the seed.
It returns a number for each. A genome's score is the same to the bit, whichever genomes are scored beside it, so runs
are the same for every engine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from genreg_np import backends
from genreg_np.backends.base import Backend, Batch, Brood, Judgement, numbers_of
from genreg_np.engines import REGISTRY, check_address, create
from genreg_np.engines.base import OK, Engine
from genreg_np.errors import RunError, UsageError
from genreg_np.runs.start import check_shared
from genreg_np.settings import look_up, usable_processors

if TYPE_CHECKING:
    from genreg_np.runs.generations import Generations

TASKS = 2  # per worker, so that none waits long for another
NONE = np.empty((0, 0), np.float32)


@dataclass
class Scoring:
    """The function that an engine runs: the fitness of some genomes of a brood."""

    features: NDArray[np.float32] = field(repr=False)  # (M, I) of the training split
    backend: str

    def __call__(self, argument: tuple[Any, NDArray[np.int64]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return fitness and accuracy (C,) of chosen genomes (C,), given the shared brood and batch."""
        shared, chosen = argument
        brood, batch = shared.value
        backend = _backend(self.backend)
        batch = dataclasses.replace(batch, features=backend.to_device(self.features))
        judged = backend.score(brood, batch, chosen)
        return judged.fitness, judged.accuracy


class SharedBackend:
    """A backend that scores genomes with an engine and leaves everything else to another backend.

    A context manager that closes the engine. It can be used wherever a Backend can:
    `train(config, dataset, backend=SharedBackend(backends.create("cpu"), "ray"))`.

    Parameters
    ----------
    host : Backend
        The backend for everything else, on the CPU.
    engine : str
        Where genomes are scored: processes, ray, or serial.
    workers : int
        Number of tasks at once; 0 for as many as possible.
    address : str
        Address of a Ray cluster.

    Raises
    ------
    UsageError
        For a GPU backend, or an invalid engine.
    """

    shares_out = True

    def __init__(self, host: Backend, engine: str, workers: int = 0, address: str = "") -> None:
        look_up(REGISTRY, engine, "engine")
        check_address(engine, address)
        if host.name == "cupy":
            raise UsageError(f"engine {engine} distributes work to CPUs: choose a CPU backend, not cupy")
        count = workers or (0 if engine == "ray" else usable_processors())  # ray counts them itself
        self._host, self._how = host, (engine, count, address)
        self._features: Any = None  # of the training split, once genomes are scored on it
        self._engine: Engine | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._host, name)

    def __enter__(self) -> SharedBackend:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the engine."""
        if self._engine is not None:
            self._engine.close()
        self._engine, self._features = None, None

    def describe(self) -> str:
        """Return a short description of what it runs on."""
        return f"{self._host.describe()}; genomes scored by engine {self._how[0]}"

    def score(self, brood: Brood, batch: Batch, chosen: NDArray[np.integer] | None = None) -> Judgement:
        """Judge genomes of the brood on the batch, as Backend.score does.

        Raises
        ------
        RunError
            If a worker fails.
        """
        numbers = numbers_of(brood.size, chosen)
        engine = self._engine_for(batch)
        described = dataclasses.replace(brood, survivors=self._host.to_host(brood.survivors))
        judged_on = dataclasses.replace(batch, features=NONE, importance=None)
        shared = engine.share((described, judged_on))
        pieces = np.array_split(numbers, min(len(numbers), TASKS * engine.size))
        found = []
        for outcome in engine.map([(shared, piece) for piece in pieces]):
            if outcome.status != OK:
                raise RunError(f"genomes of generation {brood.generation} could not be scored: {outcome.why}")
            found.append(outcome.value)
        fitness, accuracy = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return Judgement(fitness, accuracy)

    def _engine_for(self, batch: Batch) -> Engine:
        """Return the engine that scores on a batch's features; new features are sent to a new engine."""
        if self._engine is None or batch.features is not self._features:
            self.close()
            name, count, address = self._how
            scoring = Scoring(np.asarray(self._host.to_host(batch.features)), self._host.name)
            self._engine = create(name, scoring, count, address=address)
            self._features = batch.features
        return self._engine


@contextlib.contextmanager
def scored_by(evolution: Generations, engine: str, workers: int, address: str) -> Iterator[None]:
    """Score an evolution's genomes with an engine within the context.

    Raises
    ------
    UsageError
        For an evolution without a dataset, with a strategy that does not judge whole genomes, or on a GPU.
    """
    if evolution.dataset is None:
        raise UsageError(f"engine {engine} needs something to score: a dataset, or a fitness of your own")
    host = evolution.backend
    with SharedBackend(host, engine, workers, address) as shared:
        check_shared(cast(Backend, shared), evolution.strategy)
        evolution.context = dataclasses.replace(evolution.context, backend=shared)
        try:
            yield
        finally:
            evolution.context = dataclasses.replace(evolution.context, backend=host)


@functools.cache
def _backend(name: str) -> Backend:
    """Return a single-threaded backend, the same one for all tasks of a process."""
    return backends.create(name, 1)


Backend.register(SharedBackend)
