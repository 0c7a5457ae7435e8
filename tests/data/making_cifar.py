"""Files in the exact formats of CIFAR's archives, of as many pictures as a test wants."""

from __future__ import annotations

import hashlib
import io
import pickle
import struct
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.cifar_files import PIXELS, Cifar, Form

PurePickler: Any = pickle._Pickler  # the one written in Python: its parts can be replaced
Pictures = tuple[NDArray[np.uint8], NDArray[np.int64]]


class Python2Pickler(PurePickler):  # type: ignore[misc]
    """Writes what Python 2's cPickle wrote: bytes as its strings, and NumPy's old name."""

    dispatch: ClassVar[dict[Any, Any]] = dict(PurePickler.dispatch)

    def save_string(self, value: bytes) -> None:
        if len(value) < 256:
            self.write(b"U" + bytes([len(value)]) + value)
        else:
            self.write(b"T" + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch[bytes] = save_string

    def save_text(self, value: str) -> None:
        self.save(value.encode("ascii"))

    dispatch[str] = save_text

    def save_global(self, value: Any, name: str | None = None) -> None:
        module = value.__module__.replace("numpy._core", "numpy.core")
        self.write(f"c{module}\n{name or value.__qualname__}\n".encode("ascii"))
        self.memoize(value)


def python_2(value: Any) -> bytes:
    """Return a pickle as Python 2 wrote it."""
    stream = io.BytesIO()
    Python2Pickler(stream, 2).dump(value)
    return stream.getvalue()


def small(source: Cifar, train: int, test: int, held_out: int = 0) -> Cifar:
    """Return a dataset of fewer pictures, whose archives may have any sum."""
    forms = tuple(replace(form, md5=None) for form in source.forms)
    return replace(source, forms=forms, train_images=train, test_images=test, held_out=held_out or source.classes)


def pictures(count: int, classes: int, seed: int) -> Pictures:
    """Return pixels (count, 3072) and labels (count,), as many of each class, in mixed order."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, PIXELS), np.uint8), rng.permutation(np.arange(count) % classes)


def content_of(source: Cifar, form: Form, part: Pictures, label: str) -> bytes:
    """Return a file of pictures."""
    pixels, labels = part
    coarse = labels // 5
    if form.labels:
        value: dict[str, Any] = {"data": pixels, form.labels: labels.tolist(), "batch_label": label}
        value["filenames"] = [f"picture_s_{index:06d}.png" for index in range(len(labels))]
        return python_2(value | ({"coarse_labels": coarse.tolist()} if source.classes == 100 else {}))
    columns = [labels] if form.label_bytes == 1 else [coarse, labels]
    return np.column_stack([*columns, pixels]).astype(np.uint8).tobytes()


def names_of(source: Cifar) -> list[str]:
    return [f"thing_{index}" for index in range(source.classes)]


def contents_of(source: Cifar, form: Form) -> dict[str, bytes]:
    """Return the content of each of a form's files; the pictures are those of all forms."""
    pixels, labels = pictures(source.train_images, source.classes, 1)
    each = source.train_images // len(form.train)
    parts = [slice(start, start + each) for start in range(0, source.train_images, each)]
    contents = {
        file: content_of(source, form, (pixels[part], labels[part]), f"training batch {number} of {len(parts)}")
        for number, (file, part) in enumerate(zip(form.train, parts, strict=True), 1)
    }
    contents[form.test] = content_of(
        source, form, pictures(source.test_images, source.classes, 2), "testing batch 1 of 1"
    )
    names = names_of(source)
    if not form.labels:
        contents[form.names] = "\n".join([*names, "", ""]).encode("ascii")
    elif source.classes == 10:
        contents[form.names] = python_2({"num_cases_per_batch": each, "label_names": names, "num_vis": PIXELS})
    else:
        contents[form.names] = python_2({form.label_names: names, "coarse_label_names": names[:20]})
    return contents


def write_folder(contents: dict[str, bytes], folder: Path) -> Path:
    """Write files into a folder."""
    folder.mkdir(parents=True)
    for file, content in contents.items():
        (folder / file).write_bytes(content)
    return folder


def packed(contents: dict[str, bytes], folder: str) -> bytes:
    """Return a .tar.gz with a folder of files, and with one that nobody asks for."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        for name, content in {"": b"", "readme.html": b"<html>", **contents}.items():
            member = tarfile.TarInfo(f"{folder}/{name}" if name else folder)
            member.type = tarfile.REGTYPE if name else tarfile.DIRTYPE
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def with_sum(source: Cifar, form: Form, archive: bytes) -> Cifar:
    """Return a dataset of which one archive must be this one."""
    known = replace(form, md5=hashlib.md5(archive, usedforsecurity=False).hexdigest())
    return replace(source, forms=tuple(known if one == form else one for one in source.forms))
