"""Contact sheets: a row a class, pixels as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np.data.dataset import Dataset, Split
from genreg_np.data.sheet import contact_sheet
from genreg_np.errors import DataError, UsageError

Image = pytest.importorskip("PIL.Image")


def dataset_of(inputs: np.ndarray, input_range: tuple[float, float] | None = (0.0, 255.0)) -> Dataset:
    split = Split(inputs, np.arange(len(inputs)) % 2)
    return Dataset("pictures", split, split, split, ("first", "a name that is\nfar too long for a margin"), input_range)


def test_pixels_are_enlarged_without_smoothing(tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 2, (12, 8, 8)).astype(np.uint8) * 255
    contact_sheet(dataset_of(images), "train", tmp_path / "sheet.png", per_class=3)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    for image in images[:6]:
        tile = image.repeat(7, axis=0).repeat(7, axis=1)
        windows = np.lib.stride_tricks.sliding_window_view(sheet, tile.shape)
        corners = np.argwhere((windows[:, :, ::13, ::13] == tile[::13, ::13]).all(axis=(2, 3)))
        assert any((windows[y, x] == tile).all() for y, x in corners)


def test_values_are_spread_from_the_input_range(tmp_path: Path) -> None:
    sixteen = np.full((4, 60, 60), 16, np.uint8)
    contact_sheet(dataset_of(sixteen, (0.0, 16.0)), "test", tmp_path / "white.png")
    contact_sheet(dataset_of(np.zeros((4, 60, 60, 1), np.float32), None), "test", tmp_path / "black.png")
    white, black = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("white", "black"))
    assert (black == 0).sum() >= 4 * 3600
    assert (white == 255).sum() > (black == 255).sum()


def test_colours_are_shown(tmp_path: Path) -> None:
    red = np.zeros((4, 3, 60, 60), np.uint8)
    red[:, 0] = 255
    contact_sheet(dataset_of(red), "test", tmp_path / "red.png")
    sheet = np.asarray(Image.open(tmp_path / "red.png"))
    assert (sheet == (255, 0, 0)).all(axis=2).sum() == 4 * 3600


def test_what_is_no_image_cannot_be_shown(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="are not images"):
        contact_sheet(dataset_of(np.zeros((4, 5), np.float32), None), "train", tmp_path / "sheet.png")
    with pytest.raises(DataError, match="no split"):
        contact_sheet(dataset_of(np.zeros((4, 5, 5), np.uint8)), "tset", tmp_path / "sheet.png")
    with pytest.raises(UsageError, match="per_class"):
        contact_sheet(dataset_of(np.zeros((4, 5, 5), np.uint8)), "train", tmp_path / "sheet.png", per_class=0)
    with pytest.raises(DataError, match="cannot be written"):
        contact_sheet(dataset_of(np.zeros((4, 5, 5), np.uint8)), "train", tmp_path / "no" / "sheet.png")
    assert not list(tmp_path.iterdir())
