"""Images of more than 8 bits: find their range of values from the file, or else from the values.

    grey = 255 (value - low) / (high - low)

TIFF gives the bits per sample, PGM the largest value, PNG (sBIT) the number of significant bits of 16. Otherwise, 16
bits range over 0 .. 65535 if values use them; values that would fit in 8, 10, 12 or 14 bits may come from such a camera
or just be dark, and are refused unless the user gives the range. Floats in 0 .. 1 have that range. With many images,
the decision is made over all of them, so that a dark one among others is not ambiguous.

Shapes: values (H, W) of any type, grey (H, W) uint8.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError, UsageError

if TYPE_CHECKING:
    from PIL import Image

Range = tuple[float, float]  # low, high: black and white
Ranges = Mapping[str, Range]  # by kind; ANY is the user's choice and overrides all others

ANY = "any"
SIXTEEN, COLOUR, WHOLE, FLOATS = "16 bits", "16 bits a colour", "32 bits", "floats"
FULL = (0.0, 65535.0)
CAMERA_BITS = (8, 10, 12, 14)
BLOCK_PIXELS = 1 << 20  # scaled at a time
PNG_HEADER_BYTES = 33
MOST_CHUNKS = 64  # of a PNG, searched before its pixels
PGM = re.compile(rb"P[2356](?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+\d+(?:\s+|#[^\n]*\n)+(\d+)")


@dataclass(frozen=True)
class Depth:
    """What is known about the values of an image of more than 8 bits."""

    kind: str  # SIXTEEN, COLOUR (of which only the upper 8 bits are left), WHOLE or FLOATS
    low: float  # smallest value
    high: float  # largest value
    said: Range | None  # given by the file

    def decide(self, where: str, ranges: Ranges) -> Range:
        """Return black and white as given by the user, else by the file, else for the kind, else guessed.

        Raises
        ------
        DataError
            If the range cannot be determined.
        """
        if self.kind == COLOUR and ranges.get(ANY, FULL) != FULL:
            raise _lost(where)
        return ranges.get(ANY) or self.said or ranges.get(self.kind) or guess(where, self.kind, self.low, self.high)


def _lost(where: str) -> DataError:
    """Return the error for colours of which too few bits can be read."""
    return DataError(f"{where}: of 16 bits per colour only the upper 8 can be read, too few here; convert it to 8 bits")


def check_range(value_range: Range) -> Range:
    """Check and return a range given by the user.

    Raises
    ------
    UsageError
        Unless low is less than high and both are finite.
    """
    low, high = value_range
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise UsageError(f"range {low:g} {high:g}: must be two numbers, the first less than the second")
    return float(low), float(high)


def guess(where: str, kind: str, low: float, high: float) -> Range:
    """Guess the range of values that lie between `low` and `high`, if no file gives it.

    Raises
    ------
    DataError
        If it is ambiguous; the message names --range.
    """
    if low >= 0:
        if high == 0 or (kind == FLOATS and high <= 1):
            return (0.0, 1.0) if kind == FLOATS else FULL
        if kind in (WHOLE, FLOATS) and 128 <= high <= 255:
            return 0.0, 255.0
        if kind != FLOATS and 2 ** CAMERA_BITS[-1] <= high <= FULL[1]:
            return FULL
    if kind == COLOUR:
        raise _lost(where)
    fitting = [bits for bits in CAMERA_BITS if high < 2**bits]
    usual = f"--range 0 {2 ** fitting[0] - 1}" if fitting and low >= 0 else f"--range {low:g} {high:g}"
    raise DataError(
        f"{where}: values from {low:g} to {high:g} in {kind}, and nothing says which is white: pass --range LOW HIGH, "
        f"for example {usual}"
    )


def to_grey(values: NDArray[Any], value_range: Range) -> NDArray[np.uint8]:
    """Scale values to grey levels; values outside the range become black or white."""
    low, high = value_range
    grey = np.empty(values.shape, np.uint8)
    rows = max(1, BLOCK_PIXELS // max(1, values.shape[1]))
    for start in range(0, len(values), rows):
        scaled = (values[start : start + rows].astype(np.float64) - low) / ((high - low) / 255.0)
        grey[start : start + rows] = np.clip(np.rint(scaled), 0, 255)
    return grey


def bits_said(image: Image.Image, raw: BinaryIO) -> int | None:
    """Return the bits per sample of an opened image according to its file; None if at most 8 or not given.

    Parameters
    ----------
    image : PIL.Image.Image
        Opened, not yet decoded.
    raw : binary file
        The file it was opened from; its position is preserved.
    """
    place = raw.tell()
    raw.seek(0)
    try:
        if image.format == "PNG":
            return _png_bits(raw)
        if image.format == "PPM":
            found = PGM.match(raw.read(4096))
            return int(found[1]).bit_length() if found and int(found[1]) > 255 else None
        if image.format == "TIFF":
            bits = image.tag_v2.get(258, (1,))  # type: ignore[attr-defined]
            return max(bits) if max(bits) > 8 else None
        return None
    finally:
        raw.seek(place)


def _png_bits(raw: BinaryIO) -> int | None:
    """Return the significant bits of a PNG of 16 bits: from its sBIT chunk, or 16."""
    if raw.read(PNG_HEADER_BYTES)[24:25] != b"\x10":
        return None
    for _ in range(MOST_CHUNKS):
        head = raw.read(8)
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            break
        (length,) = struct.unpack(">I", head[:4])
        if head[4:] == b"sBIT" and 1 <= length <= 4:
            return max(raw.read(length))
        raw.seek(length + 4, 1)
    return 16


def measure(where: str, mode: str, file_format: str | None, bits: int | None, values: NDArray[Any]) -> Depth:
    """Return what is known about the values of a decoded image of one channel and more than 8 bits.

    Parameters
    ----------
    where : str
        Its name in errors.
    mode, file_format : str
        As Pillow reports them.
    bits : int or None
        From `bits_said`.
    values : (H, W) ndarray
        Its pixels.

    Raises
    ------
    DataError
        For values that are not finite.
    """
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"{where}: NaN or infinite values; replace them")
    if mode == "F":
        return Depth(FLOATS, low, high, None)
    kind = WHOLE if mode == "I" and file_format == "TIFF" else SIXTEEN
    said: Range | None = None
    if bits is not None and bits < 16:
        if file_format == "TIFF":
            said = 0.0, float(2**bits - 1)
        elif file_format == "PPM":
            said = FULL  # Pillow has scaled them
        elif bits >= 8:
            said = FULL if _fills_sixteen(values, bits, high) else (0.0, float(2**bits - 1))
    return Depth(kind, low, high, said)


def _fills_sixteen(values: NDArray[Any], bits: int, high: float) -> bool:
    """Return whether values with this many significant bits were shifted to fill 16, as PNG requires."""
    if high >= 2**bits:
        return True
    whole = values.astype(np.int64)
    upper = whole >> (16 - bits)
    return bool((whole == upper << (16 - bits)).all())
