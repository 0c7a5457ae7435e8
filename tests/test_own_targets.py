"""A noisy fitness is scored again before it makes a best ever; a target is reached in the fitness's own units."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from genreg_np.errors import FitnessError, UsageError
from genreg_np.model import Model
from tests.helpers import evolution, one_line, outcome, own, smallness
from tests.test_own_fitness import some

pytestmark = pytest.mark.filterwarnings("error")


# Noise


class Lucky:
    """A fitness that adds luck to a genome's first score, none to later ones; remembers how often it was asked."""

    def __init__(self) -> None:
        self.calls: Counter[bytes] = Counter()

    def __call__(self, model: Model) -> float:
        genes = model.genes.tobytes()
        self.calls[genes] += 1
        luck = 50.0 * (len(self.calls) % 7) if self.calls[genes] == 1 else 0.0
        return smallness(model) + luck


def test_luck_does_not_make_a_best_ever_where_it_is_scored_again() -> None:
    """Its fitness is the mean of fresh scores, which never falls, and only whoever might take its place is rescored."""
    run, fitness, reached = own(elites=0, child_mutation_rate=1.0), Lucky(), []
    run.run(12, fitness=fitness, rescore=3, on_record=lambda record: reached.append(record["best_ever_fitness"]))
    assert run.best_ever is not None
    assert run.best_ever.fitness == pytest.approx(smallness(run.champions()["best_ever"]))
    assert reached == sorted(reached)
    assert reached[0] < reached[-1]
    again = [count for count in fitness.calls.values() if count > 1]
    assert set(again) == {4}
    assert len(again) <= 12
    lucky = own(elites=0, child_mutation_rate=1.0)
    lucky.run(12, fitness=Lucky())
    assert lucky.best_ever is not None
    assert lucky.best_ever.fitness > smallness(lucky.champions()["best_ever"]) + 40


def test_scoring_again_changes_no_selection_and_is_the_same_in_workers() -> None:
    """What lives between generations is that of a run without it; with workers all is the same."""
    plain, here, there = own(), own(), own()
    plain.run(3, fitness=smallness)
    here.run(3, fitness=smallness, rescore=2)
    there.run(3, fitness=smallness, rescore=2, workers=2)
    assert outcome(plain) == outcome(here) == outcome(there)


@pytest.mark.parametrize(("fresh", "counts"), [(np.nan, False), (-np.inf, False), (np.inf, True), (4.0, True)])
def test_what_is_confirmed_counts_in_place_of_what_was_told(fresh: float, counts: bool) -> None:
    """By hand: a genome that comes out undefined does not become the best ever, nor changes who is selected."""
    run = own()
    asked = run.ask()
    confirmed: list[bytes] = []

    def confirm(model: Model) -> float:
        confirmed.append(model.pack())
        return fresh

    run.tell(some(0.0, 9.0), confirm)
    assert confirmed == [asked[1].pack()]
    assert (run.best_ever is not None) == counts
    assert run.champions()["best"].genes.tobytes() == asked[1].genes.tobytes()
    if run.best_ever:
        assert run.best_ever.fitness == fresh


def test_a_confirmation_that_is_no_number_is_refused_and_nothing_is_told() -> None:
    """The genomes are still asked."""
    run = own()
    run.ask()
    with pytest.raises(FitnessError, match="confirm returned None") as raised:
        run.tell(some(1.0), lambda model: None)  # type: ignore[arg-type, return-value]
    one_line(raised.value)
    assert (run.generation, run.best_ever) == (0, None)
    run.tell(some(1.0))


# Targets


@pytest.mark.parametrize("offset", [-1e-9, 0.0])
@pytest.mark.parametrize("shift", [-50.0, 0.0, 1e6])
def test_a_run_stops_at_the_first_generation_that_reaches_its_target(offset: float, shift: float) -> None:
    """In the fitness's own units, be they negative, zero or large; it goes no further when it is run again."""

    def fitness(model: Model) -> float:
        return smallness(model) + shift

    best: list[float] = []
    own(mutation_scale=0.05, generations=30).run(
        fitness=fitness, on_record=lambda record: best.append(record["fitness_maximum"])
    )
    target = max(best[:8]) + offset
    reached = next(number for number, value in enumerate(best, 1) if value >= target)
    run = own(mutation_scale=0.05, generations=30)
    assert run.run(fitness=fitness, target=target) == "target"
    assert run.generation == reached
    assert run.run(fitness=fitness, target=target) == "target"
    assert run.generation == reached


def test_a_target_of_zero_is_a_target() -> None:
    """No number of its own means never; only None does."""
    run = own()
    assert run.run(fitness=lambda model: 0.0, target=0) == "target"
    assert run.generation == 1
    assert own().run(fitness=lambda model: -1.0, target=0.0) == "generations"


def test_where_scores_are_taken_again_their_mean_reaches_the_target() -> None:
    """A lucky score alone ends nothing."""
    run = own()
    assert run.run(4, fitness=Lucky(), rescore=2, target=0.0) == "generations"
    assert own().run(4, fitness=Lucky(), target=0.0) == "target"


@pytest.mark.parametrize("target", [np.nan, -np.inf, True, "9", [9.0]])
def test_a_target_that_is_no_number_is_refused(target: Any) -> None:
    """The line names it."""
    with pytest.raises(UsageError, match="target") as raised:
        own().run(fitness=smallness, target=target)
    one_line(raised.value)


@pytest.mark.parametrize("rescore", [-1, 1.5, True, "2"])
def test_a_number_of_scores_that_cannot_be_is_refused(rescore: Any) -> None:
    """The line names it."""
    with pytest.raises(UsageError, match="rescore") as raised:
        own().run(fitness=smallness, rescore=rescore)
    one_line(raised.value)


@pytest.mark.parametrize("argument", [{"target": 0.5}, {"rescore": 2}, {"out": "run"}])
def test_what_goes_with_a_fitness_of_ones_own_is_refused_without_one(argument: dict[str, Any]) -> None:
    """On a dataset the configuration has a target, and train keeps a run."""
    with pytest.raises(UsageError, match="fitness of your own") as raised:
        evolution().run(2, **argument)
    one_line(raised.value)


def test_a_target_on_the_validation_split_stays_what_it_was() -> None:
    """With a dataset and a fitness of one's own, the configuration's target is still an accuracy."""
    run = evolution(target=0.01, validate_every=1)
    assert run.run(fitness=smallness) == "target"
    assert run.generation == 1
