"""The strategy detector-bank: features and head are a function of the seed; inputs that are no images are refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.data.dataset import Dataset, Split
from genreg_np.errors import UsageError
from genreg_np.infer_images import MOST_WINDOW
from genreg_np.layers.images import Branches, Detectors
from genreg_np.model import Network
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.training import train
from genreg_np.strategies.detector_bank import BankOptions, draw_warps, half_over
from genreg_np.streams import Stream
from tests.helpers import BACKENDS, create_or_skip, one_line


def strokes(height: int = 10, width: int = 10) -> Dataset:
    """Return noisy images of three kinds of stroke, all over the image: pixels alone do not tell them apart."""
    rng = np.random.default_rng(5)

    def split(count: int) -> Split:
        labels = np.arange(count) % 3
        images = rng.integers(0, 60, (count, height, width))
        for image, label in zip(images, labels, strict=True):
            y, x = rng.integers(0, height - 4), rng.integers(0, width - 4)
            for step in range(5):
                image[y + step * (label != 0), x + step * (label != 1)] = 250
        return Split(images.astype(np.uint8), labels.astype(np.int64))

    return Dataset("strokes", split(240), split(90), split(90), ("-", "|", "\\"))


DATASET = strokes()
SMALL: dict[str, Any] = {
    "strategy": "detector-bank",
    "hidden": [],
    "generations": 60,
    "validate_every": 20,
    "batch_size": 40,
    "deskew": False,
    "detectors": 6,
    "detector_size": 3,
    "window": 4,
    "stride": 3,
    "seed": 2,
}
TWO_STAGES = SMALL | {
    "detectors": 2,
    "first_detectors": 2,
    "first_size": 3,
    "second_detectors": 3,
    "second_size": 3,
    "second_window": 3,
    "second_stride": 2,
    "copies": 3,
    "filters": "principal",
    "deskew": True,
    "generations": 12,
}


def bank(backend: Any = "numpy", dataset: Dataset = DATASET, **changes: Any) -> Evolution:
    """Return a small run of a detector bank."""
    return Evolution(TrainConfig.from_dict(SMALL | changes), dataset, backend=backend)


def champion(evolution: Evolution) -> bytes:
    """Return the champion's file."""
    return evolution.champions()["best"].pack()


@pytest.mark.parametrize("name", BACKENDS)
def test_strokes_are_told_apart_wherever_they_are(name: str) -> None:
    """The bank learns what a linear head on pixels cannot."""
    evolution = bank(create_or_skip(name), step_size=0.02, generations=120)
    evolution.run()
    assert evolution.accuracies("validation")["best"] > 0.9


SIZES = SMALL | {"more_sizes": [5], "flip": True, "generations": 12}


@pytest.mark.parametrize("settings", [SMALL, TWO_STAGES, SIZES], ids=["one stage", "two stages", "sizes and mirrors"])
def test_resume_equals_uninterrupted(settings: dict[str, Any], tmp_path: Path) -> None:
    """Stopped and gone on with, the model has the same bytes: filters, copies and features are made again."""
    config = TrainConfig.from_dict(settings)
    whole = Evolution(config, DATASET, backend="numpy")
    whole.run()
    part = Evolution(config, DATASET, backend="numpy")
    part.run(7)
    part.save(tmp_path / "checkpoint.npz")
    again = Evolution.load(tmp_path / "checkpoint.npz", DATASET, backend="numpy")
    again.run()
    assert champion(again) == champion(whole)


def test_a_checkpoint_holds_no_features(tmp_path: Path) -> None:
    """What can be made again is not saved: the file holds a few arrays of genes."""
    evolution = bank(copies=4, deskew=True)
    evolution.run(2)
    assert len(evolution.pack()) < 10 * 4 * evolution.network.gene_count + 20_000


def test_seeds_give_other_filters() -> None:
    """The seed decides the filters, and the same seed the same ones."""
    first, same, other = (bank(seed=seed).network.fixed[1].arrays()["filters"].tobytes() for seed in (2, 2, 3))
    assert first == same != other


def test_backends_agree_on_the_features() -> None:
    """The features are the same bits in every backend."""
    config = TrainConfig.from_dict(TWO_STAGES)
    found = []
    for name in ("numpy", "numba", "cupy by g++"):
        try:
            found.append(Evolution(config, DATASET, backend=create_or_skip(name)).context.levels.tobytes())
        except pytest.skip.Exception:
            continue
    assert len(set(found)) == 1


def test_the_saved_model_alone_predicts_from_raw_pixels(tmp_path: Path) -> None:
    """infer.py gives the accuracy that training reported, from the file and the test images."""
    result = train(TrainConfig.from_dict(TWO_STAGES), DATASET, tmp_path / "run", backend="numpy")
    model = infer.load(tmp_path / "run" / "model.npz")
    assert np.mean(model.predict(DATASET.test.inputs) == DATASET.test.labels) == result.test_accuracy
    assert len(model.predict(DATASET.test.inputs[0])) == 1


def test_copies_of_an_image_keep_its_label_and_the_first_is_unchanged() -> None:
    """Copy c of image i is row c * N + i: its features differ, its label does not."""
    one, three = bank(deskew=True), bank(deskew=True, copies=3)
    assert np.array_equal(three.context.levels[:240], one.context.levels)
    assert not np.array_equal(three.context.levels[240:480], one.context.levels)
    assert np.array_equal(three.context.head.batch.labels, np.tile(DATASET.train.labels, 3))


def test_mirrored_images_come_after_all_copies_and_the_first_of_them_is_not_moved() -> None:
    """Row (copies + c) * N + i is image i mirrored; what comes before is as it was without `flip`."""
    flipped, plain = (bank(deskew=True, copies=2, flip=flip) for flip in (True, False))
    levels = flipped.context.levels
    assert np.array_equal(levels[:480], plain.context.levels)
    layers = plain.network.fixed[1:-1]
    images = DATASET.train.inputs[:, :, ::-1].reshape(240, -1)
    assert np.array_equal(levels[480:720], plain.context.head.backend.levels(layers, np.ascontiguousarray(images)))
    assert len(levels) == 4 * 240
    assert not np.array_equal(levels[720:], levels[480:720])
    assert np.array_equal(flipped.context.head.batch.labels, np.tile(DATASET.train.labels, 4))
    assert len(bank(flip=True).context.levels) == 2 * 240, "without a deskew, too"


def test_filters_of_several_sizes_stand_side_by_side() -> None:
    """The first are what they are alone; the others are as many, pooled alike, and before two stages."""
    one, three = bank(), bank(more_sizes=[3, 5])
    branches = three.network.fixed[1]
    assert isinstance(branches, Branches)
    found = [stack[0] for stack in branches.stacks]
    assert [layer.filters.shape for layer in found if isinstance(layer, Detectors)] == [(6, 3, 3), (6, 3, 3), (6, 5, 5)]
    taps = [layer.arrays()["filters"].tobytes() for layer in found]
    assert taps[0] == one.network.fixed[1].arrays()["filters"].tobytes() != taps[1]
    width = one.context.levels.shape[1]
    assert np.array_equal(three.context.levels[:, :width], one.context.levels)
    both = bank(**{**TWO_STAGES, "more_sizes": [5]}).network.fixed[2]
    assert isinstance(both, Branches)
    assert [len(stack) for stack in both.stacks] == [1, 1, 2]


def test_of_further_sizes_there_are_as_many_as_axes() -> None:
    """A patch of 3 x 3 has eight principal axes; of random filters no end. The first size has what was asked."""
    shapes = {}
    for source in ("principal", "random"):
        branches = bank(filters=source, detectors=12, detector_size=5, more_sizes=[3]).network.fixed[1]
        assert isinstance(branches, Branches)
        shapes[source] = [stack[0].arrays()["filters"].shape for stack in branches.stacks]
    assert shapes == {"principal": [(12, 5, 5), (8, 3, 3)], "random": [(12, 5, 5), (12, 3, 3)]}
    assert "have 8 axes, not 12" in refused(filters="principal", detectors=12, detector_size=3, more_sizes=[])
    assert "have 0 axes, not 1" in refused(filters="principal", brightness=True, more_sizes=[1])


def test_warps_stay_within_their_ranges() -> None:
    """Turned, stretched and shifted by at most what was asked; not at all by nothing."""
    options = BankOptions(rotation=0.2, stretch=0.1, translation=1.5)
    a, b, c, d, e, f = draw_warps(options, Stream(0), 1, 2000).T
    assert np.abs(np.arctan2(c, d)).max() <= 0.2
    assert np.abs(np.arctan2(-b, a)).max() <= 0.2
    assert np.hypot(a, b) == pytest.approx(1, abs=0.1001)
    assert np.hypot(c, d) == pytest.approx(1, abs=0.1001)
    assert 1.4 < np.abs(np.stack([e, f])).max() <= 1.5
    still = draw_warps(BankOptions(rotation=0.0, stretch=0.0, translation=0.0), Stream(0), 1, 3)
    assert np.array_equal(still, np.tile([1, 0, 0, 1, 0, 0], (3, 1)))


def test_one_stage_and_two_stand_side_by_side() -> None:
    """Both banks see the same images; with one of them there is nothing to branch."""
    both, single = Evolution(TrainConfig.from_dict(TWO_STAGES), DATASET, backend="numpy"), bank()
    assert any(isinstance(layer, Branches) for layer in both.network.fixed)
    assert not any(isinstance(layer, Branches) for layer in single.network.fixed)


def test_rectangular_images_are_taken() -> None:
    """Height and width need not be equal."""
    evolution = bank(dataset=strokes(9, 14), deskew=True)
    evolution.run(3)
    assert evolution.network.input_shape == (9, 14)


@pytest.mark.parametrize("value", [0, 255])
def test_images_without_anything_on_them_are_no_failure(value: int) -> None:
    """Constant features are standardised to zero; the head still trains."""
    splits = {name: replace(DATASET.split(name)) for name in ("train", "validation", "test")}
    blank = {name: Split(np.full_like(part.inputs, value), part.labels) for name, part in splits.items()}
    with pytest.warns(RuntimeWarning, match="classes cannot be distinguished"):
        evolution = bank(dataset=replace(DATASET, **blank), deskew=True)
    evolution.run(3)
    assert np.isfinite(evolution.champions()["best"].genes).all()


# Misuse


def refused(**changes: Any) -> str:
    """Return the one line with which a run is refused."""
    with pytest.raises(UsageError) as raised:
        bank(**changes)
    return one_line(raised.value)


def test_images_smaller_than_what_is_laid_over_them_are_refused() -> None:
    """The line names the image, the filter and the pool."""
    assert "10 x 10 pixels are too small for filters of 5 x 5 pooled over 12 x 12" in refused(
        detector_size=5, window=12
    )
    assert "too small for filters of 11 x 11" in refused(detector_size=11)
    assert "too small for filters of 13 x 13" in refused(more_sizes=[13])


def test_features_that_are_no_images_are_refused() -> None:
    """Float features and flat tables have no neighbourhoods."""
    floats = {
        name: Split(DATASET.split(name).inputs.astype(np.float32), DATASET.split(name).labels)
        for name in ("train", "validation", "test")
    }
    line = refused(dataset=replace(DATASET, input_range=None, **floats))
    assert "detector-bank needs images" in line
    flat = {
        name: Split(DATASET.split(name).inputs.reshape(-1, 100), DATASET.split(name).labels)
        for name in ("train", "validation", "test")
    }
    assert "(100,) uint8" in refused(dataset=replace(DATASET, **flat))


def test_a_bank_without_detectors_is_refused() -> None:
    """There is nothing to train on."""
    assert "needs one of them" in refused(detectors=0)


def test_copies_without_a_deskew_are_refused() -> None:
    """Copies are moved while they are deskewed."""
    assert "copies = 2 needs the deskew" in refused(copies=2)


def test_a_network_of_ones_own_is_refused() -> None:
    """The bank is the network; anything else is for another strategy."""
    with pytest.raises(UsageError) as raised:
        Evolution(TrainConfig.from_dict(SMALL), DATASET, network=Network.build((10, 10), (), 3), backend="numpy")
    assert "builds its own network" in one_line(raised.value)
    with pytest.raises(UsageError):
        Evolution(TrainConfig.from_dict(SMALL), network=Network.build((10, 10), (), 3), backend="numpy")


def test_settings_that_make_the_filters_cannot_change_in_a_run_under_way() -> None:
    """The reason is given."""
    with pytest.raises(UsageError) as raised:
        bank().change(detectors=7)
    assert "fixed layers would change" in one_line(raised.value)


COLOURS = SMALL | {
    "filters": "principal",
    "deskew": False,
    "brightness": True,
    "grid": 3,
    "deviations": True,
    "flip": True,
}


def coloured(seed: int = 0, count: int = 240) -> Dataset:
    """Return pictures (3, 14, 14) that differ in the colour of one spot alone, red or green of equal brightness."""
    random = np.random.default_rng(seed)
    pictures = np.full((count, 3, 14, 14), 120, np.uint8)
    labels = np.arange(count) % 2
    for picture, label, (y, x) in zip(pictures, labels, random.integers(0, 9, (count, 2)), strict=True):
        picture[:, y : y + 5, x : x + 5] = np.array([(200, 62, 62), (62, 132, 62)][label])[:, None, None]
    parts = [Split(pictures[part], labels[part]) for part in (slice(0, 120), slice(120, 180), slice(180, 240))]
    return Dataset("spots", *parts, ("red", "green"))


def test_colours_are_told_apart_by_filters_of_all_channels() -> None:
    """Principal filters see them at once, and keep their mean, which a flat colour needs."""
    evolution = bank(dataset=coloured(), **COLOURS | {"generations": 60})
    evolution.run()
    assert evolution.accuracies("test")["best"] == 1
    detectors = evolution.network.fixed[1]
    assert isinstance(detectors, Detectors)
    assert detectors.filters.shape[1] == detectors.depth == 3
    assert np.abs(detectors.filters.sum(axis=(1, 2, 3))).max() > 50
    assert detectors.grid == (3, 3)


def test_the_head_sees_how_far_each_response_is_from_its_mean() -> None:
    """Twice the features: as without, then |x - mean|; the mirrored pictures come after all others."""
    data = coloured()
    deviating, plain = (bank(dataset=data, **COLOURS | {"deviations": on}).context.levels for on in (True, False))
    half = deviating.shape[1] // 2
    assert np.array_equal(deviating[:, :half], plain)
    middle = np.rint(plain[:120].mean(axis=0))
    assert np.array_equal(deviating[:, half:], np.abs(plain - middle))
    turned = Dataset("turned", *(Split(part.inputs[..., ::-1], part.labels) for part in data_splits(data)), ("a", "b"))
    layers = bank(dataset=data, **COLOURS).network.fixed[1:-1]
    seen = NumpyBackend().levels(layers, turned.train.inputs.reshape(120, -1))
    assert np.array_equal(seen, deviating[120:])


def data_splits(data: Dataset) -> tuple[Split, ...]:
    """Return train, validation and test."""
    return data.train, data.validation, data.test


@pytest.mark.parametrize(("side", "grid"), [(5, 1), (14, 3), (32, 6), (48, 6), (50, 7), (300, 6), (6, 64)])
def test_pools_of_a_grid_cover_the_image_half_over_one_another(side: int, grid: int) -> None:
    """As many as asked for, or more where windows have reached their largest; never a gap."""
    window, stride = half_over(side, grid)
    count = (side - window) // stride + 1
    assert 1 <= stride <= window <= min(side, MOST_WINDOW)
    assert side - ((count - 1) * stride + window) < stride
    if side <= MOST_WINDOW * (grid + 1) // 2 and grid < side:
        assert count >= grid


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"deskew": True}, "deskew is for grey images"), ({"filters": "separable"}, "for grey images")],
)
def test_what_is_for_grey_images_says_so(changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError) as caught:
        bank(dataset=coloured(), **COLOURS | changes)
    assert says in one_line(caught)
    assert "--color grey" in str(caught.value)
