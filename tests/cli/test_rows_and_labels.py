"""Tables in `infer` and `eval`: every row has its answer, columns are matched as meant, labels are the labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from genreg_np.layers.targets import Targets
from genreg_np.model import load
from tests.cli import FAST, one_line, save_relabelled

QUICK = ("--strategy", "gradient", "--generations", 5, "--quiet")


def write(path: str, *lines: str) -> str:
    Path(path).write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.fixture
def numbers(genreg) -> str:
    """A model of two named columns of 0 and 1, as its label is."""
    write("d.csv", "a,b,y", *(f"{k % 2},{k // 2 % 2},{k % 2}" for k in range(60)))
    assert genreg("train", "--dataset", "d.csv", *FAST, "--out", "numbers", "--quiet").code == 0
    return "numbers/model.npz"


@pytest.fixture
def words(genreg) -> str:
    """A model of two named columns of words."""
    write("w.csv", "a,b,y", *(f"{'xz'[k % 2]},{'pq'[k // 2 % 2]},{['no', 'yes'][k % 2]}" for k in range(60)))
    assert genreg("train", "--dataset", "w.csv", *QUICK, "--out", "words").code == 0
    return "words/model.npz"


def test_a_table_without_the_models_label_is_not_measured(genreg, numbers: str) -> None:
    """Its last column has the labels' values, but is an input."""
    write("n.csv", "a,b", "0,1", "1,0", "1,1")
    assert "lacks 'y', the model's label" in one_line(genreg("eval", numbers, "--dataset", "n.csv"), 2)
    save_relabelled(Path(numbers), label="")
    said = one_line(genreg("eval", "changed.npz", "--dataset", "n.csv"), 2)
    assert "its last column, 'b', is an input of the model" in said
    write("m.csv", "y,a,b", "0,0,1", "1,1,0", "1,1,1")
    assert "label column 'y'" in genreg("eval", numbers, "--dataset", "m.csv").out
    write("o.csv", "truth,a,b", "0,0,1", "1,1,0", "1,1,1")
    assert "label column 'truth'" in genreg("eval", numbers, "--dataset", "o.csv", "--label", "truth").out


def test_the_hint_to_measure_a_split_is_given_to_those_who_have_it(genreg, numbers: str) -> None:
    training = {name: value for name, value in load(numbers).training.items() if name != "sha256"}
    for changes, said in (
        ({}, "use --split test to measure it on the others"),
        ({"config": {"dataset": "X (in memory)"}}, "others may be predicted less well"),
        ({"method": "search"}, "others may be predicted less well"),
    ):
        save_relabelled(Path(numbers), training=training | changes)
        assert said in genreg("eval", "changed.npz", "--dataset", "d.csv").out


def test_every_row_is_predicted_though_all_its_fields_are_empty(genreg, words: str) -> None:
    """Empty lines are no rows; the first of all may be empty too."""
    write("n.csv", "a,b", "x,p", ",", "", "z,q", ",")
    assert [one["row"] for one in json.loads(genreg("infer", words, "n.csv", "--json").out)] == [1, 2, 3, 4]
    assert genreg("infer", words, "n.csv", "--out", "p.csv").code == 0
    assert [line.count(",") for line in Path("p.csv").read_text().splitlines()] == [3] * 5
    write("n.csv", ",", "x,p", ",")
    assert len(json.loads(genreg("infer", words, "n.csv", "--no-header", "--json").out)) == 3
    write("n.csv", ",", "a,b", "x,p")
    assert len(json.loads(genreg("infer", words, "n.csv", "--json").out)) == 1


def test_a_first_row_that_is_no_sure_row_is_asked_about(genreg, words: str) -> None:
    """And columns that are matched by position are told of."""
    write("n.csv", "A,B", "x,p", "z,q")
    assert "unclear whether the first row (A, B) is a header" in one_line(genreg("infer", words, "n.csv"), 1)
    assert "lacks 'a', 'b'" in one_line(genreg("infer", words, "n.csv", "--header"), 2)
    done = genreg("infer", words, "n.csv", "--no-header")
    assert len(done.out.splitlines()) == 3
    assert "columns are matched by position: the table has no column names, the model has" in done.err
    write("n.csv", "x,new", "z,q")
    assert len(genreg("infer", words, "n.csv").out.splitlines()) == 2


def test_a_model_of_columns_without_names_takes_a_table_with_or_without_its_label(genreg) -> None:
    """The label is the second of three columns; a row with a 1 in it is no header."""
    rows = [f"{'xz'[k % 2]},{['no', 'yes'][k % 2]},{k % 3 + 0.5}" for k in range(60)]
    assert genreg("train", "--dataset", write("d.csv", *rows), "--label", 2, *QUICK, "--out", "r").code == 0
    assert load("r/model.npz").feature_names == ("1", "3")
    write("n.csv", "x,1", "z,1.5")
    bare = genreg("infer", "r/model.npz", "n.csv")
    assert len(bare.out.splitlines()) == 2
    assert bare.err == ""
    write("n.csv", "x,no,1", "z,yes,1.5")
    assert genreg("infer", "r/model.npz", "n.csv").out == bare.out
    assert genreg("eval", "r/model.npz", "--dataset", "n.csv", "--label", 2, "--no-header").code == 0


def test_a_model_of_numbers_without_names_says_what_is_too_much(genreg) -> None:
    rows = [f"{k % 5},{k * 7 % 13},{'ab'[k % 2]}" for k in range(60)]
    assert genreg("train", "--dataset", write("d.csv", *rows), *FAST, "--out", "r", "--quiet").code == 0
    assert load("r/model.npz").header["table"] == {"width": 3, "columns": [1, 2], "labels": [3]}
    old = save_relabelled(Path("r/model.npz"), table=None)  # as of earlier versions, which take what they took
    for names in ((), ("p,q,label",)):
        write("n.csv", *names, *rows)
        said = one_line(genreg("infer", old, "n.csv"), 2)
        assert "3 columns, but the model takes 2 ('1', '2') and does not know their names: remove the others" in said
        assert len(genreg("infer", "r/model.npz", "n.csv").out.splitlines()) == 60
        write("n.csv", *(f"{name},more" for name in names), *(f"{row},1" for row in rows))
        said = one_line(genreg("infer", "r/model.npz", "n.csv"), 2)
        assert "the model was trained on 3 columns: give it all of them, or the 2 without the label" in said
    write("n.csv", "p,q", "1,2")
    assert "matched by position: the model has no column names" in genreg("infer", "r/model.npz", "n.csv").err


def test_the_nameless_column_that_was_kept_is_found_again(genreg) -> None:
    write("d.csv", ",a,y", *(f"{k},{k % 5},{'ab'[k % 2]}" for k in range(60)))
    assert genreg("train", "--dataset", "d.csv", "--keep", "column 1", *FAST, "--out", "r", "--quiet").code == 0
    assert len(genreg("infer", "r/model.npz", "d.csv").out.splitlines()) == 60


def test_a_header_whose_first_name_is_a_sign_is_a_header_here_too(genreg) -> None:
    rows = [f"{k},{'xz'[k % 2]},{k % 7},{k % 2}" for k in range(40)]
    assert genreg("train", "--dataset", write("d.csv", "#,a,b,y", *rows), *QUICK, "--out", "r").code == 0
    assert load("r/model.npz").feature_names == ("a", "b")
    assert len(genreg("infer", "r/model.npz", "d.csv").out.splitlines()) == 40
    assert genreg("eval", "r/model.npz", "--dataset", "d.csv").code == 0


def test_bad_tables_are_told_of_and_others_predicted(genreg, numbers: str) -> None:
    write("bad.csv", "a,b", "0,1", "0,word")
    write("less.csv", "a", "0")
    write("good.csv", "a,b", "0,1", "1,1")
    done = genreg("infer", numbers, "bad.csv", "less.csv", "good.csv", "--json")
    assert done.code == 1
    assert [(one["file"], one["row"]) for one in json.loads(done.out)] == [("good.csv", 1), ("good.csv", 2)]
    assert "bad.csv, line 3" in done.err
    assert "less.csv: lacks 'b'" in done.err


def test_a_written_table_is_also_printed_as_json(genreg, numbers: str) -> None:
    done = genreg("infer", numbers, "d.csv", "--out", "p.csv", "--json")
    assert len(json.loads(done.out)) == 60
    assert len(Path("p.csv").read_text().splitlines()) == 61


@pytest.mark.parametrize("option", [("--resize",), ("--fit", "crop"), ("--invert",), ("--save", "folder")])
def test_options_of_images_are_refused_for_tables(genreg, numbers: str, option: tuple[str, ...]) -> None:
    save_relabelled(Path(numbers), class_names=[])
    assert f"{option[0]} is for images, and d.csv is a table" in one_line(
        genreg("infer", "changed.npz", "d.csv", *option), 2
    )


def test_columns_of_predictions_have_names_of_their_own(genreg, numbers: str) -> None:
    """What is written can be predicted again."""
    assert genreg("infer", numbers, "d.csv", "--out", "p.csv").code == 0
    assert genreg("infer", numbers, "p.csv", "--out", "q.csv").code == 0
    assert Path("q.csv").read_text().splitlines()[0] == (
        "a,b,y,prediction,probability,prediction of the model,probability of the model"
    )


def test_eval_tells_of_words_that_no_model_knows(genreg, words: str) -> None:
    write("n.csv", "a,b,y", "far,p,no", "off,q,yes")
    said = genreg("eval", words, "--dataset", "n.csv", "--header").out
    assert "the model knows no words of column 'a'" in said


def test_numbers_are_compared_with_the_mean_of_training(genreg) -> None:
    write("d.csv", "a,y", *(f"{k},{k * 1.5 + k * k % 7 / 8}" for k in range(80)))
    how = ("--keep", "a", "--task", "values")
    assert genreg("train", "--dataset", "d.csv", *how, *QUICK, "--out", "r").code == 0
    write("n.csv", "a,y", "1,1000", "2,1002")
    found = json.loads(genreg("eval", "r/model.npz", "--dataset", "n.csv", "--json").out)
    learned = Targets.read(load("r/model.npz").header)
    assert learned is not None
    wanted = np.sqrt(np.mean((np.array([1000, 1002]) - learned.offset[0]) ** 2))
    assert found["values"]["y"]["mean_rmse"] == pytest.approx(wanted)


def test_a_label_that_is_no_number_has_its_line(genreg) -> None:
    """Also one that float32 cannot hold, and in eval."""
    write("d.csv", "a,y", *(f"{k * 7 % 31},{k * 1.5 + 0.25}" for k in range(60)))
    assert genreg("train", "--dataset", "d.csv", *QUICK, "--out", "r").code == 0
    for text, what in (("inf", "is not a number to predict"), ("1e39", "is beyond float32")):
        write("n.csv", "a,y", "1,2.5", f"2,{text}")
        said = f"n.csv, line 3, column 'y': '{text}' {what}"
        assert said in one_line(genreg("eval", "r/model.npz", "--dataset", "n.csv"), 1)
        assert said in one_line(genreg("train", "--dataset", "n.csv", "--task", "values", "--out", "s"), 1)
