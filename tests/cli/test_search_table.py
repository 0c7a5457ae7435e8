"""`genreg-np search table`: what is printed, what goes on, and one clear line for every misuse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")

from genreg_np.errors import RunError
from tests.cli import one_line
from tests.search.test_pipelines import lines_of

SMALL = ("--models", "linear,svm", "--folds", "2", "--population", "3", "--engine", "serial")


@pytest.fixture(autouse=True)
def _table(_in_empty_folder: None) -> None:
    Path("flowers.csv").write_text("\n".join(lines_of(80)) + "\n", "utf-8")


def test_a_pipeline_is_searched_told_and_explained(genreg) -> None:
    """With an interval, beside what is usual; and the second time from its record."""
    done = genreg("search", "table", "flowers.csv", *SMALL, "--generations", "2")
    assert done.code == 0, done.err
    folder = Path("runs/flowers-table-steady-0")
    assert "text: 'note'" in done.out
    assert "accuracy, 16 rows held out: 0." in done.out
    assert ", 95 % interval " in done.out
    for name in ("winner", "usual linear", "usual svm", "no model"):
        assert f"\n  {name} " in done.out
    assert "against random search: too few to say (" in done.out
    assert f"script {folder / 'pipeline.py'}" in done.out
    assert f"  python {folder / 'pipeline.py'} NEW.csv predictions.csv\n" in done.out
    again = genreg("search", "table", "flowers.csv", *SMALL, "--generations", "2", "--out", folder)
    assert again.out.split("ended by")[1] == done.out.split("ended by")[1]
    told = genreg("search", "explain", folder)
    assert told.code == 0, told.err
    assert "weights" not in told.out
    assert " folds, " in told.out
    assert "[features]" in told.out


def test_numbers_are_told_as_their_users_know_them(genreg) -> None:
    """Errors without the sign that makes more the better."""
    Path("prices.csv").write_text("\n".join(lines_of(60, classes=False)) + "\n", "utf-8")
    metric = ("--metric", "neg_mean_absolute_error")
    done = genreg("search", "table", "prices.csv", *SMALL, "--generations", "1", *metric)
    assert done.code == 0, done.err
    assert "\nmean absolute error, 12 rows held out: 0." in done.out
    assert "-0." not in done.out


def test_json_and_a_search_that_goes_on(genreg) -> None:
    """A search by generations goes on by its folder alone."""
    done = genreg("search", "table", "flowers.csv", *SMALL, "--generations", "1", "--out", "run", "--json")
    first = json.loads(done.out)
    assert first["metric"] == "accuracy"
    assert first["against_random"]["verdict"] == "too few to say"
    assert first["gap"] == pytest.approx(first["score"] - first["test_score"])
    assert set(first["beside"]) == {"usual linear", "usual svm", "usual together", "no model"}
    more = genreg("search", "table", "--resume", "run", "--generations", "2", "--engine", "serial", "--json")
    assert more.code == 0, more.err
    second = json.loads(more.out)
    assert second["trials"] > first["trials"]
    assert second["test_rows"] == first["test_rows"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ((), 2, "which table?"),
        (("nowhere.csv",), 1, "no such file"),
        (("flowers.csv", "--label", "labl"), 2, "did you mean 'label'"),
        (("flowers.csv", "--models", "svmm"), 2, "did you mean 'svm'"),
        (("flowers.csv", "--models", ""), 2, "--models is empty"),
        (("flowers.csv", "--models", ","), 2, "--models: ',' names no model"),
        (("flowers.csv", "--metric", ""), 2, "--metric is empty"),
        (("flowers.csv", "--metric", "f2"), 2, "unknown metric 'f2'"),
        (("flowers.csv", "--budget", "60s", "--generations", "2"), 2, "cannot be combined"),
        (("flowers.csv", "--selection", "stedy"), 2, "steady"),
        (("flowers.csv", "--group-column", "a", "--time-column", "b"), 2, "give one of them"),
        (("--resume", "nowhere"), 1, "holds no search"),
        (("--resume", "run", "--label", "x"), 2, "has its own --label"),
    ],
)
def test_misuse_is_one_line(genreg, arguments: tuple[str, ...], code: int, said: str) -> None:
    assert said in one_line(genreg("search", "table", *arguments), code)
    assert not Path("runs").exists() or not list(Path("runs").glob("*/trials.jsonl"))


def test_a_folder_of_a_training_run_is_refused(genreg) -> None:
    """Before data are read, which are not there; and when it is to be resumed."""
    assert (
        genreg("train", "--dataset", "flowers.csv", "--label", "label", "--generations", "1", "--out", "run").code == 0
    )
    said = "run: holds a training run, not a search: choose another folder"
    assert said in one_line(genreg("search", "table", "nowhere.csv", "--out", "run"), 2)
    assert said in one_line(genreg("search", "images", "nowhere", "--out", "run"), 2)
    assert said in one_line(genreg("search", "table", "--resume", "run", "--budget", "1s"), 2)


def test_a_table_of_one_row_is_that(genreg) -> None:
    Path("one.csv").write_text("\n".join(lines_of(1)) + "\n", "utf-8")
    said = one_line(genreg("search", "table", "one.csv", "--label", "label", "--generations", "1", "--out", "run"), 1)
    assert "one.csv: a single row, from which nothing can be learned" in said


def test_a_page_of_it(genreg) -> None:
    """When it ends and later, with what was measured of the winner; one that goes on, or beside others, has none."""
    pytest.importorskip("matplotlib", reason="pages have figures")
    asked = (*SMALL, "--generations", "1", "--out", "run", "--report", "--json")
    told = genreg("search", "table", "flowers.csv", *asked)
    assert told.code == 0, told.err
    assert json.loads(told.out)["report"] == "run/report.html"
    page = Path("run/report.html").read_text("utf-8")
    for said in (
        "held out",
        "usual linear",
        "no model",
        "Columns that matter",
        "Rows held out",
        "more folds for judging",
    ):
        assert said in page, said
    assert genreg("report", "run", "--out", "again").code == 0
    assert Path("again/report.html").read_text("utf-8") == page
    assert "needs no data" in one_line(genreg("report", "run", "--dataset", "flowers.csv"), 2)
    assert "a page of its own" in one_line(genreg("report", "run", "--compare", "run", "--out", "both"), 2)
    notes = json.loads(Path("run/search.json").read_text("utf-8"))
    for broken, message in (
        ({**notes, "found": {}}, "is damaged"),
        ({**notes, "measured": None}, "is damaged"),
        ({**notes, "measured": {"confusion": {"9 9": 1}}}, "is damaged"),
        ({**notes, "measured": {"confusion": {"-1 0": 1}}}, "is damaged"),
        ({**notes, "measured": {"confusion": {"0 0": float("nan")}}}, "is damaged"),
        ({**notes, "measured": {"importance": {"size": 1}, "spread of importance": {}}}, "is damaged"),
        ({**notes, "class_names": 3}, "is damaged"),
        ({**notes, "found": {**notes["found"], "held_rows": "30"}}, "is damaged"),
        ({**notes, "found": {**notes["found"], "held_rows": 0}}, "is damaged"),
        ({**notes, "found": {**notes["found"], "metric": 5}}, "is damaged"),
        ({**notes, "found": {**notes["found"], "judged": {"name": "winner", "score": "abc"}}}, "is damaged"),
        ({name: value for name, value in notes.items() if name != "found"}, "has not ended"),
    ):
        Path("run/search.json").write_text(json.dumps(broken), "utf-8")
        assert message in one_line(genreg("report", "run"), 1)
    Path("run/search.json").write_text(json.dumps({**notes, "measured": {}}), "utf-8")
    assert genreg("report", "run").code == 0
    assert "was not measured" in Path("run/report.html").read_text("utf-8")


def test_a_page_that_cannot_be_made_takes_nothing_with_it(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(folder: Path) -> Path:
        raise RunError(f"{folder}: cannot be written (No space left on device)")

    monkeypatch.setattr("genreg_np.cli.report_.of_own_table", fails)
    told = genreg("search", "table", "flowers.csv", *SMALL, "--generations", "1", "--out", "run", "--report", "--json")
    assert told.code == 1
    assert "No space left" in told.err.splitlines()[-1]
    assert json.loads(told.out)["report"] is None


@pytest.mark.usefixtures("undrawn")
def test_a_page_of_numbers(genreg) -> None:
    """What is predicted, beside what is so."""
    lines = ["x,y", *(f"{k * k % 61},{3 * (k * k % 61) + k % 5}" for k in range(60))]
    Path("lines.csv").write_text("\n".join(lines) + "\n", "utf-8")
    asked = (*SMALL, "--generations", "1", "--out", "run", "--report", "--quiet")
    assert genreg("search", "table", "lines.csv", "--task", "values", *asked).code == 0
    measured = json.loads(Path("run/search.json").read_text("utf-8"))["measured"]
    assert measured["wanted"].keys() == measured["predicted"].keys()
    assert measured["importance"]["x"] > 0.5
    assert "R2 is" in Path("run/report.html").read_text("utf-8")
