"""A cache of scaled pictures, since reading many large pictures takes long.

What `read_pictures` returns for a folder is stored in the user's cache if its files take at least LEAST_BYTES: one file
for each folder and set of reading options, rewritten when anything in the folder changes.

    first line    MAGIC
    second line   JSON: the source files (a digest of every name, size and time of change), the decisions and notes
                  about them, the shape, and a digest of the pixels
    then          the pixels, uint8

A cache file is used only if all of this matches: one that is damaged, truncated, of another folder or another version
is ignored. A folder is not cached if a file changed while it was read or just before, since a second change in the
same tick of the clock would go unnoticed; nor if pictures were left out, since the reason may be temporary.

Shapes: images (N, H, W) uint8, or (N, 3, H, W) in colour.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genreg_np.data.fitting import GREY, RGB, Levels
from genreg_np.data.pictures import How, Pictures, Told, read_pictures
from genreg_np.files import open_regular, user_cache_dir, write_atomic
from genreg_np.version import __version__

MAGIC = b"genreg-np pictures 1\n"
VARIABLE = "GENREG_KEEP_PICTURES"  # 0 switches the cache off
LEAST_BYTES = 20 << 20  # of all files together: fewer are read quickly
MOST_BYTES = 1 << 30  # of one folder's pixels
MOST_BYTES_KEPT = 4 << 30  # of all folders' pixels; the least recently used are removed first
MOST_HEADER_BYTES = 1 << 20
SETTLED_SECONDS = 3.0  # since a file changed: some file systems have a resolution of two seconds
LEFT_BEHIND_SECONDS = 86_400.0  # after which temporary files of killed processes are removed
ENDING = ".pictures"

State = list[tuple[str, int, int]]  # name, size in bytes and time of change in ns of each file


def kept_or_read(folder: Path, files: Sequence[Path], how: How, told: Told | None = None) -> Pictures:
    """Return what `read_pictures` does, from the user's cache if it is there and nothing has changed.

    Parameters
    ----------
    folder, files, how, told
        As for `read_pictures`.

    Returns
    -------
    Pictures
        With a note if they were stored in the cache or taken from it.

    Raises
    ------
    DataError, UsageError, MissingExtraError
        As `read_pictures`. A cache that cannot be read or written is ignored.
    """
    state, place = _state(folder, files), _place(folder, how)
    if place is None or sum(size for _, size, _ in state) < LEAST_BYTES:
        return read_pictures(folder, files, how, told)
    digest = _digest(state)
    if (known := load(place, digest, len(files), how)) is not None:
        if told:
            told(len(files), len(files))
        return known
    begun = time.time()
    read = read_pictures(folder, files, how, told)
    settled = all(changed < (begun - SETTLED_SECONDS) * 1e9 for _, _, changed in state)
    if settled and len(read.kept) == len(files) and read.images.nbytes <= MOST_BYTES and _state(folder, files) == state:
        with contextlib.suppress(OSError):
            save(place, digest, read)
            read.notes.append(f"the scaled pictures are kept for the next time in {place.parent}")
    return read


def _state(folder: Path, files: Sequence[Path]) -> State:
    """Return the state by which changes of a folder's files are noticed; inaccessible files have a time of -1."""
    state = []
    for file in files:
        try:
            found = file.stat()
            state.append((str(file.relative_to(folder)), found.st_size, found.st_mtime_ns))
        except OSError:
            state.append((str(file.relative_to(folder)), 0, -1))
    return state


def _place(folder: Path, how: How) -> Path | None:
    """Return the cache file for a folder and its reading options; None if nothing is to be cached."""
    if os.environ.get(VARIABLE) == "0":
        return None
    ranges = {kind: list(ends) for kind, ends in sorted(how.ranges.items())}
    way = [how.size, how.value_range, how.color, how.fit, how.skip_bad, ranges]
    with contextlib.suppress(RuntimeError, OSError, ImportError):  # a user without a home, or without Pillow
        import PIL  # another version may decode differently

        name = _digest([os.fspath(folder.resolve()), way, __version__, PIL.__version__])
        return user_cache_dir() / "pictures" / f"{name}{ENDING}"
    return None


def _digest(value: Any) -> str:
    return hashlib.blake2b(json.dumps(value, default=int).encode("ascii"), digest_size=20).hexdigest()


def _sum(images: Levels) -> str:
    return hashlib.blake2b(images.reshape(-1).data, digest_size=20).hexdigest()


def load(place: Path, digest: str, count: int, how: How) -> Pictures | None:
    """Return cached pictures; None if there are none, or not intact.

    Parameters
    ----------
    place : Path
        The cache file.
    digest : str
        Digest of the state of the source files.
    count : int
        The number of source files.
    how : How
        How they are read.
    """
    try:
        with open_regular(place, follow_links=False) as file:
            if file.readline(len(MAGIC)) != MAGIC:
                return None
            header = json.loads(file.readline(MOST_HEADER_BYTES))
            if header["files"] != digest:
                return None
            shape = _shape(header["shape"], count)
            if os.fstat(file.fileno()).st_size != file.tell() + math.prod(shape):
                return None
            images = np.empty(shape, np.uint8)
            if file.readinto(images.reshape(-1).data) != images.size or _sum(images) != header["sum"]:  # type: ignore[attr-defined]
                return None
        ranges = {kind: (float(low), float(high)) for kind, (low, high) in header["ranges"].items()}
        notes = list(map(str, header["notes"]))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    with contextlib.suppress(OSError):
        os.utime(place)
    notes.append(f"the scaled pictures are taken from {place.parent}: no file has changed since")
    options = {"size": shape[-2:], "fit": how.fit, "color": RGB if len(shape) == 4 else GREY}
    return Pictures(images, list(range(count)), options, ranges, notes)


def _shape(value: list[int], count: int) -> tuple[int, ...]:
    """Return the shape of `count` pictures; raises ValueError for any other shape."""
    if len(value) not in (3, 4) or value[0] != count or any(type(side) is not int or side < 1 for side in value):
        raise ValueError
    if (len(value) == 4 and value[1] != 3) or math.prod(value) > MOST_BYTES:
        raise ValueError
    return tuple(value)


def save(place: Path, digest: str, read: Pictures) -> None:
    """Cache what was read, keeping the cache below MOST_BYTES_KEPT."""
    header = {
        "files": digest,
        "shape": read.images.shape,
        "ranges": {kind: list(ends) for kind, ends in read.ranges.items()},
        "notes": read.notes,
        "sum": _sum(read.images),
    }
    line = json.dumps(header).encode("ascii") + b"\n"
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)  # pictures may be private
    _make_room(place.parent, read.images.nbytes)
    write_atomic(place, b"".join((MAGIC, line, read.images.reshape(-1).data)))


def _make_room(folder: Path, size: int) -> None:
    """Remove the least recently used files until there is room for `size` more bytes."""
    found = sorted((item.stat().st_mtime, item.stat().st_size, item) for item in folder.iterdir())
    for changed, _, item in found:
        if item.suffix == ".tmp" and changed < time.time() - LEFT_BEHIND_SECONDS:
            item.unlink()
    kept = [(bytes_kept, item) for _, bytes_kept, item in found if item.suffix == ENDING]
    total = size + sum(bytes_kept for bytes_kept, _ in kept)
    for bytes_kept, item in kept:
        if total <= MOST_BYTES_KEPT:
            break
        item.unlink()
        total -= bytes_kept
