"""Every test in an empty folder; the command line called in this process; a model to try things on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from genreg_np.cli import main, signals
from tests.cli import FAST, Outcome


@pytest.fixture(autouse=True)
def _in_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signals, "GRACE_SECONDS", 1e6)  # a busy machine is no reason to end the tests' process


@pytest.fixture(autouse=True)
def _as_in_a_terminal() -> Iterator[None]:
    """Take SIGHUP as a terminal sends it: under nohup it is ignored, by the tests' process and by all it starts."""
    if not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.getsignal(signal.SIGHUP)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, before)


@pytest.fixture
def genreg(capsys: pytest.CaptureFixture[str]):
    """Call the command line in this process."""

    def call(*arguments: object) -> Outcome:
        capsys.readouterr()
        with pytest.raises(SystemExit) as exit_info:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Outcome(int(exit_info.value.code or 0), captured.out, captured.err)

    return call


@pytest.fixture
def model(genreg) -> Path:
    """A model trained for three generations on the digits."""
    assert genreg("train", "--dataset", "digits", "--out", "run", *FAST, "--quiet").code == 0
    return Path("run/model.npz")
