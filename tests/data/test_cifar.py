"""CIFAR-10 and CIFAR-100 in both of the authors' forms, packed and unpacked, and what is damaged or hostile.

The data themselves are not here: files in their exact formats are made of random pictures (making_cifar.py).
"""

from __future__ import annotations

import gzip
import io
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from genreg_np import data
from genreg_np.data import archive, cifar
from genreg_np.data.archive import read_archive
from genreg_np.data.cifar import CIFAR_10, CIFAR_100, cifar_at, fetch_cifar, find_cifar, load_cifar
from genreg_np.data.cifar_files import PICTURE, Cifar, Form, read_cifar
from genreg_np.errors import DataError, UsageError
from tests.data.conftest import Reply, outcome
from tests.data.making_cifar import (
    content_of,
    contents_of,
    names_of,
    packed,
    pictures,
    python_2,
    small,
    with_sum,
    write_folder,
)
from tests.helpers import one_line

SMALL = {
    "cifar-10": small(CIFAR_10, 100, 20),
    "cifar-100": small(CIFAR_100, 200, 100),
}
CASES = [(source, form) for source in SMALL.values() for form in source.forms]
each_form = pytest.mark.parametrize(("source", "form"), CASES, ids=[form.folder for _, form in CASES])
PYTHON = CIFAR_10.forms[1]


@pytest.fixture(autouse=True)
def no_data_here(bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither does Keras keep any, and nothing is fetched from the real address."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(cifar, "SOURCES", SMALL)
    monkeypatch.setattr(data, "CIFAR", SMALL)


def put(source: Cifar, form: Form, where: Path, layout: str) -> Path:
    """Put a dataset somewhere, packed or unpacked; return where it is to be found."""
    contents = contents_of(source, form)
    if layout == "packed":
        where.mkdir(parents=True, exist_ok=True)
        (where / form.archive).write_bytes(packed(contents, form.folder))
        return where / form.archive
    return write_folder(contents, where / form.folder if layout == "unpacked" else where)


# What is read


@each_form
@pytest.mark.parametrize("layout", ["packed", "unpacked"])
def test_every_form_holds_the_same_pictures(source: Cifar, form: Form, layout: str, tmp_path: Path) -> None:
    dataset = read_cifar(source, (form, put(source, form, tmp_path, layout)))
    pixels, labels = pictures(source.train_images, source.classes, 1)
    kept = source.train_images - source.held_out
    np.testing.assert_array_equal(dataset.train.inputs.reshape(kept, -1), pixels[:kept])
    np.testing.assert_array_equal(dataset.validation.inputs.reshape(source.held_out, -1), pixels[kept:])
    np.testing.assert_array_equal(dataset.everything.labels[: source.train_images], labels)
    pixels, labels = pictures(source.test_images, source.classes, 2)
    np.testing.assert_array_equal(dataset.test.inputs.reshape(len(labels), -1), pixels)
    np.testing.assert_array_equal(dataset.test.labels, labels)
    assert dataset.class_names == tuple(names_of(source))
    assert dataset.input_shape == PICTURE
    assert (dataset.name, dataset.input_range) == (source.name, (0.0, 255.0))
    assert dataset.train.inputs.flags.writeable


def test_planes_of_colour_are_in_the_authors_order(tmp_path: Path) -> None:
    """The first 1024 bytes are red, the next green, the last blue, each row by row."""
    source, form = SMALL["cifar-10"], CIFAR_10.forms[0]
    put(source, form, tmp_path, "unpacked")
    file = tmp_path / form.folder / form.train[0]
    record = bytearray(file.read_bytes())
    record[1 : 1 + 3072] = bytes(3072)
    record[1 + 32] = 1  # red, second row, first column
    record[1 + 1024 + 1] = 2  # green, first row, second column
    record[1 + 2048] = 3  # blue, first of all
    file.write_bytes(record)
    first = read_cifar(source, (form, tmp_path / form.folder)).train.inputs[0]
    assert [first[0, 1, 0], first[1, 0, 1], first[2, 0, 0], np.count_nonzero(first)] == [1, 2, 3, 3]


def test_the_sources_are_what_is_published() -> None:
    for source in (CIFAR_10, CIFAR_100):
        assert (source.train_images, source.test_images, source.held_out) == (50_000, 10_000, 5000)
        assert all(mirror.startswith("https://") and mirror.endswith("/") for mirror in source.mirrors)
        assert all(form.md5 and len(form.md5) == 32 for form in source.forms)
        assert source.limits(source.forms[0])[source.forms[0].test] == 10_000 * (3072 + source.forms[0].label_bytes)


@pytest.mark.soak
@pytest.mark.parametrize("source", [CIFAR_10, CIFAR_100], ids=["cifar-10", "cifar-100"])
@pytest.mark.parametrize("layout", ["packed", "unpacked"])
def test_files_of_full_size_are_read(source: Cifar, layout: str, tmp_path: Path) -> None:
    whole = replace(source, forms=tuple(replace(form, md5=None) for form in source.forms))
    read = [read_cifar(whole, (form, put(whole, form, tmp_path, layout))) for form in whole.forms]
    for dataset in read:
        assert [len(dataset.split(name)) for name in data.SPLITS] == [45_000, 5_000, 10_000]
        dataset.check_trainable()
        for name in data.SPLITS:
            assert dataset.split(name).inputs.tobytes() == read[0].split(name).inputs.tobytes()
            assert dataset.split(name).labels.tobytes() == read[0].split(name).labels.tobytes()


# Where it is looked for


@each_form
@pytest.mark.parametrize("layout", ["packed", "unpacked", "flat"])
@pytest.mark.parametrize("below", ["", "named"])
def test_it_is_found_in_each_layout(source: Cifar, form: Form, layout: str, below: str, tmp_path: Path) -> None:
    folder = tmp_path / "data" / (source.name if below else "")
    where = put(source, form, folder, layout)
    assert find_cifar(source, tmp_path / "data") == (form, where)
    assert len(load_cifar(source, tmp_path / "data", download=False).test) == source.test_images


@each_form
@pytest.mark.parametrize("around", ["", "{}-target"])
def test_it_is_found_where_keras_keeps_it(source: Cifar, form: Form, around: str, tmp_path: Path) -> None:
    where = put(source, form, tmp_path / "keras" / "datasets" / around.format(form.folder), "unpacked")
    assert find_cifar(source) == (form, where)


def test_what_was_named_comes_before_keras(tmp_path: Path) -> None:
    source = SMALL["cifar-10"]
    put(source, PYTHON, tmp_path / "keras" / "datasets", "unpacked")
    where = put(source, source.forms[0], tmp_path / "mine", "packed")
    assert find_cifar(source, tmp_path / "mine") == (source.forms[0], where)


@each_form
@pytest.mark.parametrize("layout", ["packed", "unpacked"])
def test_a_path_to_it_is_a_dataset(source: Cifar, form: Form, layout: str, tmp_path: Path) -> None:
    where = put(source, form, tmp_path, layout)
    dataset = data.load_dataset(where)
    assert dataset.name == source.name
    assert (dataset.origin or {})["source"] == str(where)
    assert cifar_at(tmp_path) == ((source, (form, where)) if layout == "unpacked" else None)
    assert data.may_be_pictures(where)


def test_names_and_spellings() -> None:
    assert data.dataset_names()[2:4] == ("cifar-10", "cifar-100")
    for wrong, right in {"cifar10": "cifar-10", "cifar100": "cifar-100"}.items():
        with pytest.raises(UsageError, match=f"did you mean '{right}'"):
            data.load_dataset(wrong)
    with pytest.raises(UsageError, match="only, not to cifar-10"):
        data.load_dataset("cifar-10", size=(8, 8))


def test_the_list_says_where_it_is(tmp_path: Path) -> None:
    def where() -> dict[str, str]:
        return {info.name: info.where for info in data.describe_datasets(tmp_path)}

    assert where()["cifar-100"] == "not here: genreg-np data fetch cifar-100"
    folder = put(SMALL["cifar-100"], CIFAR_100.forms[1], tmp_path, "unpacked")
    assert where()["cifar-100"] == str(folder)
    assert where()["cifar-10"] == "not here: genreg-np data fetch cifar-10"


# Fetching


@pytest.fixture
def served(serve: Callable[[dict[str, Reply]], str]) -> Callable[[bytes], Cifar]:
    """Return a small CIFAR-10 whose archive must be the right one, and of which a mirror sends what a test says."""

    def make(body: bytes) -> Cifar:
        source = SMALL["cifar-10"]
        form = source.forms[0]
        address = serve({"m": lambda file: (200, body, len(body)) if file == form.archive else (404, b"", 0)})
        return replace(with_sum(source, form, ARCHIVE), mirrors=(f"{address}/m/",))

    return make


ARCHIVE = packed(contents_of(SMALL["cifar-10"], SMALL["cifar-10"].forms[0]), CIFAR_10.forms[0].folder)


def test_a_download_is_checked_and_kept(served: Callable[[bytes], Cifar], bare_machine: Path) -> None:
    source = served(ARCHIVE)
    seen: set[str] = set()
    dataset = load_cifar(source, progress=lambda file, done, total: seen.add(file))
    assert len(dataset.train) == 90
    assert seen == {"cifar-10-binary.tar.gz"}
    kept = bare_machine / "cifar-10" / "cifar-10-binary.tar.gz"
    assert kept.read_bytes() == ARCHIVE
    assert fetch_cifar(source) == kept
    kept.write_bytes(ARCHIVE[:-9])
    with pytest.raises(DataError, match=r"not the archive that the authors publish \(MD5 .*fetch it again"):
        load_cifar(source)
    assert fetch_cifar(source) == kept
    assert kept.read_bytes() == ARCHIVE, "a damaged archive is replaced"


@pytest.mark.parametrize("body", [b"<html>", ARCHIVE[:-9], ARCHIVE + b"x", b""])
def test_a_wrong_download_is_not_kept(served: Callable[[bytes], Cifar], bare_machine: Path, body: bytes) -> None:
    source = served(body)
    error = outcome(lambda: load_cifar(source))
    assert "cifar-10-binary.tar.gz cannot be downloaded (127.0.0.1: it sent something other" in one_line(error)
    assert not list(bare_machine.rglob("*.gz"))


def test_what_is_not_here_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cifar-10 is not in .*keras.*genreg-np data fetch cifar-10"):
        load_cifar(SMALL["cifar-10"], tmp_path, download=False)


def test_a_damaged_folder_of_ones_own_is_not_passed_over(tmp_path: Path) -> None:
    """Where it was put on purpose, another is not fetched in its place in silence."""
    source = SMALL["cifar-10"]
    folder = put(source, source.forms[0], tmp_path, "unpacked")
    (folder / "test_batch.bin").write_bytes(b"short")
    with pytest.raises(DataError, match=r"test_batch\.bin: has 5 bytes instead of 61,460"):
        fetch_cifar(source, tmp_path)


# What is damaged, or another's


def broken(folder: Path, file: str, content: bytes) -> None:
    (folder / file).write_bytes(content)


@each_form
def test_damage_is_one_line_that_names_the_file(source: Cifar, form: Form, tmp_path: Path) -> None:
    whole = put(source, form, tmp_path, "unpacked")
    for number, file in enumerate(form.files):
        folder = tmp_path / f"{number}"
        for content in (b"", b"\0", whole.joinpath(file).read_bytes()[:-700], b"\xff" * 100_000):
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(whole, folder)
            broken(folder, file, content)
            error = one_line(outcome(partial(read_cifar, source, (form, folder))))
            assert str(folder / file) in error
    whole.joinpath(form.test).unlink()
    assert "No such file" in one_line(outcome(lambda: read_cifar(source, (form, whole))))


@each_form
def test_as_many_of_each_class_as_is_published(source: Cifar, form: Form, tmp_path: Path) -> None:
    """A label that was changed leaves one picture too few of a class."""
    folder = put(source, form, tmp_path, "unpacked")
    pixels, labels = pictures(source.test_images, source.classes, 2)
    labels[0] = (labels[0] + 1) % source.classes
    (folder / form.test).write_bytes(content_of(source, form, (pixels, labels), ""))
    error = one_line(outcome(lambda: read_cifar(source, (form, folder))))
    assert f"not {source.test_images // source.classes} pictures of each of {source.classes} classes" in error


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"labels": [0, 1] * 10}, "its data are not 20 pictures"),
        ({"data": np.zeros((20, 3071), np.uint8), "labels": [0, 1] * 10}, "its data are not 20 pictures"),
        ({"data": np.zeros((20, 3072), np.uint8), "fine_labels": [0, 1] * 10}, "its labels are not 20 numbers"),
        ({"data": np.zeros((20, 3072), np.uint8), "labels": [0] * 19}, "its labels are not 20 numbers"),
        ({"data": np.zeros((20, 3072), np.uint8), "labels": ["a"] * 20}, "its labels are not 20 numbers"),
        ({"data": np.zeros((20, 3072), np.uint8), "labels": [-1] * 20}, "its labels are not class numbers"),
        ({"data": np.zeros((20, 3072), np.uint8), "labels": [2**31 - 1] * 20}, "its labels are not class numbers"),
        ({"data": np.zeros((20, 768), np.float32), "labels": [0] * 20}, "cannot be read as a pickle of arrays"),
    ],
)
def test_a_pickle_of_something_else_is_refused(value: dict[str, object], said: str, tmp_path: Path) -> None:
    source = SMALL["cifar-10"]
    form = source.forms[1]
    folder = put(source, form, tmp_path, "unpacked")
    (folder / form.test).write_bytes(python_2(value))
    assert f"{folder / form.test}: {said}" in one_line(outcome(lambda: read_cifar(source, (form, folder))))


@pytest.mark.parametrize("names", ["a\n" * 10, "a\nb\n", "", "\xff"])
def test_names_of_other_classes_are_refused(names: str, tmp_path: Path) -> None:
    source = SMALL["cifar-10"]
    form = source.forms[0]
    folder = put(source, form, tmp_path, "unpacked")
    (folder / form.names).write_bytes(names.encode("latin-1"))
    assert str(folder / form.names) in one_line(outcome(lambda: read_cifar(source, (form, folder))))


# Archives


def archive_of(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as made:
        for member, content in members:
            made.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    found.size, found.type, found.linkname = size, kind, link
    return found


GOOD = archive_of((member("./f/a", 3), b"abc"), (member("f/b", 9), b"unwanted!"))


def test_only_what_is_wanted_is_taken(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(GOOD)
    assert read_archive(tmp_path / "x.tar.gz", {"f/a": 3}) == {"f/a": b"abc"}
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]


def claims(size: int) -> bytes:
    """Return an archive of which a file claims to have so many bytes, and has none."""
    return gzip.compress(member("f/a", size).tobuf(tarfile.GNU_FORMAT) + bytes(1024))


HOSTILE = {
    "empty": b"",
    "no archive": b"<html>",
    "no tar": gzip.compress(b"not a tar" * 1000),
    "nothing in it": gzip.compress(b""),
    "cut short": GOOD[: len(GOOD) // 2],
    "damaged": GOOD[:30] + b"\0\0\0\0" + GOOD[34:],
    "a link": archive_of((member("f/a", 0, tarfile.SYMTYPE, "/etc/passwd"), b"")),
    "a hard link": archive_of((member("f/a", 0, tarfile.LNKTYPE, "f/b"), b"")),
    "a device": archive_of((member("f/a", 0, tarfile.CHRTYPE), b"")),
    "a file above": archive_of((member("f/../f/a", 3), b"abc"), (member("/f/a", 3), b"abc")),
    "larger than it may be": archive_of((member("f/a", 4), b"abcd")),
    "a claim": claims(1 << 40),
    "a bomb beside": archive_of((member("f/b", 1 << 22), bytes(1 << 22)), (member("f/a", 3), b"abc")),
    "a bomb of a header": gzip.compress(member("h", 1 << 22, tarfile.XHDTYPE).tobuf() + b"1" * (1 << 22)),
    "headers upon headers": gzip.compress((member("h", 0, tarfile.XHDTYPE).tobuf()) * 1500),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_archive_is_one_line(content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "SPARE_BYTES", 1 << 21)
    (tmp_path / "x.tar.gz").write_bytes(content)
    error = outcome(lambda: read_archive(tmp_path / "x.tar.gz", {"f/a": 3}))
    assert isinstance(error, DataError)
    assert one_line(error).startswith(str(tmp_path / "x.tar.gz"))
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]


def test_an_archive_that_is_not_there(tmp_path: Path) -> None:
    assert "no such file" in one_line(outcome(lambda: read_archive(tmp_path / "x.tar.gz", {})))
    assert "cannot be read" in one_line(outcome(lambda: read_archive(tmp_path, {})))
