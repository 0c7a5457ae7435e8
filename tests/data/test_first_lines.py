"""What stands above and beside a table: comments with names, the separator's line, empty columns; many columns."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from genreg_np.data import load_dataset
from genreg_np.data.dataset import Dataset
from genreg_np.data.header import first_is_header
from genreg_np.data.rows import names_separator, read_rows, separator_of
from genreg_np.data.table import _different
from genreg_np.errors import DataError, UsageError
from tests.helpers import one_line

ROWS = range(60)
GENES = "".join(f"chr{k % 3 + 1},{k * 7 % 90},{'yn'[k % 2]}\n" for k in ROWS)
WORDS = "".join(f"{'abc'[k % 3]},{'pqrs'[k % 4]},{'yn'[k % 2]}\n" for k in ROWS)
NUMBERS = "".join(f"{k % 7}.5,{k * 3 % 11}.25,{'yn'[k % 2]}\n" for k in ROWS)


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Dataset]:
    def load(text: str | bytes, **options: Any) -> Dataset:
        (tmp_path / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_dataset(tmp_path / "t.csv", **options)

    return load


@pytest.mark.parametrize("rows", [GENES, WORDS, NUMBERS])
@pytest.mark.parametrize("options", [{}, {"header": True}, {"label": "kind"}])
def test_a_comment_names_the_columns_of_any_table(
    read: Callable[..., Dataset], rows: str, options: dict[str, Any]
) -> None:
    """And costs no row, with --header or without."""
    dataset = read(f"##by hand\n#chrom,pos,kind\n{rows}", **options)
    assert dataset.feature_names == ("chrom", "pos")
    assert len(dataset.everything) == 60
    without = read(f"#chrom,pos,kind\n{rows}", header=False)
    assert without.feature_names == (("1", "2") if rows != NUMBERS else ())
    assert len(without.everything) == 60


@pytest.mark.parametrize("comment", ["# by me, of, things", "# a, a, kind", "# a, , kind", "# a, 7, kind"])
@pytest.mark.parametrize("options", [{}, {"header": True}])
def test_a_comment_above_a_header_stays_one(
    read: Callable[..., Dataset], comment: str, options: dict[str, Any]
) -> None:
    assert read(f"{comment}\nchrom,pos,kind\n{GENES}", **options).feature_names == ("chrom", "pos")


@pytest.mark.parametrize(
    ("rows", "comment"),
    [
        (GENES, "# kind,pos,label,"),
        ("a,p,7\nb,q,8\n", "# x,y,kind"),
        (GENES, "# label,pos,chrom"),
    ],
)
def test_a_comment_that_may_be_a_header_is_asked_about(read: Callable[..., Dataset], rows: str, comment: str) -> None:
    """If the rows do not tell, or the label would move; one of another width is passed over."""
    if comment.endswith(","):
        assert read(f"{comment}\n{rows}").feature_names == ("1", "2")
        return
    with pytest.raises(DataError, match=r"the comment in line 1 .* --header or --no-header") as error:
        read(f"{comment}\n{rows}")
    assert one_line(error.value)
    assert read(f"{comment}\n{rows}", header=True).feature_names[-1] in ("y", "chrom")


@pytest.mark.parametrize("line", ["sep=;", "SEP=;", '"sep=;"', "sep=; "])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_for_spreadsheets_names_the_separator(
    read: Callable[..., Dataset], tmp_path: Path, line: str, end: str
) -> None:
    """Also above comments, without a header, and compressed; lines keep their numbers."""
    rows = [f"{k % 7};{k * 3 % 11};{'yn'[k % 2]}" for k in ROWS]
    text = end.join([line, "a;b;kind", *rows, ""])
    assert read(text).feature_names == ("a", "b")
    assert separator_of(tmp_path / "t.csv") == ";"
    assert names_separator(tmp_path / "t.csv")
    assert len(read(end.join([line, '# it was "long ago', *rows])).everything) == 60
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress(("\ufeff" + text).encode()))
    assert load_dataset(tmp_path / "t.csv.gz").feature_names == ("a", "b")
    with pytest.raises(DataError, match=r"line 4: 2 fields, but 3"):
        read(end.join([line, "a;b;kind", rows[0], "1;2"]))
    assert [row for row, _ in read_rows(tmp_path / "t.csv")] == [2, 3, 4]


def test_a_separator_that_is_given_goes_before_one_that_is_named(read: Callable[..., Dataset], tmp_path: Path) -> None:
    assert read("sep=;\na,b,kind\n" + NUMBERS, separator="comma").feature_names == ("a", "b")
    with pytest.raises(DataError, match=r"line 1: names the separator '\^', but it must be one of comma") as error:
        read("sep=^\na^b^kind\n1^2^x\n")
    assert one_line(error.value)
    assert read("sep=x,b,kind\n" + NUMBERS).feature_names == ("sep=x", "b")
    assert not names_separator(tmp_path / "t.csv")


def test_columns_without_a_name_or_a_value_are_no_label(read: Callable[..., Dataset]) -> None:
    """As spreadsheets leave them at the right; a stray value there is asked about."""
    rows = [f"{k % 7},{k * 3 % 11},{'yn'[k % 2]}" for k in ROWS]
    dataset = read("a,b,kind,,\n" + "".join(f"{row},,\n" for row in rows))
    assert dataset.label == "kind"
    assert dataset.feature_names == ("a", "b")
    assert "left out: 'column 4', 'column 5' (empty)" in dataset.note
    bare = read("".join(f"{row},,\n" for row in rows), header=False)
    assert bare.label == "3"
    with pytest.raises(DataError, match=r"'column 4' was taken for the label .*: name the label's column with --label"):
        read("a,b,kind,,\n" + "".join(f"{row},{'so' if k == 7 else ''},\n" for k, row in enumerate(rows)))
    assert read("a,b,\n" + "".join(f"{row}\n" for row in rows)).label == "column 3"
    first = read("1,2,\n" + "".join(f"{row}\n" for row in rows), header=False)
    assert first.label == "3"
    assert len(first.everything) == 60
    with pytest.raises(UsageError, match="no column"):
        read("a,b,kind,,\n" + "".join(f"{row},,\n" for row in rows), label="kin")


class Name(str):
    """A column's name that counts how often it is compared or looked up."""

    looked: ClassVar[Counter[str]] = Counter()

    def __eq__(self, other: object) -> bool:
        Name.looked["eq"] += 1
        return str.__eq__(self, str(other))

    def __hash__(self) -> int:
        Name.looked["hash"] += 1
        return str.__hash__(self)


@pytest.mark.parametrize(
    "scan",
    [
        lambda names: _different("t.csv", names),
        lambda names: first_is_header(names, [{"1", "2"}] * len(names), 9),
    ],
)
def test_names_of_many_columns_are_looked_at_a_few_times_each(scan: Callable[[list[Name]], object]) -> None:
    names = [Name(f"c{k}") for k in range(2000)]
    Name.looked.clear()
    scan(names)  # type: ignore[arg-type]
    assert sum(Name.looked.values()) < 20 * len(names)
