"""What a lesson is: one individual is trained up to a rung and judged. Workers run lessons.

A lesson is a pure function of its fields: an individual that passed two rungs is the same whichever worker trained it,
and whether its state at the first rung was stored or had to be recomputed. Its random numbers depend on its genome, so
equal genomes give equal individuals.

The state at a rung (weights, the layers' statistics, the optimiser's moments) is a separate file.

Shapes: N images, I inputs, D genes.
"""

from __future__ import annotations

import contextlib
import errno
import functools
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genreg_np import backends
from genreg_np.backends.base import Backend, Work
from genreg_np.model import Float32, Network
from genreg_np.search.trials import UNSAVED

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # the disk is full, or the user's share of it


@dataclass(frozen=True)
class Part:
    """The files of a split's arrays, shared by processes: features (N, I) float32, labels (N,) int64."""

    features: str
    labels: str

    def read(self) -> tuple[Float32, NDArray[np.int64]]:
        """Return features and labels, with the features memory-mapped.

        Raises
        ------
        MemoryError
            If the process may not use so much memory.
        """
        try:
            return np.load(self.features, mmap_mode="r"), np.load(self.labels)
        except OSError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError(f"no room to map {self.features}") from None
            raise


@dataclass(frozen=True)
class Learned:
    """The result of a lesson."""

    status: str
    why: str = ""
    measures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by the part that was judged on
    seconds: float = 0.0  # 0 if unknown, as some of the states to train were stored
    pace: float = 0.0  # seconds per sample, from the median of its steps, so that one-off delays do not count
    steps: int = 0  # of the state in its first file


@dataclass(frozen=True)
class Lesson(ABC):
    """The task of a worker.

    Parameters
    ----------
    input_shape : tuple of int
        The shape of an image.
    seed : int
        The individual's seed.
    rungs : tuple of int
        Total samples learned from at the end of each rung so far, the last being this one's.
    train : Part
    judged : mapping of str to Part
        The parts it is judged on, by name.
    class_names : tuple of str
    states : tuple of str
        Files of the individual's state, one per rung.
    backend : str
    is_capped : bool
        Whether the samples of a rung must not be exceeded: then steps are rounded down.
    is_final : bool
        Whether it is a training of the winner, whose result is saved.
    """

    input_shape: tuple[int, ...]
    seed: int
    rungs: tuple[int, ...]
    train: Part
    judged: Mapping[str, Part]
    class_names: tuple[str, ...]
    states: tuple[str, ...]
    backend: str
    is_capped: bool = field(default=False, kw_only=True)
    is_final: bool = field(default=False, kw_only=True)

    def steps(self, rung: int, batch: int) -> int:
        """Return the number of steps up to the end of a rung, at least one."""
        samples = self.rungs[rung]
        return max(1, samples // batch) if self.is_capped else -(-samples // batch)

    @abstractmethod
    def prepare(self) -> None:
        """Prepare the backend."""

    @abstractmethod
    def learn(self) -> Learned:
        """Train from the rung below to this one, save the state, and judge."""

    @abstractmethod
    def finished(self, steps: int | None) -> tuple[Network, Float32] | None:
        """Return the network for inference after `steps` steps (None: any), and its genes (D,); None if not stored."""

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Return the description of the training for a model's header, as plain values."""


class Unsaved(Exception):
    """A state that could not be written, and what to do; that is not the individual's fault."""

    @property
    def learned(self) -> Learned:
        """The result of its lesson."""
        return Learned(UNSAVED, str(self))


@contextlib.contextmanager
def saving() -> Iterator[None]:
    """Turn an OSError into Unsaved."""
    try:
        yield
    except OSError as error:
        said = f"{error.filename or 'its state'} cannot be written ({error.strerror or error})"
        what = "free some disk space" if error.errno in FULL else "make the folder writable for all workers"
        raise Unsaved(f"{said}: {what}, and continue with --resume") from None


class Teachable(Protocol):
    """A task for an engine: a lesson, or a measurement."""

    def prepare(self) -> None:
        """Prepare what a process needs once, such as kernels and libraries."""

    def learn(self) -> Learned:
        """Run the task."""


def prepare(lesson: Teachable) -> None:
    """Prepare what a process needs once for such lessons; their time limits do not include it."""
    lesson.prepare()


def learn(lesson: Teachable) -> Learned:
    """Run a lesson; the function that engines call."""
    return lesson.learn()


@functools.lru_cache(maxsize=1)
def backend_for(name: str, works: Sequence[Work]) -> Backend:
    """Return a single-threaded backend with compiled kernels, once for all lessons of a worker."""
    backend = backends.create(name, 1 if name == "numba" else None)
    backend.warm_up(works)
    return backend


@functools.lru_cache(maxsize=8)
def part_there(part: Part, backend: Backend) -> tuple[Any, NDArray[np.int64]]:
    """Return features on a backend's device, and labels; once for all lessons of a worker."""
    features, labels = part.read()
    return backend.to_device(features), labels
