"""What a column is told to be, and what is said where it may be meant otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np import load_dataset
from genreg_np.data.columns import Asked, Odd, describe
from genreg_np.data.stored import Series, Stored
from genreg_np.errors import DataError, UsageError
from genreg_np.infer_table import date_of, word_of
from tests.helpers import one_line

N = 200
MIXED = [k * 37 % N for k in range(N)]  # whole numbers, all different, in no order
LARGE = 20_250_000_000_000


def column(name: str, values: list[object]) -> Series:
    """Return a column as it is read."""
    stored = Stored()
    stored.extend([str(value) for value in values], str, range(len(values)))
    return stored.finished(name)


@pytest.mark.parametrize(
    ("name", "values", "why", "note"),
    [
        ("total_paid", [k * k for k in MIXED], "", ""),
        ("bid", [k * k for k in MIXED], "", ""),
        ("total_paid", [k * k for k in range(N)], "", "'total_paid': rises from row to row: leave it out if it only"),
        ("left", [-k * k for k in range(N)], "", "falls from row to row: leave it out if it only numbers the rows"),
        ("paid", [k * k + 0.5 for k in range(N)], "", ""),
        ("paid", [k * k if k else "" for k in range(N)], "", ""),
        ("row", [*range(50), *range(60, N)], "", "(--drop 'row')"),
        ("Unnamed: 0", MIXED, "an index without a name", ""),
        ("Unnamed: 0.1", [k * k for k in range(N)], "an index without a name", ""),
        ("Unnamed: 0_level_1", MIXED, "an index without a name", ""),
        ("...1", MIXED, "an index without a name", ""),
        ("Unnamed: 0", [k % 7 for k in range(N)], "", ""),
        ("Unnamed: 0", [k / 2 for k in MIXED], "", ""),
        ("index", MIXED, "identifies the rows", ""),
        ("row_names", MIXED, "identifies the rows", ""),
        ("price_index", MIXED, "", ""),
        ("userId", [k * k for k in range(N)], "identifies the rows", ""),
        ("user_ID", [k * k for k in range(N)], "identifies the rows", ""),
        ("row", list(range(N, 0, -1)), "counts the rows backwards", ""),
        ("row", [k * 10 for k in range(N)], "counts the rows in steps of 10", ""),
        ("t", [1_700_000_000 + k for k in range(N)], "counts the rows", ""),
        ("half", [k / 2 for k in range(N)], "", ""),
        ("id", [7_129_300_000 + k * 10 for k in range(9000)], "identifies the rows", ""),
        ("big", [LARGE + 5 * (k ^ 1) for k in range(N)], "", f"steps of 2.09715e+06: subtract {LARGE + 498} first"),
        ("zip", ["01234", "20500"] * 100, "", "without their leading zeros"),
        ("seen", ["5/7/2024", "6/3/2024"] * 100, "", "are read as day-month-year"),
        ("seen", ["5/7/2024", "26/3/2024"] * 100, "", ""),
        ("seen", ["2024-05-07", "2024-03-06"] * 100, "", ""),
        ("seen", ["2023-01-11", "13.01.2023"] * 100, "", "dates of two formats (2023-01-11, 13.01.2023)"),
        ("seen", ["2023-01", "2023-02"] * 100, "", "months such as 2023-01 are read as words"),
        ("paid", ["$3.50", "$4", "5"] * 100, "", "numbers such as '$3.50' are read as words"),
        ("share", ["5%", "7%"] * 100, "", "remove the sign"),
        ("paid", [f"{k} €" for k in range(N)], "words of which hardly any recurs", "numbers such as '0 €'"),
        (
            "paid",
            [f"1\xa0{k + 100}" for k in range(N)],
            "words of which hardly any recurs",
            "remove the spaces to read",
        ),
        ("paid", [f"1'{k + 100}" for k in range(N)], "words of which hardly any recurs", "remove the apostrophes"),
        ("paid", [f"1.{k + 100},50 €" for k in range(N)], "words of which hardly any recurs", "such as '1.100,50 €'"),
        ("paid", [f"$1,{k + 100}.50" for k in range(N)], "words of which hardly any recurs", "such as '$1,100.50'"),
        (
            "paid",
            [f"{k + 100}.{k * 7 % 900 + 100} €" for k in range(N)],
            "words of which hardly any recurs",
            "remove the sign, and the points if they separate thousands, to read them as numbers",
        ),
        (
            "paid",
            [f"{k}.500 €" if k else "1.5 €" for k in range(N)],
            "words of which hardly any recurs",
            "remove the sign to read",
        ),
        ("mass", [f"{k} kg" for k in range(N)], "words of which hardly any recurs", "remove the unit to read them as"),
        ("mass", [f"{k}kg" for k in range(N)] + ["n/d"], "words of which hardly any recurs", "numbers such as '0kg'"),
        ("heat", [f"{k}.5 °C" for k in range(N)], "words of which hardly any recurs", "numbers such as '0.5 °C'"),
        (
            "at",
            [f"{k // 60}:{k % 60:02}" for k in range(N)],
            "words of which hardly any recurs",
            "times such as '0:00'",
        ),
        ("at", [f"1/2/2024 {k % 12 + 1}:30 PM" for k in range(N)], "", "write hours from 0 to 23, without AM and PM"),
        ("at", [f"{k % 12 + 1}:30\u202fPM" for k in range(N)], "", "write hours from 0 to 23, without AM and PM"),
        ("name", ["1st", "2nd"] * 100, "", ""),
        ("phone", ["030 123", "040 123"] * 100, "", ""),
        ("long", ["1 " * 5000 + "x", "1 " * 5000 + "y"] * 100, "", ""),
        ("version", ["1.2.3", "9.4.7", "12-3-4"] * 100, "", ""),
        ("code", ["1.10.123", "2.10.124"] * 100, "", ""),
        ("kind", ["a", "b"] * 100, "", ""),
        ("x", [1, "#N/A"] * 100, "", ""),
    ],
)
def test_columns_are_told(name: str, values: list[object], why: str, note: str) -> None:
    """Identifiers by their names in any of the usual ways; other names that end alike are features."""
    rows = np.arange(len(values))
    found = describe("d.csv", column(name, values), rows, Asked(), rows)
    assert found.why == why
    assert note in found.note if note else found.note == ""


@pytest.mark.parametrize("field", ["1,234", "2,5", "1.234,5"])
def test_one_stray_word_does_not_hide_commas(field: str) -> None:
    """They are refused where most texts are numbers, whatever the others are."""
    values = [*(f"{k}{field}" for k in range(1, 9)), "n/d"] * 3
    with pytest.raises(Odd, match=f"'1{field}' is not a finite number; write .*, or say --kind 'x'=words") as error:
        describe("d.csv", column("x", values), np.arange(27), Asked(), np.arange(27))
    assert error.value.row == 0
    found = describe("d.csv", column("x", ["a", "b", "1,5"] * 9), np.arange(27), Asked(), np.arange(27))
    assert found.described is not None
    assert found.described["kind"] == "words"


@pytest.mark.parametrize("values", [["1", "three", *map(str, range(50))], ["male", "female"] * 20])
def test_a_word_is_no_number_by_being_asked_for(values: list[str]) -> None:
    """Neither one among many numbers, nor a whole column of words."""
    odd = next(value for value in values if not value.isdigit())
    with pytest.raises(Odd, match=f"column 'x': '{odd}' is not a finite number; leave the field empty") as error:
        describe("t.csv", column("x", values), np.arange(len(values)), Asked(kinds={"x": "numbers"}), np.arange(9))
    assert error.value.row == values.index(odd)


def test_an_infinite_number_makes_no_words_of_a_column() -> None:
    """However few numbers there are."""
    with pytest.raises(Odd, match="'inf' is not a finite number"):
        describe("d.csv", column("x", [1, 2, 3, "inf"]), np.arange(4), Asked(), np.arange(4))


@pytest.mark.parametrize("values", [["1e30", "1e39", "2"], ["1e39", "1e45"]])
def test_numbers_beyond_float32_are_told_of(values: list[str]) -> None:
    """Instead of becoming words; as labels, too."""
    values = [*values[:1], *values]
    with pytest.raises(Odd, match=r"is beyond float32, which ends at 3\.4e38; rescale the column"):
        describe("d.csv", column("x", [*values, "1", "2", "3", "4"]), np.arange(8), Asked(), np.arange(8))


def test_a_label_beyond_float32_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x,y\n" + "".join(f"{k % 7},{k * k + 0.5}e{k}\n" for k in range(60)))
    with pytest.raises(DataError, match=r"column 'y': .* is beyond float32"):
        load_dataset(tmp_path / "d.csv")


def test_flags_that_were_kept_as_numbers_are_looked_at() -> None:
    """Thousands of different numbers are no yes and no."""
    rows = np.arange(9000)
    with pytest.raises(Odd, match="is not yes or no"):
        describe("d.csv", column("x", [k / 9000 for k in rows]), rows, Asked.of((), (), ("x=flags",)), rows)


def test_a_model_of_earlier_versions_reads_its_versions_on() -> None:
    """They were taken for dates in training; no column is any more, and the user cannot make it one."""
    assert (date_of("9.4.7", "dmy") or {})["year"] == 2007
    with pytest.raises(DataError, match="not all are dates of one format"):
        describe("d.csv", column("v", ["9.4.7"] * 9), np.arange(9), Asked(kinds={"v": "dates"}), np.arange(9))


@pytest.mark.parametrize(
    ("text", "word"), [("3.0", "3"), ("3.", "3"), (" 3 ", "3"), ("-2.00", "-2"), ("3.5", "3.5"), ("a.0", "a.0")]
)
def test_whole_numbers_are_one_word(text: str, word: str) -> None:
    assert word_of(text) == word


def test_a_day_is_not_taken_for_a_year() -> None:
    """Two digits are a year at the end of a date only."""
    assert date_of("16.07.15", "ymd") is None
    assert (date_of("16.07.15", "dmy") or {})["year"] == 2015


def test_a_row_without_a_label_has_no_say(tmp_path: Path) -> None:
    """Its words are no columns' words, and do not stand in the way of a column that is the same elsewhere."""
    rows = [f"{k % 7},{'x'},{k % 3},{'ab'[k % 2]}" for k in range(40)]
    (tmp_path / "d.csv").write_text("\n".join(["one,same,two,label", *rows, "Total,y,12,"]))
    data = load_dataset(tmp_path / "d.csv")
    assert data.feature_names == ("one", "two")
    assert "1 row without a label left out (line 42)" in data.note


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"weight": "w"}, UsageError, "is both the label and the weight"),
        ({"label": "x", "drop": ["x"]}, UsageError, "'x' is a label or a weight"),
        ({"label": "x", "weight": "w", "kind": ["w=words"]}, UsageError, "'w' is a label or a weight"),
        ({"label": "x", "kind": ["y{z}=words", "y{z}=numbers"]}, UsageError, "cannot be words and numbers"),
        ({"label": "x", "keep": ["nope"]}, UsageError, "no column 'nope'"),
        ({"label": "x"}, DataError, r"line 9002, column 'y{z}': 'odd' is not a finite number"),
    ],
)
def test_what_cannot_be_asked_of_a_table_has_its_line(
    tmp_path: Path, options: dict[str, object], kind: type[Exception], words: str
) -> None:
    """Braces in a name are no more than that."""
    path = tmp_path / "d.csv"
    path.write_text("\n".join(["y{z},x,w", *(f"{k * 1.5},{'ab'[k % 2]},1" for k in range(9000)), "odd,a,1"]))
    with pytest.raises(kind, match=words) as error:
        load_dataset(path, **options)  # type: ignore[arg-type]
    assert one_line(error.value)


def test_reading_takes_as_long_for_a_label_of_a_million_values_as_its_rows(tmp_path: Path) -> None:
    """What is counted of new texts is those, not all there are: so that their number is looked at a few times each."""
    looked = 0

    class Counted(dict[str, int]):
        def __reversed__(self):  # type: ignore[no-untyped-def]
            nonlocal looked
            for text in super().__reversed__():
                looked += 1
                yield text

        def __iter__(self):  # type: ignore[no-untyped-def]
            raise AssertionError("all texts are gone through")

    stored = Stored(words=True)
    stored._texts = Counted()
    for begin in range(0, 20_000, 100):
        stored.extend([f"a{begin + k}" for k in range(100)], str, range(100))
    assert looked == 20_000


@pytest.mark.parametrize("word", ["n.a.", "inf", "abc"])
def test_a_bad_word_does_not_make_classes_of_a_quantity(tmp_path: Path, word: str) -> None:
    """It has its line; of a class that is called so beside few numbers nothing is said."""
    path = tmp_path / "d.csv"
    prices = [f"{k % 7},{1000 + k * 37 % 4001}" for k in range(200)]
    path.write_text("\n".join(["x,price", *prices[:50], f"3,{word}", *prices[50:]]))
    with pytest.raises(DataError, match=rf"line 52, column 'price': '{word}' is not a finite number, unlike") as error:
        load_dataset(path)
    assert one_line(error.value)
    assert len(load_dataset(path, task="classes").class_names) == 201
    path.write_text("\n".join(["x,price", *prices, "3,"]))
    assert load_dataset(path).value_names == ("price",)
    path.write_text("\n".join(["x,kind", *(f"{k % 7},{k % 9}" for k in range(90)), *[f"1,{word}"] * 9]))
    assert len(load_dataset(path).class_names) == 10


def test_a_class_that_is_called_none_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x,kind\n" + "".join(f"{k % 7},{['a', 'b', 'None'][k % 3]}\n" for k in range(60)))
    note = load_dataset(tmp_path / "d.csv").note
    assert (
        "20 rows without a label left out (lines 4, 7, 10, ...): 'None' means that it is missing, and a class" in note
    )


def test_a_number_that_is_missing_is_no_class_with_another_name(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("x,mass\n" + "".join(f"{k % 7},{['1', '2', 'NA'][k % 3]}\n" for k in range(60)))
    note = load_dataset(tmp_path / "d.csv", label="mass").note
    assert "'NA' means that it is missing" in note
    assert "needs another name" not in note


@pytest.mark.parametrize("share", [5, 2])
def test_a_label_that_was_taken_for_being_last_is_doubted_where_rows_lack_it(tmp_path: Path, share: int) -> None:
    """One in `share` has a label: a few gaps are told of with the reason, many refused unless the column is named."""
    path = tmp_path / "d.csv"
    rows = [f"{k % 7},{'ab'[k // 10 % 2] if (k % share == 0) == (share > 2) or k == 1 else ''}" for k in range(100)]
    path.write_text("\n".join(["x,remark", *rows]))
    if share == 5:
        with pytest.raises(DataError, match=r"'remark' was taken for the label .* 79 % of its rows are empty: name"):
            load_dataset(path)
    else:
        assert "'remark' was taken for the label because it is the last" in load_dataset(path).note
    assert "was taken for the label" not in load_dataset(path, label="remark").note
    path.write_text("\n".join(["x,label", *rows]))
    assert "was taken for the label" not in load_dataset(path).note


def test_a_column_without_a_name_is_read_as_its_number_says(tmp_path: Path) -> None:
    """Thousands of different numbers that are words."""
    path = tmp_path / "d.csv"
    path.write_text("".join(f"{10000 + (k if k % 3 else k % 6)},{k % 5},{'ab'[k % 2]}\n" for k in range(13_000)))
    data = load_dataset(path, kind=["1=words"])
    assert [column["kind"] for column in data.columns] == ["words", "numbers"]
    assert {"10000", "10003"} <= set(data.columns[0]["words"])
