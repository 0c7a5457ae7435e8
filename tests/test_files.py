"""Files: whole or untouched, and arrays come back as they were written."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genreg_np import files
from genreg_np.files import open_regular, pack_arrays, write_atomic
from genreg_np.infer import read_arrays
from tests.helpers import patient

DTYPES = st.one_of(
    hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32, 64))
)
ARRAYS = DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property may use."""
    return tmp_path_factory.mktemp("files")


class FullDisk:
    """A file on a disk that has no room."""

    def __init__(self, descriptor: int, mode: str) -> None:
        os.close(descriptor)

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def fail(error: BaseException) -> Any:
    def function(*_: object, **__: object) -> None:
        raise error

    return function


BROKEN = {
    "write": ("fdopen", FullDisk),
    "fsync": ("fsync", fail(OSError(errno.EIO, "Input/output error"))),
    "replace": ("replace", fail(PermissionError(errno.EACCES, "Permission denied"))),
    "interrupted": ("replace", fail(KeyboardInterrupt())),
}


@pytest.mark.parametrize("old", [b"the old file", None])
@pytest.mark.parametrize("step", list(BROKEN))
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, step: str, old: bytes | None
) -> None:
    """Whatever step fails, the error is passed on, the old file is whole and no temporary file stays."""
    path = tmp_path / "model.npz"
    if old is not None:
        path.write_bytes(old)
    with monkeypatch.context() as patched:
        patched.setattr(files.os, *BROKEN[step])
        with pytest.raises((OSError, KeyboardInterrupt)):
            write_atomic(path, b"the new file")
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == ({} if old is None else {path.name: old})


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    """A shorter file leaves nothing of a longer one, and no temporary file."""
    path = tmp_path / "file"
    for data in (b"x" * 10_000, b"short", b""):
        write_atomic(path, data)
        assert path.read_bytes() == data
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX files")
def test_a_written_file_can_be_read_by_others(tmp_path: Path) -> None:
    """Temporary files are private; the finished one is not."""
    write_atomic(tmp_path / "file", b"")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


def test_writing_into_a_missing_folder_is_an_os_error(tmp_path: Path) -> None:
    """No folder is made behind the caller's back."""
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "missing" / "file", b"")
    assert not (tmp_path / "missing").exists()


@patient
@given(st.dictionaries(st.from_regex(r"[a-z_.0-9]{1,12}", fullmatch=True), ARRAYS, max_size=4))
def test_packed_arrays_come_back_as_they_were(folder: Path, arrays: dict[str, np.ndarray]) -> None:
    """Names, order, types with byte order, shapes (0-dimensional and empty too) and bytes all survive."""
    path = folder / "arrays.npz"
    path.write_bytes(pack_arrays(arrays))
    found = read_arrays(path)
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_packed_text_comes_back_as_it_was(folder: Path) -> None:
    """Arrays of text are plain arrays too."""
    path = folder / "text.npz"
    path.write_bytes(pack_arrays({"names": np.array(["null", "eins", "zwölf"])}))
    assert read_arrays(path)["names"].tolist() == ["null", "eins", "zwölf"]


def test_numpy_reads_packed_arrays(folder: Path) -> None:
    """The file is an ordinary .npz, whatever the memory layout of the arrays was."""
    path, array = folder / "ordinary.npz", np.arange(24.0).reshape(2, 3, 4)
    path.write_bytes(pack_arrays({"c": array, "fortran": np.asfortranarray(array), "strided": array[:, ::2]}))
    with np.load(path) as found:
        assert np.array_equal(found["c"], array)
        assert np.array_equal(found["fortran"], array)
        assert np.array_equal(found["strided"], array[:, ::2])


def test_arrays_written_by_numpy_are_read(folder: Path) -> None:
    """np.savez and np.savez_compressed write files that the strict reader takes, Fortran order included."""
    arrays = {"a": np.asfortranarray(np.arange(6).reshape(2, 3)), "b": np.array(2.5), "c": np.zeros((0, 3), bool)}
    for save in (np.savez, np.savez_compressed):
        save(folder / "numpy.npz", **arrays)
        found = read_arrays(folder / "numpy.npz")
        assert all(np.array_equal(found[name], array) for name, array in arrays.items())
        assert found["a"].shape == (2, 3)


def test_packed_bytes_depend_on_the_order_of_arrays_and_on_nothing_else() -> None:
    """Equal arrays in equal order give equal bytes."""
    a, b = np.arange(3), np.ones(2, np.float32)
    assert pack_arrays({"a": a, "b": b}) == pack_arrays({"a": a.copy(), "b": b.copy()})
    assert pack_arrays({"a": a, "b": b}) != pack_arrays({"b": b, "a": a})


def test_objects_are_never_packed() -> None:
    """An array of objects would need pickle, which no file of ours holds."""
    with pytest.raises(ValueError, match="allow_pickle"):
        pack_arrays({"a": np.array([object()])})


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and devices of POSIX")
@pytest.mark.parametrize("what", ["fifo", "link to a fifo", "device", "folder", "link to a folder"])
def test_only_regular_files_are_opened(tmp_path: Path, what: str) -> None:
    """What could be waited for or read without end is refused at once, by whatever name it is reached."""
    path = tmp_path / "input"
    if what == "device":
        path.symlink_to("/dev/zero")
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        target = tmp_path / "target"
        os.mkfifo(target) if what == "link to a fifo" else target.mkdir()
        path.symlink_to(target)
    with pytest.raises(OSError) as caught:
        open_regular(path)
    assert caught.value.strerror in ("is not a regular file", os.strerror(errno.EISDIR))


@pytest.mark.skipif(os.name != "posix", reason="Windows lets few users make links")
def test_a_link_is_followed_unless_it_must_not_be(tmp_path: Path) -> None:
    """Users may link to their data; a file of our own making is no link."""
    (tmp_path / "file").write_bytes(b"data")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    for name, follow_links in (("link", True), ("file", False)):
        with open_regular(tmp_path / name, follow_links=follow_links) as file:
            assert file.read() == b"data"
    with pytest.raises(OSError, match="is a symbolic link"):
        open_regular(tmp_path / "link", follow_links=False)
