"""Datasets by name or path: the registry, and the choices made without asking the user.

    load_dataset("mnist")        load_dataset("pictures/")        load_dataset("table.csv", label="species")

`auto` is mnist, or digits if mnist is neither on this machine nor can be fetched; a dataset given by name is never
replaced by another. Heavy imports wait until a dataset needs them.

Shapes: see `Dataset`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from genreg_np.data import cache
from genreg_np.data.built_in import REGISTRY as BUILT_IN
from genreg_np.data.built_in import built_in_dataset
from genreg_np.data.checked import AUTO
from genreg_np.data.cifar import SOURCES as CIFAR
from genreg_np.data.cifar import cifar_at, fetch_cifar, find_cifar, load_cifar
from genreg_np.data.cifar_files import Cifar, read_cifar
from genreg_np.data.dataset import SPLITS, Dataset, Split
from genreg_np.data.depth import Ranges
from genreg_np.data.download import Progress
from genreg_np.data.idx import PathLike
from genreg_np.data.mnist import MNIST, SOURCES, is_idx_folder, load_idx_folder, load_source
from genreg_np.data.options import (
    ARRAYS,
    IDX,
    IMAGES,
    READER_OPTIONS,
    TABLE,
    TABLE_OPTIONS,
    check_options,
    reader_arguments,
)
from genreg_np.data.rows import is_table
from genreg_np.errors import DataError, MissingExtraError, UsageError, did_you_mean
from genreg_np.settings import whole_number, whole_numbers

__all__ = [
    "READER_OPTIONS",
    "SPLITS",
    "Dataset",
    "DatasetInfo",
    "Progress",
    "Split",
    "dataset_names",
    "describe_datasets",
    "fetch",
    "find_auto",
    "is_image_folder",
    "load_dataset",
    "may_be_pictures",
    "reader_arguments",
]

CIFAR_FILES = "files of CIFAR"


@dataclass(frozen=True)
class DatasetInfo:
    """One line of `data list`."""

    name: str
    description: str
    where: str  # a folder, "built in", or how to get it
    available: bool  # can be loaded without a download or an installation


def dataset_names() -> tuple[str, ...]:
    """Return the names that `load_dataset` knows, except auto, in the order in which users see them."""
    return (*SOURCES, *CIFAR, *BUILT_IN)


def describe_datasets(data_dir: PathLike | None = None) -> tuple[DatasetInfo, ...]:
    """Describe each named dataset and where it is, without reading or fetching any.

    Parameters
    ----------
    data_dir : path-like, optional
        Where to look first.
    """
    infos = []
    sources: list[cache.Source | Cifar] = [*SOURCES.values(), *CIFAR.values()]
    for source in sources:
        path = _find(source.name, data_dir)
        where = str(path) if path else f"not here: genreg-np data fetch {source.name}"
        infos.append(DatasetInfo(source.name, source.description, where, path is not None))
    for name in BUILT_IN:
        made = built_in_dataset(name)
        where = "built in" if made.is_here else f"not here: pip install 'genreg-np[{made.extra}]'"
        infos.append(DatasetInfo(name, made.description, where, made.is_here))
    return tuple(infos)


def _find(name: str, data_dir: PathLike | None) -> Path | None:
    """Return the folder or archive of a downloadable dataset, or None if it is not on this machine."""
    if name in CIFAR:
        place = find_cifar(CIFAR[name], data_dir)
        return place and place[1]
    return cache.find(SOURCES[name], data_dir, tuple(SOURCES.values()))


def fetch(name: str, data_dir: PathLike | None = None, progress: Progress | None = None) -> Path | None:
    """Make sure that a named dataset is on this machine and complete.

    Parameters
    ----------
    name : str
        A dataset's name.
    data_dir : path-like, optional
        Where to look first and where to download to; by default the user's cache.
    progress : callable, optional
        Called with (file name, bytes so far, total bytes or 0).

    Returns
    -------
    Path or None
        The folder or archive that holds it; None for a built-in dataset.

    Raises
    ------
    UsageError
        For an unknown name.
    DataError, MissingExtraError
        If it cannot be downloaded, or the package that a built-in one needs is missing.
    """
    if name in BUILT_IN:
        built_in_dataset(name).check_here(name)
        return None
    if name in CIFAR:
        return fetch_cifar(CIFAR[name], data_dir, progress)
    if name not in SOURCES:
        raise UsageError(f"no dataset {name!r} to fetch{did_you_mean(name, dataset_names())}")
    source = SOURCES[name]
    target = cache.download_folder(source.name, data_dir)
    folder = _find(name, data_dir)
    if folder and folder != target and cache.is_whole(source, folder):
        return folder
    return cache.fetch(source, target, progress)


def find_auto(
    data_dir: PathLike | None = None, download: bool = True, progress: Progress | None = None
) -> tuple[str, str]:
    """Choose the dataset when the user has not named one.

    Parameters
    ----------
    data_dir, download, progress
        As for `load_dataset`.

    Returns
    -------
    tuple of str
        "mnist" and "", or "digits" and the reason in one line.
    """
    if _find(MNIST.name, data_dir):
        return MNIST.name, ""
    if not download:
        return "digits", "digits instead of mnist: mnist is not here and was not to be downloaded"
    try:
        fetch(MNIST.name, data_dir, progress)
    except (DataError, MissingExtraError) as error:
        return "digits", f"digits instead of mnist: {error}"
    return MNIST.name, ""


def load_dataset(
    name_or_path: PathLike,
    *,
    data_dir: PathLike | None = None,
    download: bool = True,
    progress: Progress | None = None,
    variations: int = 1,
    label: str | Sequence[str] | None = None,
    header: bool | None = None,
    separator: str | None = None,
    task: str | None = None,
    keep: Sequence[str] | None = None,
    drop: Sequence[str] | None = None,
    kind: Sequence[str] | None = None,
    weight: str | None = None,
    size: tuple[int, int] | None = None,
    range: tuple[float, float] | None = None,
    color: str | None = None,
    fit: str | None = None,
    skip_bad: bool | None = None,
    ranges: Ranges | None = None,
    on_picture: Callable[[int, int], None] | None = None,
) -> Dataset:
    """Load a dataset.

    Parameters
    ----------
    name_or_path : str or path-like
        auto, one of `dataset_names()`, or a path: a folder of images with a subfolder for each class, a folder with
        MNIST's four IDX files, CIFAR's files or archive, a .csv, .tsv or .npz file. Write ./mnist for a folder that
        has the name of a dataset.
    data_dir : path-like, optional
        Where to look for a named dataset first, and where to download it to.
    download : bool
        Whether a named dataset may be downloaded if it is not on this machine.
    progress : callable, optional
        Called with (file name, bytes so far, total bytes or 0) during a download.
    variations : int
        Views per letter, for letters.
    label : str or sequence of str, optional
        Label column of a table: its name, or its number from 1. Several columns are numbers to predict.
    header : bool, optional
        Whether a table's first row names the columns; by default detected.
    separator : str, optional
        Separator of a table's fields: comma, semicolon, tab, pipe or blank, or the character; by default detected.
    task : str, optional
        For a table: classes, values (numbers to predict), or auto (the default), which decides by the labels.
    keep, drop : sequence of str, optional
        Columns of a table to keep although they carry no information, such as row numbers, and columns to leave out.
    kind : sequence of str, optional
        COLUMN=KIND for columns of a table that look like something else: numbers, words, flags (yes or no) or dates.
    weight : str, optional
        Column of a table that says how much each row counts in training.
    size : tuple of int, optional
        Height and width of a folder's images. By default their own size if they all share one of at most 64 x 64, else
        32 x 32.
    range : tuple of float, optional
        Values of black and white in a folder's images of more than 8 bits; by default read from the files or guessed.
    color : str, optional
        Whether a folder's images are read in colour: auto (the default: if one in ten has colour), grey or rgb.
    fit : str, optional
        How a folder's images are brought to `size`: crop (the default), pad or stretch.
    skip_bad : bool, optional
        Whether to leave out images of a folder that cannot be read; by default they are an error.
    ranges : mapping, optional
        Values of black and white by kind, as in `Dataset.picture`: for evaluating on images that were not part of the
        training data. The images may also all have 8 bits.
    on_picture : callable, optional
        Called with the number of images of a folder read so far, and the number of all.

    Returns
    -------
    Dataset
        Its `note` tells the user what should be known about it.

    Raises
    ------
    UsageError
        For a name or path that does not exist, or an option that does not apply to it.
    DataError
        For data that cannot be fetched or read.
    MissingExtraError
        If the dataset needs a package that is not installed.
    """
    name = os.fspath(name_or_path)
    source = _kind(name)
    variations = whole_number(variations, "variations")
    size = None if size is None else _whole_size(size)
    reading = {"label": label, "header": header, "separator": separator, "size": size, "range": range}
    reading |= {"task": task, "keep": keep, "drop": drop, "kind": kind, "weight": weight}
    reading |= {"color": color, "fit": fit, "skip_bad": skip_bad}
    check_options(reading, source, name)
    if variations != 1 and source != "letters":
        raise UsageError(f"variations applies to letters only, not to {name}; leave it out")
    if source == AUTO:
        chosen, reason = find_auto(data_dir, download, progress)
        try:
            dataset = load_dataset(chosen, data_dir=data_dir, download=download, progress=progress)
        except MissingExtraError as error:
            raise MissingExtraError(f"{reason}; but {error}" if reason else str(error)) from None
        return replace(dataset, note="; ".join(filter(None, [reason, dataset.note])))
    pictures = {"ranges": ranges, "told": on_picture}
    dataset = _load(source, name, reading, data_dir, download, progress, variations, pictures)
    given = {option: value for option, value in reading.items() if value is not None}
    given |= {} if data_dir is None else {"data_dir": os.path.abspath(data_dir)}
    given |= dataset.origin or {}
    return replace(dataset, origin={"source": name if name in dataset_names() else os.path.abspath(name), **given})


def _load(
    kind: str,
    name: str,
    reading: dict[str, Any],
    data_dir: PathLike | None,
    download: bool,
    progress: Progress | None,
    variations: int,
    pictures: dict[str, Any],
) -> Dataset:
    """Load a dataset of a kind; `reading` has the checked options, `pictures` more arguments for a folder."""
    if kind in SOURCES:
        return load_source(SOURCES[kind], data_dir, download, progress)
    if kind in CIFAR:
        return load_cifar(CIFAR[kind], data_dir, download, progress)
    if kind in BUILT_IN:
        views = (variations,) if kind == "letters" else ()
        return built_in_dataset(kind).load(*views)
    if kind == ARRAYS:
        from genreg_np.data.arrays import load_npz

        return load_npz(name)
    if kind == TABLE:
        from genreg_np.data.table import load_csv

        how = {option: reading[option] for option in TABLE_OPTIONS if reading[option] is not None}
        return load_csv(name, reading["label"], **how)
    if kind == IDX:
        return load_idx_folder(Path(name))
    if kind == CIFAR_FILES and (found := cifar_at(Path(name))):
        return read_cifar(*found)
    from genreg_np.data.folder import load_folder

    looks: dict[str, Any] = {"color": reading["color"], "fit": reading["fit"], "skip_bad": reading["skip_bad"]}
    looks = {option: value for option, value in looks.items() if value is not None}
    return load_folder(name, reading["size"], reading["range"], **looks, **pictures)


def _whole_size(size: Sequence[int]) -> tuple[int, int]:
    sides = whole_numbers(size, "size", least=1)
    if len(sides) != 2:
        raise UsageError(f"size = {size!r} must be height and width, as (28, 28)")
    return sides[0], sides[1]


def is_image_folder(name_or_path: PathLike) -> bool:
    """Return whether `load_dataset` would read a folder of images, the only kind that can be scaled to a size.

    Raises
    ------
    UsageError
        For a name or path that does not exist.
    """
    return _kind(os.fspath(name_or_path)) == IMAGES


def may_be_pictures(name_or_path: PathLike) -> bool:
    """Return whether `load_dataset` would read possible photographs: a folder of images, or a dataset of them.

    Raises
    ------
    UsageError
        For a name or path that does not exist.
    """
    return _kind(os.fspath(name_or_path)) in (IMAGES, CIFAR_FILES, *CIFAR)


def _kind(name: str) -> str:
    """Return the kind of a name or path: auto, a dataset's name, or one of the kinds of files above."""
    if name == AUTO or name in dataset_names():
        return name
    path = Path(name)
    if cifar_at(path):
        return CIFAR_FILES
    if path.is_dir():
        return IDX if is_idx_folder(path) else IMAGES
    if not path.exists():
        if os.sep in name or path.suffix:
            raise UsageError(f"{name}: no such file or folder; check the path")
        raise UsageError(
            f"no dataset {name!r}{did_you_mean(name, [AUTO, *dataset_names()])}, and no such file or folder"
        )
    if is_table(path):
        return TABLE
    if path.suffix.lower() == ".npz":
        return ARRAYS
    raise UsageError(f"{name}: a dataset is a folder, a .csv, a .tsv or an .npz file; convert it to one of them")
