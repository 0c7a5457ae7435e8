"""The inputs of one generation: the only input generator, for our implementations and the peers'.

P genomes of networks I-H-K (tanh) are judged on the same N images; S of them survive. It needs only NumPy, so that the
peers' environment can use it.
"""

from __future__ import annotations

import functools
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from genreg_np.data.dataset import Split

MUTATION_RATE, MUTATION_SCALE = 0.07, 0.1  # as published: probability per gene, standard deviation
MOST_SURVIVORS = 400  # a fifth survive, as published, but at most this many


@dataclass(frozen=True)
class Workload:
    """Images, labels and sizes of a generation."""

    images: NDArray[np.float32] = field(repr=False)  # (N, I), 0 .. 1
    labels: NDArray[np.int64] = field(repr=False)  # (N,), 0 .. K-1
    hidden: int  # H
    classes: int  # K
    population: int  # P
    preset: str = ""  # of a run with this workload

    @property
    def survivors(self) -> int:
        """The number S of survivors."""
        return min(max(1, self.population // 5), MOST_SURVIVORS)

    @property
    def inputs(self) -> int:
        """The number I of pixels per image."""
        return int(self.images.shape[1])

    @property
    def genes(self) -> int:
        """The number D of weights and biases of a network."""
        return self.hidden * (self.inputs + 1) + self.classes * (self.hidden + 1)

    def layers(self) -> tuple[int, int, int]:
        """Return the places among the genes at which the first biases, second weights and second biases begin."""
        first, second = self.hidden * self.inputs, self.hidden * (self.inputs + 1)
        return first, second, second + self.classes * self.hidden

    def describe(self) -> dict[str, int | str]:
        """Return the sizes, for the JSON with the results."""
        return {
            "network": f"{self.inputs}-{self.hidden}-{self.classes}",
            "population": self.population,
            "survivors": self.survivors,
            "images": len(self.images),
            "lit_inputs": int(self.images.any(axis=0).sum()),
            "mutation_rate": MUTATION_RATE,
        }

    def save(self, path: Path) -> None:
        """Write the workload to an .npz file."""
        np.savez(path, **{name: np.asarray(value) for name, value in asdict(self).items()})

    @classmethod
    def load(cls, path: str | Path) -> Workload:
        """Read what `save` wrote."""
        data = np.load(path)
        sizes = {name: int(data[name]) for name in ("hidden", "classes", "population")}
        return cls(data["images"], data["labels"], **sizes, preset=str(data["preset"]))


def mnist(population: int = 200, images: int = 200, hidden: int = 64, preset: str = "") -> Workload:
    """Draw distinct training images of MNIST."""
    train = _train("mnist")
    rows = np.random.default_rng(0).choice(len(train), images, replace=False)
    return Workload(_pixels(train.inputs[rows]), train.labels[rows], hidden, 10, population, preset)


def letters(dark: bool = True, preset: str = "") -> Workload:
    """Return the 26 rendered letters for 200 networks of 128 hidden units; without `dark`, no input is always 0."""
    train = _train("letters")
    pixels = _pixels(train.inputs)
    return Workload(pixels if dark else np.maximum(pixels, np.float32(1 / 255)), train.labels, 128, 26, 200, preset)


@functools.cache
def _train(name: str) -> Split:
    from genreg_np import load_dataset

    return load_dataset(name).train


def _pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    return (images.reshape(len(images), -1) / np.float32(255)).astype(np.float32)
