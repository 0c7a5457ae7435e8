"""The IDX reader: what was written comes back, and nothing else ever gets through or crashes."""

from __future__ import annotations

import gzip
import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genreg_np.data.idx import ELEMENT_TYPES, parse_idx, read_idx, read_idx_pair, write_idx
from genreg_np.errors import DataError
from tests.data.conftest import outcome

DTYPES = [np.dtype(text).newbyteorder("=") for text in ELEMENT_TYPES.values()]
GOOD = bytes((0, 0, 8, 2)) + struct.pack(">2I", 2, 3) + bytes(range(6))
PACKED = gzip.compress(GOOD, mtime=0)


def refused(path: Path, content: bytes, *words: str, **options: int) -> str:
    """Check that a file with this content gives one line that names it and has the words."""
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read_idx(path, **options)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


@settings(max_examples=60, deadline=None)
@given(
    array=st.sampled_from(DTYPES).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=5, min_side=0, max_side=4))
    ),
    suffix=st.sampled_from(["", ".gz"]),
)
def test_what_was_written_is_read_for_all_types_and_ranks(
    array: np.ndarray, suffix: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("idx") / f"array{suffix}"
    write_idx(path, array)
    back = read_idx(path)
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    np.testing.assert_array_equal(back, array)


@settings(max_examples=200, deadline=None)
@given(
    content=st.binary(max_size=64),
    gzipped=st.booleans(),
    prefix=st.sampled_from([b"", b"\0\0", b"\0\0\x08", b"\x1f\x8b"]),
)
def test_random_bytes_give_an_array_or_a_data_error(content: bytes, gzipped: bool, prefix: bytes) -> None:
    content = prefix + content
    stream = io.BytesIO(gzip.compress(content) if gzipped else content)
    result = outcome(lambda: parse_idx(stream, "random", limit_bytes=1 << 16))
    assert isinstance(result, DataError) or result.nbytes <= 1 << 16


@settings(max_examples=100, deadline=None)
@given(data=st.data(), gzipped=st.booleans())
def test_every_truncation_is_refused(data: st.DataObject, gzipped: bool) -> None:
    content = PACKED if gzipped else GOOD
    cut = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DataError):
        parse_idx(io.BytesIO(content[:cut]), "cut")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_in_a_gzip_never_changes_the_array_unnoticed(data: st.DataObject) -> None:
    content = bytearray(PACKED)
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    result = outcome(lambda: parse_idx(io.BytesIO(bytes(content)), "flipped"))
    if not isinstance(result, DataError):  # a byte of the gzip header's time or name
        np.testing.assert_array_equal(result, np.arange(6).reshape(2, 3))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: no such file"):
        read_idx(tmp_path / "nowhere")


def test_a_folder_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (gzip.compress(b"", mtime=0), "empty"),
        (b"\0\0\x08", "header breaks off"),
        (b"PK\x03\x04 zip", "not an IDX file"),
        (b"\x89PNG\r\n", "not an IDX file"),
        (b"\0\0\x07\x01" + bytes(8), "unknown IDX element type 07"),
        (b"\0\0\x08\0", "rank 0"),
        (b"\0\0\x08\xff", "rank 255"),
        (GOOD[:7], "header breaks off after 7"),
        (GOOD[:-1], "break off after 5 of 6"),
        (GOOD + b"x", "more bytes follow"),
        (PACKED[:-9], "breaks off"),
        (PACKED[:10] + b"\xff" * 9 + PACKED[19:], "corrupt gzip"),
        (PACKED + b"rubbish", "corrupt gzip"),
        (gzip.compress(GOOD + b"x", mtime=0), "more bytes follow"),
        (gzip.compress(GOOD[:-1], mtime=0), "break off after 5 of 6"),
    ],
)
def test_each_damage_has_its_own_error(tmp_path: Path, content: bytes, words: str) -> None:
    refused(tmp_path / "bad", content, words)


@pytest.mark.parametrize("sizes", [(0xFFFFFFFF,) * 3, (0xFFFFFFFF, 0, 0xFFFFFFFF), (1 << 20, 1 << 11)])
def test_absurd_dimensions_are_refused_before_memory_is_taken(tmp_path: Path, sizes: tuple[int, ...]) -> None:
    header = bytes((0, 0, 0x0E, len(sizes))) + struct.pack(f">{len(sizes)}I", *sizes)
    refused(tmp_path / "huge", header, "above the limit")


def test_the_limit_is_the_callers(tmp_path: Path) -> None:
    refused(tmp_path / "small", GOOD, "above the limit of 5", limit_bytes=5)
    assert read_idx(tmp_path / "small", limit_bytes=6).shape == (2, 3)


def test_a_gzip_bomb_is_unpacked_no_further_than_declared(tmp_path: Path) -> None:
    class Counting(io.BytesIO):
        consumed = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            self.consumed += len(data)
            return data

    more = gzip.compress(bytes(1 << 26))
    bomb = Counting(gzip.compress(GOOD + bytes(1 << 26)) + 8 * more)  # Python 3.12 reads 128 KiB at a time
    with pytest.raises(DataError, match="more bytes follow"):
        parse_idx(bomb, "bomb")
    assert bomb.consumed < len(bomb.getvalue()) / 2


def test_another_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    path.write_bytes(GOOD)
    with pytest.raises(DataError, match=r"other: not the expected data"):
        read_idx(path, sha256="0" * 64)


def test_writing_is_reproducible_and_refuses_what_idx_cannot_hold(tmp_path: Path) -> None:
    array = np.arange(10, dtype=np.int32)
    write_idx(tmp_path / "a.gz", array)
    write_idx(tmp_path / "b.gz", array)
    assert (tmp_path / "a.gz").read_bytes() == (tmp_path / "b.gz").read_bytes()
    with pytest.raises(DataError, match="int64"):
        write_idx(tmp_path / "c", array.astype(np.int64))
    with pytest.raises(DataError, match="rank 0"):
        write_idx(tmp_path / "c", np.array(1, np.uint8))


def test_images_and_labels_must_agree(tmp_path: Path) -> None:
    images, labels, few, floats = (tmp_path / name for name in ("images", "labels", "few", "floats"))
    write_idx(images, np.zeros((5, 2, 2), np.uint8))
    write_idx(labels, np.arange(5, dtype=np.uint8))
    write_idx(few, np.arange(4, dtype=np.uint8))
    write_idx(floats, np.zeros(5, np.float32))
    pixels, classes = read_idx_pair(images, labels)
    assert pixels.shape == (5, 2, 2)
    assert classes.dtype == np.int64
    with pytest.raises(DataError, match=r"5 images, but 4 labels"):
        read_idx_pair(images, few)
    with pytest.raises(DataError, match="exchanged"):
        read_idx_pair(labels, images)
    with pytest.raises(DataError, match="list of integers"):
        read_idx_pair(images, images)
    with pytest.raises(DataError, match="list of integers"):
        read_idx_pair(images, floats)
