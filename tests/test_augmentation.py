"""Augmentation: nothing when off; each does what it says on a small picture; the same seed gives the same bytes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import backends
from genreg_np.backends import moving
from genreg_np.backends.moving import affine_sources, bilinear
from genreg_np.errors import UsageError
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.model import Network
from genreg_np.strategies import augmentation
from genreg_np.strategies.augmentation import (
    AugmentationOptions,
    augment,
    augmented_shape,
    gaussian,
    shifted,
    squares,
    turned,
)
from genreg_np.streams import Stream
from tests.helpers import STANDARDISED, one_line, patient

OFF = AugmentationOptions()
EACH = {  # a setting, and a value at which it changes images
    "shift": 2,
    "rotation": 30.0,
    "scaling": 0.3,
    "shear": 0.3,
    "elastic": 20.0,
    "flip": 1.0,
    "cut_out": 3,
    "brightness": 0.5,
    "noise": 0.1,
}
UNMOVED = np.zeros((1, 2), np.int64)


def pictures(count: int = 5, channels: int = 2, height: int = 9, width: int = 7) -> np.ndarray:
    return np.random.default_rng(0).random((count, channels, height, width), np.float32)


def augmented(images: np.ndarray, generation: int = 4, seed: int = 3, **settings: float) -> np.ndarray:
    return augment(images, AugmentationOptions(**settings), Stream(seed), generation)


def test_every_setting_is_off_by_default() -> None:
    """Then images are what they were, whatever the seed."""
    assert not OFF.augmenting
    images = pictures()
    assert augmented(images).tobytes() == images.tobytes()


@pytest.mark.parametrize("name", list(EACH))
def test_an_augmentation_is_a_function_of_seed_generation_and_place(name: str) -> None:
    """The same again is the same bytes; another seed or generation is another picture; what is given stays."""
    images = pictures()
    before, found = images.tobytes(), augmented(images, **{name: EACH[name]})
    assert images.tobytes() == before
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.float32, images.shape, True)
    assert np.isfinite(found).all()
    assert found.tobytes() == augmented(images, **{name: EACH[name]}).tobytes()
    assert found.tobytes() != before
    if name != "flip":  # which is certain here
        assert found.tobytes() != augmented(images, generation=5, **{name: EACH[name]}).tobytes()
        assert found.tobytes() != augmented(images, seed=4, **{name: EACH[name]}).tobytes()


@pytest.mark.parametrize("name", list(EACH))
def test_an_image_is_augmented_the_same_whoever_stands_behind_it(name: str) -> None:
    """In a batch of three as in one of five, and however many pixels move at a time."""
    images = pictures()
    few, many = (augmented(images[:count], **{name: EACH[name]}) for count in (3, 5))
    assert few == pytest.approx(many[:3], abs=1e-6)


def test_how_many_pixels_move_at_a_time_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = pictures()
    whole = augmented(images, rotation=20.0, elastic=20.0)
    monkeypatch.setattr(moving, "PIECE", 63)
    assert augmented(images, rotation=20.0, elastic=20.0) == pytest.approx(whole, abs=1e-6)


# What each does


@patient
@given(st.integers(-3, 3), st.integers(-3, 3))
def test_a_shift_moves_down_and_right_and_lets_zeros_in(down: int, right: int) -> None:
    """Pixel by pixel, as a loop would; and as the interpolated way does it."""
    images = pictures(1)
    expected = np.zeros_like(images)
    for row in range(9):
        for column in range(7):
            if 0 <= row - down < 9 and 0 <= column - right < 7:
                expected[0, :, row, column] = images[0, :, row - down, column - right]
    moves = np.array([[down, right]])
    assert np.array_equal(shifted(images, moves, 3), expected)
    assert bilinear(images, affine_sources((9, 7), moves, np.eye(2)[None])) == pytest.approx(expected, abs=1e-6)


def test_shifts_go_everywhere_and_no_further() -> None:
    """Of a dot in the middle, over many images, each place within two pixels."""
    images = np.zeros((400, 1, 9, 9), np.float32)
    images[:, :, 4, 4] = 1
    reached = augmented(images, shift=2).sum(axis=(0, 1))
    assert (reached > 0).sum() == 25
    assert (reached[2:7, 2:7] > 0).all()


def test_a_quarter_turn_is_one() -> None:
    """Against the clock, about the middle, and nothing between pixels is left."""
    images = pictures(1, 1, 5, 5)
    quarter = np.array([[[0.0, 1.0], [-1.0, 0.0]]])
    found = bilinear(images, affine_sources((5, 5), UNMOVED, quarter))
    assert found[0, 0] == pytest.approx(np.rot90(images[0, 0]), abs=1e-5)


def test_what_is_turned_grown_and_pushed_is_the_inverse_of_doing_so() -> None:
    """A point that is pushed aside, grown and turned is where its pixel is fetched from."""
    options = AugmentationOptions(rotation=40.0, scaling=0.3, shear=0.5)
    words = np.random.default_rng(0).integers(0, 2**32, (6, 12), np.uint32)
    for matrix, own in zip(turned(words, options), words, strict=True):
        angle, grown, pushed = (2 * (int(own[place]) >> 8) * 2.0**-24 - 1 for place in (2, 3, 4))
        angle, grown, pushed = np.radians(40 * angle), 1 + 0.3 * grown, 0.5 * pushed
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        push = np.array([[1, 0], [pushed, 1]])
        assert matrix @ (grown * turn @ push) == pytest.approx(np.eye(2), abs=1e-6)


def test_half_the_size_has_half_the_extent() -> None:
    """A square of 8 x 8 becomes one of 4 x 4 in the middle."""
    images = np.zeros((1, 1, 16, 16), np.float32)
    images[:, :, 4:12, 4:12] = 1
    found = bilinear(images, affine_sources((16, 16), UNMOVED, 2 * np.eye(2)[None]))
    assert found.sum() == pytest.approx(16, abs=1e-4)
    assert (found[0, 0, 6:10, 6:10] == 1).all()


@patient
@given(st.floats(-3, 3), st.floats(-3, 3))
def test_between_pixels_values_are_weighed_by_nearness(down: float, right: float) -> None:
    images, sources = pictures(1, 1), affine_sources((9, 7), UNMOVED, np.eye(2)[None])
    found = bilinear(images, sources + np.array([down, right], np.float32)[:, None, None])
    padded = np.pad(images[0, 0].astype(np.float64), 9)
    for row in range(9):
        for column in range(7):
            y, x = row + down + 9, column + right + 9
            top, left = int(np.floor(y)), int(np.floor(x))
            weights = np.outer([1 - (y - top), y - top], [1 - (x - left), x - left])
            expected = (padded[top : top + 2, left : left + 2] * weights).sum()
            assert found[0, 0, row, column] == pytest.approx(expected, abs=1e-4)


def test_a_flip_mirrors_about_as_many_as_it_says() -> None:
    images = pictures(400, 1, 3, 4)
    found = augmented(images, flip=0.25)
    flipped = (found == images[..., ::-1]).all(axis=(1, 2, 3))
    assert ((found == images).all(axis=(1, 2, 3)) == ~flipped).all()
    assert 65 < flipped.sum() < 135


def test_a_square_is_cut_out_of_each_image() -> None:
    """Around any pixel, so that some of it may lie outside; the rest stays."""
    images = pictures(60) + 1
    cut = augmented(images, cut_out=3) == 0
    assert (cut[:, 0] == cut[:, 1]).all()
    sizes = cut[:, 0].sum(axis=(1, 2))
    assert set(sizes) == {4, 6, 9}
    assert (augmented(images, cut_out=3)[~cut] == images[~cut]).all()
    corner = squares([np.array([0]), np.array([6])], 3, (9, 7))[0]
    assert np.argwhere(corner).tolist() == [[0, 5], [0, 6], [1, 5], [1, 6]]


def test_brightness_is_one_factor_for_an_image() -> None:
    images = pictures(200) + 1
    factors = augmented(images, brightness=0.5) / images
    assert np.ptp(factors, axis=(1, 2, 3)).max() < 1e-6
    each = factors[:, 0, 0, 0]
    assert 0.5 <= each.min() < 0.55
    assert 1.45 < each.max() <= 1.5


def test_noise_is_normal_and_of_every_pixel_its_own() -> None:
    added = augmented(np.zeros((40, 1, 28, 28), np.float32), noise=0.2).astype(np.float64)
    assert added.std() == pytest.approx(0.2, rel=0.02)
    assert added.mean() == pytest.approx(0, abs=0.01)
    flat = added.reshape(40, -1)
    assert abs(np.corrcoef(flat) - np.eye(40)).max() < 0.2


def test_bends_are_as_long_as_simards() -> None:
    """Alpha times uniform noise under a Gaussian of sigma: of what the noise deviates, the most is evened out."""
    options = AugmentationOptions(elastic=34.0, elastic_sigma=4.0)
    fields = augmentation.random_fields(options, Stream(0), 0, (200, 41, 41))
    assert fields.mean() == pytest.approx(127.5, abs=0.5)
    found = augmentation.smoothed(fields, options)[:, :, 20, 20]
    assert found.std() == pytest.approx(34 / 3**0.5 / (2 * np.pi**0.5 * 4), rel=0.1)


def test_a_gaussian_keeps_what_is_even() -> None:
    """But for its ends, past which there is nothing."""
    matrix = gaussian(41, 2.0)
    assert matrix[20].sum() == pytest.approx(1, abs=1e-6)
    assert matrix[0].sum() == pytest.approx(0.5, abs=0.11)
    assert np.array_equal(matrix, matrix.T)


# Which networks


@pytest.mark.parametrize("name", list(EACH))
def test_what_is_no_image_is_refused_in_one_line(name: str) -> None:
    """Features in a row, and what fixed layers made; the setting is named."""
    options = AugmentationOptions(**{name: EACH[name]})
    for network in (Network.build((6,), (4,), 3), STANDARDISED.network):
        with pytest.raises(UsageError, match=f"^{name} = .* changes images, but the network sees") as raised:
            augmented_shape(network, options)
        one_line(raised.value)
        assert augmented_shape(network, OFF) is None


def test_images_have_rows_and_columns_and_may_have_channels() -> None:
    options = AugmentationOptions(shift=1)
    assert augmented_shape(Network.build((5, 4), (), 2), options) == (1, 5, 4)
    maps = Network((3, 5, 4), (Convolution((3, 5, 4), 2, 3), Dense(12, 2)))
    assert augmented_shape(maps, options) == (3, 5, 4)


@pytest.mark.skipif(backends.resolve("cpu") != "numba", reason="no numba")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {"rotation": 30.0, "shift": 2},
        {"scaling": 0.9, "shear": 3.0},
        {"elastic": 20.0},
        {"rotation": 180.0, "flip": 0.5, "elastic": 60.0, "noise": 0.1},
    ],
)
def test_kernels_move_images_to_the_same_bytes(settings: dict[str, float], threads: int) -> None:
    """Far out of the picture too, whatever the share of each thread."""
    images, backend = pictures(count=50), backends.create("numba", threads)
    expected = augmented(images, **settings)
    found = augment(images, AugmentationOptions(**settings), Stream(3), 4, backend.moved)
    assert found.tobytes() == expected.tobytes() != images.tobytes()
