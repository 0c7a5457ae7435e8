"""Where a fitness of one's own is called: its seeds, how calls are shared out, limits, and whether processes pay."""

from __future__ import annotations

import itertools
import os
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.engines.fitness import FitnessPool, _shared, takes_seed
from genreg_np.engines.pace import Pace
from genreg_np.errors import FitnessError, UsageError
from genreg_np.model import Model, Network
from genreg_np.runs.best_ever import best_of
from genreg_np.runs.evolution import Evolution
from tests.helpers import NETWORK, one_line, own, patient, smallness, tiny_config

SLOW, QUICK = 1.0, 1e-5  # seconds of a generation's calls


def number_of(model: int) -> float:
    return float(model)


def with_seed(model: int, seed: int) -> float:
    return float(model * 1000 + seed)


def process_of(model: int) -> float:
    return float(os.getpid())


def for_ever_at_three(model: int) -> float:
    while model == 3:
        time.sleep(0.01)
    return 0.0


class Whose:
    def __call__(self, model: Any, *, seed: int = 7) -> float:
        return float(seed)


def test_a_function_with_a_parameter_called_seed_gets_one() -> None:
    assert FitnessPool(with_seed).map([1, 2], [5, 6]) == [[1005, 1006], [2005, 2006]]
    assert FitnessPool(Whose()).map([1], [3]) == [[3]]
    assert FitnessPool(number_of).map([1, 2], [5, 6]) == [[1, 1], [2, 2]]
    assert FitnessPool(with_seed).repeat(4, [1, 2, 3]) == [4001, 4002, 4003]
    assert not takes_seed(max)


@pytest.mark.parametrize("engine", ["faster", "processes"])
def test_processes_give_what_this_one_gives_in_its_order(engine: str) -> None:
    with FitnessPool(with_seed, 2, engine) as pool:
        for _ in range(3):
            assert pool.map(range(9), [1, 2]) == [[1000 * model + 1, 1000 * model + 2] for model in range(9)]


def test_processes_stay_from_one_generation_to_the_next() -> None:
    with FitnessPool(process_of, 2, "processes") as pool:
        seen = [{number for (number,) in pool.map(range(16))} for _ in range(3)]
    assert os.getpid() not in set().union(*seen)
    assert len(set().union(*seen)) <= 2


@given(st.integers(1, 60), st.integers(1, 60))
@patient
def test_calls_are_shared_out_evenly_and_in_their_order(count: int, pieces: int) -> None:
    calls: list[Any] = [(number, 0) for number in range(count)]
    shared = _shared(calls, pieces)
    sizes = [len(piece) for piece in shared]
    assert list(itertools.chain.from_iterable(shared)) == calls
    assert len(shared) == min(count, pieces)
    assert max(sizes) - min(sizes) <= 1


# Whether processes pay


def after(*generations: tuple[float, float, int], workers: int = 2) -> bool:
    """Return whether the next generation is scored in this process."""
    pace = Pace(workers)
    for spent, took, used in generations:
        pace.told(spent, took, used)
    return pace.here


def test_the_first_generation_is_scored_elsewhere_and_proves_nothing() -> None:
    """Processes have yet to start; what may die or hang does it there."""
    assert not after()
    assert not after((QUICK, 9.0, 2))


def test_what_takes_long_stays_in_processes_and_what_does_not_comes_here() -> None:
    assert not after((SLOW, 2.0, 2), (SLOW, SLOW / 2 + 0.01, 2))
    assert after((QUICK, 2.0, 2), (QUICK, 0.01, 2))


def test_scores_that_become_longer_go_back_to_processes() -> None:
    """A policy that falls at once is quick to score, one that has learned is not."""
    learned = (QUICK, 2.0, 2), (QUICK, 0.01, 2)
    assert after(*learned, (QUICK, QUICK, 0))
    assert not after(*learned, (SLOW, SLOW, 0))


def test_a_generation_that_others_delayed_changes_nothing() -> None:
    """The least overhead seen counts: a busy machine only adds to it."""
    assert not after((SLOW, 2.0, 2), (SLOW, 0.51, 2), (SLOW, 30.0, 2))


def test_there_is_no_going_to_and_fro() -> None:
    """Where both take as long, it stays where it is."""
    even = 0.02, 0.02, 0  # saves a hundredth of a second, which is what handing it out takes
    start = (QUICK, 2.0, 2), (QUICK, QUICK / 2 + 0.01, 2)
    assert after(*start, even, even)
    assert not after((SLOW, 2.0, 2), (SLOW, SLOW / 2 + 0.01, 2), (0.02, 0.02, 2))


@pytest.mark.parametrize("step", [0.0, 100.0])
def test_a_pool_goes_by_what_its_clock_says(step: float) -> None:
    """Where generations elsewhere take no time they stay there; where they take for ever they come here."""
    times = itertools.count()
    with FitnessPool(process_of, 2, clock=lambda: next(times) * step) as pool:
        used = []
        for _ in range(3):
            pool.map(range(4))
            used.append(pool.used)
    assert used == ([2, 2, 2] if step == 0 else [2, 0, 0])


# Limits


def test_a_call_that_takes_too_long_is_killed_and_its_genome_named() -> None:
    with (
        FitnessPool(for_ever_at_three, limit=2.0) as pool,
        pytest.raises(FitnessError, match="failed on genome 3: took longer than 2 s") as raised,
    ):
        pool.map(range(6))
    one_line(raised.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"engine": "proceses"}, "did you mean 'processes'"),
        ({"engine": 3}, "unknown engine"),
        ({"engine": "serial", "workers": 2}, "leave out workers"),
        ({"engine": "serial", "limit": 2.0}, "leave out workers and limit"),
        ({"limit": 0}, "above 0"),
        ({"limit": "3"}, "above 0"),
        ({"limit": float("nan")}, "above 0"),
        ({"workers": -1}, "workers"),
        ({"address": "auto"}, "choose engine ray, not faster"),
    ],
)
def test_arguments_that_cannot_be_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        FitnessPool(number_of, **arguments)
    one_line(raised.value)


# Runs


@pytest.mark.parametrize(("rescore", "episodes", "every"), [(5, 1, 1), (10, 1, 1), (11, 1, 2), (30, 1, 3), (30, 3, 1)])
def test_scoring_again_takes_no_more_than_half_of_a_generation(rescore: int, episodes: int, every: int) -> None:
    """On average: genomes that get better in each generation are judged in some of them."""
    calls: list[int] = []
    better = itertools.count()

    def score(model: Model, seed: int) -> float:
        calls.append(seed)
        return float(next(better))

    run = own()
    judged: list[int] = []

    def count(record: dict[str, Any]) -> None:
        judged.append(len(calls) - 20 * episodes)
        calls.clear()

    run.run(6, fitness=score, rescore=rescore, episodes=episodes, on_record=count)
    assert judged == [rescore if generation % every == 0 else 0 for generation in range(6)]
    assert run.best_ever is not None
    assert (run.best_ever.generation - 1) % every == 0


def test_a_perfect_genome_is_judged_at_once() -> None:
    """Whichever generation it is in."""
    run = own()
    assert run.run(9, fitness=Later(), rescore=40, target=float("inf")) == "target"
    assert run.generation == 2


class Later:
    """Perfect from the second generation on."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, model: Model) -> float:
        self.calls += 1
        return float("inf") if self.calls > 70 else 0.0


def test_a_score_of_several_episodes_is_their_mean() -> None:
    """And each generation meets others; a fitness without a seed is called as often."""
    told: list[int] = []

    def score(model: Model, seed: int) -> float:
        told.append(seed)
        return seed + smallness(model)

    run, reached = own(), []
    run.run(2, fitness=score, episodes=3, on_record=reached.append)
    assert len(told) == 2 * 20 * 3
    assert reached[0]["fitness_mean"] == pytest.approx(np.mean(told[:60]), rel=1e-6)
    assert set(told[:60]) & set(told[60:]) == set()
    assert set(told[:60]) == set(told[:3])


def test_a_run_ends_when_nothing_has_got_better_for_long() -> None:
    """Counted from the generation of the best ever; one that goes on ends at once."""
    run = own()
    assert run.run(100, fitness=lambda model: 1.0, patience=4) == "patience"
    assert run.generation == 5
    assert run.run(100, fitness=lambda model: 1.0, patience=4) == "patience"
    assert run.generation == 5


def test_a_run_ends_before_its_budget_is_exceeded() -> None:
    """By the length of the last generation, on the evolution's clock; at least one generation is scored."""
    now = [0.0]

    def a_second(model: Model) -> float:
        now[0] += 0.05
        return 1.0

    def seconds(budget: float) -> int:
        run = Evolution(tiny_config(), network=NETWORK, backend="numpy", clock=lambda: now[0])
        assert run.run(100, fitness=a_second, budget=budget) == "budget"
        return run.generation

    assert [seconds(budget) for budget in (0.5, 3.5, 10.5)] == [1, 3, 10]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"patience": 0}, "patience"),
        ({"patience": 1.5}, "patience"),
        ({"budget": 0}, "budget"),
        ({"budget": "5s"}, "budget"),
        ({"episodes": 0}, "episodes"),
        ({"episodes": True}, "episodes"),
    ],
)
def test_settings_of_a_run_that_cannot_be_are_refused(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        own().run(3, fitness=smallness, **arguments)
    one_line(raised.value)


def test_a_record_says_in_how_many_processes_it_was_scored() -> None:
    reached: list[dict[str, Any]] = []
    own().run(2, fitness=smallness, workers=2, engine="processes", on_record=reached.append)
    own().run(1, fitness=smallness, on_record=reached.append)
    assert [record.get("workers") for record in reached] == [2, 2, None]


def test_the_genome_that_others_are_drawn_around_is_scored_again_beside_the_leader() -> None:
    """It is no luckiest of many; of equals the leader stays."""
    centre, leader = np.zeros(2, np.float32), np.ones(2, np.float32)
    fresh = {leader.tobytes(): 3.0, centre.tobytes(): 4.0}
    told = np.array([1.0, 9.0])

    def best(centre: Any, scores: dict[bytes, float]) -> Any:
        return best_of(None, told, 1, lambda number: leader, lambda genes: scores[genes.tobytes()], centre)

    assert best(centre, fresh).genes.tobytes() == centre.tobytes()
    assert best(centre, fresh).fitness == 4
    assert best(None, fresh).fitness == 3
    assert best(centre, dict.fromkeys(fresh, 3.0)).genes.tobytes() == leader.tobytes()
    assert best_of(None, told, 1, lambda number: leader, None, centre).fitness == 9


@pytest.mark.parametrize(("strategy", "drawn"), [("cma-es", True), ("evolution-strategy", True), ("genreg", False)])
def test_strategies_say_what_they_draw_around(strategy: str, drawn: bool) -> None:
    run = own(strategy=strategy)
    run.run(1, fitness=smallness)
    centre = run._population().centre(run.state)
    assert (centre is not None) == drawn
    if centre is not None:
        assert centre.tobytes() == run.champions()["best"].genes.tobytes()


def fails_inside(model: Any) -> float:
    return {}["speed"]  # type: ignore[return-value]


def test_what_a_worker_raises_is_told_with_its_place() -> None:
    """In code of the user's: its file, line and function."""
    line = fails_inside.__code__.co_firstlineno + 1
    with FitnessPool(fails_inside, 1, "processes") as pool, pytest.raises(FitnessError) as raised:
        pool.map([1])
    assert str(raised.value).endswith(f"KeyError: 'speed' (test_pool.py, line {line}, in fails_inside)")


def test_a_network_beside_a_description_of_another_is_refused() -> None:
    """Which of both was meant cannot be known; the same one twice is no harm."""
    config = tiny_config().replace(network="elman 4 / dense 2")
    with pytest.raises(UsageError, match="leave one of them out") as raised:
        Evolution(config, network=NETWORK, backend="numpy")
    one_line(raised.value)
    described = Network.build((3,), "elman 4 / dense 2")
    assert Evolution(config, network=described, backend="numpy").network == described


def test_a_network_is_built_from_words() -> None:
    assert Network.build((3,), "dense 4 / tanh / dense 2").outputs == 2
    assert Network.build((3,), "dense 2", 2).outputs == 2
    for wrong in ({"hidden": "dense 2", "outputs": 3}, {"hidden": (4,)}, {"hidden": "dens 2"}):
        with pytest.raises(UsageError):
            Network.build((3,), **wrong)  # type: ignore[arg-type]
