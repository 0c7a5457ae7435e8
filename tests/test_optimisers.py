"""Steps of a single network: every optimiser by its formula, decay, clipping; schedules; averages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np import backends
from genreg_np.layers.optimisers import ALL_MOMENTS, DECOUPLED, MOMENTS, Optimiser, clipped, follow
from genreg_np.layers.schedules import SCHEDULES
from genreg_np.strategies.ascent import running_average
from tests.helpers import patient

RATE, MOMENTUM, EPSILON = 0.05, 0.9, 1e-8


def by_hand(name: str, gradients: list[float], decay: float = 0.0) -> float:
    """Return where a weight that begins at 1 is after some steps, by the formulas written out."""
    weight, velocity, square = 1.0, 0.0, 0.0
    for number, gradient in enumerate(gradients, start=1):
        if name == "adamw":
            weight -= RATE * decay * weight
        else:
            gradient += decay * weight
        if name in ("sgd", "nesterov"):
            velocity = MOMENTUM * velocity + gradient
            weight -= RATE * (velocity if name == "sgd" else gradient + MOMENTUM * velocity)
        elif name in ("rmsprop", "rmsprop-momentum"):
            square = 0.99 * square + 0.01 * gradient**2
            scaled = gradient / (square**0.5 + EPSILON)
            velocity = MOMENTUM * velocity + scaled
            weight -= RATE * (scaled if name == "rmsprop" else velocity)
        else:
            velocity = MOMENTUM * velocity + (1 - MOMENTUM) * gradient
            square = 0.999 * square + 0.001 * gradient**2
            corrected = velocity / (1 - MOMENTUM**number), square / (1 - 0.999**number)
            weight -= RATE * corrected[0] / (corrected[1] ** 0.5 + EPSILON)
    return weight


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", list(ALL_MOMENTS))
def test_optimisers_follow_their_formulas(name: str, decay: float) -> None:
    """Gene by gene, step after step; two genes of three have a decay."""
    gradients = np.random.default_rng(0).normal(size=(6, 3))
    genes, moments = np.ones(3), np.zeros((2, 3))
    decays = np.array([decay, 0.0, decay])
    for number, gradient in enumerate(gradients, start=1):
        genes, moments = follow(Optimiser(name, RATE, MOMENTUM), genes, gradient, moments, number, decays)
    expected = [by_hand(name, list(gradients[:, gene]), decays[gene]) for gene in range(3)]
    assert genes == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", list(ALL_MOMENTS))
def test_a_step_changes_nothing_that_it_was_given(name: str) -> None:
    """So a state can be gone back to."""
    rng = np.random.default_rng(0)
    given_arrays = [rng.random(5).astype(np.float32), rng.random(5).astype(np.float32), rng.random((2, 5), np.float32)]
    before = [array.tobytes() for array in given_arrays]
    genes, moments = follow(Optimiser(name, RATE, MOMENTUM), *given_arrays, 1, np.ones(5, np.float32), 0.1)
    assert [array.tobytes() for array in given_arrays] == before
    assert genes.dtype == moments.dtype == np.float32
    assert not np.array_equal(genes, given_arrays[0])


@pytest.mark.skipif(backends.resolve("cpu") != "numba", reason="no numba")
@pytest.mark.parametrize("name", ALL_MOMENTS)
@pytest.mark.parametrize("decay", [False, True])
@pytest.mark.parametrize("clip", [0.0, 0.5])
def test_a_kernel_takes_the_same_steps_to_the_byte(name: str, decay: bool, clip: float) -> None:
    """Of any optimiser, for numbers of any size, and of those that are none."""
    rng, backend = np.random.default_rng(0), backends.create("numba", 1)
    own = other = rng.normal(size=1003).astype(np.float32), np.zeros((2, 1003), np.float32)
    shrink = rng.uniform(0, 0.1, 1003).astype(np.float32) if decay else None
    with np.errstate(all="ignore"):
        for number in range(1, 8):
            gradient = (rng.normal(size=1003) * 10.0 ** rng.integers(-20, 4, 1003)).astype(np.float32)
            if number == 7:
                gradient[:3] = np.inf, -np.inf, np.nan
            own = follow(Optimiser(name, RATE, MOMENTUM), own[0], gradient, own[1], number, shrink, clip)
            other = backend.follow(Optimiser(name, RATE, MOMENTUM), other[0], gradient, other[1], number, shrink, clip)
            for array, same in zip(own, other, strict=True):
                np.testing.assert_array_equal(array, same)
                assert np.isnan(array).any() or array.tobytes() == same.tobytes()


def test_populations_take_the_optimisers_that_backends_have_kernels_for() -> None:
    """All others are of single networks."""
    assert list(MOMENTS) == ["sgd", "rmsprop", "adam"]
    assert set(ALL_MOMENTS) > set(MOMENTS)
    assert set(ALL_MOMENTS) > DECOUPLED
    assert all(1 <= count <= 2 for count in ALL_MOMENTS.values())


@patient
@given(st.floats(0.01, 100), st.integers(1, 20), st.integers(0, 99))
def test_a_clipped_gradient_keeps_its_direction(longest: float, genes: int, seed: int) -> None:
    """It is never longer than it may be, and untouched where it is not."""
    gradient = np.random.default_rng(seed).normal(0, 5, genes).astype(np.float32)
    found, length = clipped(gradient, longest), np.linalg.norm(gradient.astype(np.float64))
    if length <= longest:
        assert found is gradient
        return
    assert np.linalg.norm(found) == pytest.approx(longest, rel=1e-5)
    assert found * (length / longest) == pytest.approx(gradient, rel=1e-4)


# Schedules


@patient
@given(st.sampled_from(list(SCHEDULES)), st.integers(1, 10_000), st.integers(0, 20_000))
def test_a_schedule_is_a_share_of_the_highest_rate(name: str, total: int, step: int) -> None:
    """At any step of any run, past its end too."""
    assert 0 <= SCHEDULES[name](step, total) <= 1


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("constant", {0: 1, 500: 1, 1000: 1}),
        ("linear", {0: 1, 250: 0.75, 1000: 0, 1200: 0}),
        ("cosine", {0: 1, 250: 0.8535534, 500: 0.5, 1000: 0}),
        ("one-cycle", {0: 0.04, 150: 0.52, 300: 1, 650: 0.5, 1000: 0}),
    ],
)
def test_schedules_go_where_they_say(name: str, shares: dict[int, float]) -> None:
    assert {step: SCHEDULES[name](step, 1000) for step in shares} == pytest.approx(shares, abs=1e-7)


def test_an_average_is_the_mean_of_the_last_fraction() -> None:
    """Of ten generations the last three; before there is none."""
    genes = np.random.default_rng(0).random((10, 4), np.float32)
    average, averaged = np.zeros(4, np.float32), 0
    for generation in range(10):
        average, averaged = running_average(average, averaged, genes[generation], generation, 10, 0.3)
        assert averaged == max(0, generation - 6)
    assert average == pytest.approx(genes[7:].mean(axis=0), rel=1e-6)
