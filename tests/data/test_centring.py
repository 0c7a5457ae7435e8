"""Pictures of characters, centred and scaled as MNIST's were."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from genreg_np.data.centring import border_mean, centred, is_light, is_written, mnist_squares, takes_centred
from genreg_np.model import Model, Network
from tests.export import mnist
from tests.helpers import model_of, patient

NETWORK = Network.build((28, 28), (), 10)
DIGITS = tuple("0123456789")


def model(names: tuple[str, ...] = DIGITS, background: object = 0.0, **changes: object) -> Model:
    """Return a model of 28 x 28 images that says how bright the border of its training images was."""
    return model_of(NETWORK, class_names=names, training={"background": background}, **changes)


def blob(rows: int, columns: int, top: int, left: int, canvas: tuple[int, int]) -> np.ndarray:
    """Return a filled rectangle on a dark picture."""
    levels = np.zeros(canvas, np.uint8)
    levels[top : top + rows, left : left + columns] = 255
    return levels


@given(
    rows=st.integers(20, 60), columns=st.integers(20, 60), top=st.integers(0, 100), left=st.integers(0, 100),
    around=st.integers(0, 50),
)  # fmt: skip
@patient
def test_ink_fills_twenty_pixels_about_the_middle_wherever_it_was(
    rows: int, columns: int, top: int, left: int, around: int
) -> None:
    """The longer side becomes 20 pixels, the centre of brightness pixel 14, whatever the place on the picture."""
    found = centred(blob(rows, columns, top, left, (160 + around, 160)))
    assert found is not None
    assert found.shape == (28, 28)
    lit_rows, lit_columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    longer = max(np.ptp(lit_rows), np.ptp(lit_columns)) + 1
    assert longer == 20
    for lit in (found.sum(axis=0, dtype=float), found.sum(axis=1, dtype=float)):
        assert abs((lit * (np.arange(28) + 0.5)).sum() / lit.sum() - 14.5) <= 0.51


@pytest.mark.parametrize("paper", [0, 12, 60, 120])
def test_paper_becomes_black(paper: int) -> None:
    """A grey background, unevenly lit, neither counts as ink nor stays in the picture."""
    levels = blob(40, 30, 30, 50, (120, 110)).astype(int)
    light = np.clip(paper + np.linspace(-8, 8, 110) * (paper > 0), 0, 255)
    found = centred(np.maximum(levels, light).astype(np.uint8))
    clean = centred(levels.astype(np.uint8))
    np.testing.assert_array_equal(found, clean)


@pytest.mark.parametrize("level", [0, 7, 25, 200])
def test_a_picture_without_ink_is_not_centred(level: int) -> None:
    """One level everywhere, whatever it is: there is nothing to find the middle of."""
    assert centred(np.full((50, 40), level, np.uint8)) is None
    assert mnist_squares(np.full((50, 40), min(level, 25), np.uint8)) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (2, 2), (28, 28), (57, 200)])
def test_the_border_is_what_becomes_the_outermost_cells(shape: tuple[int, int]) -> None:
    """Of a picture bright all around and dark within, of any size, even one that has no inside."""
    levels = np.full(shape, 255, np.uint8)
    tall, wide = max(1, shape[0] // 28), max(1, shape[1] // 28)
    levels[tall:-tall, wide:-wide] = 0
    assert border_mean(levels) == 1.0
    assert border_mean(255 - levels) == 0.0


def test_which_models_take_centred_images() -> None:
    """28 x 28 bytes, bright on dark; by default where classes are single letters or digits."""
    assert takes_centred(model())
    assert is_written(model())
    assert takes_centred(model(background="?"))
    assert not takes_centred(model(background=0.9))
    assert is_light(model(background=0.9))
    assert not is_light(model(background=True))
    assert not takes_centred(model(input_range=(0.0, 16.0)))
    assert not takes_centred(model_of(Network.build((8, 8), (), 10), class_names=DIGITS))
    assert not is_written(model(names=("shoe", *DIGITS[1:])))
    assert not is_written(model(names=()))


@pytest.mark.parametrize("scale", [1, 2, 5])
def test_a_cameras_noise_is_no_ink_however_many_pixels_it_has(scale: int) -> None:
    """The same sheet at several resolutions, each pixel with noise of its own: nearly the same 28 x 28 levels."""
    from PIL import Image

    sheet = np.zeros((240, 180))
    sheet[60:140, 80:90] = sheet[60:70, 50:90] = 200
    clean = centred(sheet.astype(np.uint8))
    large = np.asarray(Image.fromarray(sheet.astype(np.uint8)).resize((180 * scale, 240 * scale)), float)
    noisy = np.clip(large + 30 + np.random.default_rng(scale).normal(0, 5, large.shape), 0, 255).astype(np.uint8)
    found = centred(noisy)
    assert clean is not None
    assert found is not None
    assert np.abs(found.astype(float) - clean).mean() < 6


@pytest.mark.data
def test_mnist_digits_come_back_from_photographs() -> None:
    """Enlarged, off the centre, on grey paper lit from one side: recognised, as they are not when only scaled."""
    from PIL import Image

    digits, labels = mnist.dataset().test.inputs[:200], mnist.dataset().test.labels[:200]
    rng = np.random.default_rng(3)
    pictures, scaled = [], []
    for digit in digits:
        ink = np.asarray(Image.fromarray(digit).resize((200, 200), Image.Resampling.BICUBIC), float) / 255
        page = np.zeros((480, 360))
        top, left = rng.integers(0, 480 - 200), rng.integers(0, 360 - 200)
        page[top : top + 200, left : left + 200] = ink
        paper = 40 + 12 * np.linspace(-1, 1, 360) + rng.normal(0, 2, page.shape)
        photograph = np.clip(paper + page * (225 - paper), 0, 255).astype(np.uint8)
        pictures.append(centred(photograph))
        scaled.append(np.asarray(Image.fromarray(photograph).resize((28, 28), Image.Resampling.BILINEAR)))
    assert all(one is not None for one in pictures)
    assert (nearest(np.stack(pictures)) == labels).mean() > 0.9
    assert (nearest(np.stack(scaled)) == labels).mean() < 0.5


def nearest(pictures: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the labels (N,) of the training images nearest to pictures (N, 28, 28)."""
    known = mnist.dataset().train.inputs[:10_000].reshape(10_000, -1).astype(np.float32)
    distances = (known**2).sum(1) - 2 * pictures.reshape(len(pictures), -1).astype(np.float32) @ known.T
    return mnist.dataset().train.labels[distances.argmin(1)]
