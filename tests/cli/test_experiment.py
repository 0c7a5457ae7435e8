"""`genreg-np experiment`: the list, a study in little, and what cannot be."""

from __future__ import annotations

import builtins
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from genreg_np.cli import cli, main
from genreg_np.cli.experiment_ import _needs
from genreg_np.cli.signals import Stopping
from genreg_np.errors import DataError, MissingExtraError
from genreg_np.experiments import REGISTRY, study

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")
TOY = ("structure", "--toy", "--only", "dense", "--workers", "0")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["experiment", *arguments], obj=Stopping(), catch_exceptions=True)


def failing(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the exit code and what was said on stderr."""
    with pytest.raises(SystemExit) as error:
        main(["experiment", *arguments])
    return int(error.value.code or 0), capsys.readouterr().err


def test_without_a_name_all_are_listed() -> None:
    """Each with its question; as JSON, too."""
    text = run().output
    for name in REGISTRY:
        assert f"{name} " in text
        assert study(name).question in text
    assert set(json.loads(run("--json").output)) == set(REGISTRY)


def test_the_list_needs_nothing_but_numpy() -> None:
    """As it is installed without extras; a study says in one line what it needs."""
    code = (
        "import sys\n"
        "for name in ('sklearn', 'scipy', 'matplotlib', 'PIL', 'numba', 'rich'): sys.modules[name] = None\n"
        "from genreg_np.cli import main\n"
        "main(sys.argv[1:])"
    )
    listed = subprocess.run([sys.executable, "-c", code, "experiment"], capture_output=True, text=True, check=True)
    assert all(f"{name} " in listed.stdout for name in REGISTRY)
    started = [sys.executable, "-c", code, "experiment", "structure", "--quick"]
    refused = subprocess.run(started, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert refused.stderr == "error: scipy is needed to run a study: pip install 'genreg-np[train]'\n"


def test_a_study_is_measured_once(tmp_path: Path) -> None:
    """Results and page are written; the second time nothing is left to do."""
    first = run(*TOY, "--seeds", "1", "--out", str(tmp_path))
    assert first.exit_code == 0, first.output
    assert "1/1  dense, 500, seed 0" in first.output
    assert (tmp_path / "structure-toy.md").exists()
    before = (tmp_path / "structure-toy.json").read_bytes()
    again = run(*TOY, "--seeds", "1", "--out", str(tmp_path), "--json")
    told = json.loads(again.output.splitlines()[-1])
    assert (told["measured"], told["left"], told["failed"]) == (0, 0, {})
    assert (tmp_path / "structure-toy.json").read_bytes() == before
    anew = run(*TOY, "--seeds", "1", "--out", str(tmp_path), "--anew", "--quiet")
    assert anew.exit_code == 0
    assert "seed 0" not in anew.output


def test_what_fails_is_one_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The page of the rest is written all the same."""

    def fails(self: Any, settings: Any, seed: int) -> None:
        raise MemoryError("no\nroom")

    monkeypatch.setattr(type(study("structure")), "measure", fails)
    code, error = failing(capsys, *TOY, "--seeds", "1", "--out", str(tmp_path))
    assert code == 1
    assert error == "warning: dense, 500, seed 0 failed: MemoryError: no room\n"
    assert (tmp_path / "structure-toy.md").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("structur",), "did you mean 'structure'"),
        (("structure", "--only", "grown"), "has no case 'grown'"),
        (("structure", "--quick", "--toy"), "choose one"),
        (("structure", "--budget", "soon"), "must look like 60s"),
        (("structure", "--seeds", "0"), "--seeds"),
    ],
)
def test_what_cannot_be_is_usage(
    arguments: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, and no folder is left."""
    code, error = failing(capsys, *arguments, "--out", str(tmp_path / "new"))
    assert code == 2
    assert said in error
    assert not (tmp_path / "new").exists()


def test_data_that_cannot_be_had_are_told_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """MNIST where there is none, and no network: one line, and how to get it."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("GENREG_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("genreg_np.data.cache.DEBIAN_FOLDER", tmp_path / "none")

    def refused(*_: object, **__: object) -> None:
        raise DataError("mnist: cannot be fetched")

    monkeypatch.setattr("genreg_np.data.fetch", refused)
    code, error = failing(capsys, "capacity", "--out", str(tmp_path / "out"))
    assert code == 1
    assert len(error.splitlines()) == 1
    assert "mnist" in error
    assert not (tmp_path / "out").exists()


def test_ctrl_c_keeps_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 130, one line that says how to go on; the next call measures the rest."""
    real, calls = type(study("structure")).measure, list[int]()

    def interrupted(self: Any, settings: Any, seed: int) -> Any:
        calls.append(seed)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(self, settings, seed)

    monkeypatch.setattr(type(study("structure")), "measure", interrupted)
    with pytest.raises(SystemExit) as stopped:
        main(["experiment", *TOY, "--seeds", "2", "--out", str(tmp_path)])
    assert stopped.value.code == 130
    assert "resume with the same command" in capsys.readouterr().out
    told = json.loads(run(*TOY, "--seeds", "2", "--out", str(tmp_path), "--json").output.splitlines()[-1])
    assert told["measured"] == 1


@pytest.mark.parametrize("where", ["genreg_np.cli.experiment_._needs", "genreg_np.experiments.page.write_page"])
@pytest.mark.parametrize("became", [KeyboardInterrupt, ImportError])
def test_ctrl_c_ends_in_a_line_at_every_moment(
    where: str, became: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While packages are imported, which may make an ImportError of it, and while the page is written."""
    stopping = Stopping()

    def stopped(*_: object) -> None:
        stopping.asked = True
        raise became

    monkeypatch.setattr(where, stopped)
    arguments = ["experiment", *TOY, "--seeds", "1", "--out", str(tmp_path)]
    result = CliRunner().invoke(cli, arguments, obj=stopping, standalone_mode=False)
    assert result.return_value == 130
    assert result.output.splitlines()[-1].startswith("stopped")


@pytest.mark.parametrize(("absent", "error"), [("scipy", MissingExtraError), ("other", ModuleNotFoundError)])
def test_only_a_package_that_is_absent_is_missing(
    absent: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one that cannot be imported for another reason."""

    def broken(name: str) -> None:
        raise ModuleNotFoundError(name=absent)

    monkeypatch.setattr("genreg_np.cli.experiment_.importlib.import_module", broken)
    with pytest.raises(error):
        _needs()


@pytest.mark.parametrize("option", [("--quick",), ("--seeds", "2"), ("--only", "dense"), ("--out", "here")])
def test_options_of_a_study_need_its_name(option: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """Instead of being ignored, and the studies listed."""
    assert failing(capsys, *option) == (2, f"error: {option[0]} needs the name of a study\n")


def test_a_trial_is_called_one_before_its_answers(tmp_path: Path) -> None:
    """As its numbers look like those of the study."""
    result = run(*TOY, "--seeds", "1", "--out", str(tmp_path))
    assert "\nthis is a trial on the 8x8 digits with 1 seed: no answer to the question\n" in result.output


def test_without_matplotlib_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is measured."""
    known = builtins.__import__

    def absent(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError(name)
        return known(name, *rest)

    monkeypatch.setattr(builtins, "__import__", absent)
    code, error = failing(capsys, *TOY, "--out", str(tmp_path / "out"))
    assert code == 1
    assert "pip install 'genreg-np[plots]'" in error
    assert not (tmp_path / "out" / "structure-toy.json").exists()


def test_a_budget_leaves_the_rest_for_the_next_time(tmp_path: Path) -> None:
    result = run("structure", "--toy", "--workers", "0", "--budget", "0.001s", "--out", str(tmp_path))
    assert result.exit_code == 0
    assert "left: resume with the same command" in result.output
