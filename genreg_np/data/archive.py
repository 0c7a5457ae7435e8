"""Read files from a .tar.gz without unpacking anything to the disk.

The archive is read once, from front to back. Only regular files requested by their full names are kept, each up to its
limit. The total that is decompressed is limited as well, so that neither a bomb nor a header that claims gigabytes
takes more memory or time than the real archive.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import BinaryIO

from genreg_np.data.idx import PathLike
from genreg_np.errors import DataError
from genreg_np.files import open_regular

CHUNK_BYTES = 1 << 20
SPARE_BYTES = 1 << 20  # for headers and other files
GZIP = 31  # zlib's code for a gzip header and the largest window


class _Refused(Exception):
    """Why an archive is refused, as the end of a sentence."""


class _Unpacked:
    """The bytes inside a gzip stream, up to a limit."""

    def __init__(self, raw: BinaryIO, limit_bytes: int) -> None:
        self.raw, self.left = raw, limit_bytes
        self.unpacker = zlib.decompressobj(wbits=GZIP)

    def read(self, count: int) -> bytes:
        """Return up to `count` of the next bytes, or b"" at the end."""
        unpacked = b""
        while not unpacked and not self.unpacker.eof:
            packed = self.unpacker.unconsumed_tail or self.raw.read(CHUNK_BYTES)
            unpacked = self.unpacker.decompress(packed, count)
            if not packed and not unpacked:
                raise EOFError
        self.left -= len(unpacked)
        if self.left < 0:
            raise _Refused("holds more than the dataset does")
        return unpacked


def read_archive(path: PathLike, limits: Mapping[str, int], md5: str | None = None) -> dict[str, bytes]:
    """Return some of the files in a .tar.gz.

    Parameters
    ----------
    path : path-like
        The archive.
    limits : mapping
        The full name of each requested file: its largest size in bytes.
    md5 : str, optional
        Hexadecimal MD5 that the archive must have.

    Returns
    -------
    dict
        Name: content, for each requested file.

    Raises
    ------
    DataError
        For an archive that is missing, unreadable, damaged, not the expected one, or lacks a file.
    """
    try:
        with open_regular(path) as raw:
            if md5 is not None:
                check_md5(raw, path, md5)
            found = _files_of(raw, limits)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the name, or fetch the dataset again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'I/O error'}); check the file") from None
    except _Refused as reason:
        raise DataError(f"{path}: {reason}; delete it and fetch it again") from None
    if missing := [name for name in limits if name not in found]:
        raise DataError(f"{path}: contains no {missing[0]}; delete it and fetch it again")
    return found


def _files_of(raw: BinaryIO, limits: Mapping[str, int]) -> dict[str, bytes]:
    """Return those of the requested files that are in a .tar.gz."""
    import tarfile  # imported here: it takes longer than all imports that other data need

    unpacked = _Unpacked(raw, sum(limits.values()) + SPARE_BYTES)
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=unpacked, mode="r|") as archive:  # type: ignore[call-overload]
            for member in archive:
                name = member.name.removeprefix("./")
                if name not in limits or name in found or not member.isreg():
                    continue
                if member.size > limits[name]:
                    raise _Refused(f"says that {name} has {member.size:,} bytes, more than {limits[name]:,}")
                content = archive.extractfile(member)
                found[name] = content.read() if content else b""
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError, RecursionError):
        raise _Refused("is cut short, damaged or not a .tar.gz") from None
    return found


def check_md5(raw: BinaryIO, where: PathLike, md5: str) -> None:
    """Refuse an open file with another MD5, which detects damage, not forgery; the file is rewound after reading.

    Raises
    ------
    DataError
        With both checksums.
    """
    digest = hashlib.md5(usedforsecurity=False)
    while chunk := raw.read(CHUNK_BYTES):
        digest.update(chunk)
    raw.seek(0)
    if digest.hexdigest() != md5:
        raise DataError(
            f"{where}: not the archive that the authors publish (MD5 {digest.hexdigest()}, theirs {md5}); "
            "delete it and fetch it again"
        )
