"""A folder of images, one subfolder for each class.

    DIR/cat/1.png  DIR/cat/sub/2.png  DIR/dog/1.png ...             split 70/15/15 by class
    DIR/train/cat/1.png ...  DIR/test/cat/1.png ...                 given splits; what is missing is held out of train

Folders inside a class folder belong to the class. What is left out, hidden files excepted, is counted and said.

Shapes: images (N, H, W) uint8, all of one size (or scaled to one), labels (N,) int64.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.depth import Depth, Range, check_range, guess
from genreg_np.data.images import SUFFIXES, Picture, Size, read_image, read_picture
from genreg_np.data.labels import class_order, encode_labels
from genreg_np.data.splits import complete_splits
from genreg_np.errors import DataError, UsageError

LIMIT_BYTES = 2 << 30  # all pixels together
MAX_INPUT_PIXELS = 1 << 22  # of one image as a network takes it
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
HIDDEN_FOLDERS = ("__MACOSX", "__pycache__")  # besides those whose names begin with a dot
COLOUR_SHARE = 10  # one image in so many has colour: worth a word


@dataclass
class _LeftOut:
    """What is passed over in a folder."""

    loose: int = 0  # images outside class folders
    endings: Counter[str] = field(default_factory=Counter)  # of files that are no images read here
    links: int = 0  # to folders, which may lead back here
    notes: list[str] = field(default_factory=list)

    def note(self) -> str:
        """Return all of it in one line."""
        kinds = ", ".join(f"{count:,} {ending or 'without ending'}" for ending, count in self.endings.most_common(4))
        kinds += ", ..." if len(self.endings) > 4 else ""
        parts = [
            _count(self.loose, "image", "outside the class folders"),
            _count(self.endings.total(), "file", f"of kinds that are not read ({kinds})"),
            _count(self.links, "link", "to folders"),
        ]
        counted = ", ".join(filter(None, parts))
        return "; ".join([*self.notes, *([f"left out: {counted}"] if counted else [])])


def _count(number: int, noun: str, what: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'} {what}" if number else ""


def load_folder(path: str | Path, size: Size | None = None, value_range: Range | None = None) -> Dataset:
    """Load a folder of images.

    Parameters
    ----------
    path : path
        A folder with one subfolder for each class, or with train/ and test/ or validation/ that have them.
    size : tuple of int, optional
        Height and width to scale every image to; without it they must agree.
    value_range : tuple of float, optional
        Black and white of images of more than 8 bits; by default what the files say, or what can be told from all of
        them together (see depth.py).

    Returns
    -------
    Dataset
        Grey images uint8; class names are the subfolders', by value if they are numbers, else alphabetical.

    Raises
    ------
    DataError
        For a folder without classes, a class without images, images of different sizes or together too large, values
        whose range cannot be told, and any image that cannot be read; the message names the file.
    UsageError
        For a range of values where no image has more than 8 bits.
    MissingExtraError
        Without Pillow.
    """
    folder = Path(path)
    left_out = _LeftOut()
    splits = _split_folders(folder, left_out)
    if splits:
        left_out.loose += _loose(folder)
    else:
        splits = {"train": folder}
    classes = {split: _classes(split_folder, left_out) for split, split_folder in splits.items()}
    class_names = class_order(name for found in classes.values() for name in found)
    pairs = {
        split: [(file, name) for name in class_names for file in found.get(name, ())]
        for split, found in classes.items()
    }
    files = [file for split in pairs.values() for file, _ in split]
    images, colours = _read(folder, files, size, value_range)
    loaded: dict[str, Split] = {}
    start = 0
    for split, listed in pairs.items():
        labels = encode_labels([name for _, name in listed], class_names)
        loaded[split] = Split(images[start : start + len(listed)], labels)
        start += len(listed)
    return complete_splits(
        loaded["train"],
        loaded.get("validation"),
        loaded.get("test"),
        class_names,
        name=folder.resolve().name or "images",
        input_range=(0.0, 255.0),
        note="; ".join(filter(None, [left_out.note(), colours])),
    )


def _subfolders(folder: Path) -> list[Path]:
    """Return the visible subfolders, sorted by name."""
    try:
        return sorted(item for item in folder.iterdir() if item.is_dir() and not _is_hidden(item.name))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); check the folder") from None


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in HIDDEN_FOLDERS


def _loose(folder: Path) -> int:
    """Return how many images lie in a folder itself."""
    return sum(_is_image(item.name) and item.is_file() for item in folder.iterdir())


def _split_folders(folder: Path, left_out: _LeftOut) -> dict[str, Path]:
    """Return the folders of given splits, or nothing where the subfolders are classes."""
    subfolders = _subfolders(folder)
    named = {item.name.lower(): item for item in subfolders}
    splits = {split: named[alias] for split, aliases in SPLIT_FOLDERS.items() for alias in aliases if alias in named}
    others = [item for item in subfolders if item not in splits.values()]
    deep = {split: bool(_subfolders(item)) for split, item in splits.items()}
    # A class may be called "test", or "train" beside "bus"; folders of classes under such names are splits.
    if not splits or (others and not (len(splits) > 1 and deep.get("train"))):
        return {}
    if others:
        raise DataError(
            f"{folder}: {others[0].name} lies beside {_listed(splits)}, which look like splits with folders of "
            "classes; move it away, or name the folder of one split"
        )
    if "train" not in splits:
        if any(deep.values()):
            raise DataError(f"{folder}: {_listed(splits)} without train; name the folder of one split, or add train/")
        return {}
    for split in [split for split in splits if split != "train" and not deep[split]]:
        passed = splits.pop(split)
        left_out.notes.append(f"{passed.name}/ has no folders of classes: its {_loose(passed):,} images are left out")
    return splits


def _listed(splits: dict[str, Path]) -> str:
    return " and ".join(f"{item.name}/" for item in splits.values())


def _is_image(name: str) -> bool:
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def _classes(folder: Path, left_out: _LeftOut) -> dict[str, list[Path]]:
    """Return the image files of each class, sorted."""
    subfolders = _subfolders(folder)
    if not subfolders:
        raise DataError(f"{folder}: no subfolders; put the images of each class into a subfolder named after it")
    left_out.loose += _loose(folder)
    classes = {subfolder.name: _images(subfolder, left_out) for subfolder in subfolders}
    for subfolder in subfolders:
        if not classes[subfolder.name]:
            raise DataError(
                f"{subfolder}: no images ({', '.join(SUFFIXES)}) in this class folder; add some or remove it"
            )
    if len(subfolders) == 1 and (inner := _subfolders(subfolders[0])):
        left_out.notes.append(
            f"all images are of one class, {subfolders[0].name}: if {inner[0].name} is a class, name {subfolders[0]} "
            "as the dataset"
        )
    return classes


def _images(folder: Path, left_out: _LeftOut) -> list[Path]:
    """Return all images in a folder and in the folders in it, sorted."""
    images = []
    try:
        for place, folders, files in os.walk(folder, onerror=_raise):
            left_out.links += sum(os.path.islink(os.path.join(place, name)) for name in folders)
            folders[:] = [name for name in folders if not _is_hidden(name)]
            for name in files:
                if _is_image(name):
                    images.append(Path(place, name))
                elif not name.startswith("."):
                    left_out.endings[os.path.splitext(name)[1].lower()] += 1
    except OSError as error:
        raise DataError(f"{error.filename}: cannot be read ({error.strerror}); check the folder") from None
    return sorted(images)


def _raise(error: OSError) -> None:
    raise error


def _read(
    folder: Path, files: Sequence[Path], size: Size | None, value_range: Range | None
) -> tuple[NDArray[np.uint8], str]:
    """Read all images, (N, H, W), and return them with a word on colours; one range is decided over all of a kind."""
    value_range = check_range(value_range) if value_range else None
    if size:
        _check_memory(folder, len(files), size)

    def take(picture: Picture) -> tuple[Size, NDArray[np.uint8] | None, Depth | None, bool]:
        known = picture.depth is None or picture.depth.said or value_range
        shape = size or (picture.image.height, picture.image.width)
        return shape, picture.grey(size, value_range) if known else None, picture.depth, picture.coloured

    images: NDArray[np.uint8] = np.empty((0, 0, 0), np.uint8)
    undecided: dict[str, dict[int, Depth]] = {}
    deep = coloured = 0
    for index, file in enumerate(files):
        shape, grey, depth, has_colour = read_picture(file, take)
        if not index:
            _check_memory(folder, len(files), shape)
            images = np.empty((len(files), *shape), np.uint8)
        if shape != images.shape[1:]:
            raise DataError(
                f"{file}: {shape[0]}x{shape[1]} pixels (height x width), but {images.shape[1]}x{images.shape[2]} "
                "before it; scale all images to one size, for example --size 32x32"
            )
        if grey is not None:
            images[index] = grey
        elif depth is not None:
            undecided.setdefault(depth.kind, {})[index] = depth
        deep += depth is not None
        coloured += has_colour
    if value_range and not deep:
        raise UsageError(f"{folder}: a range is for images of more than 8 bits, and these have no more; leave it out")
    for kind, depths in undecided.items():
        low, high = min(depth.low for depth in depths.values()), max(depth.high for depth in depths.values())
        where = str(files[next(iter(depths))]) + (f" and {len(depths) - 1:,} more" if len(depths) > 1 else "")
        decided = guess(where, kind, low, high)
        for index in depths:
            images[index] = read_image(files[index], size, decided)
    if coloured * COLOUR_SHARE < len(files):
        return images, ""
    return images, f"{coloured:,} of {len(files):,} images have colours, but all are read in grey"


def _check_memory(folder: Path, count: int, shape: Size) -> None:
    """Refuse images that are too large for a network, or that take too much memory together."""
    pixels = shape[0] * shape[1]
    if pixels > MAX_INPUT_PIXELS or count * pixels > LIMIT_BYTES:
        limit = MAX_INPUT_PIXELS if pixels > MAX_INPUT_PIXELS else LIMIT_BYTES
        raise DataError(
            f"{folder}: {count:,} images of {shape[0]}x{shape[1]} pixels (height x width) are more than the limit of "
            f"{limit:,} pixels {'each' if limit == MAX_INPUT_PIXELS else 'in all'}; scale them down, for example "
            "--size 32x32"
        )
