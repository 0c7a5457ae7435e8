"""A contact sheet: one picture that shows what a dataset looks like.

Each class has a row with its name and its first samples of the split. Small images are enlarged by whole factors
without smoothing, so that pixels stay visible; the dataset's input range is mapped to black .. white.

Shapes: image inputs (N, H, W), (N, H, W, 1) or, in colour, (N, 3, H, W).
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset
from genreg_np.data.depth import to_grey
from genreg_np.data.fitting import MAX_PIXELS
from genreg_np.data.idx import PathLike
from genreg_np.data.labels import short_name
from genreg_np.errors import DataError, UsageError, missing_extra
from genreg_np.files import write_atomic

TILE = 56  # pixels: smaller images are enlarged
GAP = 3  # pixels between images
MARGIN = 12  # pixels
FONT_SIZE = 16  # pixels
PAPER, INK, EMPTY = "#ffffff", "#1e1e1e", "#e1e1e1"


def contact_sheet(dataset: Dataset, split: str, path: PathLike, per_class: int = 10) -> None:
    """Write a PNG with a row of samples for each class.

    Parameters
    ----------
    dataset : Dataset
        With image inputs.
    split : str
        train, validation or test.
    path : path-like
        The PNG to write.
    per_class : int
        Samples in a row, 1 to 100; a class with fewer shows all of them.

    Raises
    ------
    DataError
        For inputs that are not images, an unknown split, a sheet of more than MAX_PIXELS, or a path that cannot be
        written to.
    UsageError
        For a per_class out of range.
    MissingExtraError
        Without Pillow.
    """
    if not 1 <= per_class <= 100:
        raise UsageError(f"per_class = {per_class}: must be 1 to 100")
    inputs, labels = _images(dataset, split), dataset.split(split).labels
    try:
        from PIL import Image, ImageDraw, ImageFont

        font = ImageFont.load_default(FONT_SIZE)
    except ImportError:
        raise missing_extra("pillow", "images", "draw a contact sheet") from None
    enlarge = max(1, -(-TILE // max(inputs.shape[1:3])))
    height, width = (enlarge * side for side in inputs.shape[1:3])
    class_count = len(dataset.class_names)
    columns = min(per_class, int(np.bincount(labels, minlength=1).max()))
    title = f"{short_name(dataset.name)}, {split}: {len(labels):,} samples, {class_count} classes"
    top = 2 * MARGIN + FONT_SIZE
    row_height = max(height, FONT_SIZE + 4) + GAP
    size = (
        max(columns * (width + GAP), int(font.getlength(title)) + MARGIN) + MARGIN,
        top + class_count * row_height + MARGIN,
    )
    _check_size(dataset, size)  # before many names are measured
    names = [short_name(name) for name in dataset.class_names]
    gutter = int(max(font.getlength(name) for name in names)) + 2 * MARGIN
    size = (max(size[0], gutter + columns * (width + GAP) + MARGIN), size[1])
    _check_size(dataset, size)
    low, high = dataset.input_range or (float(inputs.min(initial=0)), float(inputs.max(initial=1)))
    sheet = Image.new("L" if inputs.ndim == 3 else "RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, INK, font)
    for row, name in enumerate(names):
        y = top + row * row_height
        draw.text((gutter - MARGIN, y + height // 2), name, INK, font, anchor="rm")
        members = np.flatnonzero(labels == row)[:per_class]
        for place in range(columns):
            x = gutter + place * (width + GAP)
            if place < len(members):
                tile = to_grey(inputs[members[place]], (low, high)).repeat(enlarge, axis=0).repeat(enlarge, axis=1)
                sheet.paste(Image.fromarray(tile), (x, y))
            else:
                draw.rectangle((x, y, x + width - 1, y + height - 1), outline=EMPTY)
    content = io.BytesIO()
    sheet.save(content, "PNG")
    try:
        write_atomic(Path(path), content.getvalue())
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); name another file") from None


def _check_size(dataset: Dataset, size: tuple[int, int]) -> None:
    """Refuse a sheet of too many pixels; size is width, height."""
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(
            f"{dataset.name}: a sheet of {size[1]:,}x{size[0]:,} pixels, more than {MAX_PIXELS:,}: show fewer per "
            "class, or scale images down with --size"
        )


def _images(dataset: Dataset, split: str) -> NDArray[np.generic]:
    """Return the inputs of a split, (N, H, W) or (N, H, W, 3)."""
    inputs = dataset.split(split).inputs
    if inputs.ndim == 4 and inputs.shape[3] == 1:
        inputs = inputs[..., 0]
    elif inputs.ndim == 4 and inputs.shape[1] == 3:
        inputs = inputs.transpose(0, 2, 3, 1)
    if inputs.ndim != 3 and inputs.shape[3:] != (3,):
        shape = "x".join(map(str, dataset.input_shape))
        raise DataError(
            f"{dataset.name}: inputs of shape {shape} are not images, grey or of three colours; only those can be shown"
        )
    return inputs
