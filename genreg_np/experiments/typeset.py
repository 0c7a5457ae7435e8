"""Letters drawn for studies: any number of views, in several typefaces.

A view is drawn by data/letters.py, with any size, rotation, place, ink and background. Studies use it at 25 x 25
pixels, means of 4 x 4, either unchanged ("grey") or as "ink": the distance of each pixel from the grey of the edge,
scaled so that the largest is 255.

Typefaces are Pillow's own and those that come with matplotlib, so that every machine has the same.

Shapes: images (n, 25, 25) uint8, labels (n,) int64.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.letters import LETTERS, SIDE, draw_view
from genreg_np.data.splits import stratified_split
from genreg_np.errors import missing_extra

Images = NDArray[np.uint8]
OWN = "Aileron"  # Pillow's
FILES = {
    "DejaVu Sans": "DejaVuSans",
    "DejaVu Sans Mono": "DejaVuSansMono",
    "DejaVu Serif": "DejaVuSerif",
    "STIX General": "STIXGeneral",
    "Computer Modern Roman": "cmr10",
    "Computer Modern Typewriter": "cmtt10",
}
FACES = (OWN, *FILES)
CELL = 4  # pixels of a view averaged into one, each way
PLAIN, UNSEEN, JUDGED = 0, 1 << 24, 1 << 25  # numbers of the first views for training, testing and validation
SEEN_AS = ("grey", "ink")


def typeface(name: str) -> str | None:
    """Return the file of a typeface; None for Pillow's own.

    Raises
    ------
    MissingExtraError
        Without matplotlib, which contains them.
    """
    if name == OWN:
        return None
    try:
        import matplotlib
    except ImportError:
        raise missing_extra("matplotlib", "plots", "draw letters in several typefaces") from None
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{FILES[name]}.ttf")


def smaller(images: Images) -> Images:
    """Return images (n, H, W) as means of cells."""
    side = images.shape[1] // CELL
    cells = images.reshape(len(images), side, CELL, side, CELL)
    found: Images = np.rint(cells.mean(axis=(2, 4))).astype(np.uint8)
    return found


def as_ink(images: Images) -> Images:
    """Return the distance of pixels (n, H, W) from the median of the image's edge, scaled to at most 255."""
    edge = np.concatenate([images[:, 0], images[:, -1], images[:, :, 0], images[:, :, -1]], axis=1)
    ground = np.median(edge, axis=1)[:, None, None].astype(np.float32)
    distance = np.abs(images.astype(np.float32) - ground)
    found: Images = np.rint(255 * distance / np.maximum(1, distance.max(axis=(1, 2), keepdims=True))).astype(np.uint8)
    return found


@functools.lru_cache(maxsize=32)
def views(face: str, first: int, count: int) -> Images:
    """Return `count` views of each letter in a typeface, letter by letter, (26 * count, 25, 25)."""
    file = typeface(face)
    drawn = (draw_view(letter, view, file) for letter in range(len(LETTERS)) for view in range(first, first + count))
    found = np.empty((len(LETTERS) * count, SIDE // CELL, SIDE // CELL), np.uint8)
    for number, image in enumerate(drawn):
        found[number] = smaller(image[None])[0]
    return found


def of_faces(faces: Sequence[str], first: int, count: int, seen_as: str) -> Split:
    """Return views of each letter in several typefaces, about `count` in total per letter, equally many per face."""
    each = max(1, count // len(faces))
    parts = [views(face, first, each) for face in faces]
    labels = np.tile(np.repeat(np.arange(len(LETTERS), dtype=np.int64), each), len(parts))
    images = np.concatenate(parts)
    return Split(as_ink(images) if seen_as == "ink" else images, labels)


def small_letters(side: int, count: int) -> Dataset:
    """Return views of the letters in ink, in Pillow's typeface, resized by the nearest pixel."""
    ink = as_ink(views(OWN, PLAIN, count))
    nearest = ((np.arange(side) + 0.5) * ink.shape[1] / side).astype(int)
    labels = np.repeat(np.arange(len(LETTERS), dtype=np.int64), count)
    images = np.ascontiguousarray(ink[:, nearest][:, :, nearest])
    return stratified_split(images, labels, LETTERS, name="letters", input_range=(0.0, 255.0), note="")
