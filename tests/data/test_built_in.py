"""Digits and letters: made on the spot, the same on every machine."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np.data.dataset import SPLITS
from genreg_np.data.digits import load_digits
from genreg_np.data.letters import LETTERS, draw_letter, draw_view, load_letters
from genreg_np.errors import MissingExtraError, UsageError


def test_digits_are_real_scans_split_by_class() -> None:
    pytest.importorskip("sklearn")
    dataset = load_digits()
    assert dataset.input_shape == (8, 8)
    assert dataset.train.inputs.dtype == np.uint8
    assert dataset.input_range == (0.0, 16.0)
    assert dataset.train.inputs.max() == 16
    assert sum(len(dataset.split(name)) for name in SPLITS) == 1797
    assert "split by class" in dataset.note


def test_digits_are_those_of_scikit_learn_wherever_it_keeps_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read from its file without importing it, or by its own function where the file is not."""
    whole = pytest.importorskip("sklearn.datasets").load_digits()
    for found in (Path.is_file, lambda path: False):
        monkeypatch.setattr(Path, "is_file", found)
        dataset = load_digits()
        images = np.concatenate([dataset.split(name).inputs.reshape(-1, 64) for name in SPLITS])
        labels = np.concatenate([dataset.split(name).labels for name in SPLITS])
        rows = np.column_stack([images, labels])
        expected = np.column_stack([whole.data, whole.target])
        assert (rows[np.lexsort(rows.T)] == expected[np.lexsort(expected.T)]).all()


def test_a_folder_of_the_package_s_name_is_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which Python takes for an empty package, where the real one is not installed."""
    (tmp_path / "sklearn").mkdir()
    for name in [name for name in sys.modules if name.partition(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with pytest.raises(MissingExtraError, match="scikit-learn"):
        load_digits()


def test_plain_letters_are_26_centred_images_in_every_split() -> None:
    pytest.importorskip("PIL")
    dataset = load_letters()
    assert dataset.class_names == LETTERS
    assert dataset.train is dataset.validation is dataset.test
    assert "same 26 images" in dataset.note
    assert "\n" not in dataset.note
    images = dataset.train.inputs
    assert images.shape == (26, 100, 100)
    assert images.dtype == np.uint8
    assert len({image.tobytes() for image in images}) == 26
    for letter, image in zip(LETTERS, images, strict=True):
        assert image.min() == 0
        assert image.max() == 255
        for axis in (0, 1):
            inked = np.flatnonzero(image.max(axis=axis) > 0)
            assert abs((inked[0] + inked[-1] + 1) / 2 - 50) <= 1.0, letter


def test_views_are_repeatable_varied_and_keep_their_contrast() -> None:
    pytest.importorskip("PIL")
    few, more = load_letters(3), load_letters(5)
    assert [len(few.split(name)) for name in SPLITS] == [26, 26, 26]
    assert sum(len(more.split(name)) for name in SPLITS) == 26 * 5
    every = {image.tobytes() for name in SPLITS for image in more.split(name).inputs}
    assert len(every) == 26 * 5
    assert {image.tobytes() for name in SPLITS for image in few.split(name).inputs} <= every
    polarities = set()
    for view in range(12):
        image = draw_view(7, view)
        assert (image == draw_view(7, view)).all()
        background = int(np.bincount(image.reshape(-1)).argmax())
        assert {0, 255} & {int(image.min()), int(image.max())}
        polarities.add(int(image[50 - 30 : 50 + 30].astype(int).mean()) > background)
    assert polarities == {True, False}


def test_a_large_letter_fits_where_it_is_not_moved() -> None:
    pytest.importorskip("PIL")
    image = draw_letter("W", 96)
    assert image[[0, -1]].max() == 0
    assert image[:, [0, -1]].max() == 0


@pytest.mark.parametrize("variations", [-1, 0, 2, 4097])
def test_other_numbers_of_views_are_refused(variations: int) -> None:
    with pytest.raises(UsageError, match=r"must be 1 .*or 3 to 4096"):
        load_letters(variations)


def test_a_missing_package_is_one_line_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIL", "sklearn", "sklearn.datasets"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"scikit-learn .*pip install 'genreg-np\[train\]'"):
        load_digits()
    with pytest.raises(MissingExtraError, match=r"pillow .*pip install 'genreg-np\[images\]'"):
        load_letters()
