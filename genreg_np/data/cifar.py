"""CIFAR-10 and CIFAR-100: 50,000 training and 10,000 test pictures each, 32 x 32 in colour.

The last 5,000 training pictures are used for validation, so that no choice is ever made by the test pictures. CIFAR-100
has its 100 fine classes. Both of the authors' archives are read, packed or unpacked: see cifar_files.py.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009), and the page of the data,
https://www.cs.toronto.edu/~kriz/cifar.html.

Shapes: images (N, 3, 32, 32) uint8, red, green and blue; labels (N,) int64.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from genreg_np.data.archive import check_md5
from genreg_np.data.cache import download_folder, search_folders
from genreg_np.data.cifar_files import Cifar, Form, Place, read_cifar
from genreg_np.data.dataset import Dataset
from genreg_np.data.download import Progress, download_files
from genreg_np.data.idx import PathLike
from genreg_np.errors import DataError

LIMIT_BYTES = 200 << 20  # of a download
MIRRORS = (
    "https://www.cs.toronto.edu/~kriz/",
    "https://cave.cs.toronto.edu/kriz/",
)  # the authors' own


BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))
CIFAR_10 = Cifar(
    "cifar-10",
    "60,000 photographs of animals and vehicles, 32x32 in colour",
    10,
    (
        Form(
            "cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530",
            "cifar-10-batches-bin",
            tuple(f"{batch}.bin" for batch in BATCHES),
            "test_batch.bin",
            "batches.meta.txt",
            label_bytes=1,
        ),
        Form(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            "cifar-10-batches-py",
            BATCHES,
            "test_batch",
            "batches.meta",
            labels="labels",
            label_names="label_names",
        ),
    ),
    mirrors=MIRRORS,
)
CIFAR_100 = Cifar(
    "cifar-100",
    "60,000 photographs in 100 classes, 32x32 in colour",
    100,
    (
        Form(
            "cifar-100-binary.tar.gz",
            "03b5dce01913d631647c71ecec9e9cb8",
            "cifar-100-binary",
            ("train.bin",),
            "test.bin",
            "fine_label_names.txt",
            label_bytes=2,
        ),
        Form(
            "cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
            "cifar-100-python",
            ("train",),
            "test",
            "meta",
            labels="fine_labels",
            label_names="fine_label_names",
        ),
    ),
    mirrors=MIRRORS,
)
SOURCES = {source.name: source for source in (CIFAR_10, CIFAR_100)}


def find_cifar(source: Cifar, data_dir: PathLike | None = None) -> Place | None:
    """Return where a dataset is on this machine, or None; the files are not checked.

    The search covers the same folders as for MNIST (see cache.py) and that of Keras; in each of these, NAME/ and the
    folder itself; and there the folder of the archive, as torchvision has it, the one that Keras 3 makes, and the
    archive itself.

    Parameters
    ----------
    source : Cifar
        The dataset.
    data_dir : path-like, optional
        Where to look first.
    """
    for base in (*search_folders(data_dir), *_keras_folder()):
        for folder in (base / source.name, base):
            for form in source.forms:
                named = folder / form.folder
                for place in (named, folder / f"{form.folder}-target" / form.folder, folder, folder / form.archive):
                    if _holds(place, form):
                        return form, place
    return None


def cifar_at(path: Path) -> tuple[Cifar, Place] | None:
    """Return the dataset at a path: the folder of one of the archives, its parent, or an archive; else None."""
    for source in SOURCES.values():
        for form in source.forms:
            for place in (path, path / form.folder):
                if _holds(place, form):
                    return source, (form, place)
    return None


def _keras_folder() -> Iterator[Path]:
    """Yield the folder in which Keras stores datasets."""
    with contextlib.suppress(RuntimeError):  # a user without a home folder
        yield Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "datasets"


def _holds(place: Path, form: Form) -> bool:
    """Return whether a path is an archive of a form, or a folder with all of its files."""
    if place.name == form.archive and os.path.isfile(place):
        return True
    return all(os.path.isfile(place / file) for file in form.files)


def load_cifar(
    source: Cifar,
    data_dir: PathLike | None = None,
    download: bool = True,
    progress: Progress | None = None,
) -> Dataset:
    """Load a dataset from this machine, downloading it first if it is not there.

    Parameters
    ----------
    source : Cifar
        Which dataset.
    data_dir : path-like, optional
        Where to look first and where to download to.
    download : bool
        If False, a dataset that is not on this machine is an error.
    progress : callable, optional
        Called with (file name, bytes so far, total bytes or 0) during a download.

    Returns
    -------
    Dataset
        Images (N, 3, 32, 32) uint8; the last `source.held_out` training images are the validation split.

    Raises
    ------
    DataError
        For a dataset that is neither on this machine nor can be fetched, or files that are damaged or from another
        dataset.
    MissingExtraError
        If it has to be downloaded and pooch is missing.
    """
    place = find_cifar(source, data_dir)
    if place is None and not download:
        places = ", ".join(map(str, (*search_folders(data_dir), *_keras_folder())))
        raise DataError(f"{source.name} is not in {places}; `genreg-np data fetch {source.name}` downloads it")
    return read_cifar(source, place or _download(source, data_dir, progress))


def fetch_cifar(source: Cifar, data_dir: PathLike | None = None, progress: Progress | None = None) -> Path:
    """Make sure that a dataset is on this machine and complete; return the folder or archive that holds it.

    Raises
    ------
    DataError, MissingExtraError
        As `load_cifar`; a damaged archive in the download folder is replaced.
    """
    place = find_cifar(source, data_dir)
    if place is not None:
        try:
            read_cifar(source, place)
            return place[1]
        except DataError:
            if place[1] != download_folder(source.name, data_dir) / source.forms[0].archive:
                raise
    return _download(source, data_dir, progress)[1]


def _download(source: Cifar, data_dir: PathLike | None, progress: Progress | None) -> Place:
    """Download the first of a dataset's archives."""
    form, folder = source.forms[0], download_folder(source.name, data_dir)
    checks = {form.archive: lambda stream: check_md5(stream, "it", form.md5 or "")}
    download_files(source.name, checks, source.mirrors, folder, LIMIT_BYTES, progress)
    return form, folder / form.archive
