"""Tables from a raw file to predictions: what columns are, training, rows that are predicted, and what is measured."""

from __future__ import annotations

import csv
import gzip
import json
import random
import re
from pathlib import Path

import numpy as np
import pytest

from genreg_np.model import load
from tests.cli import FAST, one_line

HEADER = ["", "island", "bill length", "sex", "caught", "ringed", "species"]


def penguins(count: int = 150, seed: int = 0) -> list[list[str]]:
    """Return rows with words, missing values, dates, yes and no, and a column that counts them."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        species = draw.choice(["Adelie", "Gentoo", "Chinstrap"])
        middle = {"Adelie": 38, "Gentoo": 47, "Chinstrap": 57}[species]
        bill = "NA" if draw.random() < 0.05 else f"{draw.gauss(middle, 2):.1f}"
        island = "Dream" if species == "Chinstrap" else draw.choice(["Biscoe", "Dream"])
        day = f"2007-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        row = [
            str(number + 1),
            island,
            bill,
            draw.choice(["male", "female", ""]),
            day,
            draw.choice(["yes", "no"]),
            species,
        ]
        rows.append(row)
    return rows


def write(path: str, rows: list[list[str]], header: list[str] | None = HEADER) -> str:
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(([header] if header else []) + rows)
    return path


@pytest.fixture
def penguin_model(genreg) -> str:
    """A model trained on such rows."""
    write("penguins.csv", penguins())
    done = genreg("train", "--dataset", "penguins.csv", "--strategy", "gradient", "--generations", 150, "--out", "run")
    assert done.code == 0
    assert "left out: 'column 1' (counts the rows)" in done.out
    assert "95 % interval" in done.out
    return "run/model.npz"


def test_show_says_what_columns_are(genreg) -> None:
    write("penguins.csv", penguins())
    out = genreg("data", "show", "penguins.csv", "--label", "species").out
    for words in (
        "left out: counts the rows",
        "words    Biscoe, Dream",
        "numbers",
        "dates    year-month-day, such as 2007-",
        "flags",
    ):
        assert words in out
    assert "missing" in out
    assert "species: 3 classes: " in out
    out = genreg(
        "data", "show", "penguins.csv", "--label", "bill length", "--drop", "caught", "--kind", "ringed=words"
    ).out
    assert "bill length: numbers to predict" in out
    assert "left out: dropped" in out
    assert "words    no, yes" in out


def test_rows_are_predicted_by_name_with_all_that_came_along(genreg, penguin_model: str) -> None:
    """Columns in another order, more of them, no labels: to a file, to the terminal, as JSON."""
    rows = penguins(40, seed=1)
    turned = [[row[6], "x", *reversed(row[1:6])] for row in rows]
    write("new.csv", turned, ["truth", "extra", *reversed(HEADER[1:6])])
    assert genreg("infer", penguin_model, "new.csv", "--out", "p.csv", "--top", 2).code == 0
    with open("p.csv", newline="", encoding="utf-8") as file:
        header, *found = csv.reader(file)
    assert header == [
        "truth", "extra", *reversed(HEADER[1:6]), "prediction", "probability", "class 2", "probability 2",
    ]  # fmt: skip
    assert [row[:7] for row in found] == turned
    assert np.mean([row[0] == row[7] for row in found]) > 0.8
    told = json.loads(genreg("infer", penguin_model, "new.csv", "--json").out)
    assert [one["row"] for one in told] == list(range(1, 41))
    assert [one["class"] for one in told] == [row[7] for row in found]
    lines = genreg("infer", penguin_model, "new.csv").out.splitlines()
    assert lines[0].startswith(f"row 1  {found[0][7]} ")
    assert len(lines) == 40


def test_a_compressed_table_and_tabs_are_read(genreg, penguin_model: str) -> None:
    text = Path("penguins.csv").read_text().replace(",", "\t")
    with gzip.open("penguins.tsv.gz", "wt") as file:
        file.write(text)
    assert genreg("infer", penguin_model, "penguins.tsv.gz", "--out", "p.tsv").code == 0
    assert Path("p.tsv").read_text().splitlines()[1].count("\t") == 8
    Path("cut.csv.gz").write_bytes(Path("penguins.tsv.gz").read_bytes()[:200])
    assert "damaged or cut short" in one_line(genreg("infer", penguin_model, "cut.csv.gz"), 1)


def test_new_data_are_measured_whole_and_the_training_file_by_its_test_split(genreg, penguin_model: str) -> None:
    known = genreg("eval", penguin_model)
    assert known.code == 2  # a file is named
    known = genreg("eval", penguin_model, "--dataset", "penguins.csv").out
    assert "measured on" in known
    assert ", test split, " in known
    write("new.csv", [row for row in penguins(60, seed=2) if row[6] != "Gentoo"])  # of a class there is none
    found = json.loads(genreg("eval", penguin_model, "--dataset", "new.csv", "--json").out)
    assert found["split"] == "all"
    assert found["per_class"]["Gentoo"] is None
    assert found["measures"]["roc-auc"] > 0.9
    assert set(found["measures"]) >= {"balanced-accuracy", "f1", "log-loss", "majority"}
    assert found["interval"][0] < found["accuracy"] <= found["interval"][1]


def test_numbers_are_trained_predicted_and_measured(genreg) -> None:
    rows = [[*row[1:3], f"{30 + 2 * float(row[2]):.1f}"] for row in penguins() if row[2] != "NA"]
    write("mass.csv", rows, ["island", "bill", "mass"])
    run = ("--strategy", "gradient", "--generations", 300, "--out", "run", "--json")
    told = json.loads(genreg("train", "--dataset", "mass.csv", *run).out.splitlines()[-1])
    assert told["metric"] == "r2"
    assert told["test_score"] > 0.8
    assert "test_accuracy" not in told
    assert "predicts     mass" in genreg("info", "run/model.npz").out
    found = json.loads(genreg("infer", "run/model.npz", "mass.csv", "--json").out)
    assert np.corrcoef([one["value"] for one in found], [float(row[2]) for row in rows])[0, 1] > 0.9
    write("new.csv", rows[:50], ["island", "bill", "mass"])
    measured = json.loads(genreg("eval", "run/model.npz", "--dataset", "new.csv", "--json").out)
    assert measured["values"]["mass"]["rmse"] < measured["values"]["mass"]["mean_rmse"]
    assert "R2" in genreg("eval", "run/model.npz", "--dataset", "new.csv").out
    told = one_line(genreg("infer", "run/model.npz", "new.csv", "--top", 2), 2)
    assert "--top 2 is for models with classes, and this one gives values" in told
    assert genreg("export", "run/model.npz", "--to", "c", "--out", "c").code == 0
    assert re.search(r" \* Output +1 output\n", Path("c/model.h").read_text())


def test_several_targets(genreg) -> None:
    rows = [[str(k % 7), str(k * 3 % 11), str(k % 7 * 2.5), str(k * 3 % 11 - k % 7)] for k in range(120)]
    write("two.csv", rows, ["a", "b", "sum", "difference"])
    labels = ("--label", "sum", "--label", "difference")
    assert (
        genreg(
            "train", "--dataset", "two.csv", *labels, "--strategy", "gradient", "--generations", 50, "--out", "r"
        ).code
        == 0
    )
    assert load("r/model.npz").value_names == ("sum", "difference")
    assert genreg("infer", "r/model.npz", "two.csv", "--out", "p.csv").code == 0
    assert Path("p.csv").read_text().splitlines()[0].endswith("prediction of sum,prediction of difference")
    assert genreg("train", "--resume", "r", "--generations", 60, "--extend").code == 0


def test_a_comment_that_names_columns_is_a_header_here_too(genreg) -> None:
    """As numpy.savetxt writes it, and train reads it; columns may stand in another order."""
    rows = [[f"{k % 5}", f"{k * 7 % 13}", "ab"[k % 2]] for k in range(60)]
    write("d.csv", rows, ["# p", "q", "label"])
    assert genreg("train", "--dataset", "d.csv", *FAST, "--out", "r", "--quiet").code == 0
    assert load("r/model.npz").feature_names == ("p", "q")
    write("n.csv", [[row[1], row[0]] for row in rows], ["# q", "p"])
    found = [genreg("infer", "r/model.npz", name).out for name in ("d.csv", "n.csv")]
    assert found[0] == found[1] != ""


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("infer", "MODEL", "penguins.csv", "--out", "penguins.csv"), "is the input table"),
        (("infer", "MODEL", "penguins.csv", "--out", "p.parquet"), "name a file that ends in"),
        (("eval", "MODEL", "--dataset", "penguins.csv", "--drop", "sex"), "--drop is for training"),
        (("eval", "MODEL", "--dataset", "bare.csv"), "no row has a label in column 'species'"),
    ],
)
def test_what_cannot_be_meant_is_refused(genreg, penguin_model: str, command: tuple[str, ...], words: str) -> None:
    """In one line, and nothing is written."""
    write("bare.csv", [[*row[:-1], ""] for row in penguins(20)])
    before = Path("penguins.csv").read_text()
    done = genreg(*(penguin_model if part == "MODEL" else part for part in command))
    assert done.code in (1, 2)
    assert words in one_line(done, done.code)
    assert Path("penguins.csv").read_text() == before


def test_words_that_no_model_knows_are_told_of(genreg, penguin_model: str) -> None:
    """Where a column has no other; a few are usual."""
    rows = [["1", "Elsewhere", "40", "male", "2007-01-01", "yes"]] * 2
    write("far.csv", rows, HEADER[:6])
    assert "the model knows no words of column 'island'" in genreg("infer", penguin_model, "far.csv").err
    write("near.csv", [*rows, ["1", "Dream", "40", "male", "2007-01-01", "yes"]], HEADER[:6])
    assert genreg("infer", penguin_model, "near.csv").err == ""


def test_a_model_of_large_numbers_as_words_knows_its_own_file(genreg) -> None:
    """Thousands of different ones, of which few recur."""
    rows = [[f"{10000 + (k if k % 3 else k % 6)}", f"{k % 5}", "ab"[k % 2]] for k in range(9000)]
    write("zip.csv", rows, ["zip", "x", "label"])
    options = ("--kind", "zip=words", "--strategy", "gradient", "--generations", 5, "--out", "r", "--quiet")
    assert genreg("train", "--dataset", "zip.csv", *options).code == 0
    assert genreg("eval", "r/model.npz", "--dataset", "zip.csv").code == 0


def test_a_model_without_names_takes_rows_as_they_stand(genreg) -> None:
    rows = [[f"{k % 5}", f"{k * 7 % 13}", "ab"[k % 2]] for k in range(60)]
    write("bare.csv", rows, None)
    assert genreg("train", "--dataset", "bare.csv", *FAST, "--out", "r", "--quiet").code == 0
    write("new.csv", [row[:2] for row in rows], None)
    assert len(genreg("infer", "r/model.npz", "new.csv").out.splitlines()) == 60
    write("gaps.csv", [["1", ""], ["", "2"]], None)
    done = genreg("infer", "r/model.npz", "gaps.csv")
    assert done.code == 0
    assert "2 missing values were filled in" in done.err


@pytest.mark.parametrize(
    ("rows", "header", "words"),
    [
        (
            [["1", "Dream", "long", "male", "2007-01-01", "yes"]],
            HEADER[:6],
            "line 2, column 'bill length': 'long' is not",
        ),
        ([["1", "Dream", "30", "male", "new year", "yes"]], HEADER[:6], "column 'caught': 'new year' is not a date"),
        ([["1", "Dream", "30", "male", "2007-01-01", "maybe"]], HEADER[:6], "'maybe' is not yes or no"),
        ([["1", "Dream"]], ["", "island"], "lacks 'bill length', 'sex', 'caught', 'ringed'"),
        ([["1", "Dream", "30", "male", "2007-01-01", "yes"], ["2"]], HEADER[:6], "line 3: 1 fields, but 6"),
        ([], None, "empty"),
        ([], HEADER[:6], "a header, but no rows to predict"),
        (
            [["1", "Dream", "30", "30", "male", "2007-01-01", "yes"]],
            [*HEADER[:3], *HEADER[2:6]],
            "two columns are called 'bill length'",
        ),
    ],
)
def test_rows_that_cannot_be_have_their_line(
    genreg, penguin_model: str, rows: list[list[str]], header: list[str] | None, words: str
) -> None:
    """And nothing is left of a table that is not whole."""
    write("bad.csv", rows, header)
    done = genreg("infer", penguin_model, "bad.csv", "--out", "p.csv")
    assert done.code in (1, 2)
    assert words in done.err
    assert not list(Path().glob("*p.csv*"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--label", "specis"), "did you mean 'species'"),
        (("--label", "species", "--drop", "islnd"), "did you mean 'island'"),
        (("--label", "species", "--kind", "island=colour"), "must look like COLUMN=KIND"),
        (("--label", "species", "--keep", "sex", "--drop", "sex"), "cannot be both kept and dropped"),
        (("--label", "species", "--task", "values"), "is not a number to predict"),
        (("--label", "species", "--weight", "sex"), "a weight must be a number"),
        (("--label", "species", "--kind", "bill length=dates"), "not all are dates of one format"),
        (("--label", "species", "--label", "species"), "named twice"),
    ],
)
def test_options_that_do_not_fit_the_table(genreg, options: tuple[str, ...], words: str) -> None:
    write("penguins.csv", penguins())
    done = genreg("train", "--dataset", "penguins.csv", *options, "--out", "run")
    assert done.code in (1, 2)
    assert words in done.err
    assert not Path("run").exists()


def test_ten_thousand_columns_and_a_table_of_one_column(genreg) -> None:
    names = [f"c{k}" for k in range(10_000)]
    rows = [[*(str((k * (i + 3)) % 17) for k in range(10_000)), "ab"[i % 2]] for i in range(12)]
    write("wide.csv", rows, [*names, "kind"])
    assert "12 rows, 10000 columns" in genreg("data", "show", "wide.csv").out
    write("one.csv", [["a"], ["b"]], ["kind"])
    assert "only one column" in genreg("data", "show", "one.csv").err
