"""CSV tables: header or not, any label column, and a line number for every fault."""

from __future__ import annotations

import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from genreg_np.data.dataset import SPLITS, Dataset
from genreg_np.data.table import load_csv
from genreg_np.errors import DataError, UsageError
from genreg_np.model import Standardise
from tests.data.conftest import outcome

ROWS = [(f"{index * 7 % 13}", f"{-index / 2}", "ab"[index % 2]) for index in range(12)]


def write(path: Path, rows: list[tuple[str, ...]], header: tuple[str, ...] | None = None, separator: str = ",") -> Path:
    lines = [separator.join(row) for row in ([header] if header else []) + rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def samples(dataset: Dataset) -> set[tuple[float, ...]]:
    return {
        (*map(float, inputs), float(label))
        for name in SPLITS
        for inputs, label in zip(dataset.split(name).inputs, dataset.split(name).labels, strict=True)
    }


EXPECTED = {(float(index * 7 % 13), -index / 2, float(index % 2)) for index in range(12)}


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
@pytest.mark.parametrize("header", [None, ("x", "y", "kind"), ("x", "y", "Class")])
def test_all_rows_are_read_whatever_separates_them(
    tmp_path: Path, separator: str, header: tuple[str, ...] | None
) -> None:
    dataset = load_csv(write(tmp_path / "t.csv", ROWS, header, separator))
    assert samples(dataset) == EXPECTED
    assert dataset.class_names == ("a", "b")
    assert dataset.train.inputs.dtype == np.float32
    assert dataset.input_range is None


def test_the_label_column_is_found_by_name_argument_or_place(tmp_path: Path) -> None:
    moved = [(label, x, y) for x, y, label in ROWS]
    named = write(tmp_path / "named.csv", moved, ("Label", "x", "y"))
    assert samples(load_csv(named)) == EXPECTED
    other = write(tmp_path / "other.csv", moved, ("species", "x", "y"))
    assert samples(load_csv(other, "species")) == EXPECTED
    assert samples(load_csv(write(tmp_path / "bare.csv", moved), "1")) == EXPECTED
    with pytest.raises(UsageError, match="did you mean 'species'"):
        load_csv(other, "specie")
    with pytest.raises(UsageError, match="a number from 1 to 3"):
        load_csv(tmp_path / "bare.csv", "4")


def test_a_header_of_numbers_is_told_by_its_label(tmp_path: Path) -> None:
    rows = [(f"{index % 3}", f"{index * 7 % 13}") for index in range(12)]
    dataset = load_csv(write(tmp_path / "mnist.csv", rows, ("label", "0")))
    assert sum(len(dataset.split(name)) for name in SPLITS) == 12


def test_numeric_labels_sort_by_value(tmp_path: Path) -> None:
    rows = [(f"{index * 7 % 13}", f"{9 + index % 2}.0") for index in range(12)]
    assert load_csv(write(tmp_path / "t.csv", rows)).class_names == ("9", "10")


def test_blank_lines_quotes_and_a_byte_order_mark_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    lines = [f'"{x}",{y},"class, {label}"' for x, y, label in ROWS]
    path.write_bytes(b"\xef\xbb\xbfx,y,z\r\n\r\n" + "\r\n".join(lines).encode())
    dataset = load_csv(path)
    assert samples(dataset) == EXPECTED
    assert dataset.class_names == ("class, a", "class, b")


def test_a_field_in_quotes_may_have_several_lines(tmp_path: Path) -> None:
    """They become one; of rows that a stray quote has swallowed it is said where that opens."""
    path = tmp_path / "t.csv"
    said = ['"good,\nas ever"', '"bad"', '"so\r\n\r\nso, ""really"""']
    rows = [f"{index},{said[index % 3]},{'ab'[index % 2]}" for index in range(30)]
    path.write_bytes("\n".join(["x,said,class", *rows]).encode())
    dataset = load_csv(path, "class")
    (column,) = [column for column in dataset.columns if column["name"] == "said"]
    assert sorted(column["words"]) == ["bad", "good, as ever", 'so so, "really"']
    for stray in ('1,"2,a\n3,4,b\n5,"6",a\n', '1,"2,a\n3,"4,b\n', '1,2,"a\n3,4,b"\n'):
        path.write_text("x,y,class\n1,2,a\n" + stray)
        with pytest.raises(DataError, match=r'line 3: a quote \("\) opens here and is closed only in line'):
            load_csv(path, "class")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,x,a", r"line 4, column 'y': 'x' is not a finite number; fix it, leave it empty .* or say --kind"),
        ("1,inf,a", r"line 4, column 'y': 'inf'"),
        ("1,1e39,a", r"line 4, column 'y': '1e39'"),
        ("1,2", r"line 4: 2 fields, but 3"),
        ("1,2,3,a", r"line 4: 4 fields, but 3"),
    ],
)
def test_each_fault_has_its_line(tmp_path: Path, row: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"x,y,class\n1,2,a\n3,4,b\n{row}\n5,6,a\n6,7,b\n7,8,a\n")
    with pytest.raises(DataError, match=rf"t\.csv, {words}"):
        load_csv(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"x,y,class\n", "no rows"),
        (b"x,y,class\n1,2,a\n", "a single row"),
        (b"1\n2\n", "one column"),
        (b"1,2,\xff\xfe\n", "UTF-8"),
        (b'1,2,"' + b"a" * 200_000 + b'"\n', "not readable as CSV"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=words):
        load_csv(tmp_path / "t.csv")


def test_a_missing_file_and_a_column_of_ids_are_explained(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_csv(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="too few samples"):
        load_csv(
            write(tmp_path / "ids.csv", [(f"{index * 7 % 13}", f"id{index}") for index in range(9)], ("x", "id"))
        ).check_trainable()


def test_a_table_takes_a_small_multiple_of_its_file(tmp_path: Path) -> None:
    """An object for each row would be a hundred bytes for a line of four."""
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{index * 7 % 9},{index % 3}\n" for index in range(60_000)))
    load_csv(path)  # what is imported, and made once
    tracemalloc.start()
    load_csv(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25 * path.stat().st_size


def test_columns_at_the_ends_of_float32_are_standardised_or_refused(tmp_path: Path) -> None:
    """Subnormal values and values of 1e38 give finite features; what could overflow has its line."""
    rows = [(f"{index % 5}e-42", f"{-1.6e38 if index % 7 else 1.6e38:g}", str(index % 2)) for index in range(40)]
    features = load_csv(write(tmp_path / "ends.csv", rows)).train.inputs
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer = Standardise.fit(features)
        assert np.isfinite(layer.apply(features)).all()
    assert layer.scale[0] == 1
    assert 0 < layer.scale[1] < 1e-37
    with pytest.raises(DataError, match=r"to 3e\+38, beyond .*rescale"):
        load_csv(write(tmp_path / "beyond.csv", [(f"{index % 4}e38", "0", str(index % 2)) for index in range(40)]))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.one_of(st.binary(max_size=80), st.text('0123456789.,;\n"ab- ', max_size=80).map(str.encode)))
def test_random_tables_give_a_dataset_or_a_data_error(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    result = outcome(lambda: load_csv(tmp_path / "t.csv"))
    assert isinstance(result, DataError | Dataset)
