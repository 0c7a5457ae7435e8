"""What `genreg-np search` draws, remarks and refuses, and the command that it prints when it is stopped."""

from __future__ import annotations

import io
import json
import shlex
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from genreg_np.cli.output import Progress
from genreg_np.cli.search_board import Board
from genreg_np.cli.search_told import stopped
from genreg_np.search.chance import against_random
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import trials_in
from genreg_np.search.lessons import base as lessons
from genreg_np.search.trials import DIVERGED, Trial
from tests.cli import one_line
from tests.cli.test_search import QUICK, _data  # noqa: F401 - the data of these searches


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def searched() -> Any:
    """Return what a board needs of a search with one trial."""
    trial = Trial(3, 3, 0, {}, {}, score=0.5, metrics={"accuracy": 0.5}, how="random")
    return SimpleNamespace(
        best=trial, config=SearchConfig(), course=SimpleNamespace(trials=[trial]), running=1, called="accuracy",
        shown="{:.4f}".format, told=lambda one: "8,000 samples", leaders=lambda count: [trial],
    )  # fmt: skip


@pytest.mark.parametrize(("quiet", "as_json"), [(False, False), (True, False), (False, True), (True, True)])
def test_the_leaderboard_is_drawn_where_lines_go(quiet: bool, as_json: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at all with --quiet; with --json on stderr, as stdout is for the result."""
    pytest.importorskip("rich")
    out, err = Screen(), Screen()
    monkeypatch.setattr("sys.stdout", out)
    monkeypatch.setattr("sys.stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    board = Board(Progress(quiet, as_json), 60.0, Path("nowhere"), False)
    board.phase("searching")
    board.took(searched().best, searched())
    board.stop()
    drawn = "" if quiet else "individual"
    assert drawn in (err if as_json else out).getvalue()
    assert (out if as_json else err).getvalue() == ""
    assert not quiet or out.getvalue() + err.getvalue() == ""


def test_the_command_to_resume_with_says_all_that_a_folder_does_not_hold() -> None:
    """As a shell reads it, also for folders with blanks."""
    options: dict[str, Any] = {
        "budget": "10m", "target": 0.99, "workers": 2, "engine": "ray", "address": "auto", "backend": "numpy",
        "dashboard": True,
    }  # fmt: skip
    line = stopped(Path("my runs/one"), SearchConfig(), options)[1]
    assert shlex.split(line) == shlex.split(
        "genreg-np search images --resume 'my runs/one' --budget 10m --target 0.99 --workers 2 --engine ray "
        "--address auto --backend numpy --dashboard"
    )
    few = stopped(Path("one"), SearchConfig(kind="gan", generations=3, metric="fitness"), dict.fromkeys(options))
    assert few[1] == "  genreg-np search gan --resume one --generations 3"
    table = stopped(Path("one"), SearchConfig(kind="table", metric=""), dict.fromkeys(options), usual="60s")
    assert table[1:] == ["  genreg-np search table --resume one --budget 60s"]


def test_whether_breeding_is_better_than_random_search_is_told(genreg) -> None:
    """In a line, and in that of --json; of trials that the winner is chosen from, like all that is counted."""
    many = (*QUICK, "--population", 10, "--generations", 3, "--begin", "random", "--max-epochs", 1)
    found = genreg("search", "images", "bars.npz", *many, "--out", "run")
    assert found.code == 0, found.err
    expected = against_random(trials_in(Path("run/trials.jsonl")))
    assert (expected.bred, expected.random) == (20, 10)
    assert expected.words in found.out
    again = genreg("search", "images", "bars.npz", *many, "--out", "run", "--json")
    assert json.loads(again.out)["against_random"] == expected.plain()
    few = genreg("search", "images", "bars.npz", *QUICK, "--out", "other")
    assert "against random search: too few to say (0 bred, " in few.out
    reached = genreg("search", "images", "bars.npz", *many, "--out", "third", "--target", 0.01)
    assert "1 trial of 1 individual, 0 of them bred" in reached.out


def test_what_has_no_effect_is_said(genreg) -> None:
    found = genreg("search", "images", "bars.npz", *QUICK, "--workers", 4, "--max-seconds", 30, "--out", "run")
    assert found.code == 0, found.err
    assert "one worker, not 4: --engine serial trains one individual after another" in found.out
    assert "--max-seconds has no effect with --engine serial, which has no process to end" in found.out
    quiet = genreg("search", "images", "bars.npz", *QUICK, "--workers", 1, "--out", "other")
    assert "no effect" not in quiet.out
    assert "one worker" not in quiet.out


def test_where_all_fail_the_default_network_is_told(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(lesson: lessons.Lesson) -> lessons.Learned:
        if "final" in Path(lesson.states[0]).name:
            return lessons.learn(lesson)
        return lessons.Learned(DIVERGED, "its loss became infinite")

    monkeypatch.setattr("genreg_np.search.images.learn", none)
    found = genreg("search", "images", "bars.npz", *QUICK, "--out", "run")
    assert found.code == 0, found.err
    assert "every individual failed: this is the default network, trained; trials.jsonl says why" in found.out
    shown = genreg("search", "explain", "run")
    assert "every individual has failed so far: name one; the numbers run from 0 to 2" in one_line(shown, 2)
    assert genreg("search", "explain", "run", 1).code == 0


def test_limits_and_a_second_objective(genreg) -> None:
    limits = ("--max-layers", 2, "--max-macs", 20_000, "--max-parameters", 3000, "--second", "macs")
    found = genreg("search", "images", "bars.npz", *QUICK, *limits, "--begin", "random", "--out", "run")
    assert found.code == 0, found.err
    assert "Pareto front of accuracy and macs:" in found.out
    trials = list(trials_in(Path("run/trials.jsonl")))
    assert len(trials) >= 3
    assert all(trial.macs <= 20_000 and trial.parameters <= 3000 for trial in trials)
    assert all(trial.network.count("conv ") + trial.network.count("dense ") <= 2 for trial in trials)


def test_trials_are_written_for_a_dashboard(genreg) -> None:
    optuna = pytest.importorskip("optuna")
    found = genreg("search", "images", "bars.npz", *QUICK, "--dashboard", "--out", "run")
    assert found.code == 0, found.err
    assert "watch it with: optuna-dashboard run/optuna.log" in found.out
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend("run/optuna.log"))
    (study,) = optuna.get_all_study_summaries(storage)
    assert study.n_trials == len(list(trials_in(Path("run/trials.jsonl"))))


def test_a_search_without_trials_and_damaged_settings_are_said_in_a_line(genreg) -> None:
    assert genreg("search", "images", "bars.npz", *QUICK, "--out", "run", "--quiet").code == 0
    settings, record = Path("run/config.toml"), Path("run/trials.jsonl")
    written, trials = settings.read_text("utf-8"), record.read_text("utf-8")
    record.write_text("", "utf-8")
    for number in ((), (1,)):
        shown = one_line(genreg("search", "explain", "run", *number), 2)
        assert "run: no individual has been judged yet: continue the search with --resume run" in shown
    record.write_text(trials, "utf-8")
    settings.write_text(written.replace('kind = "classifier"', 'kind = "foo"'), "utf-8")
    for command in (("search", "explain", "run"), ("report", "run"), ("search", "images", "--resume", "run")):
        shown = one_line(genreg(*command), 2)
        assert "run/config.toml: kind = 'foo' must be one of classifier, autoencoder, gan, table" in shown


@pytest.mark.parametrize(
    ("option", "value"), [("--max-epochs", "inf"), ("--max-seconds", "inf"), ("--max-epochs", "nan")]
)
def test_limits_are_finite(genreg, option: str, value: str) -> None:
    found = genreg("search", "images", "bars.npz", option, value, "--out", "run")
    assert f"{option[2:].replace('-', '_')} = {value} must be at least 0 and at most 1,000,000,000" in one_line(
        found, 2
    )


def test_one_genome_that_is_trained_alone_is_said(genreg) -> None:
    Path("one.toml").write_text("blocks = 1\nhidden = 32\noptimiser = 'sgd'\n", "utf-8")
    own = ("--genome", "one.toml", "--generations", 1, "--max-epochs", 2, "--final-seeds", 1, "--engine", "serial")
    found = genreg("search", "images", "bars.npz", *own, "--backend", "numpy", "--out", "run")
    assert found.code == 0, found.err
    assert "only the given individual is trained: --genome with --generations 1" in found.out
    assert "1 trial of 1 individual" in found.out


def test_a_search_keeps_its_backend(genreg) -> None:
    """It is in the folder, and a search that goes on takes it from there."""
    assert genreg("search", "images", "bars.npz", *QUICK, "--out", "run", "--quiet").code == 0
    assert tomllib.loads(Path("run/config.toml").read_text("utf-8"))["origin"]["backend"] == "numpy"
    found = genreg("search", "images", "--resume", "run", "--generations", 2, "--engine", "serial")
    assert found.code == 0, found.err
    assert json.loads(Path("run/search.json").read_text("utf-8"))["backend"] == "numpy"
