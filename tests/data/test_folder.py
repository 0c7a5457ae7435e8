"""Folders of images: classes, given splits, and every image that is not one."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genreg_np.data.folder import load_folder
from genreg_np.data.images import parse_size, read_image
from genreg_np.errors import DataError, UsageError
from tests.data.conftest import outcome

Image = pytest.importorskip("PIL.Image")


def save(path: Path, value: int, size: tuple[int, int] = (6, 5), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size, value).convert(mode).save(path)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two classes of eight images, 5 high and 6 wide, grey levels 0.. and 100.., with what else lies in folders."""
    for index in range(8):
        save(tmp_path / "pictures" / "cat" / f"{index}.png", index)
        save(tmp_path / "pictures" / "dog" / f"{index}.bmp", 100 + index)
    (tmp_path / "pictures" / "cat" / ".DS_Store").write_text("x")
    (tmp_path / "pictures" / "cat" / "notes.txt").write_text("x")
    (tmp_path / "pictures" / "__MACOSX").mkdir()
    return tmp_path / "pictures"


def test_subfolders_are_classes(pictures: Path) -> None:
    dataset = load_folder(pictures)
    assert dataset.class_names == ("cat", "dog")
    assert dataset.input_shape == (5, 6)
    assert dataset.input_range == (0.0, 255.0)
    assert [len(dataset.split(name)) for name in ("train", "validation", "test")] == [12, 2, 2]
    for name in ("train", "validation", "test"):
        split = dataset.split(name)
        assert ((split.inputs[:, 0, 0] >= 100) == (split.labels == 1)).all()


@pytest.mark.parametrize("validation", [None, "validation", "val"])
def test_given_splits_are_used(tmp_path: Path, validation: str | None) -> None:
    for split, count in (("train", 8), ("test", 2), (validation, 3)):
        for index in range(count if split else 0):
            save(tmp_path / str(split) / "10" / f"{index}.png", index)
            save(tmp_path / str(split) / "9" / f"{index}.png", 100 + index)
    dataset = load_folder(tmp_path)
    assert dataset.class_names == ("9", "10")
    assert len(dataset.test) == 4
    assert (len(dataset.train), len(dataset.validation)) == ((16, 6) if validation else (14, 2))
    assert (dataset.test.inputs[dataset.test.labels == 0] >= 100).all()


def test_colours_palettes_alpha_and_16_bits_become_grey(tmp_path: Path) -> None:
    for mode in ("L", "RGB", "RGBA", "LA", "P", "1"):
        save(tmp_path / f"{mode}.png", 255, mode=mode)
        assert read_image(tmp_path / f"{mode}.png").tolist() == [[255] * 6] * 5, mode
    for suffix in ("jpg", "gif", "tif", "webp", "bmp"):
        save(tmp_path / f"x.{suffix}", 255)
        assert read_image(tmp_path / f"x.{suffix}").min() >= 254
    Image.fromarray(np.array([[0, 257 * 100, 65535]], np.uint16)).save(tmp_path / "deep.png")
    assert read_image(tmp_path / "deep.png").tolist() == [[0, 100, 255]]
    Image.fromarray(np.array([[[0, 0, 0, 0], [0, 0, 0, 255]]], np.uint8)).save(tmp_path / "clear.png")
    assert read_image(tmp_path / "clear.png").tolist() == [[255, 0]], "transparent is white"


def test_given_splits_get_one_size(tmp_path: Path) -> None:
    for split, size in (("train", (4, 4)), ("test", (5, 5))):
        for name in ("a", "b"):
            for index in range(3):
                save(tmp_path / split / name / f"{index}.png", 1, size)
    assert load_folder(tmp_path).input_shape == (32, 32)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"not an image at all", "not an image"),
        (bytes(range(256)) * 4, "not an image"),
        (b"\x89PNG\r\n\x1a\n", "not an image|damaged"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image"),
    ],
)
def test_a_bad_image_is_named(pictures: Path, content: bytes, words: str) -> None:
    (pictures / "cat" / "bad.png").write_bytes(content)
    with pytest.raises(DataError, match=rf"bad\.png: .*({words})") as error:
        load_folder(pictures)
    assert "\n" not in str(error.value)


def test_a_truncated_image_is_named(pictures: Path) -> None:
    path = pictures / "cat" / "noise.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (40, 40), np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(DataError, match=r"noise\.png: damaged or unreadable image"):
        load_folder(pictures)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), suffix=st.sampled_from(["png", "jpg", "gif", "bmp", "tif", "webp"]))
def test_damaged_images_give_pixels_or_a_data_error(data: st.DataObject, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"image.{suffix}"
    save(path, 77)
    content = bytearray(path.read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path.write_bytes(bytes(content[: data.draw(st.integers(0, len(content)))]))
    result = outcome(lambda: read_image(path, (2, 2)))
    assert str(path) in str(result) if isinstance(result, DataError) else result.shape == (2, 2)


@pytest.mark.parametrize("side", [9_000, 12_000, 60_000])
def test_a_decompression_bomb_is_not_unpacked(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))))
    with pytest.raises(DataError, match=r"bomb\.png: .*pixels.* not unpacked"):
        read_image(path)


def test_an_empty_class_and_a_folder_without_classes_are_explained(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no subfolders"):
        load_folder(pictures / "cat")
    (pictures / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no images"):
        load_folder(pictures)
    with pytest.raises(DataError, match="No such file"):
        load_folder(tmp_path / "nowhere")


def test_one_class_is_not_enough(tmp_path: Path) -> None:
    for index in range(4):
        save(tmp_path / "only" / f"{index}.png", 1)
    with pytest.raises(DataError, match="at least two"):
        load_folder(tmp_path).check_trainable()


@pytest.mark.parametrize("text", ["", "28", "0x28", "28x0", "5000x1", "28x28x3", "-1x2", "ax b", "2.5x2"])
def test_sizes_that_are_none_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="28x28"):
        parse_size(text)


def test_sizes_are_height_by_width() -> None:
    assert parse_size("28x32") == (28, 32)
    assert parse_size(" 28X32 ") == (28, 32)
