"""Tables without a header: each of a model's columns is where it was in training, or the table is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import load_dataset
from genreg_np.data.for_model import Stream, columns_of, inputs_of_table
from genreg_np.data.layout import Layout
from genreg_np.data.table import read_table
from genreg_np.errors import DataError, UsageError
from genreg_np.infer import ModelError
from genreg_np.layers.table import Columns
from genreg_np.model import Model, Network
from tests.helpers import one_line

ROWS = range(60)
TABLES: dict[str, tuple[list[list[object]], int]] = {
    "label first, the last column constant, a value missing": (
        [["ab"[k % 2], k * 3 % 11, k * 7 % 13, "" if k == 4 else k * 5 % 9, 7] for k in ROWS], 1,
    ),
    "words among numbers": (
        [["ab"[k % 2], "xyz"[k % 3], k * 7 % 13, 7, "uv"[k // 3 % 2]] for k in ROWS], 1,
    ),
    "a counting id, then numbers": (
        [[k + 1, k * 3 % 11 + 0.5, k * 7 % 13 + 0.25, "ab"[k % 2]] for k in ROWS], 4,
    ),
    "the label in the middle": ([[k * 3 % 11, "ab"[k % 2], k * 7 % 13 + 0.25, "u" * 3] for k in ROWS], 2),
}  # fmt: skip


def write(path: Path, rows: list[list[object]], header: str = "") -> Path:
    path.write_text("\n".join([*([header] if header else []), *(",".join(map(str, row)) for row in rows), ""]))
    return path


def trained(path: Path, label: int, **options: Any) -> Model:
    """Return a model of the table, of weights that are zero."""
    data = load_dataset(path, label=str(label), **options)
    fixed = () if not data.columns else (Columns.fit(data.columns, data.train.inputs),)
    network = Network.build(data.input_shape, (), 2, fixed=fixed)
    genes = np.zeros(network.gene_count, np.float32)
    return Model.build(
        network, genes, data.class_names, None, {}, data.feature_names, None, None, data.columns, data.label, data.table
    )


def read(model: Model, path: Path, header: bool | None = None) -> np.ndarray:
    return np.concatenate([batch.inputs for batch in Stream.open(model, path, header, None).batches()])


@pytest.mark.parametrize("name", TABLES)
def test_each_input_is_read_from_where_it_was_in_training(tmp_path: Path, name: str) -> None:
    """From the training file and from rows without the label, also under a header; no first row is lost."""
    rows, label = TABLES[name]
    path = write(tmp_path / "d.csv", rows)
    model = trained(path, label)
    inputs = read(model, path)
    assert inputs.shape == (60, len(columns_of(model)))
    bare = [[field for place, field in enumerate(row, 1) if place != label] for row in rows]
    new = read(model, write(tmp_path / "new.csv", bare))
    np.testing.assert_array_equal(new, inputs)
    for content, begin in ((rows, 0), (rows, 1), (rows, None), (bare, None), (bare, 0)):
        width = len(content[0])
        if begin is not None and not model.feature_names:  # numbers above numbers: nothing tells that they are names
            continue
        names = ",".join("pqrstu"[:width] if begin is None else map(str, range(begin, begin + width)))
        np.testing.assert_array_equal(read(model, write(tmp_path / "named.csv", content, names)), inputs)
    table, targets = read_table(path, [str(label)])
    np.testing.assert_array_equal(inputs_of_table(model, table, targets)[0], inputs)
    assert Stream.open(model, tmp_path / "new.csv", None, None).reader.note() == ""


@pytest.mark.parametrize("name", TABLES)
def test_other_widths_are_refused(tmp_path: Path, name: str) -> None:
    """Whether they could be the model's inputs or not."""
    rows, label = TABLES[name]
    model = trained(write(tmp_path / "d.csv", rows), label)
    for content in ([row[:-2] for row in rows], [[*row, 1] for row in rows]):
        path = write(tmp_path / "other.csv", content)
        for header in (None, False):
            with pytest.raises(UsageError, match=rf"the model was trained on {len(rows[0])} columns: give") as error:
                read(model, path, header)
            assert one_line(error.value)
        table, targets = read_table(path, ["1"], header=False)
        with pytest.raises(UsageError, match=rf"the model was trained on {len(rows[0])}: give it all"):
            inputs_of_table(model, table, targets)


def test_a_fault_in_the_first_row_is_no_header(tmp_path: Path) -> None:
    rows, label = TABLES["a counting id, then numbers"]
    model = trained(write(tmp_path / "d.csv", rows), label)
    with pytest.raises(DataError, match=r"line 1, column '2': 'oops' is not a finite number"):
        read(model, write(tmp_path / "bad.csv", [[1, "oops", 3], *[row[:3] for row in rows]]))


def test_a_label_that_stands_elsewhere_is_named(tmp_path: Path) -> None:
    """It is not taken for being the last."""
    rows, label = TABLES["the label in the middle"]
    model = trained(write(tmp_path / "d.csv", rows), label)
    path = write(tmp_path / "named.csv", rows, "p,q,r,s")
    with pytest.raises(UsageError, match=r"'s', was taken for the label's, .*: name it with --label 2") as error:
        inputs_of_table(model, *read_table(path))
    assert one_line(error.value)
    turned = [[row[0], row[2], row[3], row[1]] for row in rows]
    table, targets = read_table(write(tmp_path / "last.csv", turned, "p,r,s,label"))
    np.testing.assert_array_equal(inputs_of_table(model, table, targets)[0], read(model, tmp_path / "d.csv"))


def test_models_of_earlier_versions_are_read_as_before(tmp_path: Path) -> None:
    """They do not say how wide their table was."""
    rows, label = TABLES["a counting id, then numbers"]
    model = trained(write(tmp_path / "d.csv", rows), label)
    old = Model({name: value for name, value in model.header.items() if name != "table"}, model.arrays)
    expected = read(model, tmp_path / "d.csv")
    np.testing.assert_array_equal(read(old, write(tmp_path / "two.csv", [row[1:3] for row in rows])), expected)
    with pytest.raises(UsageError, match="does not know their names"):
        read(old, tmp_path / "d.csv", header=False)


@pytest.mark.parametrize(
    "entry",
    [
        3,
        {},
        {"width": 4},
        {"width": "4", "columns": [2, 3], "labels": [4]},
        {"width": 4, "columns": [2], "labels": [4]},
        {"width": 4, "columns": [2, 2], "labels": [4]},
        {"width": 4, "columns": [2, 4], "labels": [4]},
        {"width": 4, "columns": [2, 5], "labels": [4]},
        {"width": 4, "columns": [2, True], "labels": [4]},
        {"width": 4, "columns": [2, 3], "labels": 4},
    ],
)
def test_a_malformed_layout_is_refused(entry: object) -> None:
    with pytest.raises(ModelError, match="the model's header is malformed: 'table'") as error:
        Layout.found({"table": entry}, 2)
    assert one_line(error.value)


def test_a_layout_is_that_of_its_header() -> None:
    layout = Layout.of(5, ["2", "3", "5"], ["1", "4"])
    assert Layout.found({"table": layout.header()}, 3) == layout
    assert layout.places(5) == [1, 2, 4]
    assert layout.places(3) == [0, 1, 2]
    assert layout.places(4) is None
    assert Layout.found({}, 3) is None
