"""Files: read only if they are regular, and always whole: written under a temporary name, flushed, then renamed."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import operator
import os
import secrets
import stat
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's zero: a file's bytes must not depend on the time


def open_regular(path: str | os.PathLike[str], *, follow_links: bool = True) -> BinaryIO:
    """Open a regular file for reading: a pipe could be waited for without end, and a device read without end.

    Parameters
    ----------
    path : str or path
    follow_links : bool
        Whether `path` itself may be a symbolic link to a regular file.

    Raises
    ------
    OSError
        If it is no regular file or cannot be opened; `strerror` says why.
    """
    flags = os.O_RDONLY | _flags("O_NONBLOCK", "O_NOCTTY", "O_BINARY")
    return os.fdopen(_regular(path, flags, follow_links), "rb")


def _regular(path: str | os.PathLike[str], flags: int, follow_links: bool) -> int:
    """Return a descriptor of a regular file."""
    if not follow_links:
        if os.path.islink(path):  # O_NOFOLLOW is absent on Windows, and words its refusal as a loop elsewhere
            raise OSError(errno.ELOOP, "is a symbolic link", os.fspath(path))
        flags |= _flags("O_NOFOLLOW")
    descriptor = os.open(path, flags, 0o666)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        raise OSError(errno.EINVAL, "is not a regular file", os.fspath(path))
    return descriptor


def _flags(*names: str) -> int:
    """Return those flags of os.open together that the system has."""
    return functools.reduce(operator.or_, (getattr(os, name, 0) for name in names))


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` so that a kill at any instant leaves the old file or the new one, never a part.

    Raises
    ------
    OSError
        If the folder cannot be written or the disk is full; `path` is then untouched.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flags("O_BINARY"), 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    with contextlib.suppress(OSError):  # the file is whole and in place; only a power cut could still undo the rename
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pack_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return an uncompressed .npz whose bytes depend on nothing but the arrays and their order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", EPOCH)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            content = io.BytesIO()
            np.lib.format.write_array(content, np.asarray(array, order="C"), version=(1, 0), allow_pickle=False)
            archive.writestr(entry, content.getvalue())
    return buffer.getvalue()


def user_cache_dir() -> Path:
    """Return the folder for things that can be made or fetched again; it need not exist."""
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "genreg-np"
