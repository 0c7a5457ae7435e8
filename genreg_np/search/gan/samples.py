"""Images from a generator that was saved: noise of the kind that it was trained with goes in, images come out.

Shapes: N images, Z noise, K classes that can be asked for, C, H, W of an image.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from genreg_np.errors import UsageError, did_you_mean
from genreg_np.model import Float32, Model
from genreg_np.search.gan.rules import Noise, channels_of
from genreg_np.streams import Purpose, Stream

KINDS = ("normal", "uniform", "truncated")
COLUMNS = 10  # of a sheet where there are no classes


@dataclass(frozen=True)
class Generator:
    """A generator.

    Parameters
    ----------
    model : Model
    noise : Noise
    shape : tuple of int
        C, H, W of an image.
    class_names : tuple of str
        That it can be asked for.
    """

    model: Model
    noise: Noise
    shape: tuple[int, int, int]
    class_names: tuple[str, ...]

    @classmethod
    def of(cls, model: Model, where: str) -> Generator:
        """Return the generator that a model is; `where` it came from is for errors.

        Raises
        ------
        UsageError
            If it is none.
        """
        said = model.training.get("generator")
        found = _read(said) if isinstance(said, Mapping) else None
        if found is not None:
            noise, shape, names = found
            fits = model.input_shape == (noise.size + len(names),) and model.output_count == math.prod(shape)
            if fits:
                return cls(model, noise, shape, names)
        raise UsageError(f"{where}: is no generator of images; search gan finds one")

    @property
    def size(self) -> str:
        """Its images' size in words."""
        channels, height, width = self.shape
        return f"{width} x {height} pixels" + {1: "", 3: " in colour"}.get(channels, f" of {channels} channels")

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


def _read(said: Mapping[str, Any]) -> tuple[Noise, tuple[int, int, int], tuple[str, ...]] | None:
    """Return noise, shape and class names as a model's file says them; None of what is damaged."""
    try:
        noise = Noise(int(said["noise"]["size"]), str(said["noise"]["kind"]), float(said["noise"]["spread"]))
        shape = tuple(int(extent) for extent in said["image"])
        names = tuple(map(str, said["classes"]))
    except (KeyError, TypeError, ValueError):
        return None
    if noise.kind not in KINDS or not 0 < noise.spread < math.inf or len(shape) not in (2, 3) or min(shape) < 1:
        return None
    return noise, channels_of(shape), names
