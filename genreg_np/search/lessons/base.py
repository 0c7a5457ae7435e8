"""What a lesson is: one individual learns from its first samples, or from more, and is judged. What workers do.

A lesson is a pure function of what it is told: an individual that went through two rungs is the same whoever trained
it, and whether its state of the first was at hand or had to be made again. Its random numbers are those of its genome,
so that equal genomes are equal individuals.

The state of a rung - weights, what layers keep count of, what optimisers remember - is a file of its own.

Shapes: N images, I inputs, D genes.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from genreg_np import backends
from genreg_np.backends.base import Backend, Work
from genreg_np.model import Float32, Network
from genreg_np.search.trials import UNSAVED


@dataclass(frozen=True)
class Part:
    """Where arrays of a split lie, for several processes to share: features (N, I) float32, labels (N,) int64."""

    features: str
    labels: str

    def read(self) -> tuple[Float32, NDArray[np.int64]]:
        """Return them, features as the file's own pages."""
        return np.load(self.features, mmap_mode="r"), np.load(self.labels)


@dataclass(frozen=True)
class Learned:
    """What came of a lesson."""

    status: str
    why: str = ""
    measures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # by what it was judged on
    seconds: float = 0.0
    pace: float = 0.0  # seconds for a sample, by the median of its steps: what held it up for once does not count
    steps: int = 0  # of the state that is in its first file


@dataclass(frozen=True)
class Lesson(ABC):
    """What a worker is told.

    Parameters
    ----------
    input_shape : tuple of int
        Of an image.
    seed : int
        The individual's own.
    rungs : tuple of int
        Samples that it has learned from at the end of each rung so far, this one's last.
    train : Part
    judged : mapping of str to Part
        What it is judged on, by names.
    class_names : tuple of str
    states : tuple of str
        Files of the individual's state, one for each rung.
    backend : str
    """

    input_shape: tuple[int, ...]
    seed: int
    rungs: tuple[int, ...]
    train: Part
    judged: Mapping[str, Part]
    class_names: tuple[str, ...]
    states: tuple[str, ...]
    backend: str

    @abstractmethod
    def prepare(self) -> None:
        """Make ready the backend."""

    @abstractmethod
    def learn(self) -> Learned:
        """Train from the rung below to this one, keep the state, and judge."""

    @abstractmethod
    def finished(self, steps: int) -> tuple[Network, Float32] | None:
        """Return the network that answers after so many steps, and its genes (D,); None where its state is gone."""

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Return what a model says of how it was trained, as plain values."""


def unsaved(error: OSError) -> Learned:
    """Return what came of a lesson whose state could not be written: that is no fault of the individual."""
    return Learned(UNSAVED, f"{error.filename or 'its state'} cannot be written ({error.strerror or error})")


class Teachable(Protocol):
    """What an engine is given: a lesson, or what else is learned or measured."""

    def prepare(self) -> None:
        """Make ready what a process needs once: kernels, libraries."""

    def learn(self) -> Learned:
        """Do it."""


def prepare(lesson: Teachable) -> None:
    """Make ready what a process needs once for such lessons; no limit of theirs counts it."""
    lesson.prepare()


def learn(lesson: Teachable) -> Learned:
    """Do a lesson: what an engine is given."""
    return lesson.learn()


@functools.lru_cache(maxsize=1)
def backend_for(name: str, works: Sequence[Work]) -> Backend:
    """Return a backend of one thread, ready for some works; once for all lessons of a worker."""
    backend = backends.create(name, 1 if name == "numba" else None)
    backend.warm_up(works)
    return backend


@functools.lru_cache(maxsize=8)
def part_there(part: Part, backend: Backend) -> tuple[Any, NDArray[np.int64]]:
    """Return features where a backend computes, and labels; once for all lessons of a worker."""
    features, labels = part.read()
    return backend.to_device(features), labels
