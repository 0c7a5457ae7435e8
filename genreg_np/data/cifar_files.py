"""The files of CIFAR-10 and CIFAR-100, in either of the authors' archives, packed or unpacked.

    binary    a file is records of one label byte (CIFAR-100: two, coarse and fine) and 3072 pixels
    Python    a file is a pickle of {data: (N, 3072) uint8, labels or fine_labels: N numbers}, read by plain_pickle.py

The pixels of a picture are all red, then all green, then all blue ones, each row by row. An archive must have the MD5
that the authors publish. Unpacked files have no published checksums: they must have the right sizes, and as many
pictures of each class as the authors say.

Source: A. Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html.

Shapes: images (N, 3, 32, 32) uint8, labels (N,) int64.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.archive import read_archive
from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.fitting import CROP
from genreg_np.data.plain_pickle import read_plain_pickle
from genreg_np.data.shared import with_shared_noted
from genreg_np.errors import DataError
from genreg_np.files import open_regular

PICTURE = (3, 32, 32)
PIXELS = 3 * 32 * 32
NAMES_BYTES = 1 << 16  # limit for the file with the names of the classes
PICKLED_BYTES = 3400  # limit for one pickled picture with its label and file name
SPARE_BYTES = 4096  # for everything else in a pickle


@dataclass(frozen=True)
class Form:
    """One of the archives in which a dataset is published."""

    archive: str
    md5: str | None  # of the archive
    folder: str  # in the archive
    train: tuple[str, ...]  # files
    test: str
    names: str  # the file with the names of the classes
    labels: str = ""  # key of the labels in a pickle
    label_names: str = ""  # key of the names of the classes in a pickle
    label_bytes: int = 0  # of a record, before its pixels; the last byte is the class

    @property
    def files(self) -> tuple[str, ...]:
        """All files."""
        return (*self.train, self.test, self.names)


@dataclass(frozen=True)
class Cifar:
    """A dataset of pictures in the authors' files."""

    name: str  # as on the command line
    description: str  # one line
    classes: int
    forms: tuple[Form, ...]  # looked for in this order; the first is downloaded
    train_images: int = 50_000
    test_images: int = 10_000
    held_out: int = 5000  # training pictures at the end used for validation
    mirrors: tuple[str, ...] = ()  # base URLs, tried in this order

    def limits(self, form: Form) -> dict[str, int]:
        """Return the largest size in bytes of each file."""
        each, spare = (PICKLED_BYTES, SPARE_BYTES) if form.labels else (form.label_bytes + PIXELS, 0)
        counts = {**dict.fromkeys(form.train, self.train_images // len(form.train)), form.test: self.test_images}
        return {**{file: count * each + spare for file, count in counts.items()}, form.names: NAMES_BYTES}


Place = tuple[Form, Path]  # a folder with the files, or the archive


def read_cifar(source: Cifar, place: Place) -> Dataset:
    """Read a dataset from a folder or an archive.

    Raises
    ------
    DataError
        For files that are missing, damaged or from another dataset.
    """
    form, path = place
    contents = _contents(source.limits(form), form, path)
    names = _names(form, contents.pop(form.names), path / form.names)
    if len(names) != source.classes or len(set(names)) != len(names):
        raise DataError(f"{path / form.names}: {len(names)} names of classes; {source.name} has {source.classes}")
    train = _split(source, form, form.train, source.train_images, contents, path)
    test = _split(source, form, (form.test,), source.test_images, contents, path)
    kept = source.train_images - source.held_out
    dataset = Dataset(
        source.name,
        Split(train.inputs[:kept], train.labels[:kept]),
        Split(train.inputs[kept:], train.labels[kept:]),
        test,
        names,
        picture={"fit": CROP},
    )
    return with_shared_noted(dataset)


def _contents(limits: dict[str, int], form: Form, path: Path) -> dict[str, bytes]:
    """Return all files of a folder or an archive."""
    if path.name == form.archive and path.is_file():
        packed = read_archive(path, {f"{form.folder}/{file}": limit for file, limit in limits.items()}, form.md5)
        return {name.rpartition("/")[2]: content for name, content in packed.items()}
    contents = {}
    for file, limit in limits.items():
        try:
            with open_regular(path / file) as raw:
                contents[file] = raw.read(limit + 1)
        except OSError as error:
            raise DataError(f"{path / file}: cannot be read ({error.strerror}); check the file") from None
        if len(contents[file]) > limit:
            raise DataError(f"{path / file}: has more than {limit:,} bytes, too many; unpack the archive again")
    return contents


def _split(
    source: Cifar, form: Form, files: tuple[str, ...], count: int, contents: dict[str, bytes], path: Path
) -> Split:
    """Return the pictures of some files, checked against the published numbers; their contents are consumed."""
    images, labels = np.empty((count, *PICTURE), np.uint8), np.empty(count, np.int64)
    each = count // len(files)
    for number, file in enumerate(files):
        part = slice(number * each, (number + 1) * each)
        parse = _of_pickle if form.labels else _of_records
        pixels, classes = parse(contents.pop(file), form, each, path / file)
        images[part], labels[part] = pixels.reshape(-1, *PICTURE), classes
    counts, expected = np.bincount(labels, minlength=source.classes), count // source.classes
    if len(counts) != source.classes or (counts != expected).any():
        raise DataError(
            f"{path}: {' to '.join(dict.fromkeys((files[0], files[-1])))}: not {expected:,} pictures of each of "
            f"{source.classes} classes, as {source.name} has; fetch the dataset again"
        )
    return Split(images, labels)


def _of_records(content: bytes, form: Form, count: int, where: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return pixels (count, 3072) and labels (count,) of a binary file."""
    size = count * (form.label_bytes + PIXELS)
    if len(content) != size:
        raise DataError(f"{where}: has {len(content):,} bytes instead of {size:,}; fetch the dataset again")
    records = np.frombuffer(content, np.uint8).reshape(count, -1)
    return records[:, form.label_bytes :], records[:, form.label_bytes - 1]


def _of_pickle(content: bytes, form: Form, count: int, where: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return pixels (count, 3072) and labels (count,) of a file of the Python archive."""
    held = read_plain_pickle(content, where)
    pixels, labels = held.get("data"), held.get(form.labels)
    if not isinstance(pixels, np.ndarray) or pixels.shape != (count, PIXELS):
        raise DataError(f"{where}: its data are not {count:,} pictures of {PIXELS:,} bytes; fetch the dataset again")
    if not isinstance(labels, list) or len(labels) != count or not all(type(one) is int for one in labels):
        raise DataError(f"{where}: its {form.labels} are not {count:,} numbers; fetch the dataset again")
    if not all(0 <= one < 256 for one in labels):  # type: ignore[operator]
        raise DataError(f"{where}: its {form.labels} are not class numbers; fetch the dataset again")
    return pixels, np.array(labels, np.int64)


def _names(form: Form, content: bytes, where: Path) -> tuple[str, ...]:
    """Return the names of the classes."""
    names: object = content.splitlines()
    if form.labels:
        names = read_plain_pickle(content, where).get(form.label_names)
    if not isinstance(names, list) or not all(type(name) is bytes for name in names):
        raise DataError(f"{where}: has no {form.label_names or 'names of classes'}; fetch the dataset again")
    try:
        return tuple(text for name in names if (text := name.decode("ascii").strip()))
    except UnicodeDecodeError:
        raise DataError(f"{where}: the names of the classes are not plain text; fetch the dataset again") from None
