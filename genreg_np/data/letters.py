"""The alphabet: 26 rendered capital letters, as used by the seed, or many varied views of each.

Plain: white on black, 100x100, font size 64, the glyph's box centred at (50, 50); the same 26 images are train,
validation and test. With V > 1 views, each is drawn from Stream(0) by (view, letter), so that view v does not depend on
V:

    size      = max(16, floor(64 u)),  u ~ U(0.5, 1.5)
    rotation  ~ U(-25, 25) degrees;  offset ~ integer U[-15, 15] pixels on each axis
    ink       = white or black;  background ~ integer U[0, 255]^3 with |luminance - ink| >= 100
    luminance = 0.299 R + 0.587 G + 0.114 B;  grey = (R + G + B) / 3

Source: the seed's alphabet environment (its variations are views in one font, not typefaces). The font is Pillow's
built-in one, so that every machine draws the same letters.

Shapes: images (N, 100, 100) uint8, labels (N,) int64 in 0 .. 25.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.built_in import BuiltIn
from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.splits import stratified_split
from genreg_np.errors import UsageError, missing_extra
from genreg_np.streams import Purpose, Stream

if TYPE_CHECKING:
    from PIL import Image

LETTERS = tuple(string.ascii_uppercase)
SIDE = 100  # pixels
FONT_SIZE = 64  # pixels
SMALLEST_FONT = 16  # pixels
MAX_ROTATION = 25.0  # degrees
MAX_OFFSET = 15  # pixels
MIN_CONTRAST = 100.0  # luminance, 0 .. 255
BACKGROUND_TRIES = 32  # one in three fails; all 32 failing is not to be expected
MAX_VARIATIONS = 4096  # 1 GB of images
NOTE = "the same 26 images are train, validation and test: accuracies are on letters seen in training"


def load_letters(variations: int = 1) -> Dataset:
    """Render the alphabet.

    Parameters
    ----------
    variations : int
        1: the 26 plain letters, with three identical splits. 3 .. 4096: this many views per letter, split 70/15/15.

    Returns
    -------
    Dataset
        Images (N, 100, 100) uint8.

    Raises
    ------
    UsageError
        For another number of variations.
    MissingExtraError
        Without Pillow.
    """
    if variations == 1:
        plain = Split(np.stack([draw_letter(letter) for letter in LETTERS]), np.arange(len(LETTERS), dtype=np.int64))
        return Dataset("letters", plain, plain, plain, LETTERS, note=NOTE)
    if not 3 <= variations <= MAX_VARIATIONS:
        raise UsageError(
            f"variations = {variations}: must be 1 (plain letters) or 3 to {MAX_VARIATIONS} (views per letter, "
            "enough for one in each split)"
        )
    views = [draw_view(letter, view) for letter in range(len(LETTERS)) for view in range(variations)]
    labels = np.repeat(np.arange(len(LETTERS), dtype=np.int64), variations)
    return stratified_split(
        np.stack(views),
        labels,
        LETTERS,
        name="letters",
        input_range=(0.0, 255.0),
        note=f"{variations} views per letter, one font",
    )


# deviation: letters
def draw_letter(letter: str, size: int = FONT_SIZE) -> NDArray[np.uint8]:
    """Draw one letter in white on black, with its box centred.

    Parameters
    ----------
    letter : str
        One character.
    size : int
        Font size in pixels.

    Returns
    -------
    ndarray
        (100, 100) uint8.
    """
    return np.asarray(_glyph(letter, size), np.uint8)


def _glyph(letter: str, size: int, typeface: str | None = None) -> Image.Image:
    """Return the coverage of one letter, white on black, as an image of mode L."""
    try:
        from PIL import Image, ImageDraw, ImageFont

        font = ImageFont.truetype(typeface, size) if typeface else ImageFont.load_default(size)
    except ImportError:  # Pillow, or the FreeType in it
        raise missing_extra("pillow", "images", "draw the letters dataset") from None
    drawn = Image.new("L", (3 * size, 3 * size))
    ImageDraw.Draw(drawn).text((size, size), letter, fill=255, font=font)
    glyph = drawn.crop(drawn.getbbox())  # the box of the ink: the font's own includes its bearings
    image = Image.new("L", (SIDE, SIDE))
    image.paste(glyph, ((SIDE - glyph.width) // 2, (SIDE - glyph.height) // 2))
    return image


def draw_view(letter: int, view: int, typeface: str | None = None) -> NDArray[np.uint8]:
    """Draw one varied view of a letter.

    Parameters
    ----------
    letter : int
        0 (A) .. 25 (Z).
    view : int
        Which view, 0 .. 2**32 - 1.
    typeface : str, optional
        The font file; by default Pillow's own.

    Returns
    -------
    ndarray
        (100, 100) uint8; large letters may be cut off by the edge, as in the seed.
    """
    from PIL import Image

    draws = Stream(0).uniform(Purpose.LETTERS, view, letter, 5 + 3 * BACKGROUND_TRIES)
    size = max(SMALLEST_FONT, int(FONT_SIZE * (0.5 + draws[0])))
    rotation = MAX_ROTATION * (2.0 * draws[1] - 1.0)
    right, down = (int((2 * MAX_OFFSET + 1) * draw) - MAX_OFFSET for draw in draws[2:4])
    ink = 255.0 if draws[4] < 0.5 else 0.0
    colours = np.floor(256.0 * draws[5:].reshape(-1, 3))
    luminance = colours @ np.array([0.299, 0.587, 0.114])
    fitting = np.flatnonzero(np.abs(luminance - ink) >= MIN_CONTRAST)
    background = float(colours[fitting[0]].mean()) if len(fitting) else 255.0 - ink
    turned = _glyph(LETTERS[letter], size, typeface).rotate(
        rotation, Image.Resampling.BILINEAR, translate=(right, down), fillcolor=0
    )
    coverage = np.asarray(turned, np.float64) / 255.0
    return np.rint(background + coverage * (ink - background)).astype(np.uint8)


ALPHABET = BuiltIn("the alphabet rendered, 100x100, plain or varied", load_letters, "PIL", "pillow", "images")
