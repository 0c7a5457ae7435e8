"""Tables without a header, or with an index beside the data, from training to predictions."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from genreg_np.infer import load
from tests.cli import one_line, save_relabelled

QUICK = ("--strategy", "gradient", "--generations", 40, "--out", "run", "--quiet")
DRAW = random.Random(2)
CLASSES = [DRAW.randrange(2) for _ in range(150)]
GLASS = [  # an id that counts, two columns of which one tells the class, a constant, the class
    [k + 1, f"{DRAW.gauss(0, 1):.3f}", f"{3 * one + DRAW.gauss(0, 0.3):.3f}", 7, one + 1]
    for k, one in enumerate(CLASSES)
]
WORDS = [["ab"[one], "" if k == 9 else k % 4, f"{3 * one + DRAW.gauss(0, 0.3):.3f}", DRAW.choice("uvw"), 7]
         for k, one in enumerate(CLASSES)]  # fmt: skip


def write(path: str, rows: list[list[object]], header: str = "") -> str:
    lines = [header] if header else []
    Path(path).write_text("\n".join([*lines, *(",".join(map(str, row)) for row in rows), ""]))
    return path


@pytest.mark.parametrize(("rows", "label"), [(GLASS, 5), (WORDS, 1)])
def test_a_table_without_a_header_is_predicted_and_measured(genreg, rows: list[list[object]], label: int) -> None:
    """Its own file, the same rows under another name, and rows without the label, as train has laid them out."""
    write("d.csv", rows)
    assert genreg("train", "--dataset", "d.csv", "--label", label, *QUICK).code == 0
    assert load("run/model.npz").header["table"]["width"] == 5
    own = json.loads(genreg("eval", "run/model.npz", "--dataset", "d.csv", "--json").out)
    assert own["accuracy"] > 0.9
    write("again.csv", rows[:-1])
    done = genreg("eval", "run/model.npz", "--dataset", "again.csv")
    assert done.code == 0, done.err
    assert "all rows, 149 inputs" in done.out
    write("new.csv", [[field for place, field in enumerate(row, 1) if place != label] for row in rows])
    found = [genreg("infer", "run/model.npz", name) for name in ("d.csv", "new.csv")]
    assert found[0].out == found[1].out
    assert len(found[0].out.splitlines()) == 150
    assert "matched by position" not in found[1].err
    changed = save_relabelled(Path("run/model.npz"), table={"width": 5})
    for command in (("infer", changed, "d.csv"), ("eval", changed, "--dataset", "d.csv")):
        assert "the model's header is malformed: 'table'" in one_line(genreg(*command), 1)
    write("narrow.csv", [row[:3] for row in rows])
    told = one_line(genreg("infer", "run/model.npz", "narrow.csv"), 2)
    assert "3 columns, but the model was trained on 5 columns: give it all of them, or the 4 without" in told


@pytest.mark.parametrize("name", ["", "Unnamed: 0"])
def test_an_index_that_tells_the_class_is_not_learned(genreg, name: str) -> None:
    """As pandas writes a table whose rows it has drawn, sorted or filtered."""
    rows = [[k, DRAW.randrange(50), "ab"[k >= 75]] for k in range(150)]
    write("d.csv", DRAW.sample(rows, 120), f"{name},x,kind")
    out = genreg("data", "show", "d.csv").out
    assert "left out: an index without a name" in out
    write("e.csv", [row for row in rows if row[1] != 7], "row,x,kind")
    out = genreg("data", "show", "e.csv").out
    assert "'row': rises from row to row: leave it out if it only numbers the rows (--drop 'row')" in out
