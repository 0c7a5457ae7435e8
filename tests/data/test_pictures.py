"""Pictures as they come: deep, transparent, coloured, nested, huge, and things that are no pictures at all."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import data
from genreg_np.data import pictures
from genreg_np.data.arrays import load_npz
from genreg_np.data.folder import load_folder
from genreg_np.data.idx import read_idx
from genreg_np.data.images import decode_image, read_image
from genreg_np.data.sheet import contact_sheet
from genreg_np.data.table import load_csv
from genreg_np.errors import DataError, UsageError
from genreg_np.export.convert import read_champion

Image = pytest.importorskip("PIL.Image")

RAMP = np.linspace(0, 1, 16)


def encoded(values: np.ndarray, kind: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, kind, **more)
    return buffer.getvalue()


def png(values: np.ndarray, significant_bits: int = 0) -> bytes:
    """Return a PNG of 16 bits, (H, W) grey or (H, W, 3) colour, as the format's text says."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    height, width, channels = (*values.shape, 1)[:3]
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 0, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    said = chunk(b"sBIT", bytes([significant_bits] * channels)) if significant_bits else b""
    parts = [chunk(b"IHDR", header), said, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def levels(content: bytes, value_range: tuple[float, float] | None = None) -> list[list[int]]:
    grey: list[list[int]] = decode_image(io.BytesIO(content), "it", None, value_range).tolist()
    return grey


def scaled(most: float) -> np.ndarray:
    return np.rint(RAMP * most)[None]


EXPECTED = [np.rint(RAMP * 255).astype(int).tolist()]


def near(found: list[list[int]], most: int = 1) -> bool:
    return bool(np.abs(np.array(found) - EXPECTED).max() <= most)


def test_floats_from_0_to_1_range_over_that() -> None:
    assert levels(encoded(RAMP[None].astype("f4"), "TIFF")) == EXPECTED


TOLD = {
    "floats of 8 bits": encoded(scaled(255).astype("f4"), "TIFF"),
    "whole numbers of 8 bits": encoded(scaled(255).astype("i4"), "TIFF"),
    "16 bits in PNG": png(scaled(65535)),
    "16 bits in TIFF": encoded(scaled(65535).astype("u2"), "TIFF"),
    "12 bits in PGM": b"P5\n# of a camera\n16 1\n4095\n" + scaled(4095).astype(">u2").tobytes(),
    "10 bits in PGM as text": b"P2 16 1 1023\n" + " ".join(str(int(value)) for value in scaled(1023)[0]).encode(),
    "12 significant bits, shifted up as PNG wants it": png(scaled(4095) * 16, 12),
    "12 significant bits, not shifted": png(scaled(4095), 12),
    "16 bits of colour": png(scaled(65535)[..., None].repeat(3, axis=2)),
    "12 bits of colour in PPM": b"P6 16 1 4095\n" + scaled(4095)[..., None].repeat(3, axis=2).astype(">u2").tobytes(),
}


@pytest.mark.parametrize("what", TOLD)
def test_what_a_file_says_of_its_range_is_used(what: str) -> None:
    assert near(levels(TOLD[what]), 2 if "colour" in what else 1)


def test_12_bits_packed_in_a_tiff_are_12_bits() -> None:
    """Two samples in three bytes, by hand: Pillow reads such files and does not write them."""
    samples = [int(value) for value in scaled(4095)[0]]
    packed = b"".join(
        bytes([a >> 4, (a & 15) << 4 | b >> 8, b & 255]) for a, b in zip(samples[::2], samples[1::2], strict=True)
    )
    entries = [(256, 3, 1, 16), (257, 3, 1, 1), (258, 3, 1, 12), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 1), (279, 4, 1, len(packed))]
    table = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries) + b"\0" * 4
    assert near(levels(b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + table))


UNTOLD = {
    "8 bits in PNG": (png(scaled(255)), "--range 0 255"),
    "12 bits in PNG": (png(scaled(4095)), "--range 0 4095"),
    "12 bits in TIFF": (encoded(scaled(4095).astype("u2"), "TIFF"), "--range 0 4095"),
    "14 bits in TIFF": (encoded(scaled(16383).astype("u2"), "TIFF"), "--range 0 16383"),
    "10 bits in PGM of 16": (b"P5 16 1 65535\n" + scaled(1023).astype(">u2").tobytes(), "--range 0 1023"),
    "floats of 12 bits": (encoded(scaled(4095).astype("f4"), "TIFF"), "--range 0 4095"),
    "floats above and below zero": (encoded((RAMP[None] * 6 - 3).astype("f4"), "TIFF"), "--range -3 3"),
    "whole numbers of 20 bits": (encoded(scaled(10**6).astype("i4"), "TIFF"), "--range 0 1e+06"),
}


@pytest.mark.parametrize("what", UNTOLD)
def test_a_range_that_cannot_be_told_is_asked_and_the_answer_used(what: str) -> None:
    content, flag = UNTOLD[what]
    with pytest.raises(DataError, match="--range LOW HIGH") as error:
        levels(content)
    assert flag in str(error.value)
    low, high = map(float, flag.split()[1:])
    assert near(levels(content, (low, high)))


def test_colours_of_which_too_little_is_left_are_refused() -> None:
    dark = png(scaled(4095)[..., None].repeat(3, axis=2))
    for value_range in (None, (0.0, 4095.0)):
        with pytest.raises(DataError, match="only the upper 8 can be read"):
            levels(dark, value_range)
    assert max(levels(dark, (0.0, 65535.0))[0]) == 15


def test_not_a_number_is_no_grey_level() -> None:
    with pytest.raises(DataError, match="NaN or infinite"):
        levels(encoded(np.array([[0, np.nan]], "f4"), "TIFF"))


def test_black_is_black_at_any_depth_and_white_may_be_0() -> None:
    assert levels(png(np.zeros((1, 3)))) == [[0, 0, 0]]
    white_is_0 = encoded(np.array([[0, 65535]], "u2"), "TIFF", tiffinfo={262: 0})
    assert levels(white_is_0) == [[255, 0]]


def deep_folder(path: Path, most: dict[str, int]) -> Path:
    """Two classes of six 16-bit pictures each, a class up to its largest value."""
    for name, high in most.items():
        (path / name).mkdir(parents=True)
        for index in range(6):
            (path / name / f"{index}.png").write_bytes(png(np.tile(np.rint(RAMP * (high - index)), (2, 1))))
    return path


def test_one_range_is_decided_over_a_whole_folder(tmp_path: Path) -> None:
    """Dark pictures among others are dark; of dark ones alone it cannot be told, wherever they lie."""
    mixed = load_folder(deep_folder(tmp_path / "mixed", {"dark": 4095, "light": 65535}))
    most = {
        name: int(mixed.everything.inputs[mixed.everything.labels == label].max())
        for label, name in enumerate(mixed.class_names)
    }
    assert most == {"dark": 16, "light": 255}
    dark = deep_folder(tmp_path / "dark", {"a": 3000, "b": 4095})
    with pytest.raises(DataError, match=r"a/0\.png and 11 more: .*--range 0 4095"):
        load_folder(dark)
    assert load_folder(dark, value_range=(0, 4095)).everything.inputs.max() == 255
    assert data.load_dataset(dark, range=(0, 4095), size=(2, 4)).input_shape == (2, 4)
    for wrong in ((1, 1), (5, 2), (0, float("nan"))):
        with pytest.raises(UsageError, match="the first less than the second"):
            load_folder(dark, value_range=wrong)
    save(tmp_path / "plain" / "a" / "1.png")
    save(tmp_path / "plain" / "b" / "1.png")
    with pytest.raises(UsageError, match="leave it out"):
        load_folder(tmp_path / "plain", value_range=(0, 4095))


def save(path: Path, value: object = 7, size: tuple[int, int] = (6, 5), mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


def strokes(ink: int, alpha: int = 255) -> bytes:
    """Return an 8x8 picture of a stroke on nothing."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:6, 3] = (ink, ink, ink, alpha)
    return encoded(pixels, "PNG")


@pytest.mark.parametrize(("ink", "ground"), [(255, 0), (240, 0), (0, 255), (100, 255), (200, 255)])
def test_strokes_on_nothing_can_be_seen(ink: int, ground: int) -> None:
    """The ground is white, as ever, but where the strokes would vanish on it."""
    grey = np.array(levels(strokes(ink)))
    assert (grey[2:6, 3] == ink).all()
    grey[2:6, 3] = ground
    assert (grey == ground).all()


@pytest.mark.parametrize(("ink", "ground"), [(255, 0), (0, 255)])
def test_a_speck_does_not_decide_the_ground_of_strokes(ink: int, ground: int) -> None:
    """One opaque pixel of the other colour is seen on any ground; what counts is how much of the strokes is."""
    pixels = np.zeros((28, 28, 4), np.uint8)
    pixels[4:24, 12:15] = (ink, ink, ink, 255)
    pixels[0, 0] = (255 - ink, 255 - ink, 255 - ink, 255)
    grey = np.array(levels(encoded(pixels, "PNG")))
    assert (grey[4:24, 12:15] == ink).all()
    assert (grey[4:24, 16:] == ground).all()


def test_dark_strokes_on_a_light_sheet_cut_out_stay_on_white() -> None:
    """A fifth of what is opaque is seen there, and it is what was drawn."""
    pixels = np.zeros((28, 28, 4), np.uint8)
    pixels[2:26, 2:26] = 255
    pixels[4:24, 12:18, :3] = 0
    assert np.array(levels(encoded(pixels, "PNG")))[0, 0] == 255


@pytest.mark.parametrize("content", [strokes(255, 0), encoded(np.full((4, 4, 4), 128, np.uint8), "PNG")])
def test_a_transparent_picture_in_which_nothing_is_seen_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="an empty picture"):
        levels(content)


def test_an_opaque_picture_of_one_colour_is_taken() -> None:
    assert levels(encoded(np.full((1, 2, 4), 255, np.uint8), "PNG")) == [[255, 255]]


def test_folders_in_a_class_folder_belong_to_it_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    for index in range(10):
        save(tmp_path / "cat" / f"{index}.png", index)
        save(tmp_path / "cat" / "session 2" / "deep" / f"{index}.png", index)
        save(tmp_path / "dog" / f"{index}.png", 100 + index)
        save(tmp_path / "dog" / ".hidden" / f"{index}.png", 100 + index)
    for name in ("cat/1.heic", "cat/session 2/2.heic", "dog/notes.txt", "dog/.DS_Store", "labels.csv"):
        (tmp_path / name).write_text("x")
    save(tmp_path / "stray.png", 1)
    (tmp_path / "dog" / "loop").symlink_to(tmp_path)
    (tmp_path / "here").symlink_to(".")
    dataset = load_folder(tmp_path)
    assert np.bincount(dataset.everything.labels).tolist() == [20, 10]
    assert dataset.note.startswith(
        "left out: 1 image outside the class folders, 3 files of kinds that are not read (2 .heic, 1 .txt), 2 links to "
        "folders"
    )
    assert "\n" not in dataset.note


def test_classes_one_folder_deeper_are_pointed_out(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        for index in range(4):
            save(tmp_path / "photos" / name / f"{index}.png")
    dataset = load_folder(tmp_path)
    assert f"name {tmp_path / 'photos'} as the dataset" in dataset.note
    with pytest.raises(DataError, match=f"at least two .* name {tmp_path / 'photos'} as the dataset") as error:
        dataset.check_trainable()
    assert "\n" not in str(error.value)


def test_folders_with_underscores_are_classes_and_parts_of_them(tmp_path: Path) -> None:
    """Only names that begin with a dot, and two that archives and Python leave behind, are no classes."""
    for name in ("cat", "cat/__x", "__other__", "__MACOSX", "cat/__pycache__", ".hidden"):
        save(tmp_path / name / "1.png")
    dataset = load_folder(tmp_path)
    assert dataset.class_names == ("__other__", "cat")
    assert np.bincount(dataset.everything.labels).tolist() == [1, 2]


def test_images_beside_and_in_the_folders_of_splits_are_left_out_and_said(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for name in "ab":
            save(tmp_path / split / name / "1.png")
    save(tmp_path / "stray.png")
    save(tmp_path / "other.png")
    save(tmp_path / "train" / "loose.png")
    assert load_folder(tmp_path).note.startswith("left out: 3 images outside the class folders")


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        (("train", "validation"), [16, 10, 4]),
        (("train", "val"), [16, 10, 4]),
        (("train", "test"), [16, 4, 10]),
        (("train",), [14, 4, 2]),
        (("Training", "valid", "Testing"), [20, 10, 10]),
    ],
)
def test_a_split_that_is_missing_is_held_out_of_train(tmp_path: Path, given: tuple[str, ...], sizes: list[int]) -> None:
    for split in given:
        for index in range(10 if split.lower().startswith("train") else 5):
            for name in "ab":
                save(tmp_path / split / name / f"{index}.png", index)
    dataset = load_folder(tmp_path)
    assert [len(dataset.split(name)) for name in data.SPLITS] == sizes
    assert ("by class" in dataset.note) == (len(given) < 3)


def test_loose_files_in_test_are_left_out_and_said(tmp_path: Path) -> None:
    """As Kaggle gives them: a test set without labels beside train/."""
    for index in range(10):
        for name in "ab":
            save(tmp_path / "train" / name / f"{index}.png", index)
        save(tmp_path / "test" / f"{index}.png", index)
    dataset = load_folder(tmp_path)
    assert "test/ has no folders of classes: its 10 images are left out" in dataset.note
    assert [len(dataset.split(name)) for name in data.SPLITS] == [14, 4, 2]


def test_splits_among_other_folders_or_without_train_are_not_taken_for_classes(tmp_path: Path) -> None:
    for split in ("train", "test", "extra"):
        save(tmp_path / split / "a" / "1.png")
    with pytest.raises(DataError, match="extra is next to train/ and test/"):
        load_folder(tmp_path)
    (tmp_path / "train").rename(tmp_path / "validation")
    (tmp_path / "extra").rename(tmp_path / ".extra")
    with pytest.raises(DataError, match="without train"):
        load_folder(tmp_path)
    for vehicle in ("train", "bus"):
        save(tmp_path / "vehicles" / vehicle / "1.png")
    assert load_folder(tmp_path / "vehicles").class_names == ("bus", "train")


def test_pictures_that_are_too_large_together_or_alone_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for index in range(3):
        for name in "ab":
            save(tmp_path / "d" / name / f"{index}.png", 1, (3000, 2000))
    with pytest.raises(DataError, match=r"2000x3000 pixels .*--size 32x32"):
        load_folder(tmp_path / "d", (2000, 3000))
    with pytest.raises(DataError, match=r"15000x15000 pixels"):
        load_folder(tmp_path / "d", (15000, 15000))
    with pytest.raises(DataError, match=r"15000x15000 pixels, more than"):
        read_image(tmp_path / "d" / "a" / "0.png", (15000, 15000))
    monkeypatch.setattr(pictures, "LIMIT_BYTES", 6 * 400 - 1)
    with pytest.raises(DataError, match=r"6 images of 20x20 pixels .* in all"):
        load_folder(tmp_path / "d", (20, 20))
    assert load_folder(tmp_path / "d", (20, 19)).input_shape == (20, 19)


def test_a_contact_sheet_is_bounded(tmp_path: Path) -> None:
    from genreg_np.data.dataset import Dataset, Split

    split = Split(np.zeros((200, 1000, 1000), np.uint8), np.arange(200) % 2)
    with pytest.raises(DataError, match=r"a sheet of .* pixels, more than"):
        contact_sheet(Dataset("d", split, split, split, ("a", "b")), "train", tmp_path / "sheet.png", per_class=50)
    names = tuple(f"class {index}" for index in range(200_000))
    few = Split(np.zeros((2, 4, 4), np.uint8), np.arange(2))
    with pytest.raises(DataError, match="a sheet of"):
        contact_sheet(Dataset("d", few, few, few, names), "train", tmp_path / "sheet.png")


@pytest.mark.skipif(os.name != "posix", reason="FIFOs and devices of POSIX")
@pytest.mark.parametrize("what", ["fifo", "device"])
def test_only_regular_files_are_read(tmp_path: Path, what: str) -> None:
    """A pipe would be waited for, a link to /dev/zero read until memory is gone."""

    def plant(name: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        os.mkfifo(path) if what == "fifo" else path.symlink_to("/dev/zero")
        return path

    save(tmp_path / "d" / "b.png")
    for read, name in (
        (read_image, "x.png"),
        (read_idx, "x-ubyte"),
        (load_npz, "x.npz"),
        (load_csv, "x.csv"),
        (read_champion, "x.pkl"),
    ):
        with pytest.raises(DataError, match="regular file"):
            read(plant(name))  # type: ignore[operator]
    plant("d/a.png")
    with pytest.raises(DataError, match=r"a\.png: cannot be read \(is not a regular file\)"):
        load_folder(tmp_path)
