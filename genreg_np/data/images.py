"""Read one image file as one array, grey or in colour, safely.

    grey = 0.299 R + 0.587 G + 0.114 B      (first frame; more than 8 bits to 8 by depth.py; to a size by fitting.py)

Transparent parts are put on white, or on black if most of the strokes could hardly be seen on white. A picture in which
nothing can be seen on either is refused as empty. An opaque picture of one colour is accepted, since a dataset may
contain blank images.

Image files are not trusted: only regular files are opened, only formats decoded by Pillow itself, the size is checked
before the pixels are decoded (1.2 GB for the largest), and any error of a decoder becomes a one-line message that
names the file.

A large JPEG file is decoded at a half, a quarter or an eighth of its size, which the format makes fast, as long as
COARSE times as many pixels as needed remain along each side: each is the mean of 2 x 2, 4 x 4 or 8 x 8.

Shapes: grey image (H, W) uint8; colours (3, H, W) uint8, red, green and blue.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.data import depth
from genreg_np.data.depth import ANY, Depth, Range, Ranges
from genreg_np.data.fitting import MAX_PIXELS, STRETCH, Levels, Size, check_pixels, fitted, stretched
from genreg_np.data.idx import PathLike
from genreg_np.errors import DataError, UsageError, missing_extra
from genreg_np.files import open_regular

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")
MAX_SIDE = 4096  # of a requested size
LEAST_CONTRAST = 32  # grey levels between strokes and background, below which strokes can hardly be seen
LEAST_SEEN = 0.1  # of all strokes, by opacity: if less is visible on white, a transparent picture is tried on black
COARSE = 8  # times as many pixels along each side as needed
ORIENTATION = 0x0112  # EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # EXIF orientations that swap height and width

T = TypeVar("T")


def parse_size(text: str) -> Size:
    """Parse a size such as 28x28.

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


@dataclass(frozen=True)
class Picture:
    """A decoded, upright image, not yet converted to levels: the range of values may depend on many images."""

    where: str  # its name in errors
    size: Size  # of the file, upright; the decoded image may be smaller
    image: Image.Image = field(repr=False)
    depth: Depth | None  # None for 8 bits and fewer
    values: NDArray[Any] | None = field(repr=False)  # (H, W), of more than 8 bits in one channel
    inverted: bool = False  # 0 is white

    def opaque(self, ranges: Ranges) -> Image.Image:
        """Return an image of 8 bits without transparent parts, in any mode that can be converted to grey or RGB.

        Parameters
        ----------
        ranges : mapping
            Black and white for more than 8 bits, if the file does not say.

        Raises
        ------
        DataError
            If the range cannot be determined, or nothing can be seen in a transparent picture.
        """
        from PIL import Image

        image = self.image
        decided = self.depth.decide(self.where, ranges) if self.depth else None
        if self.values is not None and decided is not None:
            scaled = depth.to_grey(self.values, decided)
            return Image.fromarray(255 - scaled if self.inverted else scaled)
        if image.has_transparency_data:
            return _on_ground(image, self.where)
        return image.convert("RGB") if image.mode == "LAB" else image

    def levels(self, size: Size | None, fit: str, colour: bool, ranges: Ranges) -> Levels:
        """Return grey levels (H, W), or colours (3, H, W), fitted to a size, or unscaled for None.

        Raises
        ------
        DataError
            As `opaque`.
        """
        image = self.opaque(ranges)
        return colours_of(image, size, fit) if colour else grey_of(image, size, fit)


def grey_of(image: Image.Image, size: Size | None, fit: str) -> Levels:
    """Return an opaque image's grey levels, (H, W) uint8, fitted to a size, or unscaled for None."""
    return _fitted(image.convert("L"), size, fit)


def colours_of(image: Image.Image, size: Size | None, fit: str) -> Levels:
    """Return an opaque image's red, green and blue, (3, H, W) uint8, fitted to a size, or unscaled for None."""
    return np.ascontiguousarray(_fitted(image.convert("RGB"), size, fit).transpose(2, 0, 1))


def _fitted(image: Image.Image, size: Size | None, fit: str) -> Levels:
    """Return an image's levels at a size; stretching needs no array of all its pixels."""
    if size is not None and fit == STRETCH:
        return np.array(stretched(image, size), np.uint8)
    levels = np.array(image, np.uint8)
    return levels if size is None else fitted(levels, size, fit)


def read_image(path: PathLike, size: Size | None = None, value_range: Range | None = None) -> NDArray[np.uint8]:
    """Read an image file as grey levels.

    Parameters
    ----------
    path : path-like
        PNG, JPEG, BMP, GIF, TIFF, WebP, PGM or PPM.
    size : tuple of int, optional
        Height and width to stretch to (bilinear, averaging when shrinking).
    value_range : tuple of float, optional
        Black and white of an image of more than 8 bits; by default read from the file or guessed.

    Returns
    -------
    ndarray
        (H, W) uint8.

    Raises
    ------
    DataError
        For a file that is missing, not regular, empty, damaged, not an image, larger than MAX_PIXELS, or with values
        whose range cannot be determined.
    MissingExtraError
        Without Pillow.
    """
    ranges = {ANY: value_range} if value_range else {}
    return read_picture(path, lambda picture: picture.levels(size, STRETCH, False, ranges))


def read_picture(path: PathLike, use: Callable[[Picture], T], least: Size | None = None) -> T:
    """Decode an image file and return the result of `use`: `read_image` for callers that need more than grey levels.

    Parameters
    ----------
    path : path-like
    use : callable
        Called with the Picture while it is open.
    least : tuple of int, optional
        Height and width to which it will be reduced by averaging areas: a file of many times as many pixels is decoded
        at a smaller size. By default all pixels are decoded.

    Raises
    ------
    DataError, MissingExtraError
        As `read_image`.
    """
    try:
        with open_regular(path) as file:
            return decode_picture(file, path, use, least)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the name") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'I/O error'}); check the file") from None


def decode_image(
    raw: BinaryIO, where: PathLike, size: Size | None = None, value_range: Range | None = None
) -> NDArray[np.uint8]:
    """Read an image from an open, seekable stream as grey levels: `read_image` for bytes in memory.

    Parameters
    ----------
    raw : binary file
        Positioned at its start.
    where : path-like
        Its name in errors.
    size, value_range
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
    ranges = {ANY: value_range} if value_range else {}
    return decode_picture(raw, where, lambda picture: picture.levels(size, STRETCH, False, ranges))


def decode_picture(raw: BinaryIO, where: PathLike, use: Callable[[Picture], T], least: Size | None = None) -> T:
    """Decode an image from an open stream and return the result of `use`: `read_picture` for bytes in memory.

    Raises
    ------
    DataError, MissingExtraError
        As `read_image`; decoders may raise on opening as well as in `use`.
    """
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise missing_extra("pillow", "images", "read images") from None
    log = logging.getLogger("PIL")
    if not log.handlers:  # else Pillow's log of damaged files would be printed besides our own message
        log.addHandler(logging.NullHandler())
    try:
        if not raw.read(1):
            raise DataError(f"{where}: the file is empty; remove or replace it")
        raw.seek(0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning, and decoders' warnings about odd metadata
            with Image.open(raw, formats=FORMATS) as image:
                check_pixels(where, (image.height, image.width))
                return use(_picture(image, raw, str(where), least))
    except DataError:
        raise
    except UnidentifiedImageError:
        raise DataError(
            f"{where}: not an image of a known format ({', '.join(FORMATS)}); remove or replace it"
        ) from None
    except Image.DecompressionBombError:
        raise DataError(f"{where}: more than {MAX_PIXELS:,} pixels are not unpacked; scale it down first") from None
    except Exception as error:  # decoders may raise almost anything for damaged bytes
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        raise DataError(f"{where}: damaged or unreadable image ({reason}); remove or replace it") from None


def _picture(image: Image.Image, raw: BinaryIO, where: str, least: Size | None) -> Picture:
    """Decode an opened image, at a smaller size if only `least` of far more pixels are needed."""
    from PIL import ImageOps

    whole = None
    if least and image.format == "JPEG":
        whole = image.size if image.getexif().get(ORIENTATION) in SIDEWAYS else (image.height, image.width)
        image.draft(None, (COARSE * max(least), COARSE * max(least)))
    bits = depth.bits_said(image, raw)
    kind, white = image.format, image.format == "TIFF" and image.tag_v2.get(262) == 0  # type: ignore[attr-defined]
    ImageOps.exif_transpose(image, in_place=True)
    size = whole or (image.height, image.width)
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image)
        return Picture(where, size, image, depth.measure(where, image.mode, kind, bits, values), values, white)
    if bits is not None and not (kind == "PPM" and bits < 16):  # Pillow keeps the upper 8 bits, but scales other PPMs
        low, high = np.array(image.getextrema(), float).reshape(-1, 2)[:3].T
        return Picture(where, size, image, Depth(depth.COLOUR, 257 * low.min(), 257 * high.max(), None), None)
    return Picture(where, size, image, None, None)


def _on_ground(image: Image.Image, where: str) -> Image.Image:
    """Put a picture with transparent parts on white, or on black if little of it can be seen on white."""
    from PIL import Image

    image = image.convert("RGBA")
    opacity = np.asarray(image.getchannel("A"))
    drawn = []
    for level in (255, 0):
        ground = Image.new("RGBA", image.size, (level, level, level, 255))
        laid = Image.alpha_composite(ground, image)
        grey = laid.convert("L")
        darkest, lightest = grey.getextrema()
        contrast = int(lightest) - int(darkest)  # type: ignore[arg-type]
        levels = np.asarray(grey)
        visible = levels <= level - LEAST_CONTRAST if level else levels >= LEAST_CONTRAST
        seen = int(np.sum(opacity, where=visible, dtype=np.int64)) / max(1, int(np.sum(opacity, dtype=np.int64)))
        if level and ((contrast >= LEAST_CONTRAST and seen >= LEAST_SEEN) or opacity.min() == 255):
            return laid
        drawn.append((contrast > 0, seen, contrast, laid))
    shown, *_, laid = max(drawn, key=lambda entry: entry[:3])
    if not shown:
        raise DataError(f"{where}: an empty picture: transparent, with nothing visible in it; remove or replace it")
    return laid
