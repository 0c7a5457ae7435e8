"""Tables: commands that are suggested work, and messages name the way out."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest

from tests.cli import one_line

QUICK = ("--strategy", "gradient", "--generations", 3)


def penguins(header: str = "species,island,bill,code,share\n", rows: int = 120) -> str:
    """Return a table of three species, of which the first column is the label."""
    lines = [
        f"{('Adelie', 'Chinstrap', 'Gentoo')[k % 3]},{('Dream', 'Biscoe')[k // 3 % 2]},{40 + k % 3 * 5 + k % 7 / 10},"
        f"{k * 7 % 4},{1 + k % 2}\n"
        for k in range(rows)
    ]
    return header + "".join(lines)


@pytest.mark.parametrize(
    "options",
    [
        ("--label", "species"),
        ("--label", "species", "--kind", "code=words", "--weight", "share", "--keep", "bill", "--drop", "island"),
        ("--label", "species", "--task", "classes", "--separator", "comma", "--header"),
        ("--label", "bill", "--label", "share"),
        ("--no-header", "--label", "1", "--kind", "4=words", "--drop", "2"),
    ],
)
def test_the_command_to_try_next_works(genreg, options: tuple[str, ...]) -> None:
    """Whatever train was told about columns, which eval refuses."""
    Path("my penguins.csv").write_text(penguins("" if "--no-header" in options else "species,island,bill,code,share\n"))
    done = genreg("train", "--dataset", "my penguins.csv", *options, *QUICK, "--out", "run")
    assert done.code == 0, done.err
    words = shlex.split(done.out.splitlines()[-1])
    assert words[:2] == ["genreg-np", "eval"]
    tried = genreg(*words[1:])
    assert tried.code == 0, tried.err


def test_eval_measures_by_the_models_own_label_without_a_header(genreg) -> None:
    """And not by the last column."""
    Path("bare.csv").write_text(penguins(""))
    assert genreg("train", "--dataset", "bare.csv", "--no-header", "--label", 1, *QUICK, "--out", "run").code == 0
    for options in ((), ("--no-header",)):
        done = genreg("eval", "run/model.npz", "--dataset", "bare.csv", *options)
        assert done.code == 0, done.err
        assert "label column '1'" in done.out


def test_infer_tells_a_table_without_a_header_from_one_with_other_names(genreg) -> None:
    Path("d.csv").write_text(penguins())
    assert genreg("train", "--dataset", "d.csv", "--label", "species", *QUICK, "--out", "run").code == 0
    Path("bare.csv").write_text(penguins("", 9))
    told = one_line(genreg("infer", "run/model.npz", "bare.csv"), 1)
    assert "bare.csv: the first row (Adelie, Dream, 40.0, 0, 1) has values, not the names" in told
    assert "remove its other columns, such as the label's, and pass --no-header" in told
    told = one_line(genreg("infer", "run/model.npz", "bare.csv", "--no-header"), 2)
    assert "5 columns without names" in told
    assert "such as the label's" in told
    Path("other.csv").write_text(penguins("a,b,c,d,e\n", 9))
    assert "lacks 'island', 'bill', 'code', 'share'" in one_line(genreg("infer", "run/model.npz", "other.csv"), 2)


def test_a_row_of_words_that_the_model_knows_is_no_header(genreg) -> None:
    """Also one that lacks all numbers; and so is one with the name of a class."""
    Path("d.csv").write_text(penguins())
    assert genreg("train", "--dataset", "d.csv", "--label", "species", *QUICK, "--out", "run").code == 0
    for row in ("?,Dream,,,", "Adelie,,,,"):
        Path("row.csv").write_text(row + "\n")
        told = one_line(genreg("infer", "run/model.npz", "row.csv"), 1)
        assert "has values, not the names of the model's columns" in told
        assert told.rstrip().endswith("and pass --no-header")
    Path("row.csv").write_text("Dream,,\n")
    assert one_line(genreg("infer", "run/model.npz", "row.csv"), 1).rstrip().endswith("give the table a header")


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ("", ",,,\n"),
        ("", ",,,\n,,,\n"),
        ("", ",,,\nDream,40,1,1\n"),
        ("island,bill,code,share\n", ",,,\n"),
        ("# island,bill,code,share\n", ",,,\n"),
        ("# island,bill,code,share\n", ",,,\nDream,40,1,1\n"),
        ("\n", ",,,\n\n,,,\n"),
    ],
)
def test_rows_whose_fields_are_all_empty_are_predicted(genreg, head: str, rows: str) -> None:
    """With a header, a comment that names the columns, or neither; empty lines are no rows."""
    Path("d.csv").write_text(penguins())
    assert genreg("train", "--dataset", "d.csv", "--label", "species", *QUICK, "--out", "run").code == 0
    Path("new.csv").write_text(head + rows)
    for options in ((), ("--header",)) if head.strip() else ((), ("--no-header",)):
        done = genreg("infer", "run/model.npz", "new.csv", *options)
        assert done.code == 0, done.err
        assert len(done.out.splitlines()) == len(rows.split())
    if not head.strip() and "Dream" not in rows:
        assert "the file is empty" in one_line(genreg("infer", "run/model.npz", "new.csv", "--header"), 1)


def test_a_table_on_stdin_is_pointed_to_a_file(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named - or not at all."""
    Path("d.csv").write_text(penguins())
    assert genreg("train", "--dataset", "d.csv", "--label", "species", *QUICK, "--out", "run").code == 0
    for paths in ((), ("-",)):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(penguins().encode())))
        told = one_line(genreg("infer", "run/model.npz", *paths), 1)
        assert "stdin: is no array (.npy)" in told
        assert "tables are read from files that end in .csv" in told


def test_one_row_is_one_row(genreg) -> None:
    Path("d.csv").write_text("x,y,label\n" + "".join(f"{k % 7},{k * k % 11},{'ab'[k % 2]}\n" for k in range(60)))
    Path("narrow.csv").write_text("x,label\n" + "".join(f"{k % 7},{'ab'[k % 2]}\n" for k in range(60)))
    assert "60 rows, 1 column beside 'label'" in genreg("data", "show", "narrow.csv").out
    assert genreg("train", "--dataset", "d.csv", *QUICK, "--out", "run").code == 0
    Path("one.csv").write_text("x,y,label\n1,2,a\n")
    assert "1 row predicted: p.csv" in genreg("infer", "run/model.npz", "one.csv", "--out", "p.csv").out
    assert "all rows, 1 input:" in genreg("eval", "run/model.npz", "--dataset", "one.csv").out


def test_show_tells_large_numbers_apart(genreg) -> None:
    rows = "".join(f"{1_700_000_000 + k * k},{'ab'[k % 2]}\n" for k in range(20))
    Path("d.csv").write_text("t,label\n" + rows)
    assert "1700000000 to 1700000361" in genreg("data", "show", "d.csv").out
    Path("e.csv").write_text("x,t\n" + "".join(f"{k % 7},{10_000_000 + k * k}\n" for k in range(40)))
    assert "numbers to predict, 10000000 to 10001521" in genreg("data", "show", "e.csv", "--task", "values").out


def test_show_puts_words_with_commas_in_quotes(genreg) -> None:
    rows = "".join(f'"{("Bonn", "New York, NY")[k % 2]}",{k % 3},"{("a, b", "c")[k % 2]}"\n' for k in range(40))
    Path("d.csv").write_text("city,x,label\n" + rows)
    out = genreg("data", "show", "d.csv").out
    assert 'words    Bonn, "New York, NY"' in out
    assert 'classes: "a, b" 20, c 20' in out


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--keep", "note"), 2, "column 'note': no word recurs, so nothing can be learned from it: leave it out, or"),
        (("--kind", "note=words"), 2, "use genreg-np search table with --kind 'note'=text"),
        (("--kind", "note=text"), 2, "(text is for genreg-np search table)"),
        (("--drop", "x"), 1, "(--keep keeps one)); genreg-np search table reads free text, with --kind COLUMN=text"),
        (("--kind", "label=words"), 2, "--task classes or values says what a label is"),
    ],
)
def test_free_text_is_pointed_to_the_search_that_reads_it(
    genreg, options: tuple[str, ...], code: int, words: str
) -> None:
    rows = "".join(f"a good thing number {k},{k % 7},{'ab'[k % 2]}\n" for k in range(80))
    Path("d.csv").write_text("note,x,label\n" + rows)
    assert words in one_line(genreg("train", "--dataset", "d.csv", *options, "--out", "run"), code)
    assert not Path("run").exists()
