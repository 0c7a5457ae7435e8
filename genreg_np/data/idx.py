"""The IDX format of MNIST: one typed array of any rank in a file, plain or gzipped.

    byte 0-1   zero
    byte 2     element type: 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64
    byte 3     rank R, 1 or more
    then       R dimensions, 4 bytes each, big-endian; then the elements, row-major, big-endian

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats". Nothing
is allocated before the declared size is known to be within the limit, and no more than that size plus one byte is
ever unpacked from a .gz, so neither a damaged nor a hostile file can exhaust memory.

Shapes: images (N, H, W) uint8, labels (N,) uint8 in MNIST's files; any shape elsewhere.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from genreg_np.errors import DataError
from genreg_np.files import open_regular, write_atomic

ELEMENT_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
LIMIT_BYTES = 1 << 30  # the largest array, unless the caller allows more
MAX_RANK = 32  # NumPy 1's limit
GZIP_MAGIC = b"\x1f\x8b"
CHUNK_BYTES = 1 << 20

PathLike = str | os.PathLike[str]


def read_idx(path: PathLike, limit_bytes: int = LIMIT_BYTES, *, sha256: str | None = None) -> NDArray[np.generic]:
    """Read one array from an IDX file, plain or gzipped (detected by its first bytes, not by its name).

    Parameters
    ----------
    path : path-like
        The file.
    limit_bytes : int
        An array declared larger than this is refused before any memory is allocated.
    sha256 : str, optional
        Hexadecimal SHA-256 that the decompressed bytes must have.

    Returns
    -------
    ndarray
        The elements in native byte order, with the shape declared in the file.

    Raises
    ------
    DataError
        For a file that is missing, unreadable, empty, not IDX, of an unknown element type, truncated, followed by
        more bytes, too large, corrupt as gzip, or not the one with this `sha256`.
    """
    try:
        with open_regular(path) as raw:
            return parse_idx(raw, path, limit_bytes, sha256=sha256)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; check the name, or fetch the dataset again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or 'I/O error'}); check the file") from None


def parse_idx(
    raw: BinaryIO, where: PathLike, limit_bytes: int = LIMIT_BYTES, *, sha256: str | None = None
) -> NDArray[np.generic]:
    """Read one array from an open, seekable IDX stream, gzipped or plain: `read_idx` for bytes in memory.

    Parameters
    ----------
    raw : binary file
        Positioned at its start.
    where : path-like
        Its name in errors.
    limit_bytes, sha256
        As for `read_idx`.

    Returns
    -------
    ndarray
        As `read_idx`.

    Raises
    ------
    DataError
        As `read_idx`.
    """
    start = raw.read(2)
    raw.seek(0)
    if start != GZIP_MAGIC:
        return _read_array(raw, where, limit_bytes, sha256)
    try:
        with gzip.GzipFile(fileobj=raw, mode="rb") as unpacked:
            return _read_array(unpacked, where, limit_bytes, sha256)
    except EOFError:
        raise DataError(f"{where}: the gzip stream breaks off; fetch the file again") from None
    except (gzip.BadGzipFile, zlib.error):
        raise DataError(f"{where}: corrupt gzip data; fetch the file again") from None


def _read_array(
    stream: BinaryIO | gzip.GzipFile, path: PathLike, limit_bytes: int, sha256: str | None
) -> NDArray[np.generic]:
    """Parse one IDX array from the decompressed bytes."""
    magic = stream.read(4)
    if not magic:
        raise DataError(f"{path}: the file is empty; fetch it again")
    if len(magic) < 4:
        raise DataError(f"{path}: the header breaks off after {len(magic)} bytes; fetch the file again")
    if magic[:2] != b"\0\0":
        raise DataError(f"{path}: not an IDX file (it begins {magic.hex()}, IDX with 0000); check which file this is")
    if magic[2] not in ELEMENT_TYPES:
        known = ", ".join(f"{code:02x}" for code in ELEMENT_TYPES)
        raise DataError(f"{path}: unknown IDX element type {magic[2]:02x} (known: {known}); check which file this is")
    dtype, rank = np.dtype(ELEMENT_TYPES[magic[2]]), magic[3]
    if not 1 <= rank <= MAX_RANK:
        raise DataError(f"{path}: an IDX array of rank {rank}; 1 to {MAX_RANK} can be read; check which file this is")
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise DataError(f"{path}: the header breaks off after {4 + len(sizes)} bytes; fetch the file again")
    shape = struct.unpack(f">{rank}I", sizes)
    # A zero among huge dimensions makes an array that is empty but cannot be represented: it counts as 1 here.
    if math.prod(max(size, 1) for size in shape) * dtype.itemsize > limit_bytes:
        described = "x".join(map(str, shape))
        raise DataError(
            f"{path}: declares {described} {dtype.newbyteorder('=')}, above the limit of {limit_bytes:,} bytes; "
            "fetch the file again, or raise limit_bytes if it really is that large"
        )
    buffer = np.empty(math.prod(shape) * dtype.itemsize, np.uint8)
    digest = hashlib.sha256(magic + sizes)
    filled = 0
    while filled < len(buffer):
        chunk = stream.read(min(CHUNK_BYTES, len(buffer) - filled))
        if not chunk:
            raise DataError(f"{path}: the data break off after {filled:,} of {len(buffer):,} bytes; fetch it again")
        buffer[filled : filled + len(chunk)] = np.frombuffer(chunk, np.uint8)
        digest.update(chunk)
        filled += len(chunk)
    if stream.read(1):
        raise DataError(f"{path}: more bytes follow the {len(buffer):,} that its header declares; fetch it again")
    if sha256 is not None and digest.hexdigest() != sha256:
        raise DataError(
            f"{path}: not the expected data (SHA-256 {digest.hexdigest()[:12]}..., expected {sha256[:12]}...); "
            "delete the file and fetch it again"
        )
    return buffer.view(dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)


def read_idx_pair(
    images: PathLike,
    labels: PathLike,
    limit_bytes: int = LIMIT_BYTES,
    *,
    sha256: tuple[str | None, str | None] = (None, None),
) -> tuple[NDArray[np.generic], NDArray[np.int64]]:
    """Read the images and labels of one split and check that they belong together.

    Parameters
    ----------
    images, labels : path-like
        IDX files: (N, ...) of any type, and (N,) integers.
    limit_bytes : int
        As for `read_idx`, for each file.
    sha256 : tuple of two str or None
        Hashes that the decompressed images and labels must have.

    Returns
    -------
    tuple of ndarray
        Images (N, ...) as stored, labels (N,) int64.

    Raises
    ------
    DataError
        As `read_idx`, and if the two files disagree or the labels are not a list of integers.
    """
    pixels = read_idx(images, limit_bytes, sha256=sha256[0])
    classes = read_idx(labels, limit_bytes, sha256=sha256[1])
    if pixels.ndim < 2:
        raise DataError(f"{images}: an array of rank 1 holds no images; were images and labels exchanged?")
    if classes.ndim != 1 or classes.dtype.kind not in "iu":
        raise DataError(
            f"{labels}: labels must be a list of integers, this is {classes.shape} {classes.dtype}; "
            "were images and labels exchanged?"
        )
    if len(pixels) != len(classes):
        raise DataError(
            f"{images}: {len(pixels):,} images, but {len(classes):,} labels in {labels}; take both from one dataset"
        )
    return pixels, classes.astype(np.int64)


def write_idx(path: PathLike, array: NDArray[np.generic]) -> None:
    """Write an array as an IDX file, gzipped (reproducibly, without a time stamp) if the name ends in .gz.

    Parameters
    ----------
    path : path-like
        The file to write; an existing one is replaced.
    array : ndarray
        Rank 1 or more, of one of the six IDX types.

    Raises
    ------
    DataError
        For an array of rank 0 or above 32, or of a type that IDX does not support.
    """
    big_endian = array.dtype.newbyteorder(">")
    codes = {np.dtype(text): code for code, text in ELEMENT_TYPES.items()}
    if big_endian not in codes:
        known = ", ".join(str(np.dtype(text).newbyteorder("=")) for text in ELEMENT_TYPES.values())
        raise DataError(f"{path}: IDX cannot hold {array.dtype}; convert the array to one of {known}")
    if not 1 <= array.ndim <= MAX_RANK:
        raise DataError(f"{path}: IDX holds arrays of rank 1 to {MAX_RANK}, this one has rank {array.ndim}; reshape it")
    header = bytes((0, 0, codes[big_endian], array.ndim)) + struct.pack(f">{array.ndim}I", *array.shape)
    content = header + array.astype(big_endian).tobytes()
    write_atomic(Path(path), gzip.compress(content, mtime=0) if Path(path).suffix == ".gz" else content)
