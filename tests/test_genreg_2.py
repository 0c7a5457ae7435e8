"""GENREG 2.0: filters that separate classes, whitened features, a head that only improves; labelled as warm-started."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import infer, infer_images
from genreg_np.errors import UsageError
from genreg_np.layers.responses import Responses, Statistics
from genreg_np.model import load
from genreg_np.runs.config import TrainConfig, read_preset
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.training import train
from genreg_np.strategies import fisher
from genreg_np.streams import Stream
from tests.helpers import BACKENDS, create_or_skip, one_line
from tests.test_detector_bank import DATASET, strokes

SMALL: dict[str, Any] = {
    "strategy": "genreg-2",
    "hidden": [],
    "generations": 8,
    "validate_every": 4,
    "filter_rounds": 2,
    "filter_population": 10,
    "filter_generations": 6,
    "filter_images": 10,
    "axes": 40,
    "population_size": 12,
    "pool": 90,
    "seed": 3,
}


def run(backend: Any = "numpy", **changes: Any) -> Evolution:
    """Return a small run."""
    return Evolution(TrainConfig.from_dict(SMALL | changes), DATASET, backend=backend)


# Layers


def test_responses_do_what_they_are_defined_to_do() -> None:
    """A filter's answer at every place, its function, and the mean over each cell, loop by loop."""
    rng = np.random.default_rng(0)
    taps = rng.normal(0, 0.5, (8, 3, 3)).astype(np.float32)
    layer = Responses((6, 7), taps, tuple(infer_images.RESPONSES), ((2, 2), (4, 1)))
    levels = rng.integers(0, 256, (2, 42)).astype(np.float32)
    scalar = {
        "relu": lambda r: max(r, 0),
        "abs": abs,
        "sin": math.sin,
        "cos": math.cos,
        "gaussian": lambda r: math.exp(-r * r),
        "leaky-relu": lambda r: r if r > 0 else 0.1 * r,
        "square": lambda r: r * r,
        "tanh": math.tanh,
    }
    expected = []
    for image in levels.reshape(2, 6, 7) / 255:
        for tap, function in zip(taps, layer.functions, strict=True):
            answers = np.array(
                [
                    [scalar[function](float((image[y : y + 3, x : x + 3] * tap).sum())) for x in range(5)]
                    for y in range(4)
                ]
            )
            expected += [answers[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean() for y in range(2) for x in range(2)]
            expected += [answers[y, :5].mean() for y in range(4)]
    assert layer.apply(levels).ravel() == pytest.approx(np.array(expected), abs=1e-5)


def test_statistics_of_a_slope_are_known() -> None:
    """An even slope to the right: means grow to the right, and every direction is the same bin."""
    image = np.tile(np.arange(28, dtype=np.float32) * 9, (28, 1))
    found = Statistics((28, 28)).apply(image.reshape(1, -1))[0]
    zones, profile = found[:16].reshape(4, 4), found[16 + 49 + 14 : 16 + 49 + 28]
    assert zones == pytest.approx(np.tile((np.arange(4) * 7 + 3) * 9 / 255, (4, 1)), abs=1e-5)
    assert profile == pytest.approx((np.arange(14) * 2 + 0.5) * 9 / 255, abs=1e-5)
    histogram = found[93 : 93 + 128].reshape(16, 8)
    assert histogram.sum() == pytest.approx(1, abs=1e-4)
    assert np.flatnonzero(histogram.sum(axis=0)).tolist() == [4]


def test_the_direction_of_every_slope_is_the_one_that_whole_numbers_say() -> None:
    """The eighth of a turn, from -pi on, that (across, down) lies in: comparisons decide, no library's arctan2."""
    steps = np.arange(-255, 256)
    across, down = (part.ravel() for part in np.meshgrid(steps, steps))
    images = np.zeros((len(across), 7, 7), np.float32)
    rng = np.random.default_rng(4)
    for step, before, after in ((across, (3, 2), (3, 4)), (down, (2, 3), (4, 3))):
        darkest = rng.integers(0, 256 - np.abs(step))  # equal differences of unequal levels are equal slopes
        images[:, *before], images[:, *after] = darkest + np.maximum(-step, 0), darkest + np.maximum(step, 0)
    features = Statistics((7, 7)).apply(images.reshape(-1, 49))
    middle = features[:, -49 * 8 :].reshape(-1, 49, 8)[:, 24]  # of the 7 x 7 cells the middle one, a single pixel
    ahead = np.where(down < 0, -across, across)  # turned by pi into the upper half
    rise = np.abs(down)
    expected = 4 * (down >= 0) + (rise >= ahead) + (ahead <= 0) + (rise <= -ahead)
    steep = (across != 0) | (down != 0)
    assert np.array_equal(middle[steep].argmax(axis=1), expected[steep])
    assert (middle[steep] > 0).sum() == steep.sum()


def test_a_saved_network_of_such_layers_comes_back(tmp_path: Path) -> None:
    """infer.py alone predicts what training saw, from raw pixels."""
    result = train(TrainConfig.from_dict(SMALL), DATASET, tmp_path / "run", backend="numpy")
    path = tmp_path / "run" / "model.npz"
    assert load(path).pack() == path.read_bytes()
    predicted = infer.load(path).predict(DATASET.test.inputs)
    assert np.mean(predicted == DATASET.test.labels) == pytest.approx(result.test_accuracy, abs=1 / 90)


@pytest.mark.parametrize(
    ("functions", "grids", "words"),
    [
        (("relu", "softplus"), ((2, 2),), "unknown function"),
        ((), ((2, 2),), "but the network needs (0"),
        (("relu", "abs"), (), "impossible extents"),
        (("relu", "abs"), ((9, 1),), "impossible extents"),
    ],
)
def test_impossible_responses_are_refused(functions: Any, grids: Any, words: str) -> None:
    """One line says what cannot be."""
    with pytest.raises(UsageError) as raised:
        Responses((6, 7), np.zeros((2, 3, 3), np.float32), functions, grids)
    assert words in one_line(raised.value)


# Filters


def test_separability_is_between_over_within() -> None:
    """Two classes 2 apart with unit spread: between 4 * 1, within 4 * 1; noise alone is worth nothing."""
    answers = np.array([0.0, 2, 2, 4])[:, None, None].astype(np.float32)
    assert fisher.separability(answers, np.array([0, 0, 1, 1])) == pytest.approx([1.0])
    assert fisher.separability(np.full((4, 1, 1), np.nan, np.float32), np.array([0, 0, 1, 1])) == [0]


def test_evolved_filters_separate_better_than_drawn_ones() -> None:
    """Fitness of what is harvested last exceeds that of the first draw."""
    images = DATASET.train.inputs.reshape(len(DATASET.train), -1)
    judges = fisher.draw_judges(images, DATASET.train.labels, (10, 10), 40, Stream(0), 0)

    def best(generations: int) -> float:
        found = list(fisher.harvest(judges, Stream(0), fisher.Plan(1, 16, generations, 40), 0))[-fisher.HARVEST :]
        answers = judges.answers(np.stack([taps for taps, _ in found]), np.array([function for _, function in found]))
        return float(fisher.separability(answers, judges.labels).max())

    assert best(12) > 1.1 * best(3)


def test_filters_kept_are_unlike_each_other() -> None:
    """A filter and its copy are not both kept."""
    images = DATASET.train.inputs.reshape(len(DATASET.train), -1)
    judges = fisher.draw_judges(images, DATASET.train.labels, (10, 10), 40, Stream(0), 0)
    taps = np.random.default_rng(0).normal(size=(3, 5, 5)).astype(np.float32)
    kept, rest = fisher.select(judges, np.concatenate([taps, taps]), np.ones(6, np.int64), 6)
    assert sorted(index % 3 for index in kept) == [0, 1, 2]
    assert sorted([*kept, *rest]) == [0, 1, 2, 3, 4, 5]
    assert (kept % 3).tolist() == (rest % 3).tolist()  # both in order of separability
    fewer, others = fisher.select(judges, np.concatenate([taps, taps]), np.ones(6, np.int64), 2)
    assert fewer.tolist() == kept[:2].tolist()
    assert len(others) == 4


@pytest.mark.parametrize("count", [2, 30])  # few, and more than are unlike each other
def test_separable_filters_separate_better_than_random_ones(count: int) -> None:
    """By other images than those that chose them; the first are better than the last."""
    taps = fisher.separable(DATASET.train.inputs, DATASET.train.labels, count, 5, Stream(0), 1)
    images = DATASET.train.inputs.reshape(len(DATASET.train), -1)
    judges = fisher.draw_judges(images, DATASET.train.labels, (10, 10), 40, Stream(1), 7)

    def scores(filters: np.ndarray) -> np.ndarray:
        absolute = np.full(len(filters), fisher.FUNCTIONS.index("abs"))
        return fisher.separability(judges.answers(filters, absolute), judges.labels)

    assert taps.shape == (count, 5, 5)
    random = np.random.default_rng(0).normal(0, fisher.FIRST_TAP, (30, 5, 5)).astype(np.float32)
    assert scores(taps).mean() > 1.1 * scores(random).mean()
    assert scores(taps[:2]).mean() > 0.99 * scores(taps).mean()


# Runs


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("warm", [True, False])
def test_fitness_never_falls(name: str, warm: bool) -> None:
    """Elites stay, on a fixed pool: the best head is never lost."""
    evolution = run(create_or_skip(name), warm_start=warm)
    best = [evolution.step()["best_trust"] for _ in range(8)]
    assert best == sorted(best)
    assert best[-1] > best[0]


def test_a_warm_start_is_the_class_means() -> None:
    """Before any search the head tells strokes apart better than a cold one."""
    warm, cold = run(), run(warm_start=False)
    warm.step(), cold.step()
    assert warm.accuracies("validation")["best"] > cold.accuracies("validation")["best"]


def test_resume_equals_uninterrupted(tmp_path: Path) -> None:
    """Stopped and gone on with, the model has the same bytes."""
    whole, part = run(), run()
    whole.run()
    part.run(3)
    part.save(tmp_path / "checkpoint.npz")
    again = Evolution.load(tmp_path / "checkpoint.npz", DATASET, backend="numpy")
    again.run()
    assert again.champions()["best"].pack() == whole.champions()["best"].pack()


def test_small_images_and_hidden_layers_are_refused() -> None:
    """One line each."""
    with pytest.raises(UsageError) as raised:
        Evolution(TrainConfig.from_dict(SMALL), strokes(6, 10), backend="numpy")
    assert "at least 8 each way" in one_line(raised.value)
    with pytest.raises(UsageError) as raised:
        run(hidden=[5])
    assert "leave hidden empty" in one_line(raised.value)


def test_the_preset_says_that_it_is_warm_started() -> None:
    """Whoever reads the preset knows that the head begins in closed form."""
    assert read_preset("genreg-2")["warm_start"] is True
