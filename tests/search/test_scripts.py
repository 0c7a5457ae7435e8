"""Scripts of tables that pandas reads otherwise than this package does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")
pytest.importorskip("pandas", reason="scripts need it")

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
    "months in order": (
        ["month,x,label", *(f"{2000 + n // 12}-{1 + n % 12:02},{x_of(n)},{label_of(n)}" for n in reversed(ROWS))],
        {"label": "label", "time": "month"},
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
    assert (tmp_path / "p.csv").read_text("utf-8").splitlines()[0].rpartition(",")[2].startswith("predict")


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
