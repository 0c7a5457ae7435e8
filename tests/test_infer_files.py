"""Model files: whatever is in one, the outcome is a usable model or a ModelError of one line."""

from __future__ import annotations

import io
import pickle
import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import infer
from genreg_np.infer import ModelError
from tests.helpers import STANDARDISED, one_line, patient, read_or_refuse, refusal


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all examples of a property may use."""
    return tmp_path_factory.mktemp("models")


GOOD = STANDARDISED.pack()


def test_a_missing_file_a_folder_and_an_empty_file_are_refused(folder: Path) -> None:
    """Each is told apart from a damaged model."""
    assert "no such file" in refusal(folder / "missing.npz")
    assert "folder" in refusal(folder)
    (folder / "empty.npz").write_bytes(b"")
    assert "not a readable .npz file" in refusal(folder / "empty.npz")


@pytest.mark.parametrize("share", [i / 20 for i in range(20)])
def test_a_truncated_model_is_refused(folder: Path, share: float) -> None:
    """Cut anywhere, the file is not a model."""
    path = folder / "cut.npz"
    path.write_bytes(GOOD[: int(share * len(GOOD))])
    refusal(path)


@patient
@given(st.binary(max_size=300))
def test_random_bytes_are_refused(folder: Path, data: bytes) -> None:
    """Nothing that is not a model is read as one."""
    (folder / "random.npz").write_bytes(data)
    refusal(folder / "random.npz")


@patient
@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=6))
def test_damaged_bytes_are_refused_or_harmless(folder: Path, damage: list[tuple[int, int]]) -> None:
    """A good file with a few bytes overwritten never raises anything but a ModelError."""
    data = bytearray(GOOD)
    for at, value in damage:
        data[at] = value
    (folder / "damaged.npz").write_bytes(data)
    read_or_refuse(folder / "damaged.npz")


def test_a_changed_weight_is_noticed(folder: Path) -> None:
    """The zip's checksum covers the weights: one flipped bit and the file is refused."""
    data = bytearray(GOOD)
    at = GOOD.index(STANDARDISED.arrays["layers.1.weight"].tobytes())
    data[at] ^= 1
    (folder / "flipped.npz").write_bytes(data)
    assert "damaged" in refusal(folder / "flipped.npz")


NPY = b"\x93NUMPY\x01\x00"


def npy(header: str, data: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return a .npy stream with the given header text."""
    text = header.encode("latin-1")
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(text)) + text + data


def npy_of(descr: str, shape: str) -> bytes:
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}}}")


STREAMS = {
    "nothing": b"",
    "no magic": b"\x92NUMPY\x01\x00\x00\x00",
    "cut in the magic": b"\x93NUM",
    "cut in the length": NPY + b"\x10",
    "cut in the header": NPY + b"\xff\x00{",
    "version 3": npy_of("'<f4'", "(0,)").replace(b"\x01\x00", b"\x03\x00", 1),
    "version 9": npy_of("'<f4'", "(0,)").replace(b"\x01\x00", b"\x09\x00", 1),
    "no header": npy(""),
    "not Python": npy("{'descr': ("),
    "not Python, version 2": npy("{'descr': (", version=b"\x02\x00"),
    "code": npy("__import__('os').abort()"),
    "not a dictionary": npy("[1, 2]"),
    "unhashable": npy("{[]: 1}"),
    "deep brackets": npy("[" * 3000),
    "deep minus": npy("-" * 9000 + "1"),
    "long": npy(" " * 60_000 + "{}"),
    "bytes": npy("\x00\xff\x80"),
    "missing keys": npy("{'descr': '<f4'}"),
    "type of nothing": npy_of("()", "(1,)"),
    "type of a number": npy_of("5", "(1,)"),
    "type of a list": npy_of("[()]", "(1,)"),
    "unknown type": npy_of("'<q9'", "(1,)"),
    "type of a line break": npy_of(r"'<\nf4'", "(1,)"),
    "objects": npy_of("'|O'", "(1,)"),
    "objects inside": npy_of("[('a', '|O')]", "(1,)"),
    "a structure": npy_of("[('a', '<f4')]", "(1,)"),
    "dates": npy_of("'<M8[s]'", "(0,)"),
    "raw bytes": npy_of("'|V4'", "(1,)"),
    "huge type": npy_of("'<U999999999'", "(1,)"),
    "huge structure": npy_of("('<f4', (99999999999999999999,))", "(1,)"),
    "huge shape": npy_of("'<f4'", "(1000000000000,)"),
    "huge product": npy_of("'<f4'", f"({10**9}, {10**9}, {10**9})"),
    "huge empty shape": npy_of("'<f4'", f"(0, {10**30})"),
    "wrapping product": npy_of("'<f4'", f"({2**32}, {2**32})"),
    "negative shape": npy_of("'<f4'", "(-1,)"),
    "negative pair": npy_of("'<f4'", "(-1, -1)") + b"\0" * 4,
    "truth for a shape": npy_of("'<f4'", "(True,)") + b"\0" * 4,
    "word for a shape": npy_of("'<f4'", "'a'"),
    "fractional shape": npy_of("'<f4'", "(1.0,)") + b"\0" * 4,
    "too many dimensions": npy_of("'<f4'", "(0, " + "1, " * 99 + ")"),
    "text of nothing": npy_of("'<U0'", "(3,)"),
    "too much data": npy_of("'<f4'", "(1,)") + b"\0" * 5,
    "too little data": npy_of("'<f4'", "(2,)") + b"\0" * 4,
}


@pytest.mark.parametrize("name", list(STREAMS))
def test_malformed_array_streams_are_refused(folder: Path, name: str) -> None:
    """Any .npy stream that is not a plain array is refused, by the strict reader and without warnings."""
    path = folder / "stream.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", STREAMS[name])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ModelError) as raised:
            infer.read_arrays(path)
    assert str(path) in one_line(raised.value)


@patient
@given(st.text("(){}[]'\",:-<>fU48 \\n0129TrueFalsdcphotn_", max_size=60), st.booleans())
def test_any_array_header_is_read_or_refused(folder: Path, text: str, whole: bool) -> None:
    """No header text makes the reader raise anything but a ModelError of one line."""
    header = text if whole else f"{{'descr': '<f4', 'fortran_order': False, 'shape': {text}}}"
    path = folder / "header.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", npy(header))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            infer.read_arrays(path)
        except ModelError as error:
            one_line(error)


def test_pickled_objects_are_refused_and_not_run(folder: Path) -> None:
    """An array of objects, as NumPy pickles it, is refused before anything in it is executed."""
    marker = folder / "executed"

    class Hostile:
        def __reduce__(self) -> tuple[Any, ...]:
            return open, (str(marker), "w")

    np.savez(folder / "objects.npz", header=np.array([Hostile()], object))
    assert "pickled objects" in refusal(folder / "objects.npz")
    assert not marker.exists()
    (folder / "pickle.npz").write_bytes(pickle.dumps(Hostile()))
    refusal(folder / "pickle.npz")
    assert not marker.exists()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_in_compressed_entries_is_refused(folder: Path, method: int) -> None:
    """Whatever the compression, damaged data are a ModelError."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("a.npy", npy_of("'<f4'", "(256,)") + bytes(range(256)) * 4)
    data = bytearray(buffer.getvalue())
    start = data.index(b"a.npy") + len("a.npy")
    for at in range(start, min(start + 120, data.index(b"PK\x01\x02")), 3):
        damaged = bytearray(data)
        damaged[at] ^= 0x5A
        (folder / "compressed.npz").write_bytes(damaged)
        with pytest.raises(ModelError) as raised:
            infer.read_arrays(folder / "compressed.npz")
        one_line(raised.value)


def test_a_zip_bomb_is_refused_without_unpacking_it(folder: Path) -> None:
    """64 MiB of zeros, a few KiB when deflated, are over a limit of 32 MiB: refused before memory is set aside."""
    path, size = folder / "bomb.npz", 64 << 20
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.npy", "w") as entry:
        entry.write(npy_of("'<f4'", f"({size // 4},)"))
        for _ in range(64):
            entry.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="limit of 33,554,432") as raised:
            infer.read_arrays(path, limit_bytes=32 << 20)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    one_line(raised.value)


def test_a_huge_declared_shape_sets_no_memory_aside(folder: Path) -> None:
    """An array header that claims 4 TB, in a file of 200 bytes, is compared with the file first."""
    with zipfile.ZipFile(folder / "claim.npz", "w") as archive:
        archive.writestr("a.npy", STREAMS["huge shape"])
    tracemalloc.start()
    try:
        with pytest.raises(ModelError, match="not what the file holds"):
            infer.read_arrays(folder / "claim.npz")
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_entries_that_lie_about_their_size_are_refused(folder: Path) -> None:
    """The central directory may claim 20 MiB for an entry of a few bytes, and the array may agree: it is cut short."""
    content = npy_of("'<f4'", f"({5 << 20},)") + b"\0" * 4
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.npy", content)
    claimed = struct.pack("<I", len(content) - 4 + (20 << 20))
    (folder / "liar.npz").write_bytes(buffer.getvalue().replace(struct.pack("<I", len(content)), claimed))
    with pytest.raises(ModelError) as raised:
        infer.read_arrays(folder / "liar.npz")
    one_line(raised.value)


@pytest.mark.parametrize("names", [("a.npy", "a.npy"), ("readme.txt",), (".npy",), ("a.npy/",)])
def test_duplicate_and_foreign_entries_are_refused(folder: Path, names: tuple[str, ...]) -> None:
    """An .npz holds one array per name and nothing else."""
    path = folder / "entries.npz"
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")
        for name in names:
            archive.writestr(name, npy_of("'<f4'", "(0,)"))
    assert "does not belong" in refusal(path)


def test_other_files_of_arrays_are_not_models(folder: Path) -> None:
    """An .npz without our header, and a zip of nothing, are told apart from damage."""
    np.savez(folder / "other.npz", x=np.zeros(3))
    assert "not a genreg-np model" in refusal(folder / "other.npz")
    np.savez(folder / "other.npz", header=np.zeros((3, 3), np.uint8))
    assert "not a genreg-np model" in refusal(folder / "other.npz")
    zipfile.ZipFile(folder / "none.npz", "w").close()
    assert "not a genreg-np model" in refusal(folder / "none.npz")
