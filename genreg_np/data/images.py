"""One image file to one grey array, safely.

    grey = 0.299 R + 0.587 G + 0.114 B      (transparent parts on white, 16-bit samples to 8 bits, first frame)

Image files come from anywhere: only formats decoded by Pillow itself are opened, the size is looked at before the
pixels are unpacked, and whatever a decoder raises ends as one line that names the file.

Shapes: image (H, W) uint8.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.idx import PathLike
from genreg_np.errors import DataError, UsageError, missing_extra

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MAX_PIXELS = 1 << 26  # of one file, about 8192 x 8192
MAX_SIDE = 4096  # of a requested size

Size = tuple[int, int]  # height, width


def parse_size(text: str) -> Size:
    """Read a size such as 28x28.

    Parameters
    ----------
    text : str
        HxW in pixels, 1 to 4096 each.

    Returns
    -------
    tuple of int
        Height and width.

    Raises
    ------
    UsageError
        For anything else.
    """
    match = re.fullmatch(r"([0-9]{1,4})[xX]([0-9]{1,4})", text.strip())
    if not match or not all(1 <= int(side) <= MAX_SIDE for side in match.groups()):
        raise UsageError(f"size {text!r}: must be HEIGHTxWIDTH, 1 to {MAX_SIDE} pixels each, for example 28x28")
    return int(match[1]), int(match[2])


def read_image(path: PathLike, size: Size | None = None) -> NDArray[np.uint8]:
    """Read an image file as grey levels.

    Parameters
    ----------
    path : path-like
        PNG, JPEG, BMP, GIF, TIFF, WebP, PGM or PPM.
    size : tuple of int, optional
        Height and width to scale to (bilinear, averaging when it shrinks).

    Returns
    -------
    ndarray
        (H, W) uint8.

    Raises
    ------
    DataError
        For a file that is missing, empty, damaged, no image, or larger than MAX_PIXELS.
    MissingExtraError
        Without Pillow.
    """
    try:
        with open(path, "rb") as file:
            return decode_image(file, path, size)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'I/O error'}); check the file") from None


def decode_image(raw: BinaryIO, where: PathLike, size: Size | None = None) -> NDArray[np.uint8]:
    """Read an image from an open, seekable stream as grey levels: `read_image` for bytes not on a disk.

    Parameters
    ----------
    raw : binary file
        Positioned at its start.
    where : path-like
        What the errors call it.
    size : tuple of int, optional
        As for `read_image`.

    Returns
    -------
    ndarray
        (H, W) uint8.

    Raises
    ------
    DataError, MissingExtraError
        As `read_image`.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise missing_extra("pillow", "images", "read images") from None
    try:
        if not raw.read(1):
            raise DataError(f"{where}: the file is empty; remove or replace it")
        raw.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's own bomb warning, and what decoders say of odd metadata
            with Image.open(raw, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise DataError(
                        f"{where}: {image.height}x{image.width} pixels, more than {MAX_PIXELS:,} are not unpacked; "
                        "scale it down first"
                    )
                return _grey(image, size)
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(
            f"{where}: not an image of a known format ({', '.join(FORMATS)}); remove or replace it"
        ) from None
    except Image.DecompressionBombError:
        raise DataError(f"{where}: more than {MAX_PIXELS:,} pixels are not unpacked; scale it down first") from None
    except Exception as error:  # decoders of damaged bytes raise almost anything
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{where}: damaged or unreadable image ({reason}); remove or replace it") from None


def _grey(image: Image.Image, size: Size | None) -> NDArray[np.uint8]:
    """Decode an opened image."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float64)
        # 16-bit samples come as I;16, from some versions as I; convert("L") would cut them off at 255.
        if image.mode != "F" and (image.mode != "I" or values.max(initial=0.0) > 255.0):
            values = values / 257.0
        image = Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    levels = np.array(image.convert("L"), np.uint8)
    return levels if size is None else resized(levels, size)


def resized(levels: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return a grey image scaled to a height and width, (H, W) uint8: bilinear, averaging when it shrinks."""
    from PIL import Image

    if levels.shape == size:
        return levels
    return np.array(Image.fromarray(levels).resize((size[1], size[0]), Image.Resampling.BILINEAR), np.uint8)
