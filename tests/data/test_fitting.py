"""Pictures of any size to one size: means of areas, exactly; and how near a coarsely unpacked JPEG comes to them."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from genreg_np.data.fitting import CROP, FITS, MAX_PIXELS, PAD, STRETCH, fitted, remembered
from genreg_np.data.images import decode_picture
from genreg_np.errors import DataError

Image = pytest.importorskip("PIL.Image")

RNG = np.random.default_rng(5)


def area_means(levels: NDArray[np.uint8], size: tuple[int, int], fit: str) -> NDArray[np.float64]:
    """Return the means of the squares that a page takes (photograph.js), in floats, not rounded."""
    (height, width), (rows, columns) = levels.shape[:2], size
    step = (min if fit == CROP else max)(width / columns, height / rows)

    def parts(count: int, extent: int) -> NDArray[np.float64]:
        begins = (extent - count * step) / 2 + step * np.arange(count)[:, None]
        pixels = np.arange(extent)
        return np.clip(np.minimum(begins + step, pixels + 1) - np.maximum(begins, pixels), 0, None)

    means = np.einsum(
        "ry,yx...,kx->rk...", parts(rows, height), levels.astype(float), parts(columns, width), optimize=True
    )
    return np.asarray(means / step**2)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_crop_and_pad_are_exact_means_of_areas(data: st.DataObject) -> None:
    """Rounded to whole levels, of pictures larger and smaller, wider and taller than the size, grey and in colour."""
    height, width, rows, columns = (data.draw(st.integers(1, 40)) for _ in range(4))
    levels = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 256, (height, width, 3), np.uint8)
    levels = levels if data.draw(st.booleans()) else levels[..., 0]
    for fit in (CROP, PAD):
        found = fitted(levels, (rows, columns), fit)
        assert found.shape == (rows, columns, *levels.shape[2:])
        assert np.abs(found - area_means(levels, (rows, columns), fit)).max() <= 0.5 + 1e-9


def test_a_half_is_rounded_up_as_on_the_page() -> None:
    """Which floats may miss and whole numbers do not."""
    for low in range(255):
        assert fitted(np.array([[low, low + 1]], np.uint8), (1, 1), PAD)[0, 0] == (2 * low + 2) // 4
        assert fitted(np.array([[low, low + 1], [low, low + 1]], np.uint8), (1, 1), CROP)[0, 0] == low + 1


@pytest.mark.parametrize(("height", "width"), [(1, 100_000), (100_000, 1), (3000, 4), (700, 1100)])
def test_long_pictures_take_no_more_room_than_they_need(height: int, width: int) -> None:
    """The sums of rows of a picture 100,000 wide at 200 rows would take 160 MB: columns come first."""
    levels = RNG.integers(0, 256, (height, width), np.uint8)
    for fit in (CROP, PAD):
        found = fitted(levels, (20, 20), fit)
        y, x = 7, 12
        step = (min if fit == CROP else max)(Fraction(width, 20), Fraction(height, 20))
        mean = Fraction(0)
        top, left = ((extent - 20 * step) / 2 + place * step for extent, place in ((height, y), (width, x)))
        for row in range(max(0, int(top) - 1), min(height, int(top + step) + 1)):
            tall = max(Fraction(0), min(top + step, Fraction(row + 1)) - max(top, Fraction(row)))
            columns = range(max(0, int(left) - 1), min(width, int(left + step) + 1)) if tall else ()
            for column in columns:
                wide = max(Fraction(0), min(left + step, Fraction(column + 1)) - max(left, Fraction(column)))
                mean += tall * wide * int(levels[row, column])
        assert found[y, x] == int(mean / step**2 + Fraction(1, 2))


def test_what_has_the_size_is_as_it_is_and_stretch_is_bilinear() -> None:
    levels = RNG.integers(0, 256, (9, 14), np.uint8)
    for fit in FITS:
        assert fitted(levels, (9, 14), fit) is levels
    expected = Image.fromarray(levels).resize((5, 6), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(fitted(levels, (6, 5), STRETCH), np.array(expected))
    with pytest.raises(DataError, match=f"more than {MAX_PIXELS:,}"):
        fitted(levels, (10_000, 10_000), CROP)


def test_fine_rings_become_no_coarse_ones() -> None:
    """As they would where pixels are passed over: the corners, where rings are finest, are even grey."""
    y, x = np.mgrid[:900, :1200]
    rings = np.floor(127.5 + 127.5 * np.cos((x**2 + y**2) / 300)).astype(np.uint8)
    assert np.ptp(fitted(rings, (30, 40), CROP)[20:, 25:].astype(int)) < 30


def smooth(height: int, width: int) -> NDArray[np.uint8]:
    """Return a picture with shapes and edges, (H, W, 3), as photographs have them, and a camera's noise."""
    y, x = np.mgrid[:height, :width] / width
    disc = ((x - 0.4) ** 2 + (y - 0.35) ** 2 < 0.04)[..., None] * np.array([90, -60, -90])
    waves = 120 + 60 * np.sin(np.stack([9 * x, 11 * y + 5 * x, 7 * (x - y)], axis=-1))
    return np.clip(waves + disc + RNG.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("fit", "size"), [(CROP, (32, 32)), (PAD, (36, 48))])
def test_a_coarsely_unpacked_jpeg_is_within_two_levels(tmp_path: Path, fit: str, size: tuple[int, int]) -> None:
    """Of the exact means of all its pixels; what is wanted nearly as large as the file is unpacked whole."""
    Image.fromarray(smooth(900, 1200)).save(tmp_path / "large.jpg", quality=92)
    content = (tmp_path / "large.jpg").read_bytes()
    with Image.open(tmp_path / "large.jpg") as image:
        exact = area_means(np.array(image), size, fit).transpose(2, 0, 1)
    found, unpacked, whole = decode_picture(
        io.BytesIO(content), "it", lambda one: (one.levels(size, fit, True, {}), one.image.size, one.size), size
    )
    assert whole == (900, 1200)
    assert unpacked[0] < 1200
    assert np.abs(found - exact).max() < 2
    near = decode_picture(io.BytesIO(content), "it", lambda one: one.image.size, (240, 240))
    assert near == (1200, 900)


def test_what_a_header_says_of_pictures_may_be_anything() -> None:
    """What is not as it should be says nothing."""
    network = {"input_shape": [3, 4, 4]}
    for odd in (None, 5, [], {}, {"fit": "x"}, {"fit": 1}, {"fit": ["crop"]}, {"fit": {}}):
        assert remembered({"network": network, "picture": odd}) is None
    assert remembered({"network": {"input_shape": [54]}, "picture": {"fit": "crop"}}) is None
    ranges = {"any": [0, 4095], "a": [1], "b": "xy", "c": [5, 1], "d": [True, 2], "e": [0, 10**400], "f": [None, 1]}
    assert remembered({"network": network, "picture": {"fit": "pad", "range": ranges}}) == (
        "pad",
        {"any": (0.0, 4095.0)},
    )
    assert remembered({"network": network, "picture": {"fit": "pad", "range": 7}}) == ("pad", {})
