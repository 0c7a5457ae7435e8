"""Measures of generated images: against closed forms, and against what they say counted one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from genreg_np.search.gan import measures

RNG = np.random.default_rng(0)


def normals(count: int, features: int, scale: float = 1.0, at: float = 0.0) -> np.ndarray:
    """Return features (N, F) whose mean and covariance are exactly `at` and scale^2."""
    drawn = np.random.default_rng(count).standard_normal((count, features))
    drawn -= drawn.mean(axis=0)
    root = np.linalg.cholesky(np.linalg.inv(np.cov(drawn, rowvar=False)))
    return (drawn @ root * scale + at).astype(np.float32)


def test_the_frechet_distance_is_that_of_normal_distributions() -> None:
    one, other = normals(400, 5), normals(500, 5, 2.0, 3.0)
    assert measures.frechet(one, one) == pytest.approx(0, abs=1e-6)
    assert measures.frechet(one, other) == pytest.approx(5 * 3**2 + 5 * (1 - 2) ** 2, rel=1e-5)
    assert measures.frechet(other, one) == pytest.approx(measures.frechet(one, other), rel=1e-6)


def test_covariances_that_do_not_commute_count_too() -> None:
    """Against the eigenvalues of A B, whose roots' sum is the trace of the root of A B."""
    one = normals(300, 4) @ RNG.normal(size=(4, 4)).astype(np.float32)
    other = normals(300, 4) @ RNG.normal(size=(4, 4)).astype(np.float32)
    a, b = (np.cov(values.astype(np.float64), rowvar=False) for values in (one, other))
    gap = one.mean(axis=0, dtype=np.float64) - other.mean(axis=0, dtype=np.float64)
    expected = gap @ gap + np.trace(a + b) - 2 * np.sqrt(np.linalg.eigvals(a @ b).real).sum()
    assert measures.frechet(one, other) == pytest.approx(expected, rel=1e-4)


def test_neighbours_are_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "MOST_ROWS", 7)
    monkeypatch.setattr(measures, "MOST_VALUES", 12)
    one, other = RNG.normal(size=(20, 3)).astype(np.float32), RNG.normal(size=(15, 3)).astype(np.float32)
    distances = np.sort(np.square(one[:, None] - other).sum(axis=2), axis=1)
    for rank in (0, 4):
        np.testing.assert_allclose(measures.nearest(one, other, rank), distances[:, rank], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(measures.radii(one), measures.nearest(one, one, 5))
    assert len(measures.radii(one[:3])) == 3


def test_coverage_and_density_are_counted_in_neighbourhoods(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "MOST_ROWS", 4)
    real = np.arange(20, dtype=np.float32)[:, None]
    within = measures.radii(real)
    generated = np.array([[0.1], [10.2], [100.0]], np.float32)
    inside = np.square(real - generated.T) < within[:, None]
    coverage, density = measures.covered(real, within, generated)
    assert coverage == inside.any(axis=1).mean()
    assert density == pytest.approx(inside.sum() / (5 * 3))
    assert measures.covered(real, within, generated + 1000) == (0, 0)
    assert measures.covered(real, within, real)[0] == 1


def test_classes_are_counted_beside_those_of_real_images() -> None:
    shares = np.array([0.5, 0.25, 0.25])
    sure = np.where(np.arange(3) == np.array([0] * 6 + [1] * 2)[:, None], 9.0, 0.0).astype(np.float32)
    found = measures.of_classes(sure, shares)
    assert found["tvd"] == pytest.approx((0.25 + 0 + 0.25) / 2)
    assert found["modes"] == 2
    assert found["confident"] == 1
    p = np.exp(sure - np.log(np.exp(sure).sum(axis=1, keepdims=True)))
    divergence = (p * np.log(p / p.mean(axis=0))).sum(axis=1).mean()
    assert found["variety"] == pytest.approx(math.exp(divergence))
    unsure = measures.of_classes(np.zeros((4, 3), np.float32), shares)
    assert unsure["confident"] == 0
    assert unsure["variety"] == pytest.approx(1)


def test_duplicates_are_images_that_are_nearly_another() -> None:
    apart = np.arange(10, dtype=np.float32)[:, None]
    twice = np.concatenate([apart, apart[:2] + np.float32(0.01)])
    assert measures.duplicated(apart, 1.0) == 0
    assert measures.duplicated(twice, 1.0) == pytest.approx(4 / 12)
