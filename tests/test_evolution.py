"""Evolution: the same seed gives the same run, whatever is saved, asked or shared out; and selection works."""

from __future__ import annotations

import functools
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.backends.base import Batch, Score
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.errors import FitnessError, RunError, UsageError
from genreg_np.evolution import Evolution, network_for
from genreg_np.files import pack_arrays
from genreg_np.model import Model, Network, Standardise
from genreg_np.strategies import REGISTRY
from tests.helpers import (
    ROOT,
    kills_its_process,
    not_a_number_above_zero,
    one_line,
    python,
    raises_above_zero,
    smallness,
    tiny_config,
    tiny_dataset,
)
from tests.test_model import model_of

DATASET = tiny_dataset()
NETWORK = Network.build((3,), (4,), 2)
BACKENDS = ["numpy"] + ["numba"] * bool(importlib.util.find_spec("numba") and importlib.util.find_spec("scipy"))

pytestmark = pytest.mark.filterwarnings("error")


def evolution(backend: str = "numpy", **changes: Any) -> Evolution:
    """Return a small evolution on labelled images."""
    return Evolution(tiny_config(**changes), DATASET, backend=backend)


def own(**changes: Any) -> Evolution:
    """Return a small evolution for a fitness of one's own."""
    return Evolution(tiny_config(**changes), network=NETWORK, backend="numpy")


def outcome(evolution: Evolution) -> dict[str, bytes]:
    """Return the champions' files, and the state: what must be equal of equal runs."""
    champions = {name: model.pack() for name, model in evolution.champions().items()}
    return champions | {"trust": evolution.state.trust.tobytes(), "survivors": evolution.state.survivors.tobytes()}


def without_seconds(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in record.items() if name != "seconds"} for record in records]


# Reproducibility


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_same_seed_same_result(strategy: str, backend: str) -> None:
    """Two runs of one seed record the same numbers and end in the same bytes."""
    runs = [evolution(backend, strategy=strategy) for _ in range(2)]
    records: list[list[dict[str, Any]]] = [[], []]
    for run, lines in zip(runs, records, strict=True):
        assert run.run(on_record=lines.append) == "generations"
    assert outcome(runs[0]) == outcome(runs[1])
    assert without_seconds(records[0]) == without_seconds(records[1])


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_another_seed_another_result(strategy: str) -> None:
    """The seed is what determines a run."""
    packed = []
    for seed in (1, 2, 2**64 - 1):
        run = evolution(strategy=strategy, seed=seed)
        run.run(2)
        packed.append(run.champions()["best"].pack())
    assert len(set(packed)) == 3


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("strategy", list(REGISTRY))
@pytest.mark.parametrize("stop", [0, 1, 3])
def test_resume_equals_uninterrupted(tmp_path: Path, strategy: str, backend: str, stop: int) -> None:
    """Saved after any generation, loaded and gone on with, a run ends in the bytes of the run never stopped."""
    changes = {"strategy": strategy, "base_mutation_rate": 0.1}
    whole, first = evolution(backend, **changes), evolution(backend, **changes)
    whole.run()
    first.run(stop)
    first.save(tmp_path / "checkpoint.npz")
    second = Evolution.load(tmp_path / "checkpoint.npz", DATASET, backend=backend)
    assert second.generation == stop
    assert second.config == first.config
    assert second.seconds >= first.seconds - 1e-6
    second.run()
    assert outcome(second) == outcome(whole)


def test_resume_of_a_standardised_table_equals_uninterrupted(tmp_path: Path) -> None:
    """The fixed layer of float features is made anew from the data, and the champion carries it."""
    table = tiny_dataset(kind="f")
    whole, first = (Evolution(tiny_config(), table, backend="numpy") for _ in range(2))
    whole.run()
    first.run(2)
    first.save(tmp_path / "c.npz")
    second = Evolution.load(tmp_path / "c.npz", table, backend="numpy")
    second.run()
    assert outcome(second) == outcome(whole)
    assert whole.champions()["best"].network.fixed


def test_records_say_what_the_contract_promises() -> None:
    """Each generation has trust, accuracy and seconds that never fall; validation falls on generation numbers."""
    records: list[dict[str, Any]] = []
    evolution(generations=5, validate_every=2).run(on_record=records.append)
    assert [record["generation"] for record in records] == [1, 2, 3, 4, 5]
    assert all({"seconds", "best_trust", "mean_trust", "mean_accuracy"} <= set(record) for record in records)
    assert [record["generation"] for record in records if "validation_accuracy" in record] == [2, 4, 5]
    seconds = [record["seconds"] for record in records]
    assert seconds == sorted(seconds)
    assert all(record["best_trust"] >= record["mean_trust"] for record in records)
    assert all(0 <= record["mean_accuracy"] <= 1 for record in records)
    json.dumps(records, allow_nan=False)


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


def test_a_network_with_fixed_layers_is_passed_again_on_load(tmp_path: Path) -> None:
    """Fixed layers are not in a checkpoint: loading without them says so, loading with them goes on."""
    network = Network.build((3,), (4,), 2, fixed=(Standardise(np.ones(3, "f"), np.ones(3, "f")),))
    run = Evolution(tiny_config(), network=network, backend="numpy")
    run.run(2, fitness=smallness)
    run.save(tmp_path / "c.npz")
    with pytest.raises(RunError, match="same dataset or network") as raised:
        Evolution.load(tmp_path / "c.npz", backend="numpy")
    one_line(raised.value)
    again = Evolution.load(tmp_path / "c.npz", network=network, backend="numpy")
    assert outcome(again) == outcome(run)


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
    """Before any ask, after a tell, after a change of settings, and after a step of the dataset's own fitness."""
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
    with pytest.raises(UsageError, match="workers -1"):
        own().run(1, fitness=smallness, workers=-1)


CRASHES = """
import os, threading
from genreg_np.errors import GenregError
from genreg_np.evolution import Evolution
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
    """Workers import the script that started them; one that starts workers itself, unguarded, ends with one line."""
    script = tmp_path / "script.py"
    script.write_text(CRASHES.replace("FITNESS", smallness.__name__), "utf-8")
    printed = python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')", PYTHONPATH=str(ROOT))
    assert len(printed.splitlines()) == 1
    assert "worker" in printed


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


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fitness", ["reward", "log-probability"])
@pytest.mark.filterwarnings("ignore:(invalid value|overflow):RuntimeWarning")
def test_nan_weights_do_not_spread(backend: str, fitness: str) -> None:
    """A population that starts from broken weights ends the run with an error or keeps finite trust."""
    network = network_for(DATASET, tiny_config())
    broken = model_of(network)
    spoilt = Model.build(network, broken.genes * np.float32(1e19), broken.class_names, broken.input_range)
    run = Evolution(
        tiny_config(fitness=fitness, activation="tanh"), DATASET, network=network, backend=backend, initial=spoilt
    )
    run.run(3)
    assert np.isfinite(run.state.trust).all()


# Starting from a model


def test_a_run_may_start_from_a_model() -> None:
    """Generation 0 are its mutated copies; elites are not needed to keep it near."""
    network = network_for(DATASET, tiny_config())
    start = model_of(network)
    run = Evolution(tiny_config(child_mutation_rate=0.1, mutation_scale=0.01), DATASET, backend="numpy", initial=start)
    genomes = np.array([model.genes for model in run.ask()])
    changed = (genomes != start.genes).mean()
    assert 0.07 < changed < 0.13
    assert np.abs(genomes - start.genes).max() < 0.05
    run = Evolution(tiny_config(), DATASET, backend="numpy", initial=start)
    run.run(2)
    assert run.generation == 2


def test_a_model_of_another_network_cannot_be_started_from() -> None:
    """The line shows both networks."""
    with pytest.raises(UsageError) as raised:
        Evolution(tiny_config(), DATASET, backend="numpy", initial=model_of(Network.build((4, 4), (6,), 4)))
    assert "16-6-4" in one_line(raised.value)
    assert "16-5-4" in str(raised.value)


# Selection works


def random_accuracies(dataset: Any, network: Network, count: int) -> np.ndarray:
    """Return the validation accuracies of genomes drawn at random, as generation 0 draws them."""
    run = Evolution(tiny_config(population_size=count, seed=99), dataset, network=network, backend="numpy")
    run.ask()
    assert run._asked is not None
    features = network.features(dataset.validation.inputs, dataset.input_range)
    ones = np.ones(len(features))
    batch = Batch(features, dataset.validation.labels, ones, Score.REWARD_ARGMAX, 1.0)
    return NumpyBackend().score(run._asked, batch).accuracy


# Settings with which each strategy learns a small task in forty generations; by default its own.
LEARNING = {
    "genreg": {
        "fitness": "log-probability",
        "elites": 2,
        "trust_decay": 1.0,
        "trust_decay_per": "generation",
        "trust_inheritance": 0.0,
    }
}


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_better_than_random_search(strategy: str) -> None:
    """Forty generations beat the best of as many random genomes, chosen by their validation accuracy itself."""
    dataset = tiny_dataset(classes=6, noise=30)
    size = {"generations": 40, "population_size": 60, "images_per_class": 10, "hidden": [12]}
    run = Evolution(tiny_config(strategy=strategy, **size, **LEARNING.get(strategy, {})), dataset, backend="numpy")
    run.run()
    rivals = random_accuracies(dataset, run.network, 40 * 60)
    assert run.accuracies("validation")["best"] > rivals.max() + 0.2


def test_evolution_follows_a_fitness_of_ones_own() -> None:
    """The champion's weights shrink when small weights are what is asked for."""
    run = own(generations=30, elites=2, mutation_scale=0.05)
    first = max(smallness(model) for model in run.ask())
    run.run(fitness=smallness)
    assert smallness(run.champions()["best"]) > 0.7 * first


def test_the_consensus_is_the_mean_of_the_survivors() -> None:
    """Its weights are the survivors' mean, computed in float64 and rounded once."""
    run = evolution()
    run.run(2)
    expected = run.state.survivors.mean(axis=0, dtype=np.float64).astype(np.float32)
    assert run.champions()["consensus"].genes.tobytes() == expected.tobytes()
    assert len(run.state.survivors) == len(run.state.trust) == 5
    assert (np.diff(run.state.trust) <= 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_base_mutation_changes_survivors_but_not_elites(backend: str) -> None:
    """With base mutation, elites are handed on unchanged while the other survivors drift before they breed."""
    results = []
    for rate in (0.0, 0.5):
        run = evolution(
            backend, base_mutation_rate=rate, elites=2, crossover="none", child_mutation_rate=0.0, population_size=40
        )
        run.step()
        best = run.state.survivors[:2].copy()
        everyone = np.array([model.genes for model in run.ask()])
        assert everyone[:2].tobytes() == best.tobytes()
        known = {genes.tobytes() for genes in run.state.survivors}
        results.append(sum(genes.tobytes() in known for genes in everyone[2:]))
    assert results[0] == 38  # children without any mutation are copies of survivors
    assert 0 < results[1] < 38  # copies of the two elites are left, the rest is new


def test_all_survivors_may_be_elites() -> None:
    """As many elites as survivors: base mutation then has nobody to change."""
    run = evolution(elites=5, base_mutation_rate=0.3)
    run.run(3)
    assert run.generation == 3


# Stopping and changing


def test_a_target_ends_the_run_at_a_validation() -> None:
    """The run ends with the first validation that reaches the target."""
    records: list[dict[str, Any]] = []
    run = evolution(generations=200, target=0.5, validate_every=3, **LEARNING["genreg"])
    assert run.run(on_record=records.append) == "target"
    reached = [
        record["generation"]
        for record in records
        if max(record.get("validation_accuracy", 0), record.get("consensus_validation_accuracy", 0)) >= 0.5
    ]
    assert reached == [run.generation]
    assert run.generation % 3 == 0


def test_should_stop_ends_the_run_before_the_next_generation() -> None:
    """A stop asked for during a generation lets it finish, and the run can go on."""
    run, whole = evolution(), evolution()
    assert run.run(should_stop=lambda: run.generation == 2) == "stopped"
    assert run.generation == 2
    assert run.run() == "generations"
    whole.run()
    assert outcome(run) == outcome(whole)


def test_a_finished_run_does_nothing_more() -> None:
    """The number of generations is a total."""
    run = evolution()
    run.run(3)
    before = outcome(run)
    assert run.run(3) == "generations"
    assert outcome(run) == before


def test_a_change_applies_to_the_next_generation() -> None:
    """Settings that can change do so at once, and nothing before is touched."""
    run, same = evolution(), evolution()
    run.run(2)
    same.run(2)
    before = outcome(run)
    run.change(child_mutation_rate=0.0, mutation_scale=0.3, population_size=30)
    assert outcome(run) == before
    run.step()
    same.step()
    assert outcome(run) != outcome(same)
    assert run.config.population_size == 30
    assert len(run.ask()) == 30
    assert len(run.state.survivors) == 7


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seed": 4}, "random streams"),
        ({"hidden": (9,)}, "another length"),
        ({"weight_range": 1.0}, "generation 0"),
        ({"mutation_scale": -1.0}, "at least 0"),
        ({"mutation_scal": 1.0}, "mutation_scale"),
        ({"elites": 6}, "at most the 5 survivors"),
    ],
)
def test_a_refused_change_changes_nothing(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    """The run goes on as before, and its checkpoint can still be loaded."""
    run, same = evolution(), evolution()
    run.run(2)
    same.run(4)
    before = run.config
    with pytest.raises(UsageError) as raised:
        run.change(**changes)
    assert words in one_line(raised.value)
    assert run.config == before
    run.save(tmp_path / "c.npz")
    again = Evolution.load(tmp_path / "c.npz", DATASET, backend="numpy")
    again.run(4)
    assert outcome(again) == outcome(same)


def test_more_elites_than_survivors_are_refused_at_once() -> None:
    """The line says how many survive, and why."""
    with pytest.raises(UsageError, match=r"5 survivors \(population_size 20 x survival_cutoff 0.25\)") as raised:
        evolution(elites=6)
    one_line(raised.value)


# Checkpoints


def checkpoint(path: Path, change: Callable[[dict[str, Any], dict[str, Any]], object]) -> Path:
    """Write the checkpoint of a short run after `change(header, arrays)` has spoilt it."""
    run = own()
    run.run(2, fitness=smallness)
    run.save(path)
    arrays: dict[str, Any] = dict(infer.read_arrays(path))
    header = json.loads(arrays.pop("header").tobytes())
    change(header, arrays)
    path.write_bytes(pack_arrays({"header": np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays}))
    return path


SPOILT: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "another format": lambda header, arrays: header.update(format="genreg-np model"),
    "another version": lambda header, arrays: header.update(version=2),
    "no version": lambda header, arrays: header.pop("version"),
    "no state": lambda header, arrays: header.pop("state"),
    "empty state": lambda header, arrays: header.update(state={}),
    "more state": lambda header, arrays: header["state"].update(weight=1),
    "state of a word": lambda header, arrays: header.update(state="x"),
    "no configuration": lambda header, arrays: header.pop("config"),
    "configuration of a number": lambda header, arrays: header.update(config=3),
    "no genes": lambda header, arrays: header.pop("genes"),
    "genes of null": lambda header, arrays: header.update(genes=None),
    "other genes": lambda header, arrays: header.update(genes=5),
    "network of a number": lambda header, arrays: header.update(network=3),
    "no seconds": lambda header, arrays: header.pop("seconds"),
    "seconds of a word": lambda header, arrays: header.update(seconds="x"),
    "no trust": lambda header, arrays: arrays.pop("state.trust"),
    "more arrays": lambda header, arrays: arrays.update({"state.more": np.zeros(3)}),
    "too little trust": lambda header, arrays: arrays.update({"state.trust": np.zeros(1)}),
    "genomes cut short": lambda header, arrays: arrays.update({"state.survivors": np.zeros((5, 3), np.float32)}),
    "genomes of another type": lambda header, arrays: arrays.update({"state.survivors": np.zeros((5, 26))}),
}


@pytest.mark.parametrize("name", list(SPOILT))
def test_damaged_checkpoints_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    """Nothing that is not this strategy's state of this network is gone on with."""
    path = checkpoint(tmp_path / "c.npz", SPOILT[name])
    with pytest.raises(RunError) as raised:
        Evolution.load(path, backend="numpy")
    assert one_line(raised.value).startswith(f"{path}: ")


def test_the_unspoilt_checkpoint_is_loaded(tmp_path: Path) -> None:
    """What the test before spoils is good to begin with."""
    loaded = Evolution.load(checkpoint(tmp_path / "c.npz", lambda header, arrays: None), backend="numpy")
    assert loaded.generation == 2


@pytest.mark.parametrize("content", [None, b"", b"PK", b"x" * 999])
def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path, content: bytes | None) -> None:
    """Missing, empty, or of another kind."""
    path = tmp_path / "c.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RunError) as raised:
        Evolution.load(path, DATASET)
    assert one_line(raised.value).startswith(f"{path}: ")


def test_a_model_is_not_a_checkpoint(tmp_path: Path) -> None:
    """The two files look alike and are told apart."""
    model_of(NETWORK).save(tmp_path / "model.npz")
    with pytest.raises(RunError, match="checkpoint"):
        Evolution.load(tmp_path / "model.npz", DATASET)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    """The line shows both numbers of genes."""
    run = own()
    run.run(1, fitness=smallness)
    run.save(tmp_path / "c.npz")
    with pytest.raises(RunError, match="holds genomes of 26 genes") as raised:
        Evolution.load(tmp_path / "c.npz", network=Network.build((3,), (5,), 2), backend="numpy")
    one_line(raised.value)
