"""What is compiled beforehand is what a run uses: the examples have a run's types; a second process is only a help."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from genreg_np import Evolution
from genreg_np.backends.base import Work
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.runs.result import Watcher
from genreg_np.runs.training import resume, train
from tests.helpers import PATIENCE, python, tiny_config, tiny_dataset

pytestmark = pytest.mark.skipif(
    not (importlib.util.find_spec("numba") and importlib.util.find_spec("scipy")), reason="numba is not installed"
)

RUNS = [
    ["genreg"],
    ["genreg", "crossover=none"],
    ["genreg", "base_mutation_rate=0.1"],
    ["node-perturbation"],
    ["node-perturbation", "fitness=reward"],
    ["node-perturbation", "fitness=margin", "hidden=5,4"],
    ["detector-bank"],
    ["evolution-strategy"],
    ["random-search"],
    ["cma-es"],
    ["mixed"],
    ["gradient"],
]
SIGNATURES = """
import json, os, sys
from genreg_np import Evolution
from genreg_np.backends.numba.kernels import bits, brood, descent, detectors, mutants, network, offspring, perturb
from genreg_np.runs.config import parse_assignment
from tests.helpers import dataset_for, tiny_config, tiny_dataset

MODULES = (bits, brood, descent, detectors, mutants, network, offspring, perturb)

def signatures():
    kernels = [kernel for module in MODULES for kernel in vars(module).values()]
    kernels = [kernel for kernel in kernels if hasattr(kernel, "signatures")]
    return {(kernel.py_func.__module__, kernel.py_func.__name__): list(kernel.signatures) for kernel in kernels}

for strategy, *settings in json.loads(sys.argv[1]):
    if os.fork():  # what follows is a process of its own, in which nothing was compiled
        assert os.wait()[1] == 0
        continue
    config = tiny_config(strategy=strategy, **dict(map(parse_assignment, settings)))
    evolution = Evolution(config, dataset_for(strategy, tiny_dataset()), backend="numba")
    before = signatures()
    evolution.run()
    after = signatures()
    os.write(1, (json.dumps(sorted(name for _, name in after if after[_, name] != before[_, name])) + "\\n").encode())
    os._exit(0)
"""


@pytest.fixture(scope="module")
def compiled_late() -> list[list[str]]:
    """The kernels that each run compiled after it was ready."""
    return [json.loads(line) for line in python(SIGNATURES, json.dumps(RUNS)).splitlines()]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="runs are forked")
@pytest.mark.parametrize("number", range(len(RUNS)), ids=[" ".join(run) for run in RUNS])
def test_a_run_compiles_nothing_that_was_not_ready(number: int, compiled_late: list[list[str]]) -> None:
    """No kernel gets another signature in a run: what compiling takes is known before it begins."""
    assert compiled_late[number] == []


def test_every_work_has_its_examples_and_every_example_a_work() -> None:
    from genreg_np.backends.numba.warm import EXAMPLES, NEEDED

    assert set(NEEDED) == set(Work)
    assert {name for names in NEEDED.values() for name in names} == set(EXAMPLES)


@pytest.mark.parametrize("executable", ["", "/nowhere/python", sys.executable])
def test_a_second_process_that_fails_is_no_failure(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    """None can be started, or it ends with an error: this one then compiles everything."""
    from genreg_np.backends.numba import warm as numba_warm
    from genreg_np.backends.numba.backend import NumbaBackend

    done: list[str] = []
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(numba_warm, "START", "raise SystemExit(3)")
    monkeypatch.setattr(numba_warm, "usable_processors", lambda: 2)
    monkeypatch.setattr(
        numba_warm, "EXAMPLES", {name: lambda _, name=name: done.append(name) for name in numba_warm.EXAMPLES}
    )
    numba_warm.warm_up(NumbaBackend(1), tuple(Work), compiled=False)
    assert sorted(done) == sorted(numba_warm.EXAMPLES)


def stubbed(monkeypatch: pytest.MonkeyPatch, example: Callable[[object], object], start: str) -> None:
    """Put one example in place of all, and other code in place of what a second process does."""
    from genreg_np.backends.numba import warm as numba_warm

    monkeypatch.setattr(numba_warm, "START", start)
    monkeypatch.setattr(numba_warm, "usable_processors", lambda: 2)
    monkeypatch.setattr(numba_warm, "EXAMPLES", dict.fromkeys(numba_warm.EXAMPLES, example))


def test_what_both_processes_compile_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first process is not done before it told what the second one did."""
    from genreg_np.backends.numba import warm as numba_warm
    from genreg_np.backends.numba.backend import NumbaBackend

    told: list[tuple[int, int, float]] = []
    count, second_is_done = len(numba_warm.EXAMPLES), threading.Event()

    def tell(done: int, of: int, left: float) -> None:
        told.append((done, of, left))
        if done == count // 2:
            second_is_done.set()

    write = "[os.write(1, (name + chr(10)).encode()) for name in ['nobody', *sys.argv[2:]]]"
    stubbed(monkeypatch, lambda _: second_is_done.wait(PATIENCE) or pytest.fail("not told"), write)
    numba_warm.warm_up(NumbaBackend(1), tuple(Work), compiled=False, told=tell)
    assert told[0][:2] == (0, count)
    assert told[-1] == (count, count, 0.0)
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)
    assert all(left >= 0 for _, _, left in told)


def test_what_a_callback_raises_in_between_comes_when_all_is_compiled(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from genreg_np.backends.numba import warm as numba_warm
    from genreg_np.backends.numba.backend import NumbaBackend

    done: list[None] = []
    raised = threading.Event()

    def tell(*_: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            raised.set()
            raise ValueError("a mistake")

    def example(_: object) -> None:
        assert raised.wait(PATIENCE)
        done.append(None)

    stubbed(monkeypatch, example, "")
    with pytest.raises(ValueError, match="a mistake"):
        numba_warm.warm_up(NumbaBackend(1), tuple(Work), compiled=False, told=tell)
    assert len(done) == len(numba_warm.EXAMPLES)
    assert capfd.readouterr().err == ""


def test_nothing_is_told_where_kernels_are_only_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    from genreg_np.backends.numba import warm as numba_warm
    from genreg_np.backends.numba.backend import NumbaBackend

    stubbed(monkeypatch, lambda _: None, "")
    numba_warm.warm_up(NumbaBackend(1), tuple(Work), compiled=True, told=lambda *_: pytest.fail("told"))


@pytest.mark.parametrize("way", ["train", "resume", "Evolution", "Evolution.load"])
def test_a_run_tells_who_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str) -> None:
    told: list[object] = []
    dataset = tiny_dataset()
    run = train(tiny_config(), dataset, tmp_path / "run", backend="numpy").run

    def warm_up(self: object, works: object, tell: Callable[[int, int, float], None] | None) -> float:
        assert tell is not None
        tell(1, 1, 0.0)
        return 0.0

    monkeypatch.setattr(NumpyBackend, "warm_up", warm_up)
    watcher = Watcher(on_compiling=lambda *what: told.append(what))
    if way == "train":
        train(tiny_config(), dataset, tmp_path / "new", backend="numpy", watcher=watcher)
    elif way == "resume":
        resume(run, dataset=dataset, watcher=watcher)
    elif way == "Evolution":
        Evolution(tiny_config(), dataset, backend="numpy", on_compiling=watcher.on_compiling)
    else:
        Evolution.load(run / "checkpoint.npz", dataset, backend="numpy", on_compiling=watcher.on_compiling)
    assert told == [(1, 1, 0.0)]
