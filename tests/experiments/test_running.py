"""A study under way: kept as it comes, gone on with, never spoilt."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from genreg_np import experiments
from genreg_np.cli import cli
from genreg_np.cli.signals import Stopping
from genreg_np.errors import RunError
from genreg_np.experiments.base import SIZES, Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.record import Record, StudyFolder, file_of
from genreg_np.experiments.running import Told, run_study, to_measure
from genreg_np.report.shown import Shown
from tests.helpers import ROOT

TOY = SIZES["toy"]


class Sums(Study):
    """A study whose values can be foreseen; `breaks` is a seed that fails."""

    name = "sums"
    question = "What is a number and a seed?"
    about = "Nothing is learned."

    def cases(self, size: Size) -> Sequence[Case]:
        return [Case("one", {"number": 1}), Case("two", {"number": 2}, more_seeds=1), Case("bad", {"breaks": 1})]

    def measure(self, settings: Settings, seed: int) -> Values:
        if settings.get("breaks") == seed:
            raise ValueError("a seed that\nfails")
        return {"sum": settings.get("number", 0) + seed}

    def shown(self, results: Results) -> Iterator[Shown]:
        yield Shown("Sums", "")

    def answers(self, results: Results) -> Iterator[Answer]:
        return iter(())


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(experiments.REGISTRY, "sums", f"{__name__}:Sums")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[StudyFolder]:
    with StudyFolder.create(tmp_path) as held:
        yield held


def read(folder: StudyFolder) -> Record:
    return Record.read(Sums(), TOY, folder)


def test_seeds_come_first_to_last_over_all_cases(folder: StudyFolder) -> None:
    """And a case that has more seeds has them at the end, unless their number is given."""
    due = to_measure(read(folder), Sums().cases(TOY))
    assert [(case.name, seed) for case, seed in due] == [
        ("one", 0), ("two", 0), ("bad", 0), ("one", 1), ("two", 1), ("bad", 1), ("two", 2),
    ]  # fmt: skip


def test_what_fails_is_told_and_the_rest_is_measured(folder: StudyFolder) -> None:
    """The next time only what failed is measured again."""
    record, heard = read(folder), list[Told]()
    ended = run_study(record, to_measure(record, Sums().cases(TOY)), workers=0, told=heard.append)
    assert (ended.measured, ended.left) == (6, 0)
    assert ended.failed == {"bad, seed 1": "ValueError: a seed that fails"}
    assert [one.done for one in heard] == [1, 2, 3, 4, 5, 6, 7]
    assert {one.total for one in heard} == {7}
    again = to_measure(read(folder), Sums().cases(TOY))
    assert [(case.name, seed) for case, seed in again] == [("bad", 1)]
    assert read(folder).results(Sums().cases(TOY)).numbers("two", "sum") == [2, 3, 4]


def test_a_budget_begins_nothing_more(folder: StudyFolder) -> None:
    """What is under way ends, and is kept."""
    record, now = read(folder), iter(range(100))
    due = to_measure(record, Sums().cases(TOY))
    ended = run_study(record, due, workers=0, budget=2.5, clock=lambda: next(now))
    assert ended.measured + ended.left == len(due)
    assert 0 < ended.measured < len(due)
    assert len(to_measure(read(folder), Sums().cases(TOY))) == ended.left


def test_a_value_that_cannot_be_kept_is_a_failure(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """No number, or no plain one: told, and the others are measured."""
    monkeypatch.setattr(Sums, "measure", lambda self, settings, seed: {"sum": [float("nan"), np.float32(1)][seed]})
    ended = run_study(read(folder), [(Case("one", {}), 0), (Case("one", {}), 1)], workers=0)
    assert sorted(ended.failed) == ["one, seed 0", "one, seed 1"]
    assert read(folder).runs == []


def test_other_settings_are_measured_anew(folder: StudyFolder) -> None:
    """What was measured with the settings of before counts no more, and is replaced."""
    record = read(folder)
    record.add(Case("one", {"number": 7}), 0, 1.0, {"sum": 7})
    due = to_measure(record, Sums().cases(TOY), 1)
    assert ("one", 0) in [(case.name, seed) for case, seed in due]
    run_study(record, due, workers=0)
    assert [run["settings"] for run in read(folder).runs if run["case"] == "one"] == [{"number": 1}]


def test_another_version_is_measured_anew(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an older one nothing counts."""
    record = read(folder)
    run_study(record, to_measure(record, Sums().cases(TOY), 1), workers=0)
    monkeypatch.setattr(Sums, "version", 2)
    assert len(to_measure(read(folder), Sums().cases(TOY), 1)) == 3


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:-20],
        lambda text: text.replace('"sums"', '"others"'),
        lambda text: text.replace('"seed": 0', '"seed": "zero"'),
        lambda text: text.replace('"machine": 0', '"machine": 9'),
        lambda text: text.replace('"machines": [{', '"machines": [null, {'),
        lambda text: text.replace('"version": 1', '"version": 2'),
        lambda text: "[" * 100_000,
        lambda text: "{}",
        lambda text: "3",
    ],
)
def test_a_damaged_file_is_refused_and_left_alone(folder: StudyFolder, change: Callable[[str], str]) -> None:
    """In one line; nothing is measured over it."""
    record = read(folder)
    run_study(record, to_measure(record, Sums().cases(TOY), 1), workers=0)
    path = folder.path / file_of(Sums(), TOY, "json")
    damaged = change(path.read_text("utf-8"))
    path.write_text(damaged, "utf-8")
    with pytest.raises(RunError, match="cannot be read") as error:
        read(folder)
    assert "\n" not in str(error.value)
    assert path.read_text("utf-8") == damaged


def test_a_folder_is_one_process_s(folder: StudyFolder) -> None:
    with pytest.raises(RunError, match="another process is working"):
        StudyFolder.create(folder.path)


def test_the_file_is_a_line_a_run(folder: StudyFolder) -> None:
    """In the study's order, so that what changed can be read; and it is JSON."""
    record = read(folder)
    run_study(record, to_measure(record, Sums().cases(TOY)), workers=0)
    text = (folder.path / file_of(Sums(), TOY, "json")).read_text("utf-8")
    names = [json.loads(line.rstrip(","))["case"] for line in text.splitlines()[1:-1]]
    assert names == ["one", "one", "two", "two", "two", "bad"]
    assert len(json.loads(text)["runs"]) == 6


def runs_of(path: Path) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = json.loads(path.read_text("utf-8"))["runs"]
    return runs


def without_times(path: Path) -> Any:
    return [{**run, "seconds": 0, "values": {**run["values"], "seconds": 0}} for run in runs_of(path)]


HANGING = """
import sys, time
from genreg_np.cli import main
from genreg_np.experiments.structure import Structure
real, calls = Structure.measure, []
def measure(self, settings, seed):
    calls.append(seed)
    if len(calls) > 3:
        time.sleep(3600)
    return real(self, settings, seed)
Structure.measure = measure
main(sys.argv[1:])
"""


def test_a_killed_study_goes_on_and_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    """Killed in its fourth measurement, then gone on with by other processes: the same values, none measured twice."""
    study = ["experiment", "structure", "--toy", "--seeds", "4", "--quiet", "--only", "XOR", "--only", "dense"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    path = killed / "structure-toy.json"
    process = subprocess.Popen(
        [sys.executable, "-c", HANGING, *study, "--workers", "0", "--out", str(killed)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    while process.poll() is None and (not path.exists() or len(runs_of(path)) < 3):
        time.sleep(0.01)
    process.kill()
    process.wait()
    kept = runs_of(path)
    assert len(kept) == 3
    for out, workers in ((killed, "2"), (whole, "0")):
        again = CliRunner().invoke(cli, [*study, "--workers", workers, "--out", str(out)], obj=Stopping())
        assert again.exit_code == 0, again.output
    assert without_times(path) == without_times(whole / "structure-toy.json")
    assert all(run in runs_of(path) for run in kept)
