"""Mutation: every gene at its rate, with normal noise, in every backend."""

from __future__ import annotations

import numpy as np
import pytest

from genreg_np.backends.base import Backend
from genreg_np.streams import SEGMENT, Purpose, Stream, gap_table, normal_table
from tests.helpers import BACKENDS, OnHost, create_or_skip


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend that runs on this machine."""
    return OnHost(create_or_skip(request.param))


@pytest.mark.parametrize("rate", [0.003, 0.07, 0.5])
def test_mutation_hits_every_position_at_its_rate(backend: Backend, rate: float) -> None:
    """Each gene mutates with the given probability, wherever it lies between two restarts of the walk."""
    count, genomes = 2 * SEGMENT + 300, 1500
    mutated = backend.mutate(np.zeros((genomes, count), np.float32), 11, 4, Purpose.MUTATION, rate, 0.1, 0)
    hits = (mutated != 0).sum(axis=0)
    variance = genomes * rate * (1 - rate)
    assert (hits.sum() - genomes * rate * count) ** 2 < 25 * variance * count
    squares = (hits - genomes * rate) ** 2 / variance
    assert squares.mean() == pytest.approx(1, abs=5 * (3 / count) ** 0.5)
    edges = [0, 1, SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT - 1, 2 * SEGMENT, count - 1]
    assert squares[edges].max() < 25
    assert squares.max() < 36


@pytest.mark.parametrize("rate", [0.0006, 0.02, 0.5, 1.0])
def test_mutation_equals_a_slow_walk(backend: Backend, rate: float) -> None:
    """Word after word, segment after segment: a gap to the next mutated gene, and its noise."""
    count, genomes = 30 * SEGMENT - 500, 40 if rate < 0.01 else 2
    mutated = backend.mutate(np.zeros((genomes, count), np.float32), 11, 4, Purpose.MUTATION, rate, 0.1, 0)
    gaps, normal = gap_table(rate).tolist(), normal_table()
    for number in range(genomes):
        words = Stream(11).words(Purpose.MUTATION, 4, number, 30 * SEGMENT).reshape(30, SEGMENT)
        expected = np.zeros(30 * SEGMENT, np.float32)
        for segment in range(30):
            position = -1
            for word in words[segment].tolist():
                position += gaps[word & 0xFFFF]
                if position >= SEGMENT:
                    break
                expected[segment * SEGMENT + position] = np.float32(0.1) * normal[word >> 16]
        assert mutated[number].tobytes() == expected[:count].tobytes()


def test_mutation_noise_is_normal_with_the_given_scale(backend: Backend) -> None:
    """Added noise has mean 0, standard deviation `scale`, normal tails, and does not depend on the gene before it."""
    mutated = backend.mutate(np.zeros((300, 2000), np.float32), 11, 4, Purpose.MUTATION, 0.3, 0.25, 0)
    noise = mutated[mutated != 0].astype(np.float64) / 0.25
    assert abs(noise.mean()) < 5 / noise.size**0.5
    assert noise.var() == pytest.approx(1, abs=5 * (2 / noise.size) ** 0.5)
    assert (noise**4).mean() == pytest.approx(3, abs=0.2)
    assert abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 5 / noise.size**0.5


def test_mutation_adds_to_the_genes_that_were_there(backend: Backend) -> None:
    """The same noise is added, product and sum rounded separately, to whatever the genes are."""
    genes = np.random.default_rng(0).normal(size=(3, 1500)).astype(np.float32)
    noise = backend.mutate(np.zeros_like(genes), 1, 2, Purpose.BASE_MUTATION, 0.2, 0.1, 0)
    assert np.array_equal(backend.mutate(genes, 1, 2, Purpose.BASE_MUTATION, 0.2, 0.1, 0), genes + noise)


@pytest.mark.parametrize("first", [0, 2, 5])
def test_rows_before_the_first_are_not_mutated(backend: Backend, first: int) -> None:
    """Rows below `first` stay as they are, the others draw by their own number, the input is not written."""
    genomes = np.ones((5, 40), np.float32)
    mutated = backend.mutate(genomes, 1, 2, Purpose.BASE_MUTATION, 1.0, 0.1, first)
    assert (genomes == 1).all()
    assert (mutated[:first] == 1).all()
    assert (mutated[first:] != 1).all()
    everyone = backend.mutate(genomes, 1, 2, Purpose.BASE_MUTATION, 1.0, 0.1, 0)
    assert np.array_equal(mutated[first:], everyone[first:])


def test_rate_zero_mutates_nothing(backend: Backend) -> None:
    """A rate of 0 leaves every gene as it is."""
    genomes = np.ones((3, 3000), np.float32)
    assert np.array_equal(backend.mutate(genomes, 1, 2, Purpose.MUTATION, 0.0, 0.1, 0), genomes)


def test_mutations_differ_between_seeds_generations_purposes_and_genomes(backend: Backend) -> None:
    """No two of five mutations that differ in one respect are alike."""
    zeros = np.zeros((2, 200), np.float32)
    draws = [
        backend.mutate(zeros, seed, generation, purpose, 0.5, 0.1, 0)
        for seed, generation, purpose in (
            (1, 1, Purpose.MUTATION),
            (2, 1, Purpose.MUTATION),
            (1, 2, Purpose.MUTATION),
            (1, 1, Purpose.BASE_MUTATION),
        )
    ]
    assert len({row.tobytes() for draw in draws for row in draw}) == 8
