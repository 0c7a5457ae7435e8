"""Find the IDX datasets on this machine, or fetch them from a mirror.

These folders are searched in this order: --data-dir, $GENREG_DATA, the user's cache, Debian's /usr/share/datasets; in
each of them NAME/, the folders that torchvision makes, and the folder itself. Files are identified by the SHA-256 of
their decompressed bytes, since mirrors and packages compress differently.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from genreg_np.data.download import Check, Progress, download_files
from genreg_np.data.idx import PathLike, parse_idx, read_idx
from genreg_np.errors import DataError, UsageError
from genreg_np.files import user_cache_dir

LIMIT_BYTES = 128 << 20  # of one file, so that a mirror cannot exhaust memory
DEBIAN_FOLDER = Path("/usr/share/datasets")


@dataclass(frozen=True)
class Source:
    """An IDX dataset: the names of its files, their contents and sources."""

    name: str  # as on the command line
    description: str  # one line
    class_names: tuple[str, ...]
    files: Mapping[str, str]  # file name without .gz: SHA-256 of the decompressed bytes; images and labels in turn
    mirrors: tuple[str, ...]  # base URLs, tried in this order
    folders: tuple[str, ...] = ()  # other folders that may hold it
    held_out: int = 5000  # training images at the end used for validation


def search_folders(data_dir: PathLike | None = None) -> list[Path]:
    """Return the folders that are searched for datasets, in order; only $GENREG_DATA must exist.

    Parameters
    ----------
    data_dir : path-like, optional
        The user's choice, searched first.

    Raises
    ------
    UsageError
        If GENREG_DATA is set but is not a folder.
    """
    variable = os.environ.get("GENREG_DATA")
    if variable and not os.path.isdir(os.path.expanduser(variable)):
        raise UsageError(f"GENREG_DATA={variable} is not a folder; correct it or unset it")
    named = [folder for folder in (data_dir, variable) if folder]
    folders = [Path(os.path.expanduser(folder)) for folder in named]
    with contextlib.suppress(RuntimeError):  # a user without a home folder
        folders.append(user_cache_dir())
    return [*folders, DEBIAN_FOLDER]


def locate(folder: Path, file: str) -> Path | None:
    """Return the path of one of a dataset's files in a folder: gzipped or not, with -idx or .idx in its name.

    Parameters
    ----------
    folder : Path
        The folder, which need not exist.
    file : str
        The official name without .gz.
    """
    for name in (file, file.replace("-idx", ".idx")):
        for path in (folder / f"{name}.gz", folder / name):
            if os.path.isfile(path):
                return path
    return None


def is_intact(path: Path, sha256: str) -> bool:
    """Return whether a file is a complete IDX array with the right decompressed bytes.

    Parameters
    ----------
    path : Path
        The file, gzipped or not.
    sha256 : str
        Hash of the decompressed bytes.
    """
    try:
        read_idx(path, LIMIT_BYTES, sha256=sha256)
    except DataError:
        return False
    return True


def is_whole(source: Source, folder: Path) -> bool:
    """Return whether a folder has all files of a dataset, each of them intact.

    Parameters
    ----------
    source : Source
        The dataset.
    folder : Path
        The folder, which need not exist.
    """
    paths = {file: locate(folder, file) for file in source.files}
    return all(path is not None and is_intact(path, source.files[file]) for file, path in paths.items())


def find(source: Source, data_dir: PathLike | None = None, others: Sequence[Source] = ()) -> Path | None:
    """Return the first folder that has all the files of a dataset, or None; the files are not checked.

    Parameters
    ----------
    source : Source
        The dataset.
    data_dir : path-like, optional
        Where to look first.
    others : sequence of Source
        Datasets with the same file names, whose files are skipped in a folder that is not named after a dataset. They
        are recognised by the test labels, ten kilobytes.
    """
    for base in search_folders(data_dir):
        nameless = (base / "raw", base)
        for folder in (base / source.name, *(base / known for known in source.folders), *nameless):
            paths = [locate(folder, file) for file in source.files]
            if not all(paths):
                continue
            last = paths[-1]
            signatures = [list(other.files.values())[-1] for other in others if other is not source]
            if folder in nameless and last and any(is_intact(last, signature) for signature in signatures):
                continue
            return folder
    return None


def download_folder(name: str, data_dir: PathLike | None = None) -> Path:
    """Return the folder that a download goes to: under `data_dir` if given, else in the user's cache.

    Parameters
    ----------
    name : str
        The dataset's name.
    data_dir : path-like, optional
        The user's choice.

    Raises
    ------
    DataError
        If none is given and the user has no home folder.
    """
    if data_dir:
        return Path(os.path.expanduser(data_dir)) / name
    try:
        return user_cache_dir() / name
    except RuntimeError:
        raise DataError(f"{name}: no home folder to store it in; name a folder with --data-dir") from None


def fetch(source: Source, folder: Path, progress: Progress | None = None) -> Path:
    """Download the files of a dataset that are missing or damaged in a folder.

    Parameters
    ----------
    source : Source
        The dataset and its mirrors.
    folder : Path
        Where to store the files, with their official names and .gz; created if necessary.
    progress : callable, optional
        Called with (file name, bytes so far, total bytes or 0) as they arrive.

    Returns
    -------
    Path
        The folder, with all files in it.

    Raises
    ------
    DataError
        If no mirror answers within PROBE_SECONDS, none has the right bytes, or the folder cannot be written to.
    MissingExtraError
        Without pooch.
    """
    paths = {file: locate(folder, file) for file in source.files}
    needed = {
        f"{file}.gz": _is_array(source.files[file])
        for file, path in paths.items()
        if path is None or not is_intact(path, source.files[file])
    }
    if needed:
        download_files(source.name, needed, source.mirrors, folder, LIMIT_BYTES, progress)
    return folder


def _is_array(sha256: str) -> Check:
    """Return a check that refuses anything but an IDX array with this hash."""

    def check(stream: BinaryIO) -> None:
        parse_idx(stream, "it", LIMIT_BYTES, sha256=sha256)

    return check
