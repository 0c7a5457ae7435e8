"""The cupy backend end to end over a stand-in: what goes up and down, what fits, what is said if it cannot run."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.backends import selftest
from genreg_np.backends.base import Perturbation
from genreg_np.backends.cuda import backend as cupy_
from genreg_np.backends.cuda import launcher
from genreg_np.backends.cuda.backend import CupyBackend
from genreg_np.backends.cuda.source import compiler_options, source
from genreg_np.errors import BackendError, MissingExtraError, UsageError
from genreg_np.fitness import GENOME_SCORES, Score
from genreg_np.layers.groups import Gene
from genreg_np.runs.budget import fit_to_budget
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies import REGISTRY
from tests.helpers import DATASET, PATIENCE, ROOT, STANDIN, Clock, dataset_for, one_line, standin, tiny_config


@pytest.fixture
def cupy(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The stand-in, in place of the module cupy."""
    module = standin()
    monkeypatch.setitem(sys.modules, "cupy", module)
    before = dict(vars(module.runtime)), module.memory.limit
    yield module
    vars(module.runtime).update(before[0])
    module.memory.limit = before[1]


def run(backend: Any = "cupy", **changes: object) -> Evolution:
    """Return a small evolution on labelled images."""
    return Evolution(tiny_config(**changes), DATASET, backend=backend)


# What a run does


def test_a_run_equals_that_of_the_specification(cupy: Any) -> None:
    """Batches, parents, masks, noise and predictions are the same, so whole small runs are."""
    found, expected = run(), run("numpy")
    for _ in range(6):
        found.step(), expected.step()
        assert found.state.trust == pytest.approx(expected.state.trust, rel=1e-6)
        assert np.array_equal(cupy.asnumpy(found.state.survivors), expected.state.survivors)


def test_resume_equals_uninterrupted_on_a_gpu(cupy: Any, tmp_path: Path) -> None:
    """A checkpoint holds the survivors of the device; going on from it gives the same bytes."""
    whole, first = run(), run()
    whole.run(6)
    first.run(3)
    first.save(tmp_path / "checkpoint.npz")
    again = Evolution.load(tmp_path / "checkpoint.npz", DATASET, backend="cupy")
    again.run(6)
    assert {name: model.pack() for name, model in again.champions().items()} == {
        name: model.pack() for name, model in whole.champions().items()
    }


def test_a_generation_sends_up_parents_and_batch_and_brings_down_scores(cupy: Any) -> None:
    """Features and survivors stay on the device; what crosses the bus does not grow with weights or pixels."""
    made = run(population_size=40, images_per_class=6, base_mutation_rate=0.1, validate_every=1000)
    made.run(3)
    for counts in cupy.transfers.values():
        counts.clear()
    made.step()
    images, size = 24, 40
    batch, chosen = 4 * (2 * size + images + images), 4 * made.config.options.survivor_count
    assert cupy.transfers["up"] == [batch, chosen]  # parents, labels and rows in one, then who survives
    assert cupy.transfers["down"] == [2 * 8 * size]  # a fitness and an accuracy each


@pytest.mark.parametrize("genomes", [1, 4])
def test_results_do_not_depend_on_the_tile(cupy: Any, monkeypatch: pytest.MonkeyPatch, genomes: int) -> None:
    """Tiles bound memory and change no score by more than rounding, no weight by a bit."""
    brood, batch = selftest.example(Gene.WEIGHT, Score.REWARD_ARGMAX)
    whole = CupyBackend().score(brood, batch)
    monkeypatch.setattr(cupy_, "TILE_BYTES", genomes * 4 * 2 * brood.network.gene_count)
    monkeypatch.setattr(cupy_, "MOST_ROWS", genomes)
    tiled = CupyBackend()
    assert np.array_equal(tiled.score(brood, batch).fitness, whole.fitness)
    everyone = np.arange(brood.size)
    rebuilt = cupy.asnumpy(tiled.rebuild(brood, everyone))
    assert rebuilt.tobytes() == backends.create("numpy").rebuild(brood, everyone).tobytes()


def test_many_images_are_judged_in_products_of_one_shape(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits of more images than one product holds are those of all products together."""
    brood, batch = selftest.example(Gene.NONE, Score.REWARD_ARGMAX)
    monkeypatch.setattr(cupy_, "LOGIT_IMAGES", 8)
    found = CupyBackend().logits(brood.network, brood.survivors[0], batch.features)
    expected = backends.create("numpy").logits(brood.network, brood.survivors[0], batch.features)
    assert np.abs(found - expected).max() <= selftest.LOGIT_BOUND * np.abs(expected).max()


def test_node_perturbation_runs_on_a_gpu(cupy: Any) -> None:
    """The strategy gets the specification's steps, and sends no features up."""
    config = TrainConfig.from_dict(
        {"strategy": "node-perturbation", "hidden": [5], "generations": 9, "pairs": 5, "batch_size": 20}
    )
    found, expected = (Evolution(config, DATASET, backend=name) for name in ("cupy", "numpy"))
    found.step()
    for counts in cupy.transfers.values():
        counts.clear()
    found.step()
    assert sum(cupy.transfers["up"]) <= 4 * found.network.gene_count + 20 * (8 + 8 + 4)
    assert sum(cupy.transfers["down"]) == 4 * found.network.gene_count + 2 * 16
    found.run()
    expected.run()
    assert np.abs(found.state.genes - expected.state.genes).max() < 1e-3


@pytest.mark.parametrize("strategy", list(REGISTRY))
def test_every_strategy_runs_saves_and_goes_on_on_a_gpu(cupy: Any, strategy: str, tmp_path: Path) -> None:
    """No strategy takes the device's arrays for NumPy's; what it saves goes on to the same bytes."""
    dataset, config = dataset_for(strategy, DATASET), tiny_config(strategy=strategy, keep="best", validate_every=1)
    whole, first = (Evolution(config, dataset, backend="cupy") for _ in range(2))
    whole.run()
    first.run(2)
    first.save(tmp_path / "checkpoint.npz")
    again = Evolution.load(tmp_path / "checkpoint.npz", dataset, backend="cupy")
    again.run()
    assert again.champion().pack() == whole.champion().pack()
    assert {name: model.pack() for name, model in again.champions().items()} == {
        name: model.pack() for name, model in whole.champions().items()
    }
    assert fit_to_budget(Evolution(config, dataset, backend="cupy", clock=Clock(0.01)), 3.0)


@pytest.mark.parametrize("score", [*GENOME_SCORES, Score.MARGIN, Score.CUSTOM])
@pytest.mark.parametrize("relative", [False, True])
def test_pairs_do_not_depend_on_how_many_are_judged_at_a_time(
    cupy: Any, monkeypatch: pytest.MonkeyPatch, score: Score, relative: bool
) -> None:
    """The change that pairs estimate is the specification's, all pairs in one product or two at a time."""
    brood, batch = selftest.example(Gene.NONE, score)
    batch = dataclasses.replace(
        batch, function=lambda logits, labels: logits[np.arange(len(labels)), labels], shifts=np.arange(len(batch))
    )
    perturbation = Perturbation(6, 0.2, 77, 3, relative)
    expected = backends.create("numpy").perturb(brood.network, brood.survivors[0], batch, perturbation)
    for tile_bytes in (1, 1 << 20):
        monkeypatch.setattr(cupy_, "TILE_BYTES", tile_bytes)
        found = CupyBackend().perturb(brood.network, brood.survivors[0], batch, perturbation)
        assert np.abs(found.change - expected.change).max() <= selftest.CHANGE_BOUND * np.abs(expected.change).max()
        assert found.fitness == pytest.approx(expected.fitness, rel=1e-6)
        assert found.accuracy == expected.accuracy


# What fits


def test_memory_is_held_to_the_plan(cupy: Any) -> None:
    """What a generation takes at most is what the plan says, and the dataset."""
    made = run(population_size=200, hidden=[32])
    made.run(2)  # look-up tables are there to stay
    before = cupy.memory.used
    cupy.memory.most = before
    made.step()
    genes, survivors = made.network.gene_count, made.config.options.survivor_count
    tile = 200 * (4 * (genes + 36 * 24) + 9 * 24)
    assert cupy.memory.most - before <= 4 * survivors * genes + tile + 20_000  # small arrays: parents, batch


def test_out_of_memory_names_a_population_that_then_fits(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The way out that the message names is one."""
    monkeypatch.setattr(cupy_, "TILE_BYTES", 1 << 20)
    changes = {"hidden": [64], "survival_cutoff": 1.0, "elites": 0}
    made = run(population_size=4000, **changes)
    cupy.memory.limit = cupy.memory.used + (8 << 20)
    with pytest.raises(BackendError) as raised:
        made.run(2)
    line = one_line(raised.value)
    assert "out of memory on GPU 0: " in line
    assert "4,000 survivors x" in line
    fits = int(line.partition("population_size=")[2].split()[0])
    assert 500 < fits < 4000
    del made, raised
    smaller = run(population_size=fits, **changes)
    cupy.memory.limit = cupy.memory.used + (8 << 20)
    assert smaller.run(3) == "generations"


def test_features_that_do_not_fit_are_said_to_be_the_dataset(cupy: Any) -> None:
    """Before the first generation it is the dataset that is too large."""
    cupy.memory.limit = cupy.memory.used + 100
    with pytest.raises(BackendError, match="smaller dataset"):
        run()


# What is said when it cannot run


def failing(module: Any, code: str, driver: int) -> None:
    """Make the stand-in's driver answer with an error."""

    def fail() -> int:
        raise module.CUDARuntimeError(f"{code}: what the runtime says of it")

    module.runtime.getDeviceCount = fail
    module.runtime.driverGetVersion = lambda: driver


@pytest.mark.parametrize(
    ("code", "driver", "expected"),
    [
        ("cudaErrorInsufficientDriver", 0, "no NVIDIA driver"),
        ("cudaErrorInsufficientDriver", 11_080, "supports CUDA 11.8, but this CuPy is built for CUDA 12.9"),
        ("cudaErrorNoDevice", 12_090, "finds no GPU"),
        ("cudaErrorSystemNotReady", 12_090, "cudaErrorSystemNotReady"),
    ],
)
def test_a_driver_that_does_not_serve_is_named(cupy: Any, code: str, driver: int, expected: str) -> None:
    """No driver, an old one, no device, anything else: one line each, and auto then takes the CPU."""
    failing(cupy, code, driver)
    with pytest.raises(BackendError) as raised:
        backends.create("cupy")
    assert expected in one_line(raised.value)


def test_a_gpu_that_is_taken_or_full_is_named(cupy: Any) -> None:
    """Counting GPUs needs none of them; the first call that does must not end in a traceback."""

    def fail() -> tuple[int, int]:
        raise cupy.CUDARuntimeError("cudaErrorDevicesUnavailable: CUDA-capable device(s) is/are busy or unavailable")

    cupy.runtime.memGetInfo = fail
    with pytest.raises(BackendError, match="GPU 0 does not answer"):
        backends.create("cupy")


def test_no_device_at_all(cupy: Any) -> None:
    """A count of 0 is answered as no GPU."""
    cupy.runtime.getDeviceCount = lambda: 0
    with pytest.raises(BackendError, match="finds no GPU"):
        backends.create("cupy")


@pytest.mark.parametrize("name", ["cupy:1", "cupy:7"])
def test_a_gpu_that_is_not_there_is_refused(cupy: Any, name: str) -> None:
    """The message says how many there are."""
    with pytest.raises(UsageError, match="this machine has 1 GPU"):
        backends.create(name)


@pytest.mark.parametrize("name", ["cupy:", "cupy:x", "cupy:-1", "numba:0"])
def test_a_malformed_device_is_refused(name: str) -> None:
    """Only cupy takes a number, and it is a number."""
    with pytest.raises(UsageError):
        backends.create(name)


def test_threads_are_refused(cupy: Any) -> None:
    """Threads are the CPU's."""
    with pytest.raises(UsageError, match="runs on the GPU"):
        backends.create("cupy", threads=2)


def test_without_cupy_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to CuPy is one command."""
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises((MissingExtraError, BackendError)) as raised:
        backends.create("cupy")
    assert "genreg-np[cuda12]" in one_line(raised.value)


@pytest.mark.parametrize("error", [ImportError("libcublas.so.12: cannot open\n=== more"), OSError("libnvrtc")])
def test_a_cupy_without_its_libraries_is_explained(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """A wheel that does not match, or lacks its CUDA libraries: one line with the way out."""
    find = importlib.import_module

    def fail(name: str) -> ModuleType:
        if name == "cupy":
            raise error
        return find(name)

    monkeypatch.setattr("importlib.import_module", fail)
    with pytest.raises(BackendError, match="cannot load its CUDA libraries"):
        backends.create("cupy")


def test_kernels_that_do_not_compile_are_one_line(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What NVRTC objects to is said, without its whole log."""
    monkeypatch.setattr(launcher, "source", lambda: 'extern "C" __global__ void total(nonsense x) {}')
    with pytest.raises(BackendError) as raised:
        CupyBackend().warm_up()
    assert "nonsense" in one_line(raised.value)


def test_auto_takes_the_gpu_where_one_answers(cupy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the CPU where none does."""
    find = backends.importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "cupy" or find(name))
    assert backends.resolve("auto") == "cupy"
    failing(cupy, "cudaErrorNoDevice", 12_090)
    assert backends.resolve("auto") in ("numba", "numpy")


# The stand-in is stricter than the real one


def test_the_stand_in_refuses_what_a_gpu_would_not_do(cupy: Any) -> None:
    """Implicit copies, untyped numbers, wrong types and unknown names are errors."""
    array = cupy.asarray(np.zeros(3, np.float32))
    for misuse in (
        lambda: np.asarray(array),
        lambda: np.add(array, 1),
        lambda: array + np.ones(3, np.float32),
        lambda: array * np.float32(2),
        lambda: bool(array),
        lambda: array[np.arange(2)],
        lambda: cupy.asarray([1.0]),
        lambda: cupy.matmul(array, np.zeros(3, np.float32)),
    ):
        with pytest.raises(TypeError):
            misuse()
    with pytest.raises(AttributeError):
        _ = cupy.einsum
    kernel = cupy.RawModule(code=source(), options=compiler_options()).get_function("activate")
    for wrong in (3, np.int32(3), 3.0):
        with pytest.raises(TypeError):
            kernel((1, 1), (1,), (array, array, array, wrong, np.int64(1), np.int32(0)))
    doubles = cupy.asarray(np.zeros(1))
    with pytest.raises(TypeError, match="float64"):
        kernel((1, 1), (1,), (array, array, doubles, np.int64(3), np.int64(1), np.int32(0)))


# The command line


def genreg(*arguments: object, hidden: str = "nothing") -> subprocess.CompletedProcess[str]:
    """Run the command where `import cupy` finds the stand-in, and a hidden module is not found."""
    standin()
    start = f"import sys; sys.modules[{hidden!r}] = None; from genreg_np.cli import main; main(sys.argv[1:])"
    return subprocess.run(
        [sys.executable, "-c", start, *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{STANDIN}"},
        capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


def test_train_eval_and_infer_on_a_gpu(tmp_path: Path) -> None:
    """Train there, resume there, and predict there and here alike."""
    done = genreg(
        "train", "--preset", "small", "--dataset", "digits", "--backend", "cupy", "--device", 0,
        "--generations", 5, "--out", tmp_path / "run", "--json", "--verbose",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "backend cupy, no GPU, but g++" in done.stderr
    assert "plan dense; memory 2 x" in done.stderr
    test_accuracy = json.loads(done.stdout.splitlines()[-1])["test_accuracy"]
    model = tmp_path / "run" / "model.npz"
    answers = [json.loads(genreg("eval", model, "--backend", name, "--json").stdout) for name in ("cupy", "cpu")]
    assert answers[0] == answers[1]
    assert answers[0]["accuracy"] == test_accuracy
    np.save(tmp_path / "digit.npy", np.full((3, 8, 8), 7, np.uint8))
    answers = [json.loads(genreg("infer", model, tmp_path / "digit.npy", "--backend", name, "--json").stdout)
               for name in ("cupy", "cpu")]  # fmt: skip
    assert [one["class"] for one in answers[0]] == [one["class"] for one in answers[1]]
    done = genreg("train", "--resume", tmp_path / "run", "--generations", 7, "--json")
    assert done.returncode == 0, done.stderr
    assert "backend cupy" in done.stderr


def test_a_device_without_cupy_is_refused() -> None:
    """--device is for GPUs."""
    done = genreg("train", "--device", 0, "--backend", "cpu")
    assert done.returncode == 2
    assert "--backend cupy" in one_line(done.stderr.strip())


def test_doctor_checks_the_gpu_against_the_specification() -> None:
    """`doctor --selftest` runs the parity checks on whatever is there."""
    done = genreg("doctor", "--selftest", hidden="numba")  # whose own check takes half a minute to compile
    line = next(line for line in done.stdout.splitlines() if line.strip().startswith("cupy    ready"))
    assert "agrees with numpy" in line
