"""Images from a saved generator, fed with the kind of noise it was trained on.

Shapes: N images, Z noise, K classes of a conditional generator, C, H, W of an image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.errors import UsageError, did_you_mean
from genreg_np.model import Float32
from genreg_np.settings import names_of, whole_numbers
from genreg_np.streams import Purpose, Stream, normal_table, scale_words, unit_floats

NARROWEST, WIDEST = 1e-3, 1e3  # accepted spreads
KINDS = ("normal", "uniform", "truncated")
COLUMNS = 10  # of a sheet without classes


@dataclass(frozen=True)
class Noise:
    """The noise fed to a generator.

    Parameters
    ----------
    size : int
        Z.
    kind : str
        normal, uniform (-1 .. 1), or truncated: normal without values beyond a cut.
    spread : float
        Standard deviation of `normal`; the cut of `truncated`.
    """

    size: int
    kind: str = "normal"
    spread: float = 1.0

    def drawn(self, words: NDArray[np.uint32]) -> Float32:
        """Return noise, one number for each random word."""
        if self.kind == "uniform":
            return unit_floats(words) * np.float32(2) - np.float32(1)
        table = normal_table()
        if self.kind == "normal":
            found: Float32 = table[words >> np.uint32(16)] * np.float32(self.spread)
            return found
        first = int(np.searchsorted(table, -self.spread, side="right"))
        cut: Float32 = table[first + scale_words(words, np.int64(len(table) - 2 * first))]
        return cut


@dataclass(frozen=True)
class Generator:
    """A generator of images.

    Parameters
    ----------
    model : infer.Model
    noise : Noise
    shape : tuple of int
        C, H, W of an image.
    class_names : tuple of str
        Classes on which it is conditioned; empty if it is not conditional.
    """

    model: infer.Model
    noise: Noise
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, model: infer.Model, where: str) -> Generator:
        """Return a model as a generator; `where` names it in errors.

        Raises
        ------
        UsageError
            If it is not a generator.
        """
        found = cls.found(model)
        if found is None:
            raise UsageError(f"{where}: not a generator of images; search gan finds one")
        return found

    @classmethod
    def found(cls, model: infer.Model) -> Generator | None:
        """Return a model as a generator; None if it is not one."""
        said = model.trained("generator")
        read = _read(said) if isinstance(said, Mapping) else None
        if read is None:
            return None
        noise, shape, names = read
        fits = model.input_shape == (noise.size + len(names),) and model.output_count == math.prod(shape)
        return cls(model, noise, shape, names) if fits else None

    @property
    def size(self) -> str:
        """The size of its images in words."""
        channels, height, width = self.shape
        return f"{width} x {height} pixels" + (" in colour" if channels == 3 else "")

    @property
    def grouped(self) -> int:
        """The number of columns of a sheet: one for each class."""
        return len(self.class_names) or COLUMNS

    def drawn(self, count: int, seed: int, class_name: str | None = None) -> Float32:
        """Return images (N, C, H, W) of 0 .. 1; without a class name, the classes take turns.

        Raises
        ------
        UsageError
            For a class that it cannot generate.
        """
        words = Stream(seed).words(Purpose.PAIR, 0, 0, self.noise.size * count)
        inputs = self.noise.drawn(words).reshape(count, self.noise.size)
        classes = np.arange(count) % max(1, len(self.class_names))
        if class_name is not None:
            if not self.class_names:
                raise UsageError(
                    "this generator cannot generate a given class: search gan --conditional makes one that can"
                )
            if class_name not in self.class_names:
                hint = did_you_mean(class_name, self.class_names)
                raise UsageError(f"there is no class {class_name!r}{hint or ': ' + ', '.join(self.class_names)}")
            classes[:] = self.class_names.index(class_name)
        asked = (classes[:, None] == np.arange(len(self.class_names))).astype(np.float32)
        found: Float32 = self.model.outputs(np.concatenate([inputs, asked], axis=1)).reshape(count, *self.shape)
        return found


def channels_of(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return C, H, W of images of a shape (H, W) or (C, H, W)."""
    channels = (1, *shape) if len(shape) == 2 else shape
    return channels[0], channels[1], channels[2]


def _read(said: Mapping[str, Any]) -> tuple[Noise, tuple[int, int, int], tuple[str, ...]] | None:
    """Return noise, shape and class names as stored in a model's file; None if they are damaged."""
    try:
        noise = Noise(said["noise"]["size"], said["noise"]["kind"], float(said["noise"]["spread"]))
        shape, names = whole_numbers(said["image"], "image", least=1), names_of(said["classes"], "classes")
        whole_numbers((noise.size,), "noise", least=1)
    except (KeyError, TypeError, ValueError, OverflowError, UsageError):
        return None
    known = noise.kind in KINDS and NARROWEST <= noise.spread <= WIDEST
    if not known or len(shape) not in (2, 3) or channels_of(shape)[0] not in (1, 3) or len(set(names)) != len(names):
        return None
    return noise, channels_of(shape), names
