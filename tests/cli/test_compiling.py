"""What is shown while kernels are compiled: a line first and last, and on a terminal a bar between them."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable

import pytest

from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.cli.output import Progress, about
from genreg_np.cli.terminal import Terminal
from tests.helpers import Clock

pytest.importorskip("numba")

Tell = Callable[[int, int, float], None]

TRAIN = ["train", "--dataset", "digits", "--preset", "small", "--generations", 1, "--set", "population_size=20"]
MIXED = ["mixed", "--dataset", "digits", "--network", "8,4", "--population", 2, "--generations", 1, "--no-figures",
         "--attack-images", 0]  # fmt: skip


def compiles(self: object, works: object = (), told: Tell | None = None) -> float:
    """Tell of three kernels, as a backend that compiles them."""
    if told is not None:
        for done in range(4):
            told(done, 3, 4.2 - done if done < 3 else 0.0)
    return 12.0


@pytest.mark.parametrize("command", [TRAIN, MIXED])
def test_a_run_that_compiles_says_so_first_and_last(
    genreg, monkeypatch: pytest.MonkeyPatch, command: list[object]
) -> None:
    monkeypatch.setattr(NumpyBackend, "warm_up", compiles)
    lines = genreg(*command, "--backend", "numpy", "--out", "run").out.splitlines()
    (first,) = (number for number, line in enumerate(lines) if line.startswith("compiling 3 kernels, "))
    assert lines[first].endswith(" (about 5 s at 2.5 GHz) ...")
    assert re.fullmatch(r"kernels compiled in \d+\.\d s", lines[first + 1])
    assert "kernels ready" not in "\n".join(lines), "it is said once"


@pytest.mark.parametrize("command", [TRAIN, MIXED])
def test_json_and_quiet_keep_it_from_stdout(genreg, monkeypatch: pytest.MonkeyPatch, command: list[object]) -> None:
    monkeypatch.setattr(NumpyBackend, "warm_up", compiles)
    outcome = genreg(*command, "--backend", "numpy", "--out", "run", "--json")
    assert len(outcome.out.splitlines()) == 1
    assert "compiling 3 kernels" in outcome.err
    outcome = genreg(*command, "--backend", "numpy", "--out", "again", "--quiet")
    assert outcome.code == 0
    assert outcome.out + outcome.err == ""


def test_doctor_says_it_where_it_compiles(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("numba")
    from genreg_np.backends.numba.backend import NumbaBackend

    monkeypatch.setattr("genreg_np.backends.selftest.disagreements", lambda backend: [])
    monkeypatch.setattr(NumbaBackend, "warm_up", compiles)
    out = genreg("doctor", "--selftest").out
    assert re.search(r"^  numba   compiling 3 kernels, .*\n  numba   kernels compiled in .* s\n", out, re.MULTILINE)
    monkeypatch.setattr(NumbaBackend, "warm_up", lambda self, told: 0.5)
    out = genreg("doctor", "--selftest").out
    assert "compiling" not in out
    assert "  numba   kernels ready in 0.5 s, comparing ...\n" in out


class Screen(io.StringIO):
    """A terminal in memory."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, **environment: str) -> str:
    """Return what a terminal gets while three kernels are compiled."""
    pytest.importorskip("rich")
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", Terminal(screen))
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ({"TERM": "xterm", "COLUMNS": "80"} | environment).items():
        monkeypatch.setenv(name, value)
    progress = Progress(quiet=False, to_stderr=False, clock=Clock(0.5))
    for done in range(3):
        progress.compiling(done, 3, 4.2 - done)
        if progress._bar is not None:
            progress._bar.refresh()
    progress.compiling(3, 3, 0.0)
    return screen.getvalue()


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_a_terminal_has_a_line_that_is_redrawn_and_goes(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    text = shown(monkeypatch, **environment)
    frames = [re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", frame) for frame in text.split("\r")]
    drawn = [re.sub(r"[━╸╺ ]+", " ", frame).strip() for frame in frames if frame.startswith("kernel ")]
    for line in ("kernel 0/3 about 5 s left", "kernel 1/3 about 4 s left", "kernel 2/3 about 3 s left"):
        assert line in drawn
    assert max(len(line) for frame in frames for line in frame.splitlines()) <= 80
    assert frames[-1] == "kernels compiled in 0.5 s\n"
    assert text.count("\n") == 3, "two lines, and the bar's own, which is taken back"
    assert ("\x1b[3" in text) == (not environment)


def test_a_terminal_that_cannot_be_drawn_on_has_two_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    first, last = shown(monkeypatch, TERM="dumb").splitlines()
    assert first.startswith("compiling 3 kernels, ")
    assert first.endswith(" (about 5 s at 2.5 GHz) ...")
    assert last == "kernels compiled in 0.5 s"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.0, "about 1 s"), (8.1, "about 9 s"), (90.0, "about 90 s"), (91.0, "about 2 min")]
)
def test_an_estimate_is_whole_and_never_nothing(seconds: float, words: str) -> None:
    assert about(seconds) == words
