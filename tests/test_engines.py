"""Engines: the same outcomes in the same order from each, and what goes wrong is an outcome, not an exception."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from genreg_np import engines
from genreg_np.engines.base import CANCELLED, CRASH, FAILED, OK, TIMEOUT, Engine, Limits
from genreg_np.engines.processes import ProcessEngine
from genreg_np.errors import UsageError
from tests.helpers import PATIENCE, ROOT

# Functions that other processes can import.


def half(number: float) -> float:
    return number / 2


def one_over(number: float) -> float:
    return 1 / number


def for_ever(seconds: float) -> float:
    """Take as long as one is told to."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)
    return seconds


def dies_unless_marked(path: str) -> str:
    """End the process, the first time; a name that does not end in a suffix never gets its mark."""
    marked = Path(path)
    if marked.exists():
        return "done"
    if marked.suffix:
        marked.touch()
    os._exit(3)


def whose(number: int) -> int:
    return os.getpid()


@pytest.fixture(params=list(engines.REGISTRY))
def name(request: pytest.FixtureRequest) -> str:
    """Each engine of the registry."""
    if request.param == "ray":
        request.getfixturevalue("on_ray")
    return str(request.param)


def test_outcomes_are_in_the_order_of_the_arguments(name: str) -> None:
    """Whatever ended first."""
    with engines.create(name, half, 2) as engine:
        assert [outcome.value for outcome in engine.map(range(9))] == [number / 2 for number in range(9)]
        assert [outcome.value for outcome in engine.map([7, 5])] == [3.5, 2.5]
        assert list(engine.map([])) == []


def test_every_task_ends_once(name: str) -> None:
    """Submitted before or while others end."""
    ended: list[object] = []
    with engines.create(name, half, 2) as engine:
        for number in range(4):
            engine.submit((1, number), number)
        for outcome in engine.completed():
            ended.append(outcome.name)
            if len(ended) == 2:
                engine.submit("late", 8)
    assert sorted(map(str, ended)) == sorted(map(str, [(1, 0), (1, 1), (1, 2), (1, 3), "late"]))


def test_two_tasks_under_way_share_no_name(name: str) -> None:
    with engines.create(name, half, 1) as engine:
        engine.submit("a", 1)
        with pytest.raises(ValueError, match="'a' is already pending"):
            engine.submit("a", 2)


def test_a_task_that_waits_can_be_cancelled(name: str) -> None:
    """It is not run, and says so."""
    with engines.create(name, half, 1) as engine:
        for number in range(3):
            engine.submit(number, number)
        engine.cancel(2)
        engine.cancel("nobody")
        assert {outcome.name: outcome.status for outcome in engine.completed()} == {0: OK, 1: OK, 2: CANCELLED}


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(UsageError, match="did you mean 'serial'"):
        engines.create("seriell", half)


# Processes


def processes(function: object, workers: int = 2) -> Engine:
    return ProcessEngine(function, workers)  # type: ignore[arg-type]


def test_tasks_run_elsewhere_and_at_once() -> None:
    """In as many processes as were asked for, none of them this one."""
    with processes(whose, 2) as engine:
        found = {outcome.value for outcome in engine.map(range(40))}
    assert os.getpid() not in found
    assert 1 <= len(found) <= 2


def test_what_a_function_raises_is_an_outcome() -> None:
    with processes(one_over) as engine:
        found = list(engine.map([2, 0, 4]))
    assert [outcome.status for outcome in found] == [OK, FAILED, OK]
    assert found[1].why == "ZeroDivisionError: division by zero"


def test_a_task_is_killed_past_its_limit_and_others_go_on() -> None:
    """It would take for ever; the next one gets a process of its own."""
    with processes(for_ever, 1) as engine:
        engine.submit("long", PATIENCE, Limits(seconds=0.3))
        engine.submit("short", 0.0)
        found = {outcome.name: outcome for outcome in engine.completed()}
    assert found["long"].status == TIMEOUT
    assert found["long"].why == "took longer than 0.3 s"
    assert found["short"].value == 0.0


def eats(pieces: int) -> int:
    """Ask for so many times 64 MiB: what is asked for counts, touched or not."""
    return len([np.empty(1 << 23) for _ in range(pieces)])


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says what a process has")
def test_a_task_is_held_to_its_memory_and_others_go_on() -> None:
    """The same process has what it needs for the next one."""
    with processes(eats, 1) as engine:
        for name, pieces, most in ((1, 64, 1 << 30), (2, 1, 1 << 30), (3, 64, None)):
            engine.submit(name, pieces, Limits(bytes=most))
        found = {outcome.name: outcome for outcome in engine.completed()}
    assert [found[name].status for name in (1, 2, 3)] == ["memory", "ok", "ok"]
    assert found[1].why.startswith("MemoryError")


def test_a_task_under_way_can_be_cancelled() -> None:
    """Its process is killed at once."""
    with processes(for_ever, 1) as engine:
        engine.submit("long", PATIENCE)
        engine.cancel("long")
        assert [outcome.status for outcome in engine.completed()] == [CANCELLED]


def test_a_task_whose_process_dies_is_run_again_once(tmp_path: Path) -> None:
    """What killed it may have had nothing to do with it; one that kills every process is given up."""
    with processes(dies_unless_marked, 2) as engine:
        once, always = engine.map([str(tmp_path / "mark.txt"), str(tmp_path / "never")])
    assert (once.status, once.value) == (OK, "done")
    assert always.status == CRASH
    assert "its process died" in always.why


def test_no_process_is_left_when_an_engine_is_closed() -> None:
    """Neither free ones nor those at work."""
    others = set(multiprocessing.active_children())  # of libraries that keep theirs
    engine = processes(for_ever, 2)
    engine.submit("long", PATIENCE)
    engine.close()
    assert not [child for child in multiprocessing.active_children() if child.is_alive() and child not in others]
    assert list(engine.completed()) == []


def test_what_cannot_be_sent_is_refused() -> None:
    """Before any process is started."""
    with pytest.raises(UsageError, match="at the top level of a module"):
        processes(lambda number: number)


def test_what_is_left_is_cancelled_when_the_caller_takes_no_more(name: str) -> None:
    """So that the first failure ends a generation; and the engine can be used again."""
    with engines.create(name, half, 1) as engine:
        for outcome in engine.map(range(50)):
            assert outcome.value == 0.0
            break
        assert [outcome.value for outcome in engine.map([2])] == [1.0]


def test_what_a_function_raises_here_passes_through_and_leaves_nothing_behind() -> None:
    """The user's own traceback; then the engine goes on."""
    engine = engines.create("serial", one_over)
    with pytest.raises(ZeroDivisionError):
        list(engine.map([1, 0, 2]))
    assert [outcome.value for outcome in engine.map([2])] == [0.5]


def unsendable(number: int) -> object:
    """Return what pickle does not take."""
    return lambda: number


def test_what_cannot_be_sent_or_received_is_an_outcome() -> None:
    """Neither ends the process, nor is the task tried twice."""
    with processes(unsendable, 1) as engine:
        engine.submit("argument", lambda: 1)
        engine.submit("result", 1)
        found = {outcome.name: outcome for outcome in engine.completed()}
    assert {outcome.status for outcome in found.values()} == {FAILED}
    assert "its argument cannot be sent" in found["argument"].why
    assert "its result cannot be sent" in found["result"].why


@pytest.mark.parametrize("workers", [0, -1, 1.5, "two"])
def test_a_number_of_processes_that_cannot_be_is_refused(workers: object) -> None:
    with pytest.raises(UsageError, match="workers"):
        ProcessEngine(half, workers)  # type: ignore[arg-type]


def leaves_a_mark(path: str) -> None:
    """Have something cleaned up when the process ends."""
    atexit.register(Path(path).touch)


def test_a_process_that_has_nothing_to_do_ends_by_itself(tmp_path: Path) -> None:
    """What the user's function registered for the end is done."""
    with processes(leaves_a_mark, 1) as engine:
        list(engine.map([str(tmp_path / "cleaned")]))
    assert (tmp_path / "cleaned").exists()


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """Killed in the midst of a task, it leaves nobody behind."""
    code = (
        "import os, sys\nfrom tests.test_engines import for_ever, whose\n"
        "from genreg_np.engines.processes import ProcessEngine\n"
        "if __name__ == '__main__':\n"
        "    engine = ProcessEngine(for_ever, 1)\n"
        "    engine.submit('long', 3600.0)\n"
        "    print(engine._workers[0].process.pid, flush=True)\n"
        "    list(engine.completed())\n"
    )
    (tmp_path / "script.py").write_text(code)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "script.py"],
        stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True,
    )  # fmt: skip
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + PATIENCE
    while Path(f"/proc/{child}").exists() and "Z" not in Path(f"/proc/{child}/stat").read_text().split()[2]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
