"""A folder of images, one subfolder for each class.

    DIR/cat/1.png  DIR/cat/sub/2.png  DIR/dog/1.png ...             split 70/15/15 by class
    DIR/train/cat/1.png ...  DIR/test/cat/1.png ...                 given splits; missing ones are held out of train

Folders inside a class folder belong to the class. Files that are left out, except hidden ones, are counted in a note.

Shapes: images (N, H, W) uint8, or (N, 3, H, W) in colour, labels (N,) int64.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from genreg_np.data.alike import alike_notes
from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.depth import Range, Ranges
from genreg_np.data.fitting import AUTO, CROP, Size
from genreg_np.data.images import SUFFIXES, read_picture
from genreg_np.data.labels import class_order, encode_labels
from genreg_np.data.pictures import How, Told
from genreg_np.data.scaled import kept_or_read
from genreg_np.data.shared import with_shared_noted
from genreg_np.data.splits import complete_splits
from genreg_np.data.walking import ending_of, files_below, is_hidden, not_read
from genreg_np.errors import DataError

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}


@dataclass
class _LeftOut:
    """What is left out of a folder."""

    loose: int = 0  # images outside class folders
    endings: Counter[str] = field(default_factory=Counter)  # extensions of files that are not images
    links: int = 0  # to folders, which may be circular
    notes: list[str] = field(default_factory=list)

    def note(self) -> str:
        """Return a one-line summary."""
        parts = [
            _count(self.loose, "image", "outside the class folders"),
            not_read(self.endings),
            _count(self.links, "link", "to folders"),
        ]
        counted = ", ".join(filter(None, parts))
        return "; ".join([*self.notes, *([f"left out: {counted}"] if counted else [])])


def _count(number: int, noun: str, what: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'} {what}" if number else ""


def load_folder(
    path: str | Path,
    size: Size | None = None,
    value_range: Range | None = None,
    color: str = AUTO,
    fit: str = CROP,
    skip_bad: bool = False,
    ranges: Ranges | None = None,
    told: Told | None = None,
) -> Dataset:
    """Load a folder of images.

    Parameters
    ----------
    path : path
        A folder with one subfolder for each class, or with train/ and test/ or validation/ that have these.
    size : tuple of int, optional
        Height and width of every image; by default their own if all share one of at most 64 x 64, else 32 x 32.
    value_range : tuple of float, optional
        Black and white of images of more than 8 bits; by default read from the files, or guessed from all of them
        together (see depth.py).
    color : str
        auto (in colour if one image in ten has some, else in grey; see pictures.py), grey or rgb.
    fit : str
        How images are brought to `size`: crop, pad or stretch (see fitting.py).
    skip_bad : bool
        Whether to leave out images that cannot be read.
    ranges : mapping, optional
        Ranges by kind for files that do not say theirs, from a model's training.
    told : callable, optional
        Called with the number of images read so far, and the number of all.

    Returns
    -------
    Dataset
        Images uint8; class names are those of the subfolders, in order of value if they are numbers, else alphabetical.
        Its `origin` has the decided size, color and fit; its `note` says how many images are in more than one split.

    Raises
    ------
    DataError
        For a folder without classes, a class without readable images, images that are too large together, values
        whose range cannot be determined, and, unless they are skipped, images that cannot be read; the message names
        the file.
    UsageError
        For a range of values if no image has more than 8 bits.
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
    pairs = [
        (split, file, name) for split, found in classes.items() for name in class_names for file in found.get(name, ())
    ]
    how = How(size, value_range, color, fit, skip_bad, ranges or {})
    read = kept_or_read(folder, [file for _, file, _ in pairs], how, told)
    kept = [pairs[index] for index in read.kept]
    left = {(split, name) for split, _, name in kept}
    for split, _, name in pairs:
        if (split, name) not in left:
            raise DataError(f"{splits[split] / name}: none of its images can be read; fix some, or remove this class")
    loaded: dict[str, Split] = {}
    start = 0
    for split in splits:
        names = [name for other, _, name in kept if other == split]
        loaded[split] = Split(read.images[start : start + len(names)], encode_labels(names, class_names))
        start += len(names)
    alike = alike_notes(read.images, [(file.relative_to(folder), name) for _, file, name in kept], class_names)
    dataset = complete_splits(
        loaded["train"],
        loaded.get("validation"),
        loaded.get("test"),
        class_names,
        name=folder.resolve().name or "images",
        input_range=(0.0, 255.0),
        note="; ".join(filter(None, [left_out.note(), *read.notes, *alike])),
    )
    decided = {kind: list(ends) for kind, ends in read.ranges.items()}
    picture = {"fit": fit, "range": decided} if decided else {"fit": fit}
    return with_shared_noted(replace(dataset, picture=picture, origin=read.options))


def _subfolders(folder: Path) -> list[Path]:
    """Return the visible subfolders, sorted by name, except links that lead back here."""
    try:
        found = [item for item in folder.iterdir() if item.is_dir() and not is_hidden(item.name)]
        return sorted(item for item in found if not _leads_back(item, folder))
    except OSError as error:
        raise DataError(f"{folder}: cannot be read ({error.strerror}); check the folder") from None


def _leads_back(item: Path, folder: Path) -> bool:
    """Return whether an item of a folder is a link to that folder or to one of its parents."""
    return item.is_symlink() and item.is_dir() and folder.resolve().is_relative_to(item.resolve())


def _loose(folder: Path) -> int:
    """Return the number of images directly in a folder."""
    return sum(_is_image(item.name) and item.is_file() for item in folder.iterdir())


def _split_folders(folder: Path, left_out: _LeftOut) -> dict[str, Path]:
    """Return the folders of given splits; empty if the subfolders are classes."""
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
            f"{folder}: {others[0].name} is next to {_listed(splits)}, which look like splits with folders of "
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
    left_out.links += sum(_leads_back(item, folder) for item in folder.iterdir())
    classes = {}
    for subfolder in subfolders:
        passed = left_out.endings.copy()
        classes[subfolder.name] = _images(subfolder, left_out)
        if not classes[subfolder.name]:
            there = not_read(left_out.endings - passed)
            raise DataError(
                f"{subfolder}: no images ({', '.join(SUFFIXES)}) in this class folder"
                + (
                    f", but {there}; convert them, for example to JPEG, or remove the folder"
                    if there
                    else "; add some or remove it"
                )
            )
    if len(subfolders) == 1 and (inner := _subfolders(subfolders[0])):
        left_out.notes.append(
            f"all images are of one class, {subfolders[0].name}: if {inner[0].name} is a class, name {subfolders[0]} "
            "as the dataset"
        )
    return classes


def _images(folder: Path, left_out: _LeftOut) -> list[Path]:
    """Return all images in a folder and its subfolders, sorted."""
    files, links = files_below(folder)
    left_out.links += links
    left_out.endings.update(ending_of(file) for file in files if not _is_image(file.name))
    return [file for file in files if _is_image(file.name)]


def first_size(path: str | Path) -> Size:
    """Return height and width of a folder's first picture.

    Raises
    ------
    DataError
        If there is none, or it cannot be read.
    """
    images = _images(Path(path), _LeftOut())
    if not images:
        raise DataError(f"{path}: no images ({', '.join(SUFFIXES)}) in this folder")
    return read_picture(images[0], lambda picture: picture.size)
