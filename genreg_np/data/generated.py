"""Images from a generator that was saved: noise of the kind that it was trained with goes in, images come out.

Shapes: N images, Z noise, K classes that can be asked for, C, H, W of an image.
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

NARROWEST, WIDEST = 1e-3, 1e3  # spreads that are taken
KINDS = ("normal", "uniform", "truncated")
COLUMNS = 10  # of a sheet where there are no classes


@dataclass(frozen=True)
class Noise:
    """What generators are fed with.

    Parameters
    ----------
    size : int
        Z.
    kind : str
        normal, uniform (-1 .. 1), or truncated: normal, but nothing beyond a cut.
    spread : float
        Deviation of `normal`; the cut of `truncated`.
    """

    size: int
    kind: str = "normal"
    spread: float = 1.0

    def drawn(self, words: NDArray[np.uint32]) -> Float32:
        """Return noise, a number for each random word."""
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
    """A generator.

    Parameters
    ----------
    model : infer.Model
    noise : Noise
    shape : tuple of int
        C, H, W of an image.
    class_names : tuple of str
        That it can be asked for.
    """

    model: infer.Model
    noise: Noise
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, model: infer.Model, where: str) -> Generator:
        """Return the generator that a model is; `where` it came from is for errors.

        Raises
        ------
        UsageError
            If it is none.
        """
        found = cls.found(model)
        if found is None:
            raise UsageError(f"{where}: is no generator of images; search gan finds one")
        return found

    @classmethod
    def found(cls, model: infer.Model) -> Generator | None:
        """Return the generator that a model is; None of another model."""
        said = model.trained("generator")
        read = _read(said) if isinstance(said, Mapping) else None
        if read is None:
            return None
        noise, shape, names = read
        fits = model.input_shape == (noise.size + len(names),) and model.output_count == math.prod(shape)
        return cls(model, noise, shape, names) if fits else None

    @property
    def size(self) -> str:
        """Its images' size in words."""
        channels, height, width = self.shape
        return f"{width} x {height} pixels" + (" in colour" if channels == 3 else "")

    @property
    def grouped(self) -> int:
        """How many images stand side by side on a sheet: the classes, so that each has a column."""
        return len(self.class_names) or COLUMNS

    def drawn(self, count: int, seed: int, class_name: str | None = None) -> Float32:
        """Return images (N, C, H, W) of 0 .. 1; if no class is named, the classes are asked for in turn.

        Raises
        ------
        UsageError
            For a class that it cannot be asked for.
        """
        words = Stream(seed).words(Purpose.PAIR, 0, 0, self.noise.size * count)
        inputs = self.noise.drawn(words).reshape(count, self.noise.size)
        classes = np.arange(count) % max(1, len(self.class_names))
        if class_name is not None:
            if not self.class_names:
                raise UsageError(
                    "this generator cannot be asked for a class: search gan --conditional makes one that can"
                )
            if class_name not in self.class_names:
                hint = did_you_mean(class_name, self.class_names)
                raise UsageError(f"there is no class {class_name!r}{hint or ': ' + ', '.join(self.class_names)}")
            classes[:] = self.class_names.index(class_name)
        asked = (classes[:, None] == np.arange(len(self.class_names))).astype(np.float32)
        found: Float32 = self.model.outputs(np.concatenate([inputs, asked], axis=1)).reshape(count, *self.shape)
        return found


def channels_of(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return C, H, W of images of a shape."""
    channels = (1, *shape) if len(shape) == 2 else shape
    return channels[0], channels[1], channels[2]


def _read(said: Mapping[str, Any]) -> tuple[Noise, tuple[int, int, int], tuple[str, ...]] | None:
    """Return noise, shape and class names as a model's file says them; None of what is damaged."""
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
