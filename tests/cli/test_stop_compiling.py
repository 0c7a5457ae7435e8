"""Ctrl-C while kernels are compiled: no process, folder or traceback is left, and what is in the cache can be used."""

from __future__ import annotations

import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from genreg_np.cli import signals
from genreg_np.cli.signals import STOPS, Stopping
from tests.helpers import PATIENCE, ROOT

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="signals"),
    pytest.mark.skipif(
        not (importlib.util.find_spec("numba") and importlib.util.find_spec("scipy")), reason="numba is not installed"
    ),
]

# What compiling is in both processes: `really` as it is; `in C` a call that keeps the main thread for many minutes,
# `in C, patiently` where nothing but a second signal ends that; `in a callback` Python that LLVM calls back, where an
# exception is lost.
COMPILING = """
import hashlib, os, subprocess, sys, time
from genreg_np.backends.numba import warm as numba_warm
from genreg_np.cli import main, signals

how, pipe, *arguments = sys.argv[1:]
signals.GRACE_SECONDS = 0.0 if how == "in C" else 1e6  # what the main thread can end, it has all the time for
signals.LEAVE_SECONDS = 1e6
numba_warm.usable_processors = lambda: 2
Process = subprocess.Popen

def start(*command, **named):
    other = Process(*command, pass_fds=[int(pipe)], **named)
    print("second process", flush=True)
    return other

subprocess.Popen = start
BUSY = "hashlib.pbkdf2_hmac('sha256', b'', b'', 2**31 - 1)"
LLVM = f'''
def in_c(_):
    print("compiling in C", flush=True)
    {BUSY}

def in_a_callback(_):
    print("compiling in a callback", flush=True)
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            print("lost", flush=True)
'''
if how != "really":
    names = {"__name__": "llvmlite.binding.executionengine", "hashlib": hashlib, "time": time}
    exec(LLVM, names)
    example = names["in_a_callback" if how == "in a callback" else "in_c"]
    numba_warm.EXAMPLES = dict.fromkeys(numba_warm.EXAMPLES, example)
    numba_warm.START = f"import hashlib; {BUSY}"
main(arguments)
"""
RUN = ["train", "--dataset", "digits", "--generations", "2", "--out", "run"]
MANY, FEW = ["--preset", "nodes-small"], ["--strategy", "gradient"]  # ten kernels, and four


class Compiling:
    """A run in a process of its own that compiles into an empty cache; started and waited for."""

    def __init__(self, how: str, *options: str) -> None:
        self.reading, writing = os.pipe()
        run = [*RUN, *(FEW if how == "really" else MANY), *options]
        command = [sys.executable, "-c", COMPILING, how, str(writing), *run]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(Path("cache").absolute())}
        self.process = subprocess.Popen(
            command, env=environment, pass_fds=[writing], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        os.close(writing)
        lines = {"second process"}
        if how != "really":
            lines.add("compiling in a callback" if how == "in a callback" else "compiling in C")
        while lines:
            line = self.process.stdout.readline()
            assert line, self.process.stderr.read()
            lines.discard(line.strip())

    def end(self) -> tuple[int, str, str]:
        """Wait until no process is left that this run started; return its exit code, and what it printed since."""
        out, err = self.process.communicate(timeout=PATIENCE)
        ready, _, _ = select.select([self.reading], [], [], PATIENCE)
        assert ready, "a process is left behind"
        assert os.read(self.reading, 1) == b""
        os.close(self.reading)
        return self.process.returncode, out, err


def check_stopped(code: int, out: str, err: str) -> None:
    assert code == 130, err
    assert (err or out).strip().splitlines()[-1] == "stopped; no run was started"
    assert "Traceback" not in err
    assert "ignored" not in err
    assert not Path("run").exists()


@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize("how", ["in C", "in a callback"])
def test_compiling_ends_at_the_first_signal_and_nothing_is_left(how: str, number: signal.Signals) -> None:
    """Of the process alone, as a signal that is not a terminal's: the second one hears of it by its stdin."""
    run = Compiling(how)
    run.process.send_signal(number)
    code, out, err = run.end()
    check_stopped(code, out, err)
    assert "lost" not in out, "no exception was raised where it is lost"


def test_a_second_ctrl_c_ends_compiling_at_once() -> None:
    """Though nothing else ever would."""
    run = Compiling("in C, patiently")
    while run.process.poll() is None:  # one that comes too soon counts as the first
        run.process.send_signal(signal.SIGINT)
        try:
            run.process.wait(0.1)
        except subprocess.TimeoutExpired:
            continue
    check_stopped(*run.end())


@pytest.mark.parametrize("how", ["in C", "in a callback"])
def test_json_ends_with_its_object_where_compiling_is_stopped(how: str) -> None:
    run = Compiling(how, "--json")
    run.process.send_signal(signal.SIGINT)
    code, out, err = run.end()
    assert code == 130, err
    found = json.loads(out.splitlines()[-1])
    assert (found["ended"], found["run"], found["generations"]) == ("stopped", None, 0)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="SIGKILL")
def test_the_second_process_ends_with_one_that_is_killed() -> None:
    run = Compiling("in C")
    run.process.kill()
    assert run.end()[0] == -signal.SIGKILL


def test_what_was_compiled_before_is_used_and_the_rest_is_compiled() -> None:
    """Twice stopped, wherever that is; then it is compiled to its end and trained with."""
    for _ in range(2):
        run = Compiling("really")
        run.process.send_signal(signal.SIGINT)
        check_stopped(*run.end())
    run = Compiling("really")
    code, out, err = run.end()
    assert code == 0, err
    assert "kernels compiled in" in out
    assert Path("run/model.npz").exists()


def test_where_a_compiler_is_at_work_no_exception_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command takes its leave and the process ends; its last words are said once."""
    ended: list[tuple[str, ...]] = []
    monkeypatch.setattr(signals, "_end", lambda *lines: ended.append(lines))
    for says in (False, True):
        stopping, left = Stopping(), []
        stopping.last_words = ["stopped"]
        stopping.leave = lambda left=left, says=says: left.append(1) or says
        compiler = {"__name__": "numba.core.compiler", "stopping": stopping, "sys": sys}
        with pytest.raises(KeyboardInterrupt):  # as the process did not end
            exec("def compile():\n  stopping.handle(2, sys._getframe())\ncompile()", compiler)
        assert left == [1]
        with pytest.raises(KeyboardInterrupt):
            Stopping().handle(2, sys._getframe())
    assert ended == [("stopped",), ()]
