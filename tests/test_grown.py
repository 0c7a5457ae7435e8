"""GENREG, grown: mutation that falls, batches that grow, survival by trust per generation."""

from __future__ import annotations

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.strategies.genreg import draw_from_classes, standing
from tests.helpers import BACKENDS, create_or_skip, evolution, one_line


def test_mutation_falls_geometrically_to_its_last_fraction() -> None:
    """Half way it is the geometric mean; a generation past the total mutates no less than the last."""
    run = evolution(generations=10, mutation_scale=0.2, final_scale=0.01)
    scales = []
    for _ in range(12):
        scales.append(run.strategy.breed(run.state, run.context, run.stream).mutation_scale)
        run.step()
    assert scales[0] == 0.2
    assert scales[5] == pytest.approx(0.02)
    assert scales[10] == scales[11] == pytest.approx(0.002)
    assert np.all(np.diff(scales[:11]) < 0)


def test_batches_grow_linearly_and_the_budget_knows() -> None:
    """From 4 images of each of 4 classes to 12; on average twice the work of the first generation."""
    run = evolution(generations=8, images_per_class=4, final_images=12)
    sizes = [len(draw_from_classes(run.context, run.stream, generation)) for generation in (0, 4, 8, 99)]
    assert sizes == [16, 32, 48, 48]
    assert run.config.options.effort == 2.0
    assert evolution(images_per_class=4).config.options.effort == 1.0


def test_only_what_depends_on_the_total_is_annealed() -> None:
    """Whose total may be raised freely is as it was."""
    assert not evolution().config.annealed
    assert evolution(final_scale=0.5).config.annealed
    assert evolution(final_images=9).config.annealed


@pytest.mark.parametrize("period", ["image", "generation"])
def test_evidence_is_the_trust_of_one_point_a_generation(period: str) -> None:
    """Told 1 for every genome, trust is evidence, whatever decays and is inherited; their ratio is then 1."""
    run = evolution(elites=2, trust_decay=0.1, trust_decay_per=period, trust_inheritance=0.3, survival="mean")
    for _ in range(4):
        size = len(run.ask())
        run.tell(np.ones(size))
        assert run.state.trust == pytest.approx(run.state.evidence)
        assert standing(run.config.options, run.state.trust, run.state.evidence) == pytest.approx(1)


@pytest.mark.parametrize(("survival", "child_wins"), [("trust", False), ("mean", True)])
def test_a_better_child_displaces_an_elder_only_by_mean(survival: str, child_wins: bool) -> None:
    """An elite that earned 1 a generation for ten generations, and a child that earns 2 in its first."""
    run = evolution(elites=1, trust_decay=0.0, trust_inheritance=0.03, survival=survival)
    for _ in range(10):
        fitness = np.zeros(len(run.ask()))
        fitness[0] = 1
        run.tell(fitness)
    elder = run.state.survivors[0].copy()
    fitness = np.zeros(len(run.ask()))
    fitness[0], fitness[7] = 1, 2
    run.tell(fitness)
    assert (not np.array_equal(run.state.survivors[0], elder)) == child_wins


@pytest.mark.parametrize("backend", BACKENDS)
def test_children_of_the_mean_descend_from_it_bit_for_bit(backend: str) -> None:
    """Unmutated they are the survivors' mean, weighted by rank and summed in order; elites stay themselves."""
    run = evolution(create_or_skip(backend), crossover="mean", elites=2, child_mutation_rate=0.0)
    run.step()
    survivors = np.array(run.backend.to_host(run.state.survivors))
    weights = np.arange(len(survivors), 0, -1) / sum(range(len(survivors) + 1))
    mean = np.zeros_like(survivors[0])
    for genes, weight in zip(survivors, weights, strict=True):
        mean = mean + genes * np.float32(weight)
    everyone = np.array([model.genes for model in run.ask()])
    assert everyone[:2].tobytes() == survivors[:2].tobytes()
    assert {genes.tobytes() for genes in everyone[2:]} == {mean.tobytes()}


def test_children_of_the_mean_inherit_its_share_of_trust() -> None:
    """A child begins with the inheritance of the weighted mean of the survivors' trust, an elite with its own."""
    run = evolution(crossover="mean", elites=1, trust_decay=0.0, trust_inheritance=0.5)
    run.tell(np.arange(len(run.ask()), dtype=float))
    held = run.state.trust
    weights = np.arange(len(held), 0, -1) / sum(range(len(held) + 1))
    run.tell(np.zeros(len(run.ask())))
    assert run.state.trust[0] == held[0]
    assert run.state.trust[1:] == pytest.approx(0.5 * float(weights @ held))


def test_the_mean_takes_a_survivors_place() -> None:
    """As many elites as survivors leave no room for it, and are refused in one line."""
    with pytest.raises(UsageError, match="less than the 5 survivors") as caught:
        evolution(crossover="mean", elites=5)
    one_line(caught.value)
