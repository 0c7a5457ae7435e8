"""Some genomes of a brood, by their numbers, and what genomes answer: the same bits whoever else is chosen."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from genreg_np.backends import numpy_, selftest
from genreg_np.backends.base import Backend
from genreg_np.fitness import Score
from genreg_np.layers.groups import Gene
from tests.helpers import BACKENDS, OnHost, create_or_skip


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend that runs on this machine."""
    return OnHost(create_or_skip(request.param))


CHOSEN = (np.array([3]), np.array([7, 0, 10, 2]), np.array([5, 5, 1]), np.arange(11)[::-1], np.empty(0, np.int64))


@pytest.mark.parametrize("gene", [Gene.WEIGHT, Gene.UNIT, Gene.NONE])
@pytest.mark.parametrize("score", [Score.REWARD_SAMPLED, Score.LOG_PROBABILITY])
def test_a_genome_earns_the_same_whoever_else_is_chosen(backend: Backend, gene: Gene, score: Score) -> None:
    """To the bit, in any order, by either plan: a brood can be shared out by the numbers of its genomes."""
    brood, batch = selftest.example(gene, score)
    brood = replace(brood, mutation_rate=0.01)
    whole = backend.score(brood, batch)
    for chosen in CHOSEN:
        part = backend.score(brood, batch, chosen)
        assert part.fitness.tobytes() == whole.fitness[chosen].tobytes()
        assert part.accuracy.tobytes() == whole.accuracy[chosen].tobytes()


@pytest.mark.parametrize("gene", [Gene.WEIGHT, Gene.NONE])
def test_answers_are_those_that_are_judged(backend: Backend, gene: Gene) -> None:
    """The most probable classes of the outputs give the judged accuracy, and chosen genomes answer as among all."""
    brood, batch = selftest.example(gene, Score.REWARD_ARGMAX)
    whole = backend.outputs(brood, batch.inputs)
    assert whole.shape == (brood.size, len(batch), brood.network.outputs)
    assert whole.dtype == np.float32
    found = (whole.argmax(axis=2) == batch.labels).mean(axis=1)
    assert found == pytest.approx(backend.score(brood, batch).accuracy)
    for chosen in CHOSEN:
        assert backend.outputs(brood, batch.inputs, chosen).tobytes() == whole[chosen].tobytes()


def test_answers_of_all_backends_are_within_rounding(backend: Backend) -> None:
    """The specification's, within the bound for logits."""
    brood, batch = selftest.example(Gene.WEIGHT, Score.REWARD_ARGMAX)
    expected = numpy_.NumpyBackend().outputs(brood, batch.inputs)
    off = np.abs(backend.outputs(brood, batch.inputs) - expected).max()
    assert off <= selftest.LOGIT_BOUND * np.abs(expected).max()


@pytest.mark.parametrize("chosen", [[-1], [11], np.ones(11, np.bool_), [[1, 2]], [0.5]])
def test_what_are_no_numbers_of_genomes_is_refused(backend: Backend, chosen: object) -> None:
    """Kernels would read beyond the brood; a mask would be taken for numbers."""
    brood, batch = selftest.example(Gene.WEIGHT, Score.REWARD_ARGMAX)
    for use in (backend.score, lambda brood, batch, chosen: backend.outputs(brood, batch.inputs, chosen)):
        with pytest.raises(ValueError, match=r"of 11|numbers of genomes"):
            use(brood, batch, chosen)
