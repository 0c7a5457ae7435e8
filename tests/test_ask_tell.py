"""Ask and tell, and a fitness of one's own: here or in worker processes, the same result, and no hang."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.errors import FitnessError, UsageError
from genreg_np.model import Model
from genreg_np.runs.evolution import Evolution
from tests.helpers import (
    NETWORK,
    ROOT,
    evolution,
    fails_at_its_21st_call,
    first_output,
    first_output_as_an_array,
    gives_a_pair,
    gives_a_word,
    gives_nothing,
    kills_its_process,
    not_a_number_above_zero,
    one_line,
    outcome,
    own,
    python,
    raises_above_zero,
    smallness,
    tiny_config,
)

pytestmark = pytest.mark.filterwarnings("error")


# Ask and tell


def test_asking_twice_gives_the_same_genomes() -> None:
    """ask() looks, it does not draw."""
    run = own()
    for _ in range(2):
        first, second = run.ask(), run.ask()
        assert len(first) == 20
        assert [model.pack() for model in first] == [model.pack() for model in second]
        assert len({model.pack() for model in first}) > 10
        run.tell([smallness(model) for model in second])


def test_asking_does_not_change_what_follows() -> None:
    """A run that is looked at ends like one that is not."""
    quiet, watched = own(), own()
    for _ in range(3):
        quiet.tell([smallness(model) for model in quiet.ask()])
        watched.ask()
        watched.tell([smallness(model) for model in watched.ask()])
    assert outcome(quiet) == outcome(watched)


def test_the_genomes_asked_are_the_ones_selected_from() -> None:
    """With no decay and no inheritance, the genome told the largest number is the champion, bit for bit."""
    run = own(trust_inheritance=0.0, elites=0)
    for _ in range(3):
        asked = run.ask()
        run.tell([float(index == 13) for index in range(20)])
        assert run.champions()["best"].genes.tobytes() == asked[13].genes.tobytes()


def test_saving_between_ask_and_tell_loses_nothing(tmp_path: Path) -> None:
    """After loading, the same genomes are asked again, and the run goes on as if never saved."""
    whole = own()
    whole.run(4, fitness=smallness)
    run = own()
    run.run(2, fitness=smallness)
    asked = run.ask()
    run.save(tmp_path / "c.npz")
    again = Evolution.load(tmp_path / "c.npz", backend="numpy")
    assert again.network == NETWORK
    assert [model.genes.tobytes() for model in again.ask()] == [model.genes.tobytes() for model in asked]
    again.run(4, fitness=smallness)
    assert outcome(again) == outcome(whole)


def test_class_names_and_range_of_a_network_are_in_its_models(tmp_path: Path) -> None:
    """A fitness of one's own sees models that predict named classes from raw integers, after loading too."""
    run = Evolution(
        tiny_config(), network=NETWORK, backend="numpy", class_names=("left", "right"), input_range=(0.0, 9.0)
    )
    run.run(1, fitness=smallness)
    run.save(tmp_path / "c.npz")
    for one in (run, Evolution.load(tmp_path / "c.npz", backend="numpy")):
        model = one.ask()[0]
        assert model.class_names == ("left", "right")
        assert model.prepare(np.array([[0, 9, 3]])).tolist() == [[0, 1, np.float32(3) / np.float32(9)]]


def test_telling_without_asking_is_refused() -> None:
    """Before any ask, after a tell, and after a change of settings."""
    run = own()
    runs: list[Callable[[], object]] = [
        lambda: run.tell([0.0] * 20),
        lambda: (run.ask(), run.tell(np.arange(20)), run.tell(np.arange(20))),
        lambda: (run.ask(), run.change(mutation_scale=0.2), run.tell(np.arange(20))),
    ]
    for call in runs:
        with pytest.raises(UsageError, match=r"ask") as raised:
            call()
        one_line(raised.value)


def test_a_refused_tell_can_be_repeated() -> None:
    """Wrong fitness changes nothing: the genomes are still asked, and the right numbers are taken."""
    run, same = own(), own()
    numbers = [smallness(model) for model in run.ask()]
    for wrong in ([1.0], [np.nan] * 20, "x" * 20, None):
        with pytest.raises(FitnessError) as raised:
            run.tell(wrong)  # type: ignore[arg-type]
        one_line(raised.value)
    run.tell(numbers)
    same.ask()
    same.tell(numbers)
    assert outcome(run) == outcome(same)


def test_nothing_to_score_on_is_an_error() -> None:
    """Without dataset and network there is no evolution; without dataset and fitness there is no step."""
    with pytest.raises(UsageError, match="needs a dataset, or a network"):
        Evolution(tiny_config())
    with pytest.raises(UsageError, match="ask"):
        own().run()
    with pytest.raises(UsageError, match="no generation has been scored"):
        own().champions()


# A fitness of one's own


def test_running_a_fitness_equals_asking_and_telling() -> None:
    """run(fitness=...) tells each genome its own number."""
    run, by_hand = own(), own()
    run.run(3, fitness=smallness)
    for _ in range(3):
        by_hand.tell([smallness(model) for model in by_hand.ask()])
    assert outcome(run) == outcome(by_hand)


def test_a_dataset_does_not_change_how_a_fitness_of_ones_own_is_treated() -> None:
    """With or without one, trust decays once a generation and parents are weighted by rank."""
    with_data = evolution(fitness="reward", trust_inheritance=0.5)
    without = Evolution(
        tiny_config(fitness="reward", trust_inheritance=0.5), network=with_data.network, backend="numpy"
    )
    for run in (with_data, without):
        run.run(4, fitness=smallness)
        assert run.config.fitness == "reward"  # nothing is rewritten behind the user's back
    assert with_data.state.survivors.tobytes() == without.state.survivors.tobytes()
    assert with_data.state.trust.tobytes() == without.state.trust.tobytes()


def test_an_elite_keeps_its_trust_and_a_child_inherits_a_share() -> None:
    """Told 100 once and 0 ever after, an elite's trust only decays; nobody can inherit more than twice the share."""
    run = own(elites=1, trust_inheritance=0.1, trust_decay=0.2)
    run.ask()
    run.tell([100.0 * (index == 4) for index in range(20)])
    run.ask()
    run.tell([0.0] * 20)
    assert run.state.trust[0] == pytest.approx(80)
    assert run.state.trust[1] == pytest.approx(0.1 * 200 * 0.8)  # a child both of whose parents are the elite


@pytest.mark.parametrize("make", [own, evolution])
def test_worker_processes_change_nothing(make: Callable[[], Evolution]) -> None:
    """Two spawned workers give the bytes of the calling process alone, with a dataset or without."""
    alone, shared = make(), make()
    alone.run(2, fitness=smallness)
    shared.run(2, fitness=smallness, workers=2)
    assert outcome(shared) == outcome(alone)


def test_a_fitness_that_raises_in_a_worker_names_the_genome() -> None:
    """The error names the first genome that fails, and what it raised."""
    run = own()
    expected = next(index for index, model in enumerate(run.ask()) if model.genes[0] > 0)
    with pytest.raises(FitnessError, match=f"genome {expected}: KeyError") as raised:
        run.run(1, fitness=raises_above_zero, workers=1)
    assert "too large" in one_line(raised.value)
    assert run.generation == 0


def test_a_fitness_that_raises_here_passes_through() -> None:
    """In the calling process the user's own traceback is worth more than our words."""
    with pytest.raises(KeyError, match="too large"):
        own().run(1, fitness=raises_above_zero)


def make_fitness() -> Callable[[Model], float]:
    """Return a function that no other process can import."""

    def fitness(model: Model) -> float:
        return 0.0

    return fitness


class Unpicklable:
    """A callable object that cannot travel."""

    def __init__(self) -> None:
        self.inner = make_fitness()

    def __call__(self, model: Model) -> float:
        return self.inner(model)


@pytest.mark.parametrize(
    "fitness",
    [lambda model: 0.0, make_fitness(), functools.partial(make_fitness()), Unpicklable()],
    ids=["lambda", "local", "partial", "object"],
)
def test_functions_that_cannot_be_sent_to_workers_are_refused(fitness: Any) -> None:
    """A lambda with workers is an error before any process starts; the line says workers=0."""
    with pytest.raises(UsageError, match="workers=0") as raised:
        own().run(1, fitness=fitness, workers=1)
    one_line(raised.value)


def test_a_negative_number_of_workers_is_refused() -> None:
    """Zero means this process."""
    with pytest.raises(UsageError, match="workers = -1 must be at least 0"):
        own().run(1, fitness=smallness, workers=-1)


CRASHES = """
import os, threading
from genreg_np.errors import GenregError
from genreg_np.runs.evolution import Evolution
from genreg_np.model import Network
from tests.helpers import kills_its_process, smallness, tiny_config

watchdog = threading.Timer(30, os._exit, [77])
watchdog.daemon = True
watchdog.start()
try:
    run = Evolution(tiny_config(), network=Network.build((3,), (4,), 2), backend="numpy")
    run.run(1, fitness=FITNESS, workers=1)
except GenregError as error:
    print(error, flush=True)
os._exit(0)
"""


def test_a_worker_that_dies_is_an_error_and_not_a_hang() -> None:
    """Code that ends its process (a crash, no memory) ends the run with one line."""
    printed = python(CRASHES.replace("FITNESS", kills_its_process.__name__))
    assert len(printed.splitlines()) == 1
    assert "worker" in printed


def test_a_script_without_a_main_guard_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    """Workers import the script that started them; one that starts workers itself, unguarded, says one line, once."""
    script = tmp_path / "script.py"
    script.write_text(CRASHES.replace("FITNESS", "smallness").replace("workers=1", "workers=3, out='run'"), "utf-8")
    done = subprocess.run(
        [sys.executable, script],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == "", "no worker tells its own story"
    assert len(done.stdout.splitlines()) == 1
    assert "__main__" in done.stdout


def test_what_is_scored_again_in_a_worker_is_named_in_its_error() -> None:
    """A function that fails only then does not blame a genome of another number."""
    run = own()
    with pytest.raises(FitnessError, match="best genome, scored again: ZeroDivisionError") as raised:
        run.run(1, fitness=fails_at_its_21st_call, workers=1, rescore=1)
    one_line(raised.value)
    assert run.generation == 0


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("fitness", [gives_nothing, gives_a_word, gives_a_pair])
def test_a_fitness_that_gives_no_number_is_an_error_that_names_the_genome(
    fitness: Callable[[Model], Any], workers: int
) -> None:
    """Here and in a worker the same line."""
    with pytest.raises(FitnessError, match=r"failed on genome 0: it returned .*not a number") as raised:
        own().run(1, fitness=fitness, workers=workers)
    one_line(raised.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_an_array_of_one_number_is_a_number(workers: int) -> None:
    """Whatever the version of NumPy, as models give them: (1,) or (1, 1)."""
    plain, array = own(), own()
    plain.run(2, fitness=first_output)
    array.run(2, fitness=first_output_as_an_array, workers=workers)
    assert outcome(plain) == outcome(array)


@pytest.mark.parametrize("elites", [0, 3])
def test_nan_never_wins(elites: int) -> None:
    """Genomes whose fitness is undefined never lead, and are counted."""
    run = own(trust_inheritance=0.0, trust_decay=1.0, generations=10, elites=elites)
    for _ in range(10):
        asked = run.ask()
        numbers = [not_a_number_above_zero(model) for model in asked]
        assert np.isfinite(numbers).any()
        counted = run.state.non_finite
        run.tell(numbers)
        assert run.champions()["best"].genes[0] <= 0
        assert run.state.non_finite - counted == np.isnan(numbers).sum()
