"""Inputs for `infer` and `export --calibrate`, read from pictures, arrays, folders and stdin.

A model trained on a folder of images knows how pictures become its inputs (the entry `picture` of its header), so any
picture is converted by the same arithmetic. For other models a picture must have the model's size, or be scaled.

Shapes: one input (H, W), (1, H, W) or (3, H, W) for a picture, the model's own for arrays.
"""

from __future__ import annotations

import io
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np import infer
from genreg_np.cli.terminal import say
from genreg_np.data.depth import ANY, Ranges
from genreg_np.data.fitting import CROP, STRETCH, Levels, Size, fitted, remembered
from genreg_np.data.walking import ending_of, files_below, not_read
from genreg_np.errors import DataError, UsageError
from genreg_np.files import open_regular

if TYPE_CHECKING:
    from PIL import Image

    from genreg_np.data.images import Picture

Inputs = list[tuple[str, NDArray[np.generic]]]  # (name, one input) each

DARK, LIGHT = 0.4, 0.6  # mean brightness of a border, 0 .. 1: dark if below DARK, light if above LIGHT
MOST_FILE_BYTES = 1 << 30  # of one file
COLOUR, DEEP, INVERTED = "colour", "more than 8 bits", "another background"
ARRAY_SUFFIXES = (".npy", ".idx", ".gz", "-ubyte")  # files taken from folders, besides images


@dataclass(frozen=True)
class Taking:
    """How images become inputs."""

    resize: bool  # scale images of another size, even if the model does not say how
    centre: bool | None  # centre and scale as MNIST did; None: if images are scaled and the model is of that kind
    invert: bool  # swap black and white
    as_is: bool  # do not check whether black and white are swapped
    range: tuple[float, float] | None  # black and white of images with more than 8 bits
    fit: str | None = None  # how images are scaled; None: as the model says, otherwise stretched
    met: set[str] = field(default_factory=set)  # which of COLOUR, DEEP and INVERTED applied to some image

    def check_range_used(self) -> None:
        """Refuse a range if no image had more than 8 bits, as for folders of a dataset."""
        if self.range and DEEP not in self.met:
            raise UsageError("--range is for images of more than 8 bits, and none of these has more: leave it out")

    def centres(self, shape: tuple[int, ...], model: infer.Model) -> bool:
        """Return whether an image of a shape is centred; one of the model's own size is not, unless requested."""
        if not self.centre and (self.centre is False or not self.resize or shape == model.input_shape):
            return False
        from genreg_np.data.centring import is_written, takes_centred

        return takes_centred(model) and (bool(self.centre) or is_written(model))

    def fit_for(self, model: infer.Model) -> str | None:
        """Return how a picture is scaled to the model's size, or None if another size is refused."""
        known = remembered(model.header)
        return self.fit or (known.fit if known else STRETCH if self.resize else None)

    def ranges_for(self, model: infer.Model) -> Ranges:
        """Return black and white of images with more than 8 bits: as given, otherwise as in the model's training."""
        if self.range:
            return {ANY: self.range}
        known = remembered(model.header)
        return known.ranges if known else {}


def files_in(path: Path) -> list[Path]:
    """Return the file, or the files of a folder and its subfolders with readable endings, sorted."""
    if not path.is_dir():
        return [path]
    from genreg_np.data.images import SUFFIXES

    endings = (*SUFFIXES, *ARRAY_SUFFIXES)
    files, links = files_below(path)
    if links:
        say(f"{path}: {links:,} {'link' if links == 1 else 'links'} to folders in it not followed", err=True)
    known = [file for file in files if file.name.lower().endswith(endings) and file.is_file()]
    others = Counter(ending_of(file) for file in files if not file.name.lower().endswith(endings))
    if not known:
        there = f", but {not_read(others)}" if others else ""
        raise DataError(f"{path}: no file in it ends in {', '.join(endings)}{there}; name the files, or another folder")
    if others:
        say(f"{path}: left out: {not_read(others)}", err=True)
    return known


def read_file(path: Path, model: infer.Model, how: Taking) -> Inputs:
    """Read one file; an array file may hold many inputs."""
    try:
        with open_regular(path) as file:
            content = file.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    return _decode(str(path), content, model, how)


def read_stdin(model: infer.Model, how: Taking) -> Inputs:
    """Read one image, or an array, from stdin."""
    try:
        content = sys.stdin.buffer.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        raise UsageError(f"stdin cannot be read ({error.strerror}): name a file, or send one image") from None
    if not content:
        raise UsageError("no image: name a file, or send one image to stdin")
    return _decode("-", content, model, how)


def _decode(name: str, content: bytes, model: infer.Model, how: Taking) -> Inputs:
    if not content:
        raise DataError(f"{name}: is empty")
    if len(content) > MOST_FILE_BYTES:
        raise DataError(f"{name}: takes more than {MOST_FILE_BYTES:,} bytes; split it")
    if content.startswith(b"\x93NUMPY"):
        return _split(name, _read_npy(name, content), model, how)
    if content[:2] == b"\x1f\x8b" or (content[:2] == b"\0\0" and content[2:3] != b"\0" and content[3:4] != b"\0"):
        from genreg_np.data.idx import parse_idx

        return _split(name, parse_idx(io.BytesIO(content), name), model, how)
    return [(name, _read_picture(name, content, model, how))]


def _read_npy(name: str, content: bytes) -> NDArray[np.generic]:
    try:
        return infer.read_npy(io.BytesIO(content), len(content), name)
    except infer.ModelError as error:
        raise DataError(str(error)) from None


def _split(name: str, array: NDArray[np.generic], model: infer.Model, how: Taking) -> Inputs:
    if array.shape == model.input_shape:
        named = [(name, array)]
    elif array.shape[1:] == model.input_shape:
        if not len(array):
            raise DataError(f"{name}: holds no inputs, but at least one is needed (its shape is {array.shape})")
        named = [(f"{name}[{index}]", one) for index, one in enumerate(array)]
    else:
        raise DataError(f"{name}: holds shape {array.shape}, but the model takes {model.input_shape} or many of it")
    return [(each, _inverted(one, model)) for each, one in named] if how.invert else named


def _inverted(one: NDArray[np.generic], model: infer.Model) -> NDArray[np.generic]:
    low, high = model.input_range or (0.0, 1.0)
    if one.dtype.kind == "f":
        return (1 - one).astype(np.float32)
    return np.asarray(low + high - one.astype(np.int64), np.int64)


def _read_picture(name: str, content: bytes, model: infer.Model, how: Taking) -> NDArray[np.generic]:
    """Return a picture as an input of the model, in the model's range."""
    from genreg_np.data.for_model import is_for_tables
    from genreg_np.data.images import decode_picture

    if model.trained("generator") is not None:
        raise DataError(
            f"{'stdin' if name == '-' else name}: is no array (.npy), and the model generates images from noise: "
            "genreg-np sample MODEL shows some"
        )
    if is_for_tables(model):
        raise DataError(
            f"{'stdin' if name == '-' else name}: is no array (.npy), and the model takes rows of a table: tables are "
            "read from files that end in .csv or .tsv, compressed or not; name such a file"
        )
    if len(model.input_shape) < 2 or model.input_shape[:-2] not in ((), (1,), (3,)) or not model.input_range:
        raise DataError(
            f"{name}: is a picture, but the model takes arrays {model.input_shape}: "
            "send them as .npy, as in np.save('one.npy', array)"
        )
    shape, fit = (model.input_shape[-2], model.input_shape[-1]), how.fit_for(model)
    least = shape if fit not in (None, STRETCH) and remembered(model.header) and not how.centres((), model) else None
    levels, centred = decode_picture(io.BytesIO(content), name, lambda picture: _levels(picture, model, how), least)
    if levels.shape[-2:] != shape:
        raise DataError(
            f"{name}: is {levels.shape[-2]}x{levels.shape[-1]} pixels (height x width), but the model takes "
            f"{shape[0]}x{shape[1]}: add --resize to scale it"
        )
    one: NDArray[np.generic] = levels.reshape(model.input_shape)
    if centred:
        return one
    if model.input_range != (0.0, 255.0):
        one = one.astype(np.float32) / np.float32(255)
    return _inverted(one, model) if how.invert else one


def _levels(picture: Picture, model: infer.Model, how: Taking) -> tuple[Levels, bool]:
    """Return a picture's levels, at the model's size if scaling is allowed, and whether they are centred."""
    from genreg_np.data.images import colours_of, grey_of

    shape, fit = (model.input_shape[-2], model.input_shape[-1]), how.fit_for(model)
    if picture.depth is not None:
        how.met.add(DEEP)
    image = picture.opaque(how.ranges_for(model))
    if model.input_shape[:-2] == (3,):  # colour images have no known background: see docs/data.md
        return colours_of(image, shape if fit else None, fit or CROP), False
    _say_colours(picture, image, shape, how)
    if how.centres(picture.size, model):
        return _centred(picture.where, grey_of(image, None, CROP), model, how), True
    if remembered(model.header):
        levels = grey_of(image, shape, fit or CROP)
        _check_polarity(picture.where, levels, model, how)
        return levels, False
    whole = grey_of(image, None, CROP)
    if not fit and whole.shape != shape:
        return whole, False
    _check_polarity(picture.where, whole, model, how)
    return fitted(whole, shape, fit or CROP), False


def _say_colours(picture: Picture, image: Image.Image, shape: Size, how: Taking) -> None:
    """Warn once that colours are lost."""
    from genreg_np.data.images import colours_of
    from genreg_np.data.pictures import has_colour

    if COLOUR not in how.met and image.mode not in ("1", "L") and has_colour(colours_of(image, shape, CROP)):
        how.met.add(COLOUR)
        say(f"{picture.where}: colours are taken in grey, as the model was trained on grey images", err=True)


def _centred(name: str, whole: Levels, model: infer.Model, how: Taking) -> Levels:
    from genreg_np.data.centring import centred

    _check_polarity(name, whole, model, how)
    found = centred(255 - whole if how.invert else whole)
    if found is None:
        raise DataError(f"{name}: is blank, so there is nothing to centre; add --no-centre to take it as it is")
    return found


def _check_polarity(name: str, levels: Levels, model: infer.Model, how: Taking) -> None:
    """Refuse a grey image with a light border if the training images' (`background`, 0 .. 1) was dark, or vice versa.

    Photographs may have any background: for them this is only a warning, given once.
    """
    from genreg_np.data.centring import border_mean, is_written

    background: Any = model.trained("background")
    if how.invert or how.as_is or type(background) not in (int, float):
        return
    border = border_mean(levels, (model.input_shape[-2], model.input_shape[-1]))
    if (background < DARK and border > LIGHT) or (background > LIGHT and border < DARK):
        seen, usual = ("light", "dark") if border > LIGHT else ("dark", "light")
        if remembered(model.header) and not is_written(model):
            if INVERTED not in how.met:
                how.met.add(INVERTED)
                say(
                    f"{name}: its border is {seen}, those of the training images were mostly {usual}; add --invert if "
                    "black and white should be swapped",
                    err=True,
                )
            return
        raise DataError(
            f"{name}: looks inverted: its border is {seen}, that of the training images was {usual}; "
            "add --invert to swap black and white, or --as-is to take it as it is"
        )
