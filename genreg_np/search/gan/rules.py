"""How a pair learns: the inputs of the generators, the view of the discriminator, and the settings of training.

Shapes: Z noise, K requested classes (0: none), I pixels, N images of a batch. Columns are images.
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

FED, CLASSES = 0, 1  # purposes of draws for a pass


@dataclass(frozen=True)
class Rules:
    """The settings by which a pair learns.

    Parameters
    ----------
    noise : Noise
    losses : tuple of str
        For each generator, one of LOSSES; the discriminator uses the first one's.
    makes, judges : Optimiser
        Optimisers of the generators and of the discriminator.
    batch_size : int
    turns : int
        Discriminator steps per generator step.
    average : float
        The decay of the generators' moving average; 0 for no average.
    centred : bool
        Whether the discriminator sees pixels in -1 .. 1.
    pack : int
        The number of images it sees at a time.
    smoothing : float
        What is subtracted from the target for real images.
    instance_noise : float
        The standard deviation of the noise added to all pixels it sees.
    shift : int
        The most pixels by which its inputs are shifted.
    flip : bool
        Whether a quarter of the batches it sees are mirrored: were it half, mirrored images would be as likely as the
        others, and the generator could draw either (Karras et al. 2020, section 3).
    classes : int
        The number K of classes that can be requested; 0 for none.
    falling : bool
        Whether learning rates fall to 0 over the second half of a rung.

    Raises
    ------
    UsageError
        For packs together with several generators.
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
            raise UsageError("pack must be 1 with several losses: their generators share the discriminator's batches")


def drawn(
    rules: Rules, stream: Stream, number: int, count: int, asked: NDArray[np.int64] | None = None
) -> tuple[Float32, NDArray[np.int64]]:
    """Return the `number`-th inputs of generators (Z + K, N), and the requested classes (N,): `asked`, or random."""
    words = stream.words(Purpose.PAIR, number, FED, rules.noise.size * count)
    noise = rules.noise.drawn(words).reshape(rules.noise.size, count)
    if not rules.classes:
        return np.ascontiguousarray(noise), np.zeros(count, np.int64)
    classes = stream.integers(Purpose.PAIR, number, CLASSES, count, rules.classes) if asked is None else asked
    return np.concatenate([noise, (classes == np.arange(rules.classes)[:, None]).astype(np.float32)]), classes


def shown(
    rules: Rules, shape: tuple[int, ...], seen: tuple[int, ...], images: Array, classes: NDArray[np.int64]
) -> Array:
    """Return images (I, N) in 0 .. 1 as columns for the discriminator: scaled, with their classes, in packs.

    Parameters
    ----------
    rules : Rules
    shape : tuple of int
        The shape of an image.
    seen : tuple of int
        The shape of the discriminator's input.
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
    return xp.concatenate(packs) if len(packs) > 1 else columns


def scale_of(rules: Rules) -> float:
    """Return the factor by which pixels are scaled for the discriminator."""
    return 2.0 if rules.centred else 1.0
