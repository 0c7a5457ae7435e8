"""Scripts of tables that pandas reads otherwise than this package does."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")
pytest.importorskip("pandas", reason="scripts need it")

from genreg_np.data.rows import read_rows
from genreg_np.infer import load
from genreg_np.search.tabular import space
from genreg_np.search.tabular.reading import Reading
from tests.search.test_tables import ran, search, table

FEW: dict[str, Any] = {"models": "linear", "population": 2, "generations": 1}
LONG = [f"free sulfur-dioxide of bottle {place}" for place in range(6)]


def x_of(row: int) -> int:
    return row * 7 % 31


def label_of(row: int) -> str:
    return "ab"[x_of(row) > 15]


ROWS = range(60)
LABEL = {"label": "label"}
TABLES: dict[str, tuple[list[str], dict[str, Any]]] = {
    "long names with blanks and hyphens": (
        [",".join([*LONG, "label"]), *(",".join([*(str(x_of(n + k)) for k in range(6)), label_of(n)]) for n in ROWS)],
        LABEL,
    ),
    "an index without a name": ([",x,label", *(f"{n * n},{x_of(n)},{label_of(n)}" for n in ROWS)], LABEL),
    "nothing between header and rows": (["x,label", "", *(f"{x_of(n)},{label_of(n)}" for n in ROWS)], LABEL),
    "a line that names the separator": (["sep=;", "x;label", *(f"{x_of(n)};{label_of(n)}" for n in ROWS)], LABEL),
    "a line that names the separator, and no header": (
        ["sep=;", "# by hand", *(f"{x_of(n)};{label_of(n)}" for n in ROWS)], {"label": "2", "header": False},
    ),
    "a comment that names a column of words": (
        ["#kind,x,label", *(f"k{n % 3},{x_of(n)},{label_of(n)}" for n in ROWS)], LABEL,
    ),
    "a header of two lines": (['"the\nx",label', *(f"{x_of(n)},{label_of(n)}" for n in ROWS)], LABEL),
    "a header that is a comment": (
        ["# made by hand", "# x,y", *(f"{x_of(n)},{int(x_of(n) > 15)}" for n in ROWS)], {"label": "y", "header": True},
    ),
    "blanks at the ends": (["x z label ", *(f"{x_of(n)}  {n % 7} {label_of(n)} " for n in ROWS)], LABEL),
    "years of two digits": (
        ["day,x,label", *(f"{1 + n % 12}/{13 + n % 9}/{68 + n % 5},{n % 7},{'ab'[n % 5 > 2]}" for n in ROWS)], LABEL,
    ),
    "times of unlike offsets": (
        ["at,label", *(f"2024-0{1 + n % 8}-11 10:00:00+0{1 + n % 2}:00,{'ab'[n % 8 > 3]}" for n in ROWS)], LABEL,
    ),
    "a label called prediction": (
        ["x,prediction", *(f"{x_of(n)},{label_of(n)}" for n in ROWS)], {"label": "prediction"},
    ),
    "classes of fractions and a word": (
        ["x,label", *(f"{x_of(n)},{('1.0', '2.0', 'other')[x_of(n) // 11]}" for n in ROWS)], LABEL,
    ),
    "classes that Python takes for numbers": (
        ["x,label", *(f"{x_of(n)},{('0_1', '1_0', '1_1')[x_of(n) // 11]}" for n in ROWS)], LABEL,
    ),
    "classes with leading zeros": (
        ["x,label", *(f"{x_of(n)},{('007', '7', '8')[x_of(n) // 11]}" for n in ROWS)], LABEL,
    ),
    "classes written in several ways": (
        ["x,label", *(f"{x_of(n)},{(('1', '1.0', '1e0')[n % 3], '2')[x_of(n) // 16]}" for n in ROWS)], LABEL,
    ),
    "flags written as numbers": (
        ["x,said,label", *(f"{n % 7},{('yes', '1.0', '1.', '1', 'no', '0.0')[n % 6]},{'ab'[n % 6 > 3]}" for n in ROWS)],
        LABEL,
    ),
    "a header that begins with a sign": (
        ["# from the web", "#,x,label", *(f"{n * n},{x_of(n)},{label_of(n)}" for n in ROWS)], LABEL | {"keep": ("#",)},
    ),
    "months in order": (
        ["month,x,label", *(f"{2000 + n // 12}-{1 + n % 12:02},{x_of(n)},{label_of(n)}" for n in reversed(ROWS))],
        {"label": "label", "time": "month"},
    ),
    "dates written in two ways": (
        ["day,label", *(f"{1 + n % 9}{(' Mar ', ' August ')[n % 2]}2024 9:0{n % 7},{'ab'[n % 2]}" for n in ROWS)],
        LABEL,
    ),
    "dates with a month that pandas has no format for": (
        ["day,label", *(f"{1 + n % 9} {('Sept', 'Oct')[n % 2]} 2024,{'ab'[n % 2]}" for n in ROWS)], LABEL,
    ),
    "flags written in many ways": (
        ["said,x,label", *(f"{('Yes', '+1', '1e0', 'no', '0.', '00')[n % 6]},{n % 7},{'ab'[n % 6 > 2]}" for n in ROWS)],
        LABEL,
    ),
    "dates by which rows are ordered": (
        ["at,x,label", *(f"{1 + n % 28}/{1 + n // 28}/2024 0{n % 9}:00:00.5,{x_of(n)},{label_of(n)}" for n in ROWS)],
        {"label": "label", "time": "at"},
    ),
    "stamps that float32 cannot tell apart": (
        ["at,x,label", *(f"{20240101000000 + n * 7 % 60},{x_of(n)},{label_of(n)}" for n in ROWS)],
        {"label": "label", "time": "at"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_they_measure_what_the_search_did_and_predict(tmp_path: Path, name: str) -> None:
    content, reading = TABLES[name]
    found = search(table(tmp_path, content), tmp_path / "run", reading, **FEW)
    script = tmp_path / "run" / "pipeline.py"
    assert ran(script).endswith(f"unseen rows: {found.judged.held:.4f}\n")
    ran(script, tmp_path / "t.csv", tmp_path / "p.csv")
    first, *others = rows_of(tmp_path / "p.csv")
    assert len({len(row) for row in (first, *others)}) == 1
    assert len(others) == len(ROWS) - (reading.get("header") is False)
    assert first[-1].startswith("predict") == (reading.get("header") is not False)


def rows_of(path: Path) -> list[list[str]]:
    """Return the fields of a table, whatever separates them."""
    return [fields for _, fields in read_rows(path)]


@pytest.mark.parametrize(
    "name",
    [
        "a line that names the separator", "blanks at the ends", "a label called prediction", "a header of two lines",
        "an index without a name", "a comment that names a column of words",
    ],
)  # fmt: skip
def test_predictions_are_a_table_that_can_be_predicted(tmp_path: Path, name: str) -> None:
    """The separator is that of the table."""
    content, reading = TABLES[name]
    search(table(tmp_path, content), tmp_path / "run", reading, **FEW)
    script = tmp_path / "run" / "pipeline.py"
    ran(script, tmp_path / "t.csv", tmp_path / "p.csv")
    ran(script, tmp_path / "p.csv", tmp_path / "again.csv")
    first, second = ([row[-1] for row in rows_of(tmp_path / file)[1:]] for file in ("p.csv", "again.csv"))
    assert first == second


def test_an_empty_field_between_blanks_is_kept(tmp_path: Path) -> None:
    content, reading = TABLES["blanks at the ends"]
    search(table(tmp_path, content), tmp_path / "run", reading, **FEW)
    new = table(tmp_path, ["x z", '"" 3', "20 4"], "new.csv")
    ran(tmp_path / "run" / "pipeline.py", new, tmp_path / "p.csv")
    assert [row[:2] for row in rows_of(tmp_path / "p.csv")] == [["x", "z"], ["", "3"], ["20", "4"]]


def test_comments_are_looked_for_not_counted(tmp_path: Path) -> None:
    """A table without them loses no rows."""
    rows = [f"{x_of(n)},{label_of(n)}" for n in ROWS]
    search(table(tmp_path, ["# one", "# two", *rows]), tmp_path / "run", {"label": "2", "header": False}, **FEW)
    new = table(tmp_path, rows[:9], "new.csv")
    assert ran(tmp_path / "run" / "pipeline.py", new, tmp_path / "p.csv").startswith("9 predictions")


def test_data_are_found_through_links(tmp_path: Path) -> None:
    """A folder elsewhere, to which a link leads, lies elsewhere."""
    (tmp_path / "disc" / "deep").mkdir(parents=True)
    (tmp_path / "runs").symlink_to(tmp_path / "disc" / "deep")
    content, reading = TABLES["an index without a name"]
    found = search(table(tmp_path, content), tmp_path / "runs" / "run", reading, **FEW)
    assert f"{found.judged.held:.4f}" in ran(tmp_path / "runs" / "run" / "pipeline.py")


def test_classes_are_those_of_the_search(tmp_path: Path) -> None:
    """Though two of them are one number."""
    content, reading = TABLES["classes with leading zeros"]
    search(table(tmp_path, content), tmp_path / "run", reading, **FEW)
    ran(tmp_path / "run" / "pipeline.py", tmp_path / "t.csv", tmp_path / "p.csv")
    rows = [line.split(",") for line in (tmp_path / "p.csv").read_text("utf-8").splitlines()[1:]]
    assert {row[2] for row in rows} == {"007", "7", "8"}
    assert sum(row[1] == row[2] for row in rows) > 50


def test_flags_written_as_numbers_are_read_as_they_were(tmp_path: Path) -> None:
    """The only column that tells the classes."""
    content, reading = TABLES["flags written as numbers"]
    search(table(tmp_path, content), tmp_path / "run", reading, **FEW)
    ran(tmp_path / "run" / "pipeline.py", tmp_path / "t.csv", tmp_path / "p.csv")
    rows = [line.split(",") for line in (tmp_path / "p.csv").read_text("utf-8").splitlines()[1:]]
    assert all(row[2] == row[3] for row in rows)


def test_advice_for_rare_classes_is_what_a_search_can_do(tmp_path: Path) -> None:
    path = table(tmp_path, ["x,label", *(f"{x_of(n)},{'ab'[n % 20 == 0]}" for n in ROWS)])
    rows, _ = Reading(path, label="label").read(0)
    assert any("metrics such as balanced_accuracy and f1_macro" in note for note in rows.notes)
    assert not any("--class-weight" in note for note in rows.notes)


def test_predictions_take_no_column_s_place_and_leave_the_others_as_they_were(tmp_path: Path) -> None:
    content = ["prediction,x,label", *(f"{n % 5}.50,{n * 7 % 31},{'ab'[n * 7 % 31 > 15]}" for n in range(80))]
    search(table(tmp_path, content), tmp_path / "run", generations=1)
    new = table(tmp_path, ["x, prediction", "30,NA", "1,  0.50"], "new.csv")
    ran(tmp_path / "run/pipeline.py", new, tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text().splitlines() == ["x,prediction,predicted", "30,NA,b", "1,0.50,a"]


def test_a_table_without_header_may_lack_the_label_wherever_it_stood(tmp_path: Path) -> None:
    content = [f"{'ab'[n * 7 % 31 > 15]},{n * 7 % 31},{'pq'[n % 2]}" for n in range(80)]
    search(table(tmp_path, content), tmp_path / "run", {"label": "1", "header": False}, generations=1)
    ran(tmp_path / "run/pipeline.py", table(tmp_path, ["30,p", "2,q"], "new.csv"), tmp_path / "p.csv")
    assert (tmp_path / "p.csv").read_text().splitlines() == ["30,p,b", "2,q,a"]


def test_a_network_knows_where_a_table_without_header_has_its_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a model that was trained on one."""
    monkeypatch.setitem(space.PLAIN, "generations", 300)
    content = [f"{label_of(n)},{x_of(n)},{'pq'[n % 2]},7" for n in ROWS]
    how = {"models": "network", "population": 1, "generations": 1, "selection": "random"}
    genome = "generations = 300\nunits = 8"
    found = search(table(tmp_path, content), tmp_path / "run", {"label": "1", "header": False}, genome=genome, **how)
    assert load(found.path).header["table"] == {"width": 4, "columns": [2, 3], "labels": [1]}


ODD = [
    "size,said,day,label",
    *(f"{x_of(n)}.5,{('yes', 'no')[n % 2]},{13 + n % 9}/0{1 + n % 8}/2024,{label_of(n)}" for n in ROWS),
]
CORRECT = ": correct it, or leave it empty if it is missing"
MISTAKES: dict[str, tuple[list[str], str]] = {
    "another separator": (
        ["size;said;day", "1;yes;13/01/2024"],
        ": no column 'size' in ['size;said;day'], separated by ',': rename one, or save with that separator",
    ),
    "a column too few": (
        ["size,day", "1,13/01/2024"],
        ": no column 'said' in ['size', 'day'], separated by ',': rename one, or save with that separator",
    ),
    "nothing": ([], ": No columns to parse from file: name a CSV file in UTF-8, separated by ','"),
    "a header alone": (["size,said,day"], ": no rows: add some below the names of the columns"),
    "too many fields": (
        ["size,said,day", "1,yes,13/01/2024,7"],
        ", data row 1: more fields than names of columns: remove some, or name all",
    ),
    "too many fields in a later row": (
        ["size,said,day", "1,yes,13/01/2024", "1,yes,13/01/2024,7"],
        ": Error tokenizing data. C error: Expected 3 fields in line 3, saw 4: name a CSV file in UTF-8, separated by "
        "','",
    ),
    "a word among numbers": (
        ["size,said,day", "1,yes,13/01/2024", "big,yes,13/01/2024"],
        f", data row 2, column 'size': 'big' is not a finite number{CORRECT}",
    ),
    "infinity": (
        ["size,said,day", "-inf,yes,13/01/2024"],
        f", data row 1, column 'size': '-inf' is not a finite number{CORRECT}",
    ),
    "neither yes nor no": (
        ["size,said,day", "1,maybe,13/01/2024"], f", data row 1, column 'said': 'maybe' is not yes or no{CORRECT}",
    ),
    "a number that is neither": (
        ["size,said,day", "1,2,13/01/2024"], f", data row 1, column 'said': '2' is not yes or no{CORRECT}",
    ),
    "no date": (
        ["size,said,day", "1,yes,32/01/2024"],
        f", data row 1, column 'day': '32/01/2024' is not a date like 31/12/2024{CORRECT}",
    ),
    "a date written in another way": (
        ["size,said,day", "1,yes,", "1,yes,2024-01-02"],
        f", data row 2, column 'day': '2024-01-02' is not a date like 31/12/2024{CORRECT}",
    ),
    "a date in another order": (
        ["size,said,day", "1,yes,01/13/2024"],
        f", data row 1, column 'day': '01/13/2024' is not a date like 31/12/2024{CORRECT}",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the script for a table with a column of numbers, one of flags, and one of dates."""
    folder = tmp_path_factory.mktemp("script")
    search(table(folder, ODD), folder / "run", **FEW)
    return folder / "run" / "pipeline.py"


def ends(monkeypatch: pytest.MonkeyPatch, script: Path, *arguments: object) -> str:
    """Run a script that ends with a message, and so with exit status 1; return the message."""
    monkeypatch.setattr(sys, "argv", [str(script), *map(str, arguments)])
    with pytest.raises(SystemExit) as raised:
        runpy.run_path(str(script), run_name="__main__")
    assert isinstance(raised.value.code, str)
    assert "\n" not in raised.value.code
    return raised.value.code


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_a_table_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Path, name: str
) -> None:
    content, said = MISTAKES[name]
    new = tmp_path / "new.csv"
    new.write_text("".join(f"{line}\n" for line in content), "utf-8")
    assert ends(monkeypatch, script, new, tmp_path / "p.csv") == f"{new}{said}"
    assert not (tmp_path / "p.csv").exists()


def test_a_mistake_on_the_command_line_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Path) -> None:
    assert "No such file" in ends(monkeypatch, script, tmp_path / "none.csv")
    assert ends(monkeypatch, script, tmp_path) == (
        f"{tmp_path}: Is a directory: name a CSV file in UTF-8, separated by ','"
    )
    new = table(tmp_path, ODD[:5], "new.csv")
    assert ends(monkeypatch, script, new, tmp_path) == f"{tmp_path}: Is a directory: name another file"
    assert ends(monkeypatch, script, new, tmp_path / "none" / "p.csv").endswith(": name another file")
    assert ends(monkeypatch, script, "a", "b", "c") == "usage: python pipeline.py [NEW.csv [PREDICTIONS.csv]]"


def test_what_is_read_is_not_overwritten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: Path) -> None:
    """Not the new table, the one to learn from or the script, under any name."""
    new, data = table(tmp_path, ODD[:5], "new.csv"), script.parent.parent / "t.csv"
    (tmp_path / "soft").symlink_to(data)
    (tmp_path / "hard").hardlink_to(new)
    for out in (new, data, script, tmp_path / "soft", tmp_path / "hard"):
        before = Path(out).read_bytes()
        said = ends(monkeypatch, script, new, out)
        assert said == f"{out}: is read here, and would be lost: name another file"
        assert Path(out).read_bytes() == before


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_is_how_to_call_it(script: Path, option: str) -> None:
    said = ran(script, option)
    assert "    python pipeline.py NEW.csv PREDICTIONS.csv    fit to all rows" in said


def test_one_row_is_one_prediction_and_what_it_lacks_is_missing(tmp_path: Path, script: Path) -> None:
    new = table(tmp_path, ["size,said,day", "1,yes"], "new.csv")
    assert ran(script, new, tmp_path / "p.csv") == f"1 prediction in {tmp_path / 'p.csv'}\n"


def test_years_of_two_digits_are_read_where_there_were_none(tmp_path: Path, script: Path) -> None:
    """As a model reads them."""
    for name, day in (("long", "14/3/2021"), ("short", "14/3/21")):
        new = table(tmp_path, ["size,said,day", f"15,no,{day}"], f"{name}.csv")
        ran(script, new, tmp_path / f"{name}-p.csv")
    long, short = (rows_of(tmp_path / f"{name}-p.csv")[1][-1] for name in ("long", "short"))
    assert long == short


def test_a_label_that_the_search_did_not_see_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The row is counted in the file, though a row without a label comes before it."""
    path = table(tmp_path, ["x,label", "3,", *(f"{x_of(n)},{label_of(n)}" for n in ROWS)])
    search(path, tmp_path / "run", **FEW)
    table(tmp_path, ["x,label", "3,", "4,c", *(f"{x_of(n)},{label_of(n)}" for n in ROWS)])
    said = ends(monkeypatch, tmp_path / "run" / "pipeline.py")
    assert f", data row 2, column 'label': 'c' is not one of CLASSES{CORRECT}" in said


def test_a_table_without_header_has_as_many_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"{x_of(n)},{n % 5},{label_of(n)}" for n in ROWS]
    search(table(tmp_path, rows), tmp_path / "run", {"label": "3", "header": False}, **FEW)
    new = table(tmp_path, ["1;2"], "new.csv")
    said = ends(monkeypatch, tmp_path / "run" / "pipeline.py", new)
    number = "the number of fields, separated by ',', is 1"
    assert said == f"{new}, data row 1: {number}: write ['1', '2', '3']; '3' may be left out"
