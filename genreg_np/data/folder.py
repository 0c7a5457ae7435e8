"""A folder of images, one subfolder for each class.

    DIR/cat/1.png  DIR/cat/2.png  DIR/dog/1.png ...                 split 70/15/15 by class
    DIR/train/cat/1.png ...  DIR/test/cat/1.png ...                 given splits; validation/ is optional

Shapes: images (N, H, W) uint8, all of one size (or scaled to one), labels (N,) int64.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.images import SUFFIXES, Size, read_image
from genreg_np.data.labels import class_order
from genreg_np.data.splits import complete_splits, stratified_split
from genreg_np.errors import DataError

LIMIT_BYTES = 4 << 30  # all pixels together
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}


def load_folder(path: str | Path, size: Size | None = None) -> Dataset:
    """Load a folder of images.

    Parameters
    ----------
    path : path
        A folder with one subfolder for each class, or with train/ and test/ (and validation/) that have them.
    size : tuple of int, optional
        Height and width to scale every image to; without it they must agree.

    Returns
    -------
    Dataset
        Grey images uint8; class names are the subfolders', by value if they are numbers, else alphabetical.

    Raises
    ------
    DataError
        For a folder without classes, a class without images, images of different sizes, and any image that cannot
        be read; the message names the file.
    MissingExtraError
        Without Pillow.
    """
    folder = Path(path)
    name = folder.resolve().name or "images"
    splits = _split_folders(folder)
    if not splits:
        classes = _classes(folder)
        class_names = class_order(classes)
        everything = _read(classes, class_names, size, None)
        return stratified_split(everything.inputs, everything.labels, class_names, name=name, input_range=(0.0, 255.0))
    found = {split: _classes(split_folder) for split, split_folder in splits.items()}
    class_names = class_order(name for classes in found.values() for name in classes)
    shape: Size | None = size
    loaded: dict[str, Split] = {}
    for split, classes in found.items():
        loaded[split] = _read(classes, class_names, size, shape)
        shape = loaded[split].inputs.shape[1:]
    return complete_splits(
        loaded["train"],
        loaded.get("validation"),
        loaded.get("test"),
        class_names,
        name=name,
        input_range=(0.0, 255.0),
    )


def _subfolders(folder: Path) -> list[Path]:
    """Return the visible subfolders, sorted by name."""
    try:
        return sorted(item for item in folder.iterdir() if item.is_dir() and not item.name.startswith((".", "__")))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); check the folder") from None


def _split_folders(folder: Path) -> dict[str, Path]:
    """Return the folders of given splits, or nothing where the subfolders are classes."""
    named = {item.name.lower(): item for item in _subfolders(folder)}
    splits = {split: named[alias] for split, aliases in SPLIT_FOLDERS.items() for alias in aliases if alias in named}
    # A class may be called "test"; train and test side by side, with nothing else beside them, are splits.
    return splits if {"train", "test"} <= splits.keys() and len(splits) == len(named) else {}


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Return the image files of each class, sorted."""
    subfolders = _subfolders(folder)
    if not subfolders:
        raise DataError(f"{folder}: no subfolders; put the images of each class into a subfolder named after it")
    classes = {}
    for subfolder in subfolders:
        try:
            files = sorted(item for item in subfolder.iterdir() if item.suffix.lower() in SUFFIXES)
        except OSError as error:
            raise DataError(f"{subfolder}: cannot be read ({error.strerror}); check the folder") from None
        classes[subfolder.name] = [file for file in files if not file.name.startswith(".")]
        if not classes[subfolder.name]:
            raise DataError(
                f"{subfolder}: no images ({', '.join(SUFFIXES)}) in this class folder; add some or remove it"
            )
    return classes


def _read(classes: dict[str, list[Path]], class_names: tuple[str, ...], size: Size | None, shape: Size | None) -> Split:
    """Read all images of one split; `shape` is what those before had."""
    number = {name: index for index, name in enumerate(class_names)}
    files = [(file, number[name]) for name in class_names for file in classes.get(name, [])]
    first = read_image(files[0][0], size)
    shape = shape or first.shape
    if len(files) * first.size > LIMIT_BYTES:
        raise DataError(
            f"{files[0][0].parent.parent}: {len(files):,} images of {first.shape[0]}x{first.shape[1]} take more than "
            f"{LIMIT_BYTES:,} bytes; scale them down with --size HxW"
        )
    images = np.empty((len(files), *shape), np.uint8)
    for index, (file, _) in enumerate(files):
        image = read_image(file, size)
        if image.shape != shape:
            raise DataError(
                f"{file}: {image.shape[0]}x{image.shape[1]} pixels, but {shape[0]}x{shape[1]} before it; "
                f"scale all images to one size with --size HxW, for example --size {shape[0]}x{shape[1]}"
            )
        images[index] = image
    return Split(images, np.array([label for _, label in files], np.int64))
