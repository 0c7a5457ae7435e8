"""Searches for pipelines: what is found, by whom it is judged, what is handed over, and what stops them."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")

from genreg_np.errors import DataError, RunError, UsageError
from genreg_np.infer import load
from genreg_np.search.config import SearchConfig
from genreg_np.search.ending import DUMMY
from genreg_np.search.folder import trials_in
from genreg_np.search.found_table import FoundTable
from genreg_np.search.searching import Watcher
from genreg_np.search.tables import search_table
from genreg_np.search.tabular import space
from genreg_np.search.tabular.reading import Reading
from tests.forking import forked
from tests.helpers import PATIENCE, one_line
from tests.search import planted
from tests.search.helpers import check_measured
from tests.search.test_pipelines import lines_of

FEW = "linear,svm"


def table(folder: Path, lines: list[str] | None = None, name: str = "t.csv") -> str:
    """Write a table, and return its path."""
    path = folder / name
    path.write_text("\n".join(lines or lines_of(120)) + "\n", "utf-8")
    return str(path)


def search(path: str, folder: Path, reading: dict[str, Any] | None = None, **changes: Any) -> FoundTable:
    """Do a small search in this process."""
    how: dict[str, Any] = {"engine": "serial", "workers": 1}
    how |= {name: changes.pop(name) for name in (*how, "budget", "target", "watcher", "clock") if name in changes}
    config = {"kind": "table", "metric": "", "population": 4, "generations": 2, "models": FEW, "folds": 2, **changes}
    return search_table(Reading(path, **(reading or {"label": "label"})), SearchConfig.from_dict(config), folder, **how)


def lines(folder: Path) -> list[Any]:
    """Return the trials of a search, but for the time they took."""
    trials = sorted(trials_in(folder / "trials.jsonl"), key=lambda trial: trial.number)
    return [dataclasses.replace(trial, seconds=0.0, predicted=0.0, pace=0.0) for trial in trials]


def without_time(found: FoundTable) -> dict[str, Any]:
    """Return what was found, but for when and where."""
    return {name: value for name, value in found.notes().items() if name != "seconds"}


NEEDED = (
    "pandas, sklearn.compose, sklearn.ensemble, sklearn.feature_selection, sklearn.neighbors, sklearn.svm, "
    "sklearn.model_selection, sklearn.calibration, sklearn.feature_extraction.text, sklearn.kernel_approximation"
)


def ran(script: Path, *arguments: object) -> str:
    """Run a script where it lies, in an interpreter that has what it imports; return what it printed."""
    code = "import runpy, sys; sys.argv = {!r}; runpy.run_path(sys.argv[0], run_name='__main__')"
    return forked(code.format([script.name, *map(str, arguments)]), script.parent, imports=NEEDED)


def started(script: Path, *arguments: object) -> str:
    """Start a script where it lies; return what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", script.name, *map(str, arguments)], cwd=script.parent, capture_output=True,
        text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_pipeline_is_found_judged_and_handed_over_as_a_script(tmp_path: Path) -> None:
    """The script measures what the search measured, and predicts another table without its label."""
    found = search(table(tmp_path), tmp_path / "run")
    assert (found.rows, found.held_rows, found.new_folds) == (120, 24, 6)
    assert found.judged.held > 0.7
    assert {one.name for one in found.beside} == {"usual linear", "usual svm", "usual together", DUMMY}
    assert found.gap == found.judged.score - found.judged.held
    script = tmp_path / "run" / "pipeline.py"
    assert f"accuracy on 24 unseen rows: {found.judged.held:.4f}\n" == started(script)
    head = script.read_text("utf-8").split('"""')[1]
    assert f"{found.judged.held:.4f}  on 24 held-out rows" in head
    assert "genreg_np" not in script.read_text("utf-8").replace("genreg-np", "")
    new = [line.rpartition(",")[0] for line in lines_of(30)]
    assert (
        ran(script, table(tmp_path, new, "new.csv"), tmp_path / "p.csv") == f"30 predictions in {tmp_path / 'p.csv'}\n"
    )
    predicted = [line.rpartition(",")[2] for line in (tmp_path / "p.csv").read_text().splitlines()]
    right = np.mean([one == line.rpartition(",")[2] for one, line in zip(predicted, lines_of(30), strict=True)])
    assert right > 0.7
    assert predicted[0] == "prediction"


GROUPS = ("", "NA", "?", "a", "b", "c", "d")
HARD: dict[str, tuple[list[str], dict[str, Any], dict[str, Any]]] = {
    "numbers": (lines_of(100, classes=False), {"label": "label"}, {}),
    "groups": (
        ["x,who,label", *(f"{n * 7 % 31},p{n * 5 % 13},{'ab'[n * 7 % 31 > 15]}" for n in range(90))],
        {"label": "label", "group": "who"}, {},
    ),
    "time": (
        ["x,when,label", *(f"{n * 7 % 31},{1 + n * 11 % 28}.{1 + n % 12}.2023,{n * 7 % 31}.5" for n in range(90))],
        {"label": "label", "time": "when", "task": "values"}, {},
    ),
    "a class of one row": (["x,label", *(f"{n},{'ab'[n > 40]}" for n in range(80)), "3,c"], {"label": "label"}, {}),
    "classes that are numbers": (
        ["x;word;y", *(f"{n * 7 % 31};{'3.0' if n % 3 else '4'};{int(n * 7 % 31 > 15)}.0" for n in range(80))],
        {"label": "y"}, {"metric": "f1"},
    ),
    "the other class": (
        ["x,label", *(f"{n * 7 % 31},{'ab'[n * 7 % 31 > 21]}" for n in range(80))],
        {"label": "label", "positive": "a"}, {"metric": "f1"},
    ),
    "words as text": (
        ["x,said,label", *(f"{n * 7 % 31},{('one', 'a two', 'two')[n % 3]},{'ab'[n % 3 > 0]}" for n in range(80))],
        {"label": "label", "kind": ("said=text",)}, {},
    ),
    "no header": ([f"{n * 7 % 31},{'pq'[n % 2]},{'ab'[n * 7 % 31 > 15]}" for n in range(80)], {"label": "3"}, {}),
    "a comment": (
        ["# from nowhere", "", "x,label", *(f"{n * 7 % 31},{'ab'[n * 7 % 31 > 15]}" for n in range(80))],
        {"label": "label"}, {},
    ),
    "long numbers as classes": (
        ["x,y", *(f"{n * 7 % 31},{1234567 + (n * 7 % 31 > 15)}" for n in range(80))],
        {"label": "y", "task": "classes"}, {},
    ),
    "groups that are missing": (
        ["x,g,y", *(f"{n * 7 % 31},{GROUPS[n % 7]},{'ab'[n * 7 % 31 > 15]}" for n in range(90))],
        {"label": "y", "group": "g"}, {},
    ),
    "groups that are numbers": (
        ["x,g,y", *(f"{n * 7 % 31},{n % 9}{('', '.0')[n % 2]},{'ab'[n * 7 % 31 > 15]}" for n in range(90))],
        {"label": "y", "group": "g"}, {},
    ),
    "dates that could be either": (
        ["x,t,y", *(f"{n * 7 % 31},{1 + n * 11 % 28:02}/{1 + n * 5 % 12:02}/2023,{'ab'[n * 7 % 31 > 15]}"
                    for n in range(90))],
        {"label": "y", "time": "t"}, {},
    ),
    "probabilities": (lines_of(90), {"label": "label"}, {"metric": "neg_log_loss"}),
}  # fmt: skip


@pytest.mark.parametrize("name", list(HARD))
def test_scripts_read_tables_as_the_search_did(tmp_path: Path, name: str) -> None:
    """Whatever stands in them, and however rows are held apart: the same score."""
    pytest.importorskip("pandas")
    content, reading, changes = HARD[name]
    found = search(table(tmp_path, content), tmp_path / "run", reading, generations=1, **changes)
    said = ran(tmp_path / "run" / "pipeline.py")
    score = float(said.split(": ")[1])
    held = -found.judged.held if found.metric.startswith("neg_") else found.judged.held
    assert score == pytest.approx(held, abs=2e-4)
    assert said.startswith(f"{found.metric.removeprefix('neg_').replace('_', ' ')} on {found.held_rows} unseen rows")


def test_two_workers_find_what_one_finds_and_the_second_time_is_from_the_record(tmp_path: Path) -> None:
    path = table(tmp_path)
    one = search(path, tmp_path / "one")
    two = search(path, tmp_path / "two", engine="processes", workers=2)
    assert without_time(one) == without_time(two)
    assert lines(tmp_path / "one") == lines(tmp_path / "two")
    for name in ("pipeline.py", "winner.toml"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    before = (tmp_path / "one/trials.jsonl").read_bytes()
    assert search(path, tmp_path / "one") == one
    assert (tmp_path / "one/trials.jsonl").read_bytes() == before


@pytest.mark.parametrize("at", [1, 6])
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path, at: int) -> None:
    path, seen = table(tmp_path), []

    def stop(trial: Any, search: Any) -> None:
        seen.append(trial)
        if len(seen) == at:
            raise KeyboardInterrupt

    how: dict[str, Any] = {"models": "linear"}
    whole = search(path, tmp_path / "whole", **how)
    with pytest.raises(KeyboardInterrupt):
        search(path, tmp_path / "run", watcher=Watcher(on_trial=stop), **how)
    assert without_time(search(path, tmp_path / "run", **how)) == without_time(whole)
    assert lines(tmp_path / "run") == lines(tmp_path / "whole")
    if at == 1:
        return
    longer = search(path, tmp_path / "run", generations=3, **how)
    assert longer.trials > whole.trials
    assert without_time(longer) == without_time(search(path, tmp_path / "longer", generations=3, **how))


def test_who_is_bad_on_one_fold_is_not_tried_on_all_and_the_best_are_judged_by_new_ones(tmp_path: Path) -> None:
    found = search(table(tmp_path), tmp_path / "run", generations=3)
    trials = lines(tmp_path / "run")
    assert {trial.samples for trial in trials if trial.rung == 0} == {1}
    assert {trial.samples for trial in trials if trial.rung == 1} == {2}
    below = {trial.child: trial.metrics["fold 1"] for trial in trials if trial.rung == 0}
    for trial in trials:
        if trial.rung:
            assert trial.metrics["fold 1"] == below[trial.child]
    assert len(trials) < 2 * len(below)
    best = max(trial.score for trial in trials if trial.rung)
    assert found.judged.score != best  # which folds that nobody was chosen by say


def test_of_networks_a_model_is_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It predicts raw rows, and reaches on the rows that were held out what is told."""
    monkeypatch.setitem(space.PLAIN, "generations", 300)  # of what is usual
    path = table(tmp_path, name="digits.csv")
    how: dict[str, Any] = {"models": "network", "generations": 1, "population": 1, "selection": "random"}
    found = search(path, tmp_path / "run", genome="generations = 400\nunits = 8", **how)
    assert found.file == "model.npz"
    model = load(found.path)
    raw = [line.split(",") for line in lines_of(120)[1:]]
    fields = {name: [row[place] for row in raw] for place, name in enumerate(("size", "colour", "seen", "tagged"))}
    names = np.array(model.class_names)[model.predict(fields)]
    assert np.mean(names == [row[-1] for row in raw]) > 0.8
    assert not (tmp_path / "run/pipeline.py").exists()
    told = model.header["training"]["accuracies"]
    assert told == {"test": {"best": found.judged.held}}  # and none by rows that it has learned from
    assert model.trained("config", "dataset") == "digits.csv"  # not the built-in dataset
    assert [one.name for one in found.beside] == ["usual network", DUMMY]
    check_measured(model, path, table(tmp_path, lines_of(60), "other.csv"), found.judged.held)


def test_two_populations_breed_columns_and_models_apart(tmp_path: Path) -> None:
    found = search(table(tmp_path), tmp_path / "run", augmentation="evolved", generations=4)
    assert found.trials
    hows = {trial.how.split(":")[0] for trial in lines(tmp_path / "run") if ":" in trial.how}
    assert {"model", "policy"} <= hows


@pytest.mark.parametrize(
    ("what", "status"), [pytest.param("sleeps", "timeout", marks=pytest.mark.soak), ("takes_memory", "memory")]
)
def test_what_happens_to_some_costs_no_more_than_its_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, status: str
) -> None:
    """It is told, and all others are as they would be without."""
    if status == "memory" and not sys.platform.startswith("linux"):
        pytest.skip("memory is limited on Linux")
    monkeypatch.setattr("genreg_np.search.choosing.learn", getattr(planted, what))
    found = search(
        table(tmp_path), tmp_path / "run", engine="processes", workers=2, models="linear,boosting", max_seconds=3.0,
        population=2, generations=2,
    )  # fmt: skip
    assert found.genome["model"] == "linear"
    ended = {trial.genome["model"]: trial.status for trial in lines(tmp_path / "run") if not trial.rung}
    assert ended["boosting"] == status
    assert np.isnan(next(one.held for one in found.beside if one.name == "usual boosting"))


def test_where_nothing_can_be_fitted_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("genreg_np.search.choosing.learn", planted.nothing_is_fitted)
    with pytest.raises(RunError) as raised:
        search(table(tmp_path), tmp_path / "run", engine="processes")
    assert "nothing could be fitted" in one_line(raised.value)


def test_a_budget_too_short_for_anything_gives_what_is_usual(tmp_path: Path) -> None:
    """And is told as that: nothing was judged again."""
    found = search(table(tmp_path), tmp_path / "run", generations=0, budget=0.001)
    assert (found.ended, found.new_folds) == ("budget", 0)
    assert found.judged.held > 0.5
    assert found.path.exists()


def test_who_is_killed_for_want_of_time_may_be_what_is_usual(tmp_path: Path) -> None:
    """In processes, each trial of such a search is ended before it is done; and that is said."""
    said: list[str] = []
    watcher = Watcher(on_remark=said.append)
    found = search(
        table(tmp_path), tmp_path / "run", generations=0, budget=0.01, engine="processes", watcher=watcher
    )  # fmt: skip
    trials = trials_in(tmp_path / "run/trials.jsonl")
    assert {trial.status for trial in trials} <= {"timeout", "ok"}
    tried = {trial.genome["model"] for trial in trials if trial.is_ok}
    late = {trial.genome["model"] for trial in trials} - tried
    remark = "".join(line for line in said if line.startswith("could not be tried within 0.001 s a trial: "))
    assert all(model in remark for model in late)
    assert ("a usual model is fitted all the same" in remark) == (not tried)
    assert (found.ended, found.new_folds) == ("budget", 0)
    assert found.words.startswith("usual ")
    assert found.judged.held > 0.5


def test_groups_may_be_called_by_numbers_and_words(tmp_path: Path) -> None:
    rows = (f"{n * 7 % 31},{1000 + n % 9 if n % 9 else 'A12'},{'ab'[n * 7 % 31 > 15]}" for n in range(90))
    found = search(table(tmp_path, ["x,who,label", *rows]), tmp_path / "run", {"label": "label", "group": "who"})
    assert found.judged.held > 0.9


def test_a_target_ends_a_search(tmp_path: Path) -> None:
    found = search(table(tmp_path), tmp_path / "run", generations=50, target=0.6)
    assert found.ended == "target"
    lower = search(table(tmp_path), tmp_path / "low", generations=50, target=0.7, metric="neg_log_loss")
    assert lower.ended == "target"
    assert lower.judged.score < 0
    for metric, target in (("", 95.0), ("", float("nan")), ("neg_log_loss", float("inf"))):
        with pytest.raises(UsageError, match=f"--target {target:g} cannot be reached"):
            search(table(tmp_path), tmp_path / "none", target=target, metric=metric)
    assert not (tmp_path / "none").exists()


def test_labels_that_mean_nothing_are_not_predicted(tmp_path: Path) -> None:
    """Of many columns of noise some fit the folds by chance; new folds and the hold-out say chance."""
    rng = np.random.default_rng(1)
    names = ",".join(f"c{place}" for place in range(150))
    rows = [",".join([*(f"{value:.3f}" for value in rng.normal(size=150)), "ab"[k % 2]]) for k in range(150)]
    found = search(table(tmp_path, [f"{names},label", *rows]), tmp_path / "run", generations=3, population=6)
    assert abs(found.judged.held - 0.5) <= 2 * (0.25 / found.held_rows) ** 0.5
    trials = [trial.score for trial in lines(tmp_path / "run") if trial.rung]
    assert found.judged.score < max(trials) or max(trials) < 0.6


@pytest.mark.parametrize(
    ("content", "reading", "changes", "error", "said"),
    [
        (["x,label", *(f"{n * 7 % 31},same" for n in range(30))], {}, {}, DataError, "the same in all rows"),
        (["x,label", *(f"{n * 7 % 31},{'ab'[n % 2]}" for n in range(9))], {}, {}, DataError, "9 rows are too few"),
        (
            [*lines_of(90), "0.1,red,2024-01-10,y,more,other"],
            {},
            {"metric": "neg_log_loss"},
            DataError,
            "class 'other' has 1 row, and neg_log_loss needs each class in every fold",
        ),
        (None, {"label": "nope"}, {}, UsageError, "no column 'nope'"),
        (None, {"group": "nope"}, {}, UsageError, "no column 'nope' beside"),
        (None, {"group": "colour", "time": "seen"}, {}, UsageError, "give one of them"),
        (None, {"drop": ["sise"]}, {}, UsageError, "did you mean 'size'"),
        (None, {"positive": "smal"}, {}, UsageError, "no class 'smal'"),
        (None, {"positive": "1", "label": "size", "task": "values"}, {}, UsageError, "needs two classes, but numbers"),
        (None, {"kind": ("size=text",)}, {}, UsageError, "has numbers, and cannot be read as text"),
        (None, {"kind": ("size=txt",)}, {}, UsageError, "numbers, words, flags, dates, text"),
        (None, {}, {"metric": "r2"}, UsageError, "does not fit classes"),
        (None, {}, {"models": "svn"}, UsageError, "did you mean 'svm'"),
        (None, {}, {"folds": 97}, DataError, "fewer than 97 folds"),
        (None, {}, {"genome": "cots = 3.0"}, UsageError, "did you mean 'cost'"),
        (None, {}, {"genome": "cost ="}, UsageError, "the genome is not TOML"),
        (None, {}, {"generations": 0}, UsageError, "generations or a budget"),
        (
            ["x,t,label", *(f"{n * 7 % 31},{n if n % 4 else ''},{'ab'[n % 2]}" for n in range(60))],
            {"time": "t"},
            {},
            DataError,
            "line 2, column 't': is empty, but rows are ordered by this column",
        ),
        (
            ["x,t,label", *(f"{n * 7 % 31},{1 + n % 12:02}/{2000 + n},{'ab'[n % 2]}" for n in range(60))],
            {"time": "t"},
            {},
            DataError,
            "'01/2000' has no order in time",
        ),
        (
            ["x,p,label", *(f"{n * 7 % 31},p{n % 6},{'ab'[n % 6 > 2]}" for n in range(60))],
            {"group": "p"},
            {"metric": "roc_auc"},
            DataError,
            "roc_auc needs each class on both sides of every fold",
        ),
        (None, {}, {"kind": "classifier", "models": ""}, UsageError, "is for images, with search_images"),
        (None, {}, {"models": "network", "augmentation": "evolved"}, UsageError, "two populations need a choice"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, content: list[str] | None, reading: dict[str, Any], changes: dict[str, Any], error: type[Exception],
    said: str,
) -> None:  # fmt: skip
    """In one line, and no folder is left."""
    with pytest.raises(error) as raised:
        search(table(tmp_path, content), tmp_path / "run", {"label": "label"} | reading, **changes)
    assert said in one_line(raised.value)
    assert not (tmp_path / "run").exists()


def test_another_table_or_setting_is_another_search(tmp_path: Path) -> None:
    search(table(tmp_path), tmp_path / "run", generations=1)
    with pytest.raises(UsageError, match="with models = linear,svm, not linear"):
        search(table(tmp_path), tmp_path / "run", generations=2, models="linear")
    for reading in ({"label": "tagged"}, {"label": "label", "drop": ("size",)}):
        for generations in (1, 2):
            with pytest.raises(UsageError, match=r"holds a search with (label = label, not tagged|drop = none, not)"):
                search(table(tmp_path), tmp_path / "run", reading, generations=generations)
    with pytest.raises(UsageError, match="different data"):
        search(table(tmp_path, lines_of(90)), tmp_path / "run", generations=2)
    assert json.loads((tmp_path / "run/search.json").read_text("utf-8"))["ended"] == "generations"
