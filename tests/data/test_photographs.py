"""Folders of photographs: their size, their colours, what is wrong with them, and what is said of it."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np.data import dataset_names, load_dataset, pictures
from genreg_np.data.fitting import CROP, fitted
from genreg_np.data.folder import load_folder
from genreg_np.data.images import decode_picture
from genreg_np.errors import DataError, UsageError
from tests.data.test_pictures import png

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(6)
CORNERS = np.array([[[250, 10, 20], [20, 240, 30]], [[10, 30, 250], [240, 230, 20]]], np.uint8)


def photograph(path: Path, height: int = 90, width: int = 120, colour: bool = True, **more: Any) -> Path:
    """Write a picture of its own, JPEG or whatever its name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    small = Image.fromarray(RNG.integers(0, 256, (4, 5, 3)).astype(np.uint8))
    small.convert("RGB" if colour else "L").resize((width, height)).save(path, **more)
    return path


def folder(path: Path, count: int = 4, **how: Any) -> Path:
    for name in "ab":
        for index in range(count):
            photograph(path / name / f"{index}.png", **how)
    return path


def colours(content: bytes, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return a file's red, green and blue, (3, H, W)."""
    return decode_picture(io.BytesIO(content), "it", lambda picture: picture.levels(size, CROP, True, {}), size)


# Sizes


def test_pictures_of_one_small_size_are_taken_as_they_are(tmp_path: Path) -> None:
    for side, taken in ((64, 64), (65, 32)):
        dataset = load_folder(folder(tmp_path / str(side), height=side, width=side, colour=False))
        assert dataset.input_shape == (taken, taken)
        assert ("are scaled to 32x32" in dataset.note) == (side > 64)
        assert dataset.origin == {"size": (taken, taken), "fit": "crop", "color": "grey"}
        assert dataset.picture == {"fit": "crop"}
    assert load_folder(folder(tmp_path / "wide", height=20, width=65)).input_shape == (3, 32, 32)


def test_pictures_of_many_sizes_are_scaled_and_that_is_said(tmp_path: Path) -> None:
    """Whatever size the last one has; of a size that is asked for no other is offered."""
    folder(tmp_path, height=30, width=40)
    assert load_folder(tmp_path).input_shape == (3, 30, 40)
    photograph(tmp_path / "b" / "z.png", 300, 200)
    dataset = load_folder(tmp_path)
    assert dataset.input_shape == (3, 32, 32)
    said = "pictures of 30x40 to 300x200 pixels (height x width) are scaled to 32x32, the middle of each"
    assert dataset.note.startswith(f"{said} (--size and --fit change that); ")
    asked = load_folder(tmp_path, (8, 10), fit="pad")
    assert asked.input_shape == (3, 8, 10)
    assert "scaled to 8x10, all of each, with black beside it; " in asked.note


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_each_picture_is_fitted_as_asked(tmp_path: Path, fit: str) -> None:
    folder(tmp_path, height=50, width=70)
    dataset = load_folder(tmp_path, (20, 20), fit=fit)
    files = [tmp_path / name / f"{index}.png" for name in "ab" for index in range(4)]
    expected = {fitted(np.array(Image.open(file)), (20, 20), fit).transpose(2, 0, 1).tobytes() for file in files}
    assert {one.tobytes() for one in dataset.everything.inputs} == expected
    assert dataset.picture == {"fit": fit}


def test_an_option_that_is_none_of_its_choices_is_refused(tmp_path: Path) -> None:
    folder(tmp_path)
    for wrong in ({"fit": "x"}, {"color": "red"}, {"color": 3}, {"skip_bad": 1}):
        with pytest.raises(UsageError, match=next(iter(wrong))):
            load_dataset(tmp_path, **wrong)  # type: ignore[arg-type]
    for option, value in (("fit", "crop"), ("color", "rgb"), ("skip_bad", True)):
        with pytest.raises(UsageError, match="a folder of images only"):
            load_dataset("digits", **{option: value})
    assert all(load_dataset(name).picture is None for name in ("digits",) if name in dataset_names())


# Colours


def disc(side: int, radius: float, colour: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Return a disc on white, (side, side, 3)."""
    y, x = np.mgrid[:side, :side] - side / 2
    return np.where((x**2 + y**2 < radius**2)[..., None], colour, 255).astype(np.uint8)


@pytest.mark.parametrize(("share", "read"), [(0.04, "rgb"), (0.3, "rgb"), (0.01, "grey")])
def test_a_small_coloured_thing_is_colour(tmp_path: Path, share: float, read: str) -> None:
    """A red disc on white, a twelfth of the picture wide, counts; a dot that can hardly be seen does not."""
    for name, tint in (("a", (200, 30, 30)), ("b", (90, 90, 90))):
        (tmp_path / name).mkdir()
        for index in range(4):
            Image.fromarray(disc(300 + index, 300 * share, tint)).save(tmp_path / name / f"{index}.png")
    assert load_folder(tmp_path).origin["color"] == read  # type: ignore[index]


def test_one_picture_in_ten_decides(tmp_path: Path) -> None:
    for index in range(19):
        photograph(tmp_path / "ab"[index % 2] / f"{index}.png", colour=False)
    photograph(tmp_path / "a" / "colour.png")
    few = load_folder(tmp_path)
    assert few.input_shape == (32, 32)
    assert "1 of 20 images have colours, but all are read in grey (--color rgb reads all in colour)" in few.note
    photograph(tmp_path / "a" / "another.png")
    photograph(tmp_path / "b" / "another.png")
    enough = load_folder(tmp_path)
    assert enough.input_shape == (3, 32, 32)
    said = "3 of 22 images have colours: all are read in colour, 19 grey ones with equal channels (--color grey"
    assert said in enough.note
    grey = [one for one in enough.everything.inputs if (one == one[0]).all()]
    assert len(grey) == 19
    assert "colour" not in load_folder(tmp_path, color="grey").note
    told = load_folder(tmp_path, color="rgb")
    assert told.input_shape == (3, 32, 32)
    assert "--color" not in told.note


def test_grey_is_the_same_whatever_else_is_read(tmp_path: Path) -> None:
    """With all colours equal there is nothing to decide: grey, and no word; the levels are those of --color grey."""
    folder(tmp_path, height=20, width=30)
    for file in tmp_path.rglob("*.png"):
        Image.open(file).convert("L").convert("RGB").save(file)
    dataset, told = load_folder(tmp_path), load_folder(tmp_path, color="grey")
    np.testing.assert_array_equal(dataset.train.inputs, told.train.inputs)
    assert dataset.note == told.note
    assert "colour" not in dataset.note
    in_colour = load_folder(tmp_path, color="rgb").train.inputs
    np.testing.assert_array_equal(in_colour, np.repeat(dataset.train.inputs[:, None], 3, axis=1))


def coloured_files() -> dict[str, bytes]:
    """The same four colours in every way that files have them."""
    large = CORNERS.repeat(8, axis=0).repeat(8, axis=1)
    image, files = Image.fromarray(large), {}

    def put(name: str, one: Any, kind: str, **more: Any) -> None:
        buffer = io.BytesIO()
        one.save(buffer, kind, **more)
        files[name] = buffer.getvalue()

    for kind in ("PNG", "BMP", "TIFF", "PPM", "GIF"):
        put(kind, image, kind)
    put("WebP", image, "WEBP", lossless=True)
    put("JPEG", image, "JPEG", quality=95, subsampling=0)
    put("a palette", image.quantize(4), "PNG")
    put("a palette with a clear colour", image.quantize(5), "PNG", transparency=4)
    put("opaque alpha", image.convert("RGBA"), "PNG")
    put("CMYK", image.convert("CMYK"), "TIFF")
    put("CMYK in JPEG", image.convert("CMYK"), "JPEG", quality=95, subsampling=0)
    files["16 bits"] = png(large.astype(np.uint16) * 257)
    files["12 bits in PPM"] = b"P6 16 16 4095\n" + (large.astype(np.uint16) * 16).astype(">u2").tobytes()
    from PIL import ImageCms

    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    put("LAB", ImageCms.profileToProfile(image, *profiles, outputMode="LAB"), "TIFF")
    return files


@pytest.mark.parametrize("how", sorted(coloured_files()))
def test_colours_are_right_however_a_file_has_them(how: str) -> None:
    found = colours(coloured_files()[how])[:, 4::8, 4::8]
    most = 25 if how == "LAB" else 12  # of which 8 bits tell bright colours less finely apart
    assert np.abs(found.astype(int) - CORNERS.transpose(2, 0, 1)).max() <= most


def test_a_grey_picture_of_any_depth_has_equal_channels() -> None:
    ramp = np.linspace(0, 65535, 16)[None]
    found = colours(png(ramp))
    assert found.shape == (3, 1, 16)
    assert (found == np.rint(ramp / 257)).all()


@pytest.mark.parametrize(("ink", "ground"), [((255, 255, 255), 0), ((200, 20, 30), 255), ((250, 250, 60), 0)])
def test_coloured_strokes_on_nothing_can_be_seen(ink: tuple[int, int, int], ground: int) -> None:
    """On white, or on black where they would vanish on white: by brightness, as for grey."""
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[2:6, 3] = (*ink, 255)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    found = colours(buffer.getvalue())
    assert tuple(found[:, 3, 3]) == ink
    assert (found[:, 0, 0] == ground).all()


@pytest.mark.parametrize("kind", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photographs_stand_upright(tmp_path: Path, orientation: int, kind: str) -> None:
    """By EXIF, in colour, unpacked whole or coarsely; and their size is said as they stand."""
    turns = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.transpose(1, 0, 2), 6: lambda a: np.rot90(a, 1), 7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda a: np.rot90(a, -1),
    }  # fmt: skip
    upright = CORNERS.repeat(160, axis=0).repeat(240, axis=1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / f"turned.{kind}"
    lossless = {"webp": {"lossless": True}, "jpg": {"quality": 95}}.get(kind, {})
    Image.fromarray(np.ascontiguousarray(turns[orientation](upright))).save(file, exif=exif, **lossless)
    content = file.read_bytes()
    assert decode_picture(io.BytesIO(content), "it", lambda picture: picture.size, (2, 2)) == (320, 480)
    for size in (None, (2, 3), (32, 48)):
        found = colours(content, size)
        height, width = found.shape[1:]
        corners = found[:, :: height - 1, :: width - 1]
        assert np.abs(corners.astype(int) - CORNERS.transpose(2, 0, 1)).max() <= 12


# What cannot be read


def spoil(path: Path) -> None:
    """Put into class a what cannot be read: nothing, no picture, half of one, one of 200 megapixels."""
    place = path / "a"
    (place / "empty.png").write_bytes(b"")
    (place / "html.jpg").write_text("<html>not found</html>")
    whole = photograph(place / "whole.jpg", 300, 400).read_bytes()
    (place / "half.jpg").write_bytes(whole[: len(whole) // 2])
    (place / "huge.png").write_bytes(huge(20_000, 10_000))


def huge(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99)))


def test_all_that_cannot_be_read_is_counted_and_named(tmp_path: Path) -> None:
    """In one line, the first five with the reason; without them it can be read, and the count is said."""
    spoil(folder(tmp_path))
    with pytest.raises(DataError) as error:
        load_folder(tmp_path)
    line = str(error.value)
    assert "\n" not in line
    assert line.startswith(f"{tmp_path}: 4 of 13 pictures cannot be read: a/empty.png: the file is empty, ")
    for words in ("a/half.jpg: damaged", "a/html.jpg: not an image", "a/huge.png: more than 67,108,864 pixels"):
        assert words in line
    assert line.endswith("; fix or remove them, or leave them out with --skip-bad")
    dataset = load_folder(tmp_path, skip_bad=True)
    assert np.bincount(dataset.everything.labels).tolist() == [5, 4]
    assert dataset.note.startswith("left out: 4 of 13 pictures cannot be read: a/empty.png: the file is empty, ")
    for index in range(9):
        (tmp_path / "b" / f"x{index}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"13 of 22 pictures .*, and 8 more; fix"):
        load_folder(tmp_path)


def test_what_is_skipped_leaves_the_others_with_their_labels(tmp_path: Path) -> None:
    folder(tmp_path)
    clean = load_folder(tmp_path)
    (tmp_path / "a" / "00.png").write_bytes(b"")
    skipped = load_folder(tmp_path, skip_bad=True)
    for split in ("train", "validation", "test"):
        np.testing.assert_array_equal(clean.split(split).inputs, skipped.split(split).inputs)
        np.testing.assert_array_equal(clean.split(split).labels, skipped.split(split).labels)
    assert (load_dataset(tmp_path, skip_bad=True).origin or {})["skip_bad"] is True


def test_a_class_that_loses_all_its_pictures_is_named(tmp_path: Path) -> None:
    folder(tmp_path)
    for file in (tmp_path / "b").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"/b: none of its images can be read"):
        load_folder(tmp_path, skip_bad=True)
    for file in (tmp_path / "a").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match="8 of 8 pictures cannot be read") as error:
        load_folder(tmp_path, skip_bad=True)
    assert "--skip-bad" not in str(error.value)


# What there is nothing to learn from


def test_pictures_that_are_alike_are_said(tmp_path: Path) -> None:
    """A class of one picture, a class whose pictures are all the same, a picture in two classes: still read."""
    folder(tmp_path)
    photograph(tmp_path / "lone" / "1.png")
    same = photograph(tmp_path / "same" / "1.png").read_bytes()
    for index in range(4):
        (tmp_path / "same" / f"{index}.png").write_bytes(same)
    (tmp_path / "b" / "copy.png").write_bytes((tmp_path / "a" / "1.png").read_bytes())
    dataset = load_folder(tmp_path)
    assert "; class lone with one image: none is left to measure accuracy; " in dataset.note
    assert "; class same: all its images are the same; " in dataset.note
    assert "; 1 image is in another class, too: a/1.png is b/copy.png; " in dataset.note
    dataset.check_trainable()


def test_a_class_that_is_another_is_not_trained_on(tmp_path: Path) -> None:
    """Nothing tells them apart; they may still be looked at, and a model be measured on them."""
    folder(tmp_path)
    (tmp_path / "copy").mkdir()
    for file in (tmp_path / "b").iterdir():
        (tmp_path / "copy" / file.name).write_bytes(file.read_bytes())
    dataset = load_folder(tmp_path)
    with pytest.raises(DataError, match="every image of class b is in another class, too, such as copy"):
        dataset.check_trainable()


# Limits


def test_colours_count_three_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path)
    monkeypatch.setattr(pictures, "LIMIT_BYTES", 3 * 8 * 100)
    assert load_folder(tmp_path, (10, 10)).input_shape == (3, 10, 10)
    with pytest.raises(DataError, match=r"8 images of 11x10 pixels .* in colour .*--size 32x32, or .*--color grey"):
        load_folder(tmp_path, (11, 10))
    assert load_folder(tmp_path, (11, 10), color="grey").input_shape == (11, 10)


def test_reading_tells_how_far_it_is(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    load_dataset(folder(tmp_path), on_picture=lambda done, total: told.append((done, total)))
    assert told == [(done, 8) for done in range(1, 9)]


def test_the_range_of_deep_pictures_is_remembered(tmp_path: Path) -> None:
    """Decided over all, or given; and read again by it, a dark picture alone is as dark as it was."""
    ramp = np.linspace(0, 1, 16)[None]
    for index, most in enumerate([65535, 3000, 2000, 65000]):
        (tmp_path / "ab"[index % 2]).mkdir(exist_ok=True)
        (tmp_path / "ab"[index % 2] / f"{index}.png").write_bytes(png(np.rint(np.tile(ramp, (2, 1)) * most)))
    decided = load_folder(tmp_path)
    assert decided.picture == {"fit": "crop", "range": {"16 bits": [0.0, 65535.0]}}
    given = load_folder(tmp_path, value_range=(0, 4095))
    assert given.picture == {"fit": "crop", "range": {"any": [0.0, 4095.0]}}
    (tmp_path / "a" / "0.png").unlink()
    (tmp_path / "b" / "3.png").unlink()
    with pytest.raises(DataError, match="--range"):
        load_folder(tmp_path)
    again = load_folder(tmp_path, ranges={"16 bits": (0.0, 65535.0)})
    assert again.everything.inputs.max() == 12
