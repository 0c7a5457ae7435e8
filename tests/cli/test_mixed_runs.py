"""Runs of `genreg-np mixed` that are stopped, changed, damaged, or diverge."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from genreg_np.cli.output import Progress
from genreg_np.report import measure
from tests.cli import one_line
from tests.cli.test_mixed import QUICK, UNMEASURED

AGAIN = "genreg-np mixed --resume run"
posix = pytest.mark.skipif(os.name != "posix", reason="signals")


def interrupted(function: Callable[..., Any], when: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
    """Return a function that presses Ctrl-C and does what it should."""

    def pressed(*arguments: Any) -> Any:
        if when(*arguments):
            os.kill(os.getpid(), signal.SIGINT)
        return function(*arguments)

    return pressed


# Stopped


@posix
@pytest.mark.parametrize("generation", [1, 2])
def test_ctrl_c_in_a_generation_saves_the_run(genreg, monkeypatch: pytest.MonkeyPatch, generation: int) -> None:
    """The last one included: nothing is measured any more, and the run can be gone on with."""
    press = interrupted(Progress.update, lambda self, record, total: record["generation"] == generation)
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "update", press)
        outcome = genreg("mixed", *QUICK, *UNMEASURED, "--out", "run")
    assert outcome.code == 130
    last = "stopped; the run is saved, 2 generations. Measure it with:"
    line = last if generation == 2 else "stopped and saved after generation 1. Resume with:"
    assert outcome.out.endswith(f"{line}\n  {AGAIN}\n")
    assert not Path("run/measures.json").exists()
    assert genreg("mixed", "--resume", "run", *UNMEASURED, "--quiet").code == 0
    assert genreg("mixed", *QUICK, *UNMEASURED, "--out", "whole", "--quiet").code == 0
    assert Path("run/model.npz").read_bytes() == Path("whole/model.npz").read_bytes()
    assert Path("run/measures.json").read_bytes() == Path("whole/measures.json").read_bytes()


@posix
@pytest.mark.parametrize("part", ["train_baselines", "attack_rows"])
def test_ctrl_c_while_measuring_says_how_to_measure(genreg, monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    call = (*QUICK, "--eps", "0.1", "--attack-images", 9, "--no-figures", "--out", "run")
    with monkeypatch.context() as patch:
        patch.setattr(measure, part, interrupted(getattr(measure, part)))
        outcome = genreg("mixed", *call)
    assert outcome.code == 130
    assert outcome.out.endswith(f"stopped; the run is saved, 2 generations. Measure it with:\n  {AGAIN}\n")
    assert outcome.out.count("attacking") == (part == "attack_rows"), "the next part is not begun"
    assert not Path("run/measures.json").exists()
    again = genreg("mixed", "--resume", "run", "--eps", "0.1", "--attack-images", 9, "--no-figures")
    assert again.code == 0
    assert "child on children" in again.out


@posix
@pytest.mark.parametrize("command", ["mixed", "train"])
def test_ctrl_c_before_the_first_generation_claims_no_save(
    genreg, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    options = QUICK if command == "mixed" else ["--dataset", "digits", "--preset", "small", "--backend", "numpy"]
    with monkeypatch.context() as patch:
        patch.setattr(Progress, "start", interrupted(Progress.start))
        outcome = genreg(command, *options, "--out", "run")
    assert outcome.code == 130
    assert "stopped and saved" not in outcome.out
    assert f"Start again with:\n  genreg-np {command} --resume run\n" in outcome.out
    assert not Path("run/checkpoint.npz").exists()
    more = UNMEASURED if command == "mixed" else ["--generations", 2]
    assert genreg(command, "--resume", "run", *more, "--quiet").code == 0


# Changed


@pytest.mark.parametrize(
    "change",
    [["--epochs", 2], ["--newcomers", 0.5], *(["--set", f"{name}={value}"] for name, value in (
        ("first_parents", "unsorted"), ("selection", "test"), ("order", "fixed"), ("edges", "fresh"),
    ))],
)  # fmt: skip
def test_what_the_report_rests_on_cannot_change_in_mid_run(genreg, change: list[object]) -> None:
    assert genreg("mixed", *QUICK, *UNMEASURED, "--out", "run", "--quiet").code == 0
    line = one_line(genreg("mixed", "--resume", "run", "--generations", 3, *change), 2)
    assert "cannot be changed during a run: " in line


def test_a_run_whose_rate_was_changed_says_so_and_is_not_the_papers(genreg) -> None:
    """Single networks learn by the last settings, and what was published is another run."""
    assert genreg("mixed", *QUICK, "--paper", *UNMEASURED, "--set", "learning_rate=0.02", "--out", "run").code == 0
    back = ("mixed", "--resume", "run", "--generations", 3, "--set", "learning_rate=0.01", "--set", "population_size=4")
    assert "changed during the run: learning_rate; single networks" in genreg(*back, *UNMEASURED).out
    assert json.loads(genreg("mixed", "--resume", "run", *UNMEASURED, "--json").out)["paper"] is False


# Diverged


def test_single_networks_that_diverge_are_said_to(genreg) -> None:
    """Neither NaN nor a chance accuracy is printed of them."""
    start = [*QUICK, "--set", "activation=leaky-relu"]
    assert genreg("mixed", *start, *UNMEASURED, "--out", "run", "--quiet").code == 0
    call = ("mixed", "--resume", "run", "--set", "learning_rate=1000", "--eps", "0.1", "--attack-images", 9)
    out = genreg(*call, "--no-figures").out
    assert "as many epochs diverged, diverged" in out
    assert "baseline" not in out.split("images made for")[1]
    result = json.loads(genreg(*call, "--no-figures", "--json").out)
    assert result["baseline_accuracies"] == [None, None]


# Damaged

WHOLE = {"mean_accuracy": 0.5, "best_accuracy": 0.5, "worst_accuracy": 0.5}
DAMAGED = [
    '{"generation": 1}',
    *(json.dumps({"generation": number} | WHOLE) for number in (0, -1, 1.5, "1", None, True, [1])),
    json.dumps(WHOLE),
    json.dumps({"generation": 1} | WHOLE | {"best_accuracy": None}),
    json.dumps({"generation": 1} | WHOLE | {"worst_accuracy": "low"}),
    '{"generation": 1, "mean_accuracy": NaN, "best_accuracy": 1, "worst_accuracy": 0}',
    "[]",
    "7",
    "{",
    "\ud800\x00",
]


@pytest.mark.parametrize("as_json", [False, True])
def test_damaged_records_are_left_out(genreg, as_json: bool) -> None:
    """Lines without what they need, of no generation of the run, or not whole; the others are shown."""
    assert genreg("mixed", *QUICK, *UNMEASURED, "--out", "run", "--quiet").code == 0
    path = Path("run/metrics.jsonl")
    text = "\n".join(DAMAGED) + "\n" + path.read_text()
    path.write_text(text, errors="surrogatepass")
    outcome = genreg("mixed", "--resume", "run", *UNMEASURED, *(["--json"] if as_json else []))
    assert outcome.code == 0, outcome.err
    assert "Traceback" not in outcome.err
    if as_json:
        assert len(json.loads(outcome.out)["by_generation"]) == 2
    else:
        assert len(re.findall(r"^ +[12] +\d+\.\d\d +\d", outcome.out, re.MULTILINE)) == 2


def test_records_that_are_gone_are_no_reason_to_fail(genreg) -> None:
    assert genreg("mixed", *QUICK, *UNMEASURED, "--out", "run", "--quiet").code == 0
    Path("run/metrics.jsonl").unlink()
    outcome = genreg("mixed", "--resume", "run", *UNMEASURED)
    assert outcome.code == 0, outcome.err
    assert "test accuracy: mean of 4" in outcome.out


@pytest.mark.parametrize("name", ["checkpoint.npz", "config.toml"])
def test_a_run_that_is_damaged_is_one_line(genreg, name: str) -> None:
    assert genreg("mixed", *QUICK, *UNMEASURED, "--out", "run", "--quiet").code == 0
    path = Path("run") / name
    path.write_bytes(path.read_bytes()[:-40] + b"=" * 7)
    assert name in one_line(genreg("mixed", "--resume", "run"), 1)
