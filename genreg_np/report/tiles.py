"""Many small pictures in one, with captions below each.

Shapes: n pictures of H x W pixels, C channels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.model import Float32
from genreg_np.report.names import PLAIN, drawn
from genreg_np.report.shown import SMALL, WIDTH, new_figure, png_of

LINE = 0.17  # inches of a line of words
MOST_BYTES = 150_000
SIDES = (96, 64, 48, 32, 24, 16)  # largest sides of a picture in pixels, tried until the file is small enough


def pictures_of(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return inputs (n, *shape) as grey pictures (n, H, W) or colour pictures (n, H, W, 3); None for other inputs.

    Three channels may be the first or last axis of a shape; other numbers of channels are averaged.
    """
    if len(shape) not in (2, 3) or min(shape[-2:]) < 2:
        return None
    if len(shape) == 3 and shape[2] == 3 and shape[0] > 4:
        return values
    return values if len(shape) == 2 else from_channels(values)


def from_channels(values: NDArray[Any]) -> NDArray[Any]:
    """Return channels (n, C, H, W) as pictures: (n, H, W, 3) for three, else their mean (n, H, W)."""
    return values.transpose(0, 2, 3, 1) if values.shape[1] == 3 else values.mean(axis=1)


def brightness(values: NDArray[np.generic], input_range: tuple[float, float] | None) -> Float32:
    """Return values mapped to 0 .. 1 from their range, or by default from the smallest to the largest."""
    found = values.astype(np.float32)
    low, high = input_range or (float(found.min()), float(found.max()))
    brought: Float32 = np.clip((found - low) / ((high - low) or 1), 0, 1)
    return brought


def smaller(picture: NDArray[Any], most: int) -> NDArray[Any]:
    """Return a picture (H, W) or (H, W, 3) reduced to at most `most` pixels per side by averaging squares."""
    step = math.ceil(max(picture.shape[:2]) / most)
    rows, columns = (max(1, extent // step) for extent in picture.shape[:2])
    if step == 1 or min(picture.shape[:2]) < step:
        return picture
    cut = picture[: rows * step, : columns * step]
    found: NDArray[Any] = cut.reshape(rows, step, columns, step, *picture.shape[2:]).mean(axis=(1, 3))
    return found


def text_width(text: str) -> float:
    """Return the width of a line of words below a picture in inches."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    return float(text_to_path.get_text_width_height_descent(text, FontProperties(size=SMALL), ismath=False)[0]) / 72


def fitted(names: Sequence[str], places: Iterable[int], width: float) -> list[str]:
    """Return names cut until those at some places are at most `width` inches wide, keeping at least 3 letters."""
    chosen = set(places)
    for letters in range(16, 2, -1):
        texts = drawn(names, letters)
        if max(text_width(texts[place]) for place in chosen) <= width:
            break
    return texts


def draw_tiles(
    pictures: Sequence[NDArray[Any]], words: Sequence[str], columns: int, legend: tuple[str, str, str] | None = None
) -> bytes:
    """Draw pictures in rows, with words below each.

    Parameters
    ----------
    pictures : sequence of (H, W) or (H, W, 3) ndarray
        Values 0 .. 1; sizes may differ.
    words : sequence of str
        One or more lines for each.
    columns : int
    legend : three of str, optional
        The meaning of black, middle grey and white.

    Returns
    -------
    bytes
        A PNG image; large pictures are reduced until it is small enough.
    """
    png = b""
    for most in SIDES:
        png = _drawn([smaller(picture, most) for picture in pictures], words, columns, legend)
        if len(png) < MOST_BYTES:
            break
    return png


def _drawn(
    pictures: Sequence[NDArray[Any]], words: Sequence[str], columns: int, legend: tuple[str, str, str] | None
) -> bytes:
    pitch = WIDTH / columns
    side = 0.9 * pitch
    lines = max((word.count("\n") + 1 for word in words if word), default=0)
    tiles = list(zip(pictures, words, strict=True))
    rows = [tiles[first : first + columns] for first in range(0, len(tiles), columns)]
    heights = [max(side * picture.shape[0] / max(picture.shape[:2]) for picture, _ in row) for row in rows]
    total = sum(heights) + len(rows) * (LINE * lines + 0.12) + (0.48 if legend else 0) + 0.05
    figure = new_figure(WIDTH, total)
    figure.set_layout_engine("none")  # places are in inches
    panel = figure.add_axes((0, 0, 1, 1))
    top = 0.05
    for row, height in zip(rows, heights, strict=True):
        for column, (picture, text) in enumerate(row):
            tall, wide = (side * extent / max(picture.shape[:2]) for extent in picture.shape[:2])
            left = column * pitch + (pitch - wide) / 2
            above = top + (height - tall) / 2
            _put(panel, picture, (left, left + wide, above + tall, above))
            panel.text(
                column * pitch + pitch / 2, top + height + 0.03, text, ha="center", va="top", fontsize=SMALL,
                linespacing=1.1, **PLAIN,
            )  # fmt: skip
        top += height + LINE * lines + 0.12
    if legend:
        _put(panel, np.linspace(0, 1, 65)[None], (1.2, 3.6, top + 0.2, top))
        for place, text in zip((1.2, 2.4, 3.6), legend, strict=True):
            panel.text(place, top + 0.25, text, ha="center", va="top", fontsize=SMALL)
    panel.set(xlim=(0, WIDTH), ylim=(total, 0))
    panel.axis("off")
    return png_of(figure, 256)


def _put(panel: Any, picture: NDArray[Any], extent: tuple[float, float, float, float]) -> None:
    """Draw a picture with a frame at left, right, bottom and top in inches."""
    shades = {"cmap": "gray", "vmin": 0, "vmax": 1} if picture.ndim == 2 else {}
    panel.imshow(np.clip(picture, 0, 1), extent=extent, interpolation="nearest", aspect="auto", **shades)
    left, right, bottom, top = extent
    panel.plot([left, right, right, left, left], [bottom, bottom, top, top, bottom], color="#9aa3ad", linewidth=0.6)
