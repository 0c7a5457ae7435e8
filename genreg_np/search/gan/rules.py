"""How a pair learns: what generators are fed with, what a discriminator sees, and by which rules both go on.

Shapes: Z noise, K classes that are asked for (0: none), I pixels, N images of a batch. Columns are images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.generated import Noise, channels_of
from genreg_np.errors import UsageError
from genreg_np.layers.base import Array, array_module
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Float32
from genreg_np.streams import Purpose, Stream

FED, CLASSES = 0, 1  # what is drawn for a pass


@dataclass(frozen=True)
class Rules:
    """How a pair learns.

    Parameters
    ----------
    noise : Noise
    losses : tuple of str
        Of each generator: one of LOSSES; the discriminator follows the first one's.
    makes, judges : Optimiser
        Of the generators and of the discriminator.
    batch_size : int
    turns : int
        Steps of the discriminator for each of the generators.
    average : float
        How much of the generators' average stays at each step; 0: there is none.
    centred : bool
        Whether the discriminator sees pixels of -1 .. 1.
    pack : int
        Images that it sees at a time.
    smoothing : float
        What real images lack of being wanted as such.
    instance_noise : float
        Deviation of what is added to all pixels that it sees.
    shift : int
        Pixels by which what it sees is moved, at most.
    flip : bool
        Whether half of the batches that it sees are mirrored.
    classes : int
        K that are asked for; 0: none are.
    falling : bool
        Whether rates fall to 0 over the second half of a rung.

    Raises
    ------
    UsageError
        For packs of several generators' images.
    """

    noise: Noise
    losses: tuple[str, ...]
    makes: Optimiser
    judges: Optimiser
    batch_size: int = 64
    turns: int = 1
    average: float = 0.0
    centred: bool = False
    pack: int = 1
    smoothing: float = 0.0
    instance_noise: float = 0.0
    shift: int = 0
    flip: bool = False
    classes: int = 0
    falling: bool = False

    def __post_init__(self) -> None:
        if self.pack > 1 and len(self.losses) > 1:
            raise UsageError("several generators go through the discriminator together: none can be seen in packs")


def drawn(rules: Rules, stream: Stream, number: int, count: int) -> tuple[Float32, NDArray[np.int64]]:
    """Return the `number`-th inputs of generators (Z + K, N), and the classes (N,) that they ask for."""
    words = stream.words(Purpose.PAIR, number, FED, rules.noise.size * count)
    noise = rules.noise.drawn(words).reshape(rules.noise.size, count)
    if not rules.classes:
        return np.ascontiguousarray(noise), np.zeros(count, np.int64)
    classes = stream.integers(Purpose.PAIR, number, CLASSES, count, rules.classes)
    return np.concatenate([noise, (classes == np.arange(rules.classes)[:, None]).astype(np.float32)]), classes


def shown(
    rules: Rules, shape: tuple[int, ...], seen: tuple[int, ...], images: Array, classes: NDArray[np.int64]
) -> Array:
    """Return images (I, N) of 0 .. 1 as columns that a discriminator takes: scaled, with their classes, in packs.

    Parameters
    ----------
    rules : Rules
    shape : tuple of int
        Of an image.
    seen : tuple of int
        Of what the discriminator takes.
    images : (I, N) float32
    classes : (N,) int64
    """
    xp, scale = array_module(images), scale_of(rules)
    columns = images
    if scale != 1:
        columns = images * scale
        columns -= scale - 1
    if rules.classes:
        chosen = xp.asarray((classes == np.arange(rules.classes)[:, None]).astype(np.float32))
        _, height, width = channels_of(shape)
        maps = chosen if len(seen) == 1 else chosen.repeat(height * width, axis=0)  # numbers, or whole maps
        columns = xp.concatenate([columns, maps])
    each = columns.shape[1] // rules.pack
    packs = [columns[:, place * each : (place + 1) * each] for place in range(rules.pack)]
    return xp.ascontiguousarray(xp.concatenate(packs) if len(packs) > 1 else columns)


def scale_of(rules: Rules) -> float:
    """Return how much wider the pixels are that the discriminator sees."""
    return 2.0 if rules.centred else 1.0
