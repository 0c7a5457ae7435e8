"""Read the pictures of a folder as one array, with one size, colour mode and range of values decided over all.

    size      as given; by default their own if they all share one of at most 64 x 64, else 32 x 32
    colour    auto: RGB if at least one picture in COLOUR_SHARE has visible colour at that size, else grey

Colour is judged by what the network will see: a pixel is coloured if its channels differ by at least COLOURED levels,
and a picture if at least one pixel in 500 is. Pictures are read one at a time, in the order given.

Shapes: images (N, H, W) uint8, or (N, 3, H, W) in colour: red, green, blue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.data.depth import ANY, Depth, Range, Ranges, check_range, guess
from genreg_np.data.fitting import AUTO, CROP, GREY, PARTS, RGB, STRETCH, Levels, Size
from genreg_np.data.images import Picture, colours_of, grey_of, read_picture
from genreg_np.errors import DataError, UsageError

LIMIT_BYTES = 2 << 30  # all pixels together
MAX_INPUT_PIXELS = 1 << 22  # of one image, as an input of a network
OWN_SIZE, SCALED_TO = 64, (32, 32)  # largest side up to which pictures of one size keep it; the size of all others
COLOUR_SHARE = 10  # if one image in this many has colour, three channels are worth it
COLOURED, MANY_COLOURED = 48, 0.002  # levels between the channels of a coloured pixel; their least share of all pixels
MOST_NAMED = 5  # unreadable pictures named in a message

Told = Callable[[int, int], None]
Pixels = tuple[Levels, Levels | None]  # grey levels, and the colours of a picture that has some


@dataclass(frozen=True)
class How:
    """How to read pictures; None for what is to be decided."""

    size: Size | None = None
    value_range: Range | None = None  # black and white for more than 8 bits
    color: str = AUTO
    fit: str = CROP
    skip_bad: bool = False  # leave out unreadable pictures
    ranges: Ranges = field(default_factory=dict)  # by kind, if files do not say


@dataclass(frozen=True)
class Pictures:
    """Pictures that were read."""

    images: Levels  # (n, H, W) or (n, 3, H, W)
    kept: list[int]  # indices of their files
    options: dict[str, Any]  # size, fit and color, as decided
    ranges: Ranges  # by kind, for more than 8 bits if files did not say
    notes: list[str]


def read_pictures(folder: Path, files: Sequence[Path], how: How, told: Told | None = None) -> Pictures:
    """Read all pictures of a folder.

    Parameters
    ----------
    folder : path
        The folder, for errors.
    files : sequence of path
    how : How
    told : callable, optional
        Called with the number of pictures read so far, and the number of all.

    Raises
    ------
    DataError
        For pictures that cannot be read, unless they are to be skipped; for too many or too large ones; and for values
        whose range cannot be determined.
    UsageError
        For a range of values where no picture has more than 8 bits.
    """
    ranges = {ANY: check_range(how.value_range)} if how.value_range else dict(how.ranges)
    reading = _Reading(folder, files, how, how.size, dict(ranges))
    if not reading.all(told):
        reading = _Reading(folder, files, how, SCALED_TO, dict(ranges))
        reading.all(told)
    kept = [index for index in range(len(files)) if index not in reading.bad]
    notes = [reading.bad_note()] if reading.bad else []
    if not kept or (reading.bad and not how.skip_bad):
        one = len(reading.bad) == 1
        raise DataError(
            f"{folder}: {notes[0]}; fix or remove {'it' if one else 'them'}"
            + (f", or leave {'it' if one else 'them'} out with --skip-bad" if kept else "")
        )
    notes = [f"left out: {note}" for note in notes]
    if how.value_range and not reading.deep:
        raise UsageError(f"{folder}: a range is for images of more than 8 bits, and none has more; leave it out")
    reading.decide_ranges()
    color = reading.decided_color(len(kept))
    notes += filter(None, [reading.size_note(), reading.colour_note(color, len(kept))])
    options = {"size": reading.size, "fit": how.fit, "color": color}
    images = reading.in_colour(kept) if color == RGB else reading.grey
    if color != RGB and reading.bad:
        images = images[kept]
    return Pictures(images, kept, options, reading.ranges if reading.deep else {}, notes)


@dataclass
class _Reading:
    """Pictures read at one size: that of the first if none is given."""

    folder: Path
    files: Sequence[Path]
    how: How
    size: Size | None
    ranges: dict[str, Range]
    grey: Levels = field(default_factory=lambda: np.empty((0, 0, 0), np.uint8))
    colours: dict[int, Levels] = field(default_factory=dict)  # (3, H, W) of those that are not grey
    coloured: int = 0  # pictures with visible colour
    deep: int = 0  # pictures of more than 8 bits
    undecided: dict[str, dict[int, Depth]] = field(default_factory=dict)  # by kind and index
    sizes: Counter[Size] = field(default_factory=Counter)
    bad: dict[int, str] = field(default_factory=dict)  # reasons, by index

    def all(self, told: Told | None) -> bool:
        """Read all pictures; return False at once if no size is given and they are large or differ in size."""
        own = self.size is None
        if self.size is not None:
            self._make_room(self.size)
        for index, file in enumerate(self.files):
            try:
                found = read_picture(file, lambda picture: self._take(picture, own), self._least(own))
            except DataError as error:
                self.bad[index] = str(error).removeprefix(f"{file}: ").partition("; ")[0]
                continue
            if found is None:
                return False
            size, levels, depth = found
            if self.size is None:
                self._make_room(size)
            self.sizes[size] += 1
            if levels is not None:
                self._keep(index, *levels)
            elif depth is not None:
                self.undecided.setdefault(depth.kind, {})[index] = depth
            self.deep += depth is not None
            if told:
                told(index + 1, len(self.files))
        return True

    def _least(self, own: bool = False) -> Size | None:
        return None if own or self.how.fit == STRETCH else self.size

    def _make_room(self, size: Size) -> None:
        self.size = size
        self._check_memory(1, len(self.files))
        self.grey = np.zeros((len(self.files), *size), np.uint8)

    def _take(self, picture: Picture, own: bool) -> tuple[Size, Pixels | None, Depth | None] | None:
        """Return a picture's size, levels (None if their range is undecided) and depth; None if its size differs."""
        if own and (max(picture.size) > OWN_SIZE or picture.size != (self.size or picture.size)):
            return None
        depth = picture.depth
        known = depth is None or depth.said or ANY in self.ranges or depth.kind in self.ranges
        return picture.size, self._levels(picture) if known else None, depth

    def _levels(self, picture: Picture) -> Pixels:
        """Return grey levels, and colours if the picture has some and they may be needed."""
        image = picture.opaque(self.ranges)
        grey = grey_of(image, self.size, self.how.fit)
        if self.how.color == GREY or image.mode in ("1", "L"):
            return grey, None
        colours = colours_of(image, self.size, self.how.fit)
        return grey, None if (colours == grey).all() else colours

    def _keep(self, index: int, grey: Levels, colours: Levels | None) -> None:
        self.grey[index] = grey
        if colours is not None:
            self.colours[index] = colours
            self.coloured += has_colour(colours)
            self._check_memory(3, len(self.colours))

    def _check_memory(self, channels: int, count: int) -> None:
        """Refuse images that are too large for a network, or take too much memory together."""
        assert self.size is not None
        height, width = self.size
        each, total = height * width > MAX_INPUT_PIXELS, count * channels * height * width > LIMIT_BYTES
        if each or total:
            limit = f"{MAX_INPUT_PIXELS:,} pixels each" if each else f"{LIMIT_BYTES:,} bytes in all"
            raise DataError(
                f"{self.folder}: {len(self.files):,} images of {height}x{width} pixels (height x width)"
                f"{' in colour' if channels > 1 else ''} are more than the limit of {limit}; scale them down, for "
                f"example with --size 32x32{', or read them with --color grey' if channels > 1 else ''}"
            )

    def decide_ranges(self) -> None:
        """Decide the range of each kind of values over all pictures that do not say it, and read these."""
        for kind, depths in self.undecided.items():
            low, high = min(depth.low for depth in depths.values()), max(depth.high for depth in depths.values())
            where = str(self.files[next(iter(depths))]) + (f" and {len(depths) - 1:,} more" if len(depths) > 1 else "")
            self.ranges[kind] = guess(where, kind, low, high)
            for index in depths:
                self._keep(index, *read_picture(self.files[index], self._levels, self._least()))

    def decided_color(self, count: int) -> str:
        """Return grey or rgb."""
        if self.how.color != AUTO:
            return self.how.color
        return RGB if self.coloured and self.coloured * COLOUR_SHARE >= count else GREY

    def in_colour(self, kept: Sequence[int]) -> Levels:
        """Return (n, 3, H, W), with equal channels for grey pictures; the stored colours are consumed."""
        assert self.size is not None
        images = np.empty((len(kept), 3, *self.size), np.uint8)
        for place, index in enumerate(kept):
            images[place] = self.colours.pop(index, self.grey[index])
        return images

    def bad_note(self) -> str:
        """Return a note on the pictures that cannot be read, and why."""
        named = [
            f"{self.files[index].relative_to(self.folder)}: {why}" for index, why in list(self.bad.items())[:MOST_NAMED]
        ]
        more = len(self.bad) - len(named)
        count = f"{len(self.bad):,} of {len(self.files):,} pictures cannot be read"
        return f"{count}: {', '.join(named)}" + (f", and {more:,} more" if more else "")

    def size_note(self) -> str:
        """Return a note on what was scaled."""
        if set(self.sizes) == {self.size}:
            return ""
        assert self.size is not None
        smallest, *_, largest = sorted(self.sizes, key=lambda size: (size[0] * size[1], size)) * 2
        spread = " to ".join(f"{height}x{width}" for height, width in dict.fromkeys([smallest, largest]))
        return (
            f"pictures of {spread} pixels (height x width) are scaled to {self.size[0]}x{self.size[1]}, "
            f"{PARTS[self.how.fit]}{'' if self.how.size else ' (--size and --fit change that)'}"
        )

    def colour_note(self, color: str, count: int) -> str:
        """Return a note on how colours were read."""
        hint = {GREY: " (--color rgb reads all in colour)", RGB: " (--color grey reads all in grey)"}
        way_out = hint[color] if self.how.color == AUTO else ""
        some = f"{self.coloured:,} of {count:,} images have colours"
        if color == GREY:
            return f"{some}, but all are read in grey{way_out}" if self.coloured else ""
        grey = count - len(self.colours)
        equal = f", {grey:,} grey {'one' if grey == 1 else 'ones'} with equal channels" if grey else ""
        return f"{some}: all are read in colour{equal}{way_out}"


def has_colour(levels: Levels) -> bool:
    """Return whether (3, H, W) levels have visible colour."""
    apart = levels.max(axis=0).astype(np.int16) - levels.min(axis=0) >= COLOURED
    return bool(np.count_nonzero(apart) >= MANY_COLOURED * apart.size)
