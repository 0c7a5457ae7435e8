"""Safe file access: only regular files are read; writes go to a temporary file, which is flushed, then renamed."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import io
import operator
import os
import re
import secrets
import stat
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
from numpy.typing import NDArray

EPOCH = (1980, 1, 1, 0, 0, 0)  # the zip format's earliest date: a file's bytes must not depend on the time


def open_regular(path: str | os.PathLike[str], *, follow_links: bool = True) -> BinaryIO:
    """Open a regular file for reading; a pipe could block forever, and a device might never end.

    Parameters
    ----------
    path : str or path
    follow_links : bool
        Whether `path` itself may be a symbolic link to a regular file.

    Raises
    ------
    OSError
        If it is not a regular file or cannot be opened; `strerror` says why.
    """
    return open(path, "rb", opener=_open if follow_links else _open_unlinked)


def open_to_append(path: str | os.PathLike[str]) -> TextIO:
    """Open a UTF-8 text file for appending, creating it if necessary; symbolic links are refused.

    Raises
    ------
    OSError
        As open_regular does.
    """
    return open(path, "a", encoding="utf-8", opener=_open_unlinked)


def read_text(path: str | os.PathLike[str], limit_bytes: int, *, follow_links: bool = True) -> str:
    """Return the text of a regular UTF-8 file of at most `limit_bytes`.

    Raises
    ------
    OSError
        As open_regular does, and if it is longer.
    UnicodeDecodeError
        If it is not UTF-8.
    """
    with open_regular(path, follow_links=follow_links) as file:
        content = file.read(limit_bytes + 1)
    if len(content) > limit_bytes:
        raise OSError(errno.EFBIG, f"is longer than {limit_bytes:,} bytes", os.fspath(path))
    return content.decode("utf-8")


def _open(path: str, flags: int) -> int:
    """Open as open() does, but only regular files."""
    descriptor = os.open(path, flags | _flags("O_NONBLOCK", "O_NOCTTY"), 0o666)
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        raise OSError(errno.EINVAL, "is not a regular file", path)
    return descriptor


def _open_unlinked(path: str, flags: int) -> int:
    """Open as _open does, but refuse symbolic links."""
    if os.path.islink(path):  # Windows has no O_NOFOLLOW; elsewhere its error message speaks of a loop
        raise OSError(errno.ELOOP, "is a symbolic link", path)
    return _open(path, flags | _flags("O_NOFOLLOW"))


def _flags(*names: str) -> int:
    """Return the named flags of os.open combined, leaving out those the system lacks."""
    return functools.reduce(operator.or_, (getattr(os, name, 0) for name in names))


def write_atomic(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically: a kill at any moment leaves the old file or the new one, never a partial one.

    Raises
    ------
    OSError
        If the folder cannot be written to or the disk is full; `path` is then unchanged.
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
    with contextlib.suppress(OSError):  # the file is complete and in place; only a power cut could undo the rename
        sync_folder(path.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of processes that were killed during write_atomic."""
    for leftover in folder.glob(".*.tmp"):
        if re.fullmatch(r"\..+\.[0-9a-f]{8}\.tmp", leftover.name):
            with contextlib.suppress(OSError):
                leftover.unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut, if the system supports that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def pack_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return an uncompressed .npz whose bytes depend only on the arrays and their order."""
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
    """Return the cache folder, for what can be computed or downloaded again; it need not exist.

    Environment variables that are empty or relative are ignored: the folder must not depend on the working directory.

    Raises
    ------
    RuntimeError
        If the user has no home folder.
    """
    if sys.platform == "win32":
        base = _absolute("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = _home() / "Library" / "Caches"
    else:
        base = _absolute("XDG_CACHE_HOME") or _home() / ".cache"
    return base / "genreg-np"


def _absolute(variable: str) -> Path | None:
    """Return the path in an environment variable, if it is absolute."""
    value = os.environ.get(variable, "")
    return Path(value) if os.path.isabs(value) else None


def _home() -> Path:
    import pwd

    if home := _absolute("HOME"):
        return home
    with contextlib.suppress(KeyError):
        if os.path.isabs(home_of_user := pwd.getpwuid(os.getuid()).pw_dir):
            return Path(home_of_user)
    raise RuntimeError("no home folder")


def digest_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a regular file's bytes.

    Raises
    ------
    OSError
        As open_regular does.
    """
    digest = hashlib.sha256()
    with open_regular(path) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()
