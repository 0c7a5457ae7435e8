"""Tables: commands that are suggested work, and messages name the way out."""

from __future__ import annotations

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
    assert "pass --no-header" in told
    told = one_line(genreg("infer", "run/model.npz", "bare.csv", "--no-header"), 2)
    assert "5 columns without names" in told
    assert "such as the label's" in told
    Path("other.csv").write_text(penguins("a,b,c,d,e\n", 9))
    assert "lacks 'island', 'bill', 'code', 'share'" in one_line(genreg("infer", "run/model.npz", "other.csv"), 2)
