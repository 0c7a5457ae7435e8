"""Tables as they come: headers that look like data, separators, quotes, comments, names of columns."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.data import load_dataset
from genreg_np.data.dataset import Dataset
from genreg_np.data.rows import LONGEST_LINE, parse_separator
from genreg_np.data.table import load_csv
from genreg_np.errors import DataError, UsageError

DRAW = random.Random(1)
WORDS = [f"{'abc'[index % 3]}" for index in range(30)]
DIGITS = [str(index % 3) for index in range(30)]
TEN = [str(index % 10) for index in range(30)]


def table(labels: list[str], form: str = "{:.1f}", features: int = 4, separator: str = ",") -> str:
    """Return rows without a header."""
    rows = [[*(form.format(DRAW.uniform(1, 9)) for _ in range(features)), label] for label in labels]
    return "".join(separator.join(row) + "\n" for row in rows)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Dataset]:
    def load(text: str | bytes, **options: object) -> Dataset:
        (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_csv(tmp_path / "t.csv", **options)  # type: ignore[arg-type]

    return load


HEADERS = {
    "0,1,2,3,species": table(WORDS),  # pandas, of a nameless array and a named label
    "0,1,2,3,kind": table(DIGITS),
    "0,1,2,3,4": table(DIGITS, "{:.0f}"),
    "1,2,3,4,5": table(DIGITS, "{:.0f}"),
    "2019,2020,2021,2022,kind": table(WORDS),
    "7,3,11,5,kind": table(DIGITS),  # told by the label alone: a word above numbers
    "a,b,c,d,species": table(WORDS),
    "a,2,c,4,species": table(WORDS),
}


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_that_looks_like_data_is_recognised(read: Callable[..., Dataset], header: str) -> None:
    """The 30 rows are all there is, no class is the label's name, and the columns have theirs."""
    dataset = read(f"{header}\n{HEADERS[header]}")
    assert len(dataset.everything) == 30
    assert dataset.class_names in (("a", "b", "c"), ("0", "1", "2"))
    assert dataset.feature_names == tuple(header.split(",")[:4])


def test_a_header_that_numbers_its_columns_is_told_from_decimals_though_its_label_recurs(
    read: Callable[..., Dataset],
) -> None:
    assert len(read("0,1,2,3,4\n" + table(TEN)).everything) == 30


def test_the_nameless_index_of_pandas_is_part_of_a_header(read: Callable[..., Dataset]) -> None:
    rows = "".join(f"{index},{DRAW.random():.2f},{DRAW.random():.2f},{'ab'[index % 2]}\n" for index in range(20))
    for header, names in ((",x,y,kind", ("", "x", "y")), (",0,1,kind", ("", "0", "1")), (",0,1,2", ("", "0", "1"))):
        dataset = read(f"{header}\n{rows}")
        assert dataset.feature_names == names[1:]
        assert len(dataset.everything) == 20
        assert "left out: 'column 1' (counts the rows)" in dataset.note
        assert read(f"{header}\n{rows}", keep=["column 1"]).feature_names == ("column 1", *names[1:])


@pytest.mark.parametrize(
    "rows", [table(WORDS), table(DIGITS), table(DIGITS, "{:.0f}"), table(TEN, "{:.0f}"), table(WORDS, features=1)]
)
def test_rows_without_a_header_are_all_samples(read: Callable[..., Dataset], rows: str) -> None:
    dataset = read(rows)
    assert len(dataset.everything) == 30
    assert dataset.feature_names == ()


def test_a_class_called_like_a_label_column_makes_no_header(read: Callable[..., Dataset]) -> None:
    labels = ["target", "other"] * 10
    assert len(read(table(labels)).everything) == 20
    with pytest.raises(DataError, match="--header or --no-header"):
        read("".join(f"{label},{DRAW.random()},{DRAW.random()}\n" for label in labels))


@pytest.mark.parametrize(
    "rows",
    [
        "5.1,3.2,1.1,2.2,rare\n" + table(WORDS),  # a class that occurs once, or the name of the labels
        "0,1,2,3,4\n" + table(TEN, "{:.0f}"),  # numbered columns, or a sample of class 4
        "0,1,2,3,9\n" + table(DIGITS, "{:.0f}"),
        "2,4,6,8,10\n" + table(DIGITS, "{:.0f}"),
        "5.1,3.2,1.1,2.2,other\n" + table(DIGITS),
        "5,3,1,2,?\n" + table(DIGITS, "{:.0f}"),
        "1,2,3\n4,5,6\n7,8,9\n",
        "0,1\n1,0\n2,1\n3,0\n",
        "5.1,anna\n4.9,berta\n6.3,clara\n",
    ],
)
def test_what_cannot_be_told_is_asked_and_the_answer_is_followed(read: Callable[..., Dataset], rows: str) -> None:
    with pytest.raises(DataError, match="--header or --no-header") as error:
        read(rows)
    assert "\n" not in str(error.value)
    count = rows.count("\n")
    assert len(read(rows, header=True).everything) == count - 1
    assert len(read(rows, header=False).everything) == count - rows.startswith("5,3,1,2,?")  # which is no label
    assert read(rows, header=True).feature_names == tuple(rows.split("\n")[0].split(",")[:-1])


def whole(labels: list[str], most: int, features: int) -> str:
    """Return rows of whole numbers from 0 to `most`, all of which occur."""
    rows = [
        [*(str((index * (k + 1)) % (most + 1)) for k in range(features)), label] for index, label in enumerate(labels)
    ]
    return "".join(",".join(row) + "\n" for row in rows)


IRREGULAR = {
    "17,3,250,99": table(DIGITS, features=3),
    "2018,2020,2021,2023,2030": table(DIGITS),
    "10001,94103,60601,77001": table(DIGITS, features=3),
    "2019,2020,2021": table(DIGITS, features=2),
    "0.1,0.5,2.5,9": table(DIGITS, features=3),
    "5.1,3.5,1.4,7": table(DIGITS, features=3),  # in range, in form: but no other class occurs once
    "0,1,2,a": table(["a", "b"] * 15, features=3),
    "0,1,2,b": whole(["a", "b"] * 15, 4, 3),
    "5,9,2": whole([str(index % 5) for index in range(30)], 4, 2),
    "2018,2020,2021,2": table(DIGITS, features=3),  # its label recurs
    "17,3,250,a": table(WORDS, features=3),
    "700,b": table(WORDS, features=1),
    "2019,2020,0.7": table([f"{index * 7 % 30 / 7:.3f}" for index in range(30)], features=2),
}


@pytest.mark.parametrize("header", IRREGULAR)
def test_irregular_numbers_above_a_table_are_asked_about(read: Callable[..., Dataset], header: str) -> None:
    """A silent sample of names would be a class of its own, or an outlier in every column."""
    rows = f"{header}\n{IRREGULAR[header]}"
    with pytest.raises(DataError, match="--header or --no-header"):
        read(rows)
    assert len(read(rows, header=True).everything) == 30
    assert len(read(rows, header=False).everything) == 31


EVERYDAY = {
    "flowers": "5.1,3.5,1.4,0.2,setosa\n4.9,3,1.4,0.2,setosa\n7,3.2,4.7,1.4,versicolor\n6.3,3.3,6,2.5,virginica\n",
    "a few rows, classes of one": "5.1,3.5,0\n4.9,3.0,1\n6.2,2.9,1\n5.8,2.7,2\n",
    "a few rows, words of one": "5.1,3.5,a\n4.9,3.0,b\n6.2,2.9,b\n5.0,3.7,c\n5.8,2.7,c\n6.1,2.2,d\n",
    "exclusive or": "0,0,0\n0,1,1\n1,0,1\n1,1,0\n",
    "sorted by class, the first of one": "1.5,2.5,1\n" + table(["2", "2", "3"], features=2),
    "rare classes among others": "5.2,3.1,97\n"
    + table([*(str(index // 2) for index in range(60)), "98", "99", "98"], features=2)
    + table([str(index) for index in range(200, 215)], features=2),
    "rising": "".join(f"{index},{index * index},{'ab'[index % 2]}\n" for index in range(3, 20)),
    "falling": "".join(f"{100 - index},{2.0 ** -index:.6f},{index % 3}\n" for index in range(20)),
    "pixels": "0,0,0,255,7\n" + whole(TEN, 255, 4),
    "a large one first": "9.4,8.8,2\n" + table(DIGITS, features=2),
    "whole and not": "5,3,0\n" + "".join(f"{index % 7 / 2:g},{index % 5},{index % 2}\n" for index in range(30)),
}  # fmt: skip


@pytest.mark.parametrize("kind", EVERYDAY)
def test_everyday_tables_are_read_without_a_question(read: Callable[..., Dataset], kind: str) -> None:
    rows = EVERYDAY[kind]
    dataset = read(rows)
    assert len(dataset.everything) == rows.count("\n")
    assert dataset.feature_names == ()


def test_a_label_far_from_the_others_is_asked_about_in_tiny_tables_too(read: Callable[..., Dataset]) -> None:
    """A class next to the others may be rare there, as the first of the everyday tables show."""
    rows = table(DIGITS[:6], features=3)
    with pytest.raises(DataError, match="--header or --no-header"):
        read(f"0.1,0.5,2.5,9\n{rows}")
    assert len(read(f"5.1,3.5,2.5,3\n{rows}").everything) == 7


@pytest.mark.parametrize("rows", ["0,1,c\n" + whole(["a", "b"] * 15, 1, 2), "1,2,3\n4,5,6\n7,8,6\n"])
def test_two_numbers_that_count_are_no_sure_sign_of_names(read: Callable[..., Dataset], rows: str) -> None:
    """A sample of a rare class would be dropped in silence."""
    with pytest.raises(DataError, match="--header or --no-header"):
        read(rows)


@pytest.mark.parametrize("comment", ["# class, made by x, 2019", "# label,b,a", "#target, 0, 1"])
def test_a_comment_does_not_move_the_label_column_in_silence(read: Callable[..., Dataset], comment: str) -> None:
    rows = f"{comment}\n{table(DIGITS, '{:.0f}', features=2)}"
    with pytest.raises(DataError, match=r"the comment in line 1 .* --header or --no-header"):
        read(rows)
    assert "label column '3'" in read(rows, header=False).note
    assert f"label column '{comment.split(',')[0].strip('# ')}'" in read(rows, header=True).note


@pytest.mark.parametrize("comment", ["# made by x, 2019, v2", "# a, a, kind", "# a, , kind", "# a,b,kind\n\n"])
def test_a_comment_that_is_no_row_of_names_above_the_data_is_passed_over(
    read: Callable[..., Dataset], comment: str
) -> None:
    assert read(f"{comment}\n{table(WORDS, features=2)}").feature_names == ()
    assert read(f"# 0,1,kind\n{table(WORDS, features=2)}").feature_names == ("0", "1")


def test_commas_in_thousands_and_underscores_are_no_numbers(read: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match=r"'1,000' is .* write thousands without commas, and decimals with a point"):
        read("a;b;kind\n" + "1,000;2,5;a\n1,200;3,5;b\n" * 9)
    with pytest.raises(DataError, match=r"line 3, column 'a': '1_0' is not a finite number"):
        read("a,b,kind\n1,2,x\n1_0,2,y\n" + "".join(f"{index},{index},x\n" for index in range(2, 9)))


def test_a_byte_that_is_no_text_has_its_line(read: Callable[..., Dataset]) -> None:
    for before in (0, 1, 30):
        with pytest.raises(DataError, match=f"line {before + 1}: not UTF-8 text"):
            read(b"1,2,\xc3\xa4\n" * before + b"1,2,\xe4\n" + b"1,2,x\n" * 9)


def test_a_label_may_be_a_name_that_is_also_a_number(read: Callable[..., Dataset]) -> None:
    """Column 4 is the fourth without a header and the one called 4 with one: asked, where both may be."""
    rows = "0,1,2,3,4\n" + table(DIGITS)
    with pytest.raises(DataError, match="--header or --no-header"):
        read(rows, label="4")
    assert read(rows, label="4", header=True).feature_names == ("0", "1", "2", "3")
    assert len(read(rows, label="5").everything) == 30


@pytest.mark.parametrize("header", ["a,a,kind", "a,kind,kind"])
def test_columns_of_one_name_are_refused(read: Callable[..., Dataset], header: str) -> None:
    with pytest.raises(DataError, match="called"):
        read(f"{header}\n{table(WORDS, features=2)}")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " ", "   "])
def test_the_separator_is_found_whatever_stands_in_quotes(read: Callable[..., Dataset], separator: str) -> None:
    header = separator.join(('"height, in cm, worn"', '"weight; kg | total; net"', "kind"))
    dataset = read(f"{header}\n{table(WORDS, features=2, separator=separator)}")
    assert dataset.feature_names == ("height, in cm, worn", "weight; kg | total; net")
    assert len(dataset.everything) == 30


def test_a_separator_that_is_named_is_used(read: Callable[..., Dataset], tmp_path: Path) -> None:
    rows = table(["x,y", "z"] * 9, features=2, separator=";")
    assert read(rows, separator="semicolon").class_names == ("x,y", "z")
    with pytest.raises(DataError, match="fields"):
        read(rows, separator=",")
    with pytest.raises(UsageError, match="comma, semicolon, tab, pipe, blank"):
        read(rows, separator="and")
    assert [parse_separator(text) for text in (r"\t", "Tab", "\t", "blank", " ", "|")] == ["\t"] * 3 + [" "] * 2 + ["|"]
    (tmp_path / "t.tsv").write_text(table(WORDS, separator="\t"))
    assert load_dataset(tmp_path / "t.tsv", separator="tab").input_shape == (4,)


def test_decimal_commas_are_refused_with_what_to_do(read: Callable[..., Dataset]) -> None:
    for header in ("a;b;kind\n", ""):
        with pytest.raises(DataError, match=r"column '[a1]': '\d,5' is .* write a decimal point .*--separator"):
            read(header + "".join(f"{index},5;{index % 7},1;{'xy'[index % 2]}\n" for index in range(12)))


def test_comments_at_the_top_are_passed_over_unless_they_name_the_columns(read: Callable[..., Dataset]) -> None:
    rows = table(WORDS, features=2)
    assert read(f'# made by me, "in 2020\n\n# again\na,b,kind\n{rows}').feature_names == ("a", "b")
    assert read(f"# made by me\n{rows}").feature_names == ()
    moved = "".join(",".join(reversed(row.split(","))) + "\n" for row in rows.splitlines())
    savetxt = read(f"# label,b,a\n{moved}", label="label")  # as numpy.savetxt writes it
    assert savetxt.feature_names == ("b", "a")
    assert savetxt.class_names == ("a", "b", "c")
    assert read(f"# a b kind\n{rows.replace(',', ' ')}").feature_names == ("a", "b")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('a,b,kind\n1,2,x\n1,2,"y\n3,4,x\n5,6,x\n', "line 3: a quote .* opens here and is not closed"),
        ('a,b,kind\n1,2,x\n1,2,"y\n3,4,x"\n5,6,x\n', "line 3: a quote .* is closed only in line 4"),
        ('a,b,kind\n1,2,x\n1,2,"y\n' + "3,4,x\n" * 40_000, "line 3: not readable as CSV .*quote"),
        ("a,b,kind\n1,2,x\n".encode("utf-16"), "UTF-16"),
        ("a,b,kind\n1,2,x\n".encode("utf-16-le"), "UTF-16"),
        (b"a,b,kind\n" + b"1,2,x\n" * 20 + b"1,2\0,x\n", "line 22: a NUL byte"),
        ("a,b,kind\n1,2,ä\n".encode("latin-1"), "UTF-8"),
        ("# only\n# comments\n", "empty"),
    ],
)
def test_text_that_is_no_table_has_its_line(read: Callable[..., Dataset], content: str | bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        read(content)
    assert "\n" not in str(error.value)


def test_a_line_without_end_is_not_read_to_its_end(read: Callable[..., Dataset]) -> None:
    with pytest.raises(DataError, match="line 1: longer than"):
        read("1," * (LONGEST_LINE // 2 + 10))


def test_a_header_may_have_names_of_several_lines(read: Callable[..., Dataset]) -> None:
    assert read('"a\n(cm)",b,kind\n' + table(WORDS, features=2)).feature_names == ("a (cm)", "b")


def test_names_reach_all_splits_and_leave_the_numbers_alone(read: Callable[..., Dataset]) -> None:
    rows = table(WORDS)
    named, bare = read(f"a,b,c,d,kind\n{rows}"), read(rows)
    for name in ("train", "validation", "test"):
        assert np.array_equal(named.split(name).inputs, bare.split(name).inputs)
        assert np.array_equal(named.split(name).labels, bare.split(name).labels)


POKEMON = "".join(f"{k},{'abc'[k % 3]}mon,{['fire', 'water'][k % 2]},{k * 7 % 50},{k % 2 > 0}\n" for k in range(40))


@pytest.mark.parametrize("first", ["#,Name,Type,HP,Legendary", '"#","Name","Type","HP","Legendary"'])
@pytest.mark.parametrize("options", [{}, {"label": "Legendary"}, {"header": True}])
def test_a_sign_that_names_the_first_column_makes_no_comment(
    read: Callable[..., Dataset], first: str, options: dict[str, Any]
) -> None:
    """Also with a comment above it; without a header it is passed over as one."""
    for before in ("", "# from the web, 2016\n"):
        dataset = read(f"{before}{first}\n{POKEMON}", **options)
        assert dataset.feature_names == ("Name", "Type", "HP")
        assert len(dataset.everything) == 40
        assert "left out: '#' (counts the rows)" in dataset.note
    assert len(read(f"{first}\n{POKEMON}", header=False).everything) == 40


def test_names_in_quotes_beside_the_sign_may_have_separators(read: Callable[..., Dataset]) -> None:
    assert read(f'#,"Name, in full",Type,HP,Legendary\n{POKEMON}').feature_names[0] == "Name, in full"


def test_rows_that_all_begin_with_a_sign_are_rows(read: Callable[..., Dataset]) -> None:
    rows = "".join(f"#{k % 5},{k * 7 % 13},{'ab'[k % 2]}\n" for k in range(30))
    assert len(read(rows).everything) == 30
    assert read(f"#id,x,kind\n{rows}").feature_names == ("#id", "x")
    more = "".join(f"#{k % 5},{k * 7 % 13},{'ab'[k % 2]}\n" for k in range(2000))
    assert len(read(more).everything) == 2000


def test_columns_may_have_no_names(read: Callable[..., Dataset]) -> None:
    rows = "".join(f"{k},{k * 7 % 13},{'xyz'[k % 3]},{'ab'[k % 2]}\n" for k in range(40))
    dataset = read(f",,name,kind\n{rows}")
    assert dataset.feature_names == ("column 2", "name")
    assert len(dataset.everything) == 40


def test_names_that_recur_are_refused_and_words_that_do_are_a_row(read: Callable[..., Dataset]) -> None:
    rows = "".join(f"{k % 9},{k * 7 % 13},{'xyz'[k % 3]},{'ab'[k % 2]}\n" for k in range(40))
    with pytest.raises(DataError, match="more than one column is called 'x'"):
        read(f"x,x,name,kind\n{rows}")
    same = "".join(f"{'pq'[k % 2]},{'pqr'[k % 3]},{k % 7},{'ab'[k % 2]}\n" for k in range(40))
    assert len(read(same).everything) == 40
