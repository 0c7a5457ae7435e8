"""A pair's steps: gradients by finite differences, the way back from what the discriminator sees, and three losses."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from genreg_np.data.generated import Noise, channels_of
from genreg_np.errors import FitnessError
from genreg_np.layers.description import parse
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Network
from genreg_np.search.gan import pair
from genreg_np.search.gan.losses import LOSSES
from genreg_np.search.gan.rules import Rules, drawn, shown
from genreg_np.streams import Stream
from tests.helpers import CPU_BACKENDS, create_or_skip

STILL = Optimiser("sgd", 0.0, 0.0)
SHAPES: list[tuple[int, ...]] = [(6, 4), (3, 4, 4)]
STREAM = Stream(5)


def context_of(
    shape: tuple[int, ...] = (6, 4), backend: str = "numpy", maps: bool = True, images: int = 40, **changes: Any
) -> pair.Context:
    """Return a small pair on random images."""
    rules = Rules(Noise(3), ("non-saturating",), Optimiser("adam", 0.01, 0.5), Optimiser("adam", 0.01, 0.5), 8)
    rules = dataclasses.replace(rules, **changes)
    channels, height, width = channels_of(shape)
    fed = (3 + rules.classes,)
    words = f"dense 8 / batch-norm / relu / dense {channels * height * width} / sigmoid"
    asked = rules.pack * (channels + rules.classes), height, width
    seen: tuple[int, ...] = asked if maps else (rules.pack * (channels * height * width + rules.classes),)
    judging = "conv 4 3 stride 2 same / leaky-relu / dense 1" if maps else "dense 6 / leaky-relu / dense 1"
    rng = np.random.default_rng(0)
    return pair.Context(
        create_or_skip(backend), Network(fed, parse(words, fed)), Network(seen, parse(judging, seen)), rules, shape,
        rng.random((images, channels * height * width), dtype=np.float32), np.arange(images) % max(1, rules.classes),
    )  # fmt: skip


def after(context: pair.Context, steps: int = 3) -> pair.State:
    """Return a pair after some steps."""
    state = pair.start(context, STREAM, Stream(6))
    for _ in range(steps):
        state = pair.step(state, context, STREAM)
    return state


WAYS: dict[str, dict[str, Any]] = {
    "plain": {},
    "centred": {"centred": True},
    "packs": {"pack": 2},
    "classes": {"classes": 3, "pack": 2, "centred": True},
    "moved": {"shift": 2, "flip": True},
    "noise": {"instance_noise": 0.1},
    "all": {"centred": True, "pack": 2, "classes": 2, "shift": 1, "flip": True, "instance_noise": 0.1, "turns": 2},
}


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.parametrize("maps", [True, False])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_way_back_is_that_of_what_is_seen(name: str, maps: bool, shape: tuple[int, ...]) -> None:
    """Differences of what is seen, weighed, are those of images weighed by the gradient that comes back."""
    context = context_of(shape, maps=maps, **WAYS[name])
    state = pair.start(context, STREAM, Stream(6))
    rng = np.random.default_rng(1)
    pixels = context.images.shape[1]
    for number in range(6):  # of passes, which are moved otherwise
        step = pair._Step(dataclasses.replace(state, step=number), context, STREAM)
        classes = np.arange(8) % max(1, context.rules.classes)
        images, change = (rng.random((pixels, 8)).astype(np.float32) for _ in range(2))
        seen, moved = step._seen(images, classes), step._seen(images + change, classes)
        weights = rng.normal(size=seen.columns.shape)
        by_seen = float((weights * (moved.columns.astype(np.float64) - seen.columns)).sum())
        assert float((seen.back(weights) * change).sum()) == pytest.approx(by_seen, rel=1e-3, abs=1e-3)
        assert seen.columns.shape == (np.prod(context.discriminator.input_shape), 8 // context.rules.pack)


def test_a_discriminator_sees_classes_beside_images() -> None:
    rules = context_of(classes=3, pack=2).rules
    images, classes = np.full((24, 4), 0.25, np.float32), np.array([0, 2, 1, 1])
    flat = shown(rules, (6, 4), (54,), images, classes)
    assert flat.shape == (54, 2)
    np.testing.assert_array_equal(flat[24:27, 0], [1, 0, 0])  # the first of a pack, and the second
    np.testing.assert_array_equal(flat[51:54, 0], [0, 1, 0])
    maps = shown(rules, (6, 4), (8, 6, 4), images, classes).reshape(2, 4, 24, 2)
    np.testing.assert_array_equal(maps[0, 1:, :, 1], np.repeat([[0.0], [0.0], [1.0]], 24, axis=1))


@pytest.mark.parametrize("name", list(LOSSES))
def test_losses_are_followed_by_their_gradients(name: str) -> None:
    loss, rng = LOSSES[name], np.random.default_rng(2)
    values = rng.normal(size=(1, 1, 5))

    def by_differences(judge: Any) -> np.ndarray:
        found = np.zeros_like(values)
        for place in range(5):
            for sign in (1, -1):
                moved = values.copy()
                moved[0, 0, place] += sign * 1e-6
                found[0, 0, place] += sign * float(judge(moved)) / 2e-6
        return found

    def log_d(z: np.ndarray, real: bool) -> float:
        return float(np.mean(np.log1p(np.exp(-z if real else z))))

    real, made, maker = {
        "non-saturating": (lambda z: log_d(z, True), lambda z: log_d(z, False), lambda z: log_d(z, True)),
        "minimax": (lambda z: log_d(z, True), lambda z: log_d(z, False), lambda z: -log_d(z, False)),
        "least-squares": (
            lambda z: np.mean((z - 1) ** 2), lambda z: np.mean(z**2), lambda z: np.mean((z - 1) ** 2),
        ),
        "hinge": (
            lambda z: np.mean(np.maximum(0, 1 - z)), lambda z: np.mean(np.maximum(0, 1 + z)), lambda z: -np.mean(z),
        ),
        "wasserstein": (lambda z: -np.mean(z), lambda z: np.mean(z), lambda z: -np.mean(z)),
    }[name]  # fmt: skip
    np.testing.assert_allclose(loss.of_real(values, 0.0), by_differences(real), atol=1e-6)
    np.testing.assert_allclose(loss.of_generated(values), by_differences(made), atol=1e-6)
    np.testing.assert_allclose(loss.of_making(values), by_differences(maker), atol=1e-6)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("name", list(WAYS))
def test_equal_seeds_are_equal_pairs_and_others_are_not(backend: str, name: str) -> None:
    context = context_of(backend=backend, **WAYS[name])
    one, other = after(context), after(context)
    for side in ("generators", "discriminator"):
        for array in pair.ARRAYS:
            first, second = (getattr(getattr(state, side), array) for state in (one, other))
            np.testing.assert_array_equal(first, second)
    assert one.step == 3
    assert (one.generators.genes != after(context, 2).generators.genes).any()


@pytest.mark.parametrize("name", list(WAYS))
def test_backends_take_the_same_steps(name: str) -> None:
    """By plain descent: Adam makes steps of what rounding leaves of a bias that normalisation takes away again."""
    how = {"makes": Optimiser("sgd", 0.05, 0.9), "judges": Optimiser("sgd", 0.05, 0.9)} | WAYS[name]
    found = [after(context_of(backend=backend, **how), 4) for backend in ("numpy", "numba")]
    for one, other in zip(*((state.generators.genes, state.discriminator.genes) for state in found), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)


def test_steps_are_those_of_optimisers_by_finite_differences() -> None:
    """Of the generator: one step of plain descent, against the loss as its images and the discriminator have it."""
    context = context_of(makes=Optimiser("sgd", 1.0, 0.0), judges=STILL, losses=("least-squares",))
    state = after(context, 0)
    found = state.generators.genes - pair.step(state.copy(), context, STREAM).generators.genes
    inputs, classes = drawn(context.rules, STREAM, 0, 8)

    def loss(genes: np.ndarray) -> float:
        kept = state.generators.statistics.copy().astype(np.float64)
        arrays = context.generator.arrays_of(genes[None], kept)
        images, _ = context.generator.stack.forward(arrays, inputs.astype(np.float64), pair.Passing(True, STREAM, 0))
        columns = shown(context.rules, context.shape, context.discriminator.input_shape, images[0], classes)
        judge = context.discriminator.arrays_of(
            state.discriminator.genes.astype(np.float64), state.discriminator.statistics.astype(np.float64)
        )
        values, _ = context.discriminator.stack.forward(judge, columns)
        return float(np.mean((values - 1) ** 2))

    genes = state.generators.genes[0].astype(np.float64)
    for place in range(0, len(genes), 7):
        moved = [genes.copy(), genes.copy()]
        moved[0][place] += 1e-5
        moved[1][place] -= 1e-5
        slope = (loss(moved[0]) - loss(moved[1])) / 2e-5
        assert found[0, place] == pytest.approx(slope, rel=2e-2, abs=2e-5)


def test_three_generators_learn_side_by_side_as_each_would_alone() -> None:
    names = ("non-saturating", "minimax", "least-squares")
    together = after(context_of(losses=names, judges=STILL))
    for place, name in enumerate(names):
        alone = after(context_of(losses=(name,), judges=STILL))
        np.testing.assert_allclose(together.generators.genes[place], alone.generators.genes[0], rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(
            together.generators.statistics[place], alone.generators.statistics[0], rtol=1e-4, atol=1e-5
        )
    best = together.generators.only(1)
    assert (best.genes == together.generators.genes[1]).all()


def test_an_average_follows_the_generator() -> None:
    context = context_of(average=0.9)
    states = [after(context, steps) for steps in (0, 1, 2)]
    left = (1 + 1) / (pair.WARMING + 1)
    expected = left * states[1].average + (1 - left) * np.concatenate(
        [states[2].generators.genes, states[2].generators.statistics], axis=1
    )
    np.testing.assert_allclose(states[2].average, expected, rtol=1e-4, atol=1e-6)
    genes, statistics = after(context_of(average=0.0)).answering
    np.testing.assert_array_equal(genes, after(context_of(average=0.0)).generators.genes)
    assert statistics.shape == (1, 16)


def test_rates_fall_in_the_second_half() -> None:
    context = dataclasses.replace(context_of(falling=True), first=10, last=20)
    rates = [context.at(context.rules.makes, step).learning_rate for step in (10, 15, 18, 20)]
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.004, 0])


def test_a_pair_that_diverges_is_told() -> None:
    context = context_of(makes=Optimiser("sgd", 1e39, 0.0))
    with pytest.raises(FitnessError, match="diverged"):
        after(context, 20)


@pytest.mark.parametrize(
    ("noise", "low", "high", "deviation"),
    [
        (Noise(4), -4.4, 4.4, 1.0),
        (Noise(4, "normal", 0.5), -2.2, 2.2, 0.5),
        (Noise(4, "uniform"), -1, 1, 3**-0.5),
        (Noise(4, "truncated", 1.0), -1, 1, 0.5396),
    ],
)
def test_noise_is_of_its_kind(noise: Noise, low: float, high: float, deviation: float) -> None:
    found = noise.drawn(Stream(1).words(pair.Purpose.PAIR, 0, 0, 40_000))
    assert low <= found.min() < 0.9 * low * min(1, 4 / 4.4)
    assert 0.8 * high < found.max() <= high
    assert float(found.std()) == pytest.approx(deviation, rel=0.02)
    assert abs(float(found.mean())) < 0.02
    assert found.dtype == np.float32


def test_a_quarter_of_the_passes_are_mirrored() -> None:
    """Were it half, an image and its mirror image would be seen equally often, and neither could be told to be real."""
    context = context_of(flip=True)
    state = pair.start(context, STREAM, Stream(6))
    flips = [pair._Step(dataclasses.replace(state, step=number), context, STREAM)._moves()[1] for number in range(800)]
    assert 0.2 < np.mean(flips) < 0.3
