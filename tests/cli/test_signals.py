"""Ctrl-C and SIGTERM in every phase of every command: what is said, what is kept, and that it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.cli import main, signals, train_
from genreg_np.cli.signals import STOPS, Stopping
from genreg_np.infer import load
from genreg_np.model import Network
from genreg_np.runs import provenance
from genreg_np.runs.evolution import Evolution
from genreg_np.strategies.genreg import Genreg
from tests.helpers import ROOT, model_of
from tests.make_champion import make_champion, write_pickle

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")

SMALL = ["--dataset", "digits", "--preset", "small", "--backend", "numpy", "--set", "population_size=20"]
MIXED = ["--dataset", "digits", "--network", "8,4", "--population", 2, "--generations", 2, "--backend", "numpy"]


def pressing(
    function: Callable[..., Any], number: int = signal.SIGINT, said: list[Any] | None = None
) -> Callable[..., Any]:
    """Return a function that presses Ctrl-C first, and waits for what is said to that."""

    def pressed(*arguments: Any, **named: Any) -> Any:
        os.kill(os.getpid(), number)
        while said == []:
            time.sleep(0.001)
        return function(*arguments, **named)

    return pressed


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written past every buffer."""
    lines: list[str] = []
    monkeypatch.setattr(signals, "_write", lambda *written: lines.extend(written))
    return lines


# The thread that hears


def test_what_is_waited_for_is_said_and_that_a_second_one_ends_at_once(said: list[str]) -> None:
    stopping, ended = Stopping(), []
    stopping.waiting_for = "this generation"
    stopping.hear(5.0, lambda *lines: ended.append(lines))
    assert said == ["stopping after this generation (Ctrl-C again ends at once; what was saved is kept) ..."]
    assert ended == []
    stopping.hear(5.5, lambda *lines: ended.append(lines))
    assert ended == [("ended at once; what was saved is kept",)]


def test_a_signal_that_is_sent_twice_at_once_is_one(said: list[str]) -> None:
    """`timeout` sends its signal to the process and then to its group; the run is to be saved all the same."""
    stopping = Stopping()
    stopping.waiting_for = "this generation"
    for now in (5.0, 5.001):
        stopping.hear(now, lambda *lines: pytest.fail("ended"))
    assert len(said) == 1


@pytest.mark.parametrize(
    ("busy", "over", "ends"), [("", False, True), ("this generation", False, False), ("", True, False)]
)
def test_a_main_thread_that_does_not_answer_is_ended_only_where_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch, busy: str, over: bool, ends: bool
) -> None:
    """Not when it has come to a generation meanwhile, and not when it has ended."""
    monkeypatch.setattr(signals, "GRACE_SECONDS", 0.0)
    stopping, ended = Stopping(), []
    stopping.waiting_for, stopping.last_words = busy, ["stopped"]
    if over:
        stopping.over()
    stopping._end_if_late(lambda *lines: ended.append(lines))
    assert ended == ([("stopped",)] if ends else [])


# Phases of a run


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize(
    ("phase", "owner", "name"),
    [
        ("loading", "genreg_np.data", "load_dataset"),
        ("compiling", NumpyBackend, "warm_up"),
        ("preparing", Genreg, "prepare"),
    ],
)
def test_a_run_stopped_before_it_began_leaves_nothing(
    genreg, monkeypatch: pytest.MonkeyPatch, phase: str, owner: Any, name: str, number: int
) -> None:
    with monkeypatch.context() as patch:
        owner = sys.modules[owner] if isinstance(owner, str) else owner
        patch.setattr(owner, name, pressing(getattr(owner, name), number))
        outcome = genreg("train", *SMALL)
    assert outcome.code == 130
    assert outcome.out.endswith("stopped; no run was started\n")
    assert outcome.err == ""
    assert not list(Path().glob("runs/*"))


@pytest.mark.parametrize("phase", ["loading", "preparing"])
def test_a_run_that_goes_on_and_is_stopped_before_it_does_is_as_it_was(
    genreg, monkeypatch: pytest.MonkeyPatch, phase: str
) -> None:
    assert genreg("train", *SMALL, "--generations", 2, "--out", "run", "--quiet").code == 0
    before = {path.name: path.read_bytes() for path in Path("run").iterdir()}
    with monkeypatch.context() as patch:
        if phase == "loading":
            patch.setattr(provenance, "load_dataset", pressing(provenance.load_dataset))
        else:
            patch.setattr(Genreg, "prepare", pressing(Genreg.prepare))
        outcome = genreg("train", "--resume", "run", "--generations", 4)
    assert outcome.code == 130
    assert outcome.out.endswith("stopped; the run is unchanged. Resume with:\n  genreg-np train --resume run\n")
    assert {path.name: path.read_bytes() for path in Path("run").iterdir()} == before


def test_a_run_stopped_while_its_budget_is_measured_has_all_of_it_when_it_goes_on(
    genreg, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not the generations of its preset; a second time too, and where the step is in the middle."""
    call = ("train", *SMALL, "--budget", "1s", "--out", "run")
    for arguments in (call, ("train", "--resume", "run")):
        with monkeypatch.context() as patch:
            patch.setattr(Genreg, "step", pressing(Genreg.step))
            outcome = genreg(*arguments)
        assert outcome.code == 130
        assert outcome.out.endswith("Start again with:\n  genreg-np train --resume run\n")
        assert "budget = 1.0" in Path("run/config.toml").read_text()
    measured = []

    def fit(evolution: Evolution, budget: float, should_stop: object) -> bool:
        measured.append(budget)
        evolution.change(generations=3)
        return True

    monkeypatch.setattr("genreg_np.runs.training.fit_to_budget", fit)
    assert json.loads(genreg("train", "--resume", "run", "--json").out)["generations"] == 3
    assert measured == [1.0]
    assert "budget" not in Path("run/config.toml").read_text()


def test_a_generation_is_waited_for_and_said(genreg, monkeypatch: pytest.MonkeyPatch, said: list[str]) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Evolution, "step", pressing(Evolution.step, said=said))
        outcome = genreg("train", *SMALL, "--out", "run")
    assert outcome.code == 130
    assert outcome.out.endswith("stopped and saved after generation 1. Resume with:\n  genreg-np train --resume run\n")
    assert [line.partition(" (")[0] for line in said] == ["stopping after this generation"]


def test_the_end_of_a_run_is_waited_for_and_nothing_is_missing(
    genreg, monkeypatch: pytest.MonkeyPatch, said: list[str]
) -> None:
    """The run is whole: it ends as if nobody had pressed anything."""
    with monkeypatch.context() as patch:
        patch.setattr(Evolution, "evaluation", pressing(Evolution.evaluation, said=said))
        outcome = genreg("train", *SMALL, "--generations", 2, "--out", "run", "--json")
    assert outcome.code == 0
    assert json.loads(outcome.out)["test_accuracy"] is not None
    assert [line.partition(" (")[0] for line in said] == ["stopping after the final measurement of accuracy"]


@pytest.mark.parametrize("when", ["loading", "a generation"])
@pytest.mark.parametrize("command", ["train", "mixed"])
def test_json_ends_with_its_object_where_a_run_is_stopped(
    genreg, monkeypatch: pytest.MonkeyPatch, said: list[str], command: str, when: str
) -> None:
    """With the same names as that of a run that ended."""
    options = SMALL if command == "train" else [*MIXED, "--attack-images", 0, "--no-figures"]
    with monkeypatch.context() as patch:
        if when == "loading":
            patch.setattr("genreg_np.data.load_dataset", pressing(lambda *_, **__: None))
        else:
            patch.setattr(Evolution, "step", pressing(Evolution.step))
        stopped = genreg(command, *options, "--out", "run", "--json")
    assert stopped.code == 130
    found = json.loads(stopped.out)
    assert found["ended"] == "stopped"
    assert (found["generations"], found["test_accuracy"]) == (1 if when == "a generation" else 0, None)
    assert found["run"] == ("run" if when == "a generation" else None)
    ended = genreg(command, *options, "--generations", 2, "--out", "whole", "--json")
    assert set(json.loads(ended.out)) == set(found)


def test_a_run_that_is_saved_is_not_said_to_be_unsaved(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is anything said where its report is cut short."""
    ended: list[tuple[str, ...]] = []
    monkeypatch.setattr(signals, "GRACE_SECONDS", 0.0)
    monkeypatch.setattr(signals, "_end", lambda *lines: ended.append(lines))

    monkeypatch.setattr(Stopping, "handle", lambda *_: None)  # as where the main thread does not get to it
    monkeypatch.setattr(train_, "_report", pressing(lambda *_: None, said=ended))
    assert genreg("train", *SMALL, "--generations", 2, "--out", "run").code == 0
    assert ended == [()]


# Other commands


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["eval", "model.npz", "--dataset", "digits"], "genreg_np.data.load_dataset"),
        (["infer", "model.npz", "one.npy"], "genreg_np.infer.load"),
        (["info", "model.npz"], "genreg_np.infer.load"),
        (["export", "model.npz", "--to", "c", "--out", "made"], "genreg_np.export.export"),
        (["demo", "model.npz", "--out", "made", "--no-open"], "genreg_np.export.files_of"),
        (["convert", "champion.pkl", "made"], "genreg_np.export.convert.read_champion"),
        (["data", "fetch", "mnist"], "genreg_np.data.fetch"),
        (["data", "show", "digits", "--out", "made"], "genreg_np.data.load_dataset"),
        (["doctor"], "genreg_np.backends.create"),
    ],
)
def test_every_other_command_ends_without_a_word(
    genreg, monkeypatch: pytest.MonkeyPatch, arguments: list[str], place: str, number: int
) -> None:
    model_of(Network.build((4, 4), (3,), 10)).save("model.npz")
    np.save("one.npy", np.zeros((4, 4), np.uint8))
    write_pickle(Path("champion.pkl"), make_champion(16, 3, 2))
    monkeypatch.setattr(place, pressing(lambda *_, **__: pytest.fail("it went on"), number))
    outcome = genreg(*arguments)
    assert outcome.code == 130
    assert outcome.err.strip() == ""
    assert not Path("made").exists()


# Outside the main thread, and in kernels that do not answer


def test_the_command_line_works_in_any_thread() -> None:
    """Signals stay what they were: Python takes handlers in the main thread alone."""
    before, codes = signal.getsignal(signal.SIGINT), []

    def call() -> None:
        try:
            main(["train", *map(str, SMALL), "--generations", "2", "--out", "run", "--quiet"])
        except SystemExit as error:
            codes.append(error.code)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert codes == [0]
    assert load("run/model.npz").output_count == 10
    assert signal.getsignal(signal.SIGINT) is before


def test_handlers_are_put_back(genreg) -> None:
    before = [signal.getsignal(number) for number in STOPS]
    assert genreg("data", "list").code == 0
    assert [signal.getsignal(number) for number in STOPS] == before


KERNEL = """
import hashlib, sys
from genreg_np.cli import main
from genreg_np.strategies.genreg import Genreg

def step(*_):
    print("in the kernel", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # many minutes, in C, without Python's lock: as a kernel is

Genreg.step = step
main(sys.argv[1:])
"""


def in_a_kernel(*arguments: str) -> subprocess.Popen[str]:
    """Start a run and wait until its first step is in a kernel that will not end."""
    command = [sys.executable, "-c", KERNEL, "train", *map(str, SMALL), "--out", "run", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    while process.stdout.readline() != "in the kernel\n":
        assert process.poll() is None, process.stderr.read()
    return process


@pytest.mark.parametrize("number", STOPS)
def test_measuring_a_budget_ends_though_a_generation_does_not(number: signal.Signals) -> None:
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{number.name} is ignored here, as nohup does")
    process = in_a_kernel("--budget", "20s")
    try:
        process.send_signal(number)
        out, err = process.communicate(timeout=600)
    finally:
        process.kill()  # it would go on for many minutes
    assert process.returncode == 130, err
    said = err or out  # by the main thread, where the signal came just before the kernel
    assert said.endswith("Start again with:\n  genreg-np train --resume run\n")
    assert "budget = 20.0" in Path("run/config.toml").read_text()


def test_a_second_ctrl_c_ends_a_generation_that_does_not_end() -> None:
    process = in_a_kernel()
    process.send_signal(signal.SIGINT)
    assert process.stderr.readline() == "\n"
    assert process.stderr.readline().startswith("stopping after this generation (Ctrl-C again ends at once")
    while process.poll() is None:  # one that comes too soon counts as the first
        process.send_signal(signal.SIGINT)
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    assert process.returncode == 130
    assert process.stderr.read().endswith("ended at once; what was saved is kept\n")
