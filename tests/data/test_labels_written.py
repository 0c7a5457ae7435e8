"""Labels that are numbers to the eye but not as they are written: commas, signs, units."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from genreg_np import load_dataset
from genreg_np.errors import DataError
from tests.helpers import one_line

DRAW = random.Random(3)
PRICES = [DRAW.randrange(100, 999) for _ in range(300)]


def write(path: Path, labels: list[str], separator: str = ",") -> Path:
    rows = [f'{k * 7 % 31}{separator}"{label}"' for k, label in enumerate(labels)]
    path.write_text("\n".join([f"x{separator}price", *rows, ""]))
    return path


@pytest.mark.parametrize(
    ("form", "separator", "words"),
    [
        ("{},000", ",", "line 2, column 'price': '{},000' is not a finite number; write thousands without commas"),
        ("{},75", ";", "line 2, column 'price': '{},75' is not a finite number; write a decimal point"),
        ("${}.15", ",", r"line 2, column 'price': '\${}.15' is not a finite number; remove the sign if labels are"),
        ("{} €", ",", "line 2, column 'price': '{} €' is not a finite number; remove the sign if labels are numbers"),
        ("1\u202f{}", ",", "remove the spaces if labels are numbers to predict"),
        ("{} kg", ",", "remove the unit if labels are numbers to predict"),
    ],
)
@pytest.mark.parametrize("stray", ["", "n/d"])
def test_a_quantity_is_no_hundreds_of_classes(
    tmp_path: Path, form: str, separator: str, words: str, stray: str
) -> None:
    """It is refused with its line, a stray word or not; classes may be called so if the user says that they are."""
    labels = [form.format(price) for price in PRICES] + ([stray] if stray else [])
    path = write(tmp_path / "d.csv", labels, separator)
    with pytest.raises(DataError, match=words.replace("{}", str(PRICES[0])) + ".* or say --task classes") as error:
        load_dataset(path)
    assert one_line(error.value)
    assert len(load_dataset(path, task="classes").class_names) == len(set(labels))
    if not stray:
        with pytest.raises(DataError, match=r"line 2.*is not a number to predict; (write|remove the)"):
            load_dataset(path, task="values")


@pytest.mark.parametrize(
    ("labels", "note"),
    [
        (
            ["$10", "$20", "$30"],
            "'price': numbers such as '$10' are classes: remove the sign to predict them as numbers",
        ),
        (["$1.500", "$2.500"], "remove the sign, and the points if they separate thousands, to predict them as"),
        (["3 doors", "5 doors"], "numbers such as '3 doors' are classes: remove the unit"),
        (["1", "2"], ""),
        (["a", "b"], ""),
        (["1st", "2nd"], ""),
        (["a 1,5", "b 2,5"], ""),
    ],
)
def test_a_few_such_labels_are_classes(tmp_path: Path, labels: list[str], note: str) -> None:
    """With a remark."""
    data = load_dataset(write(tmp_path / "d.csv", labels * 40))
    assert data.class_names == tuple(labels)
    assert note in data.note if note else "such as" not in data.note


def test_commas_are_refused_even_in_a_few_labels(tmp_path: Path) -> None:
    """As in other columns."""
    with pytest.raises(DataError, match="'1,5' is not a finite number; write a decimal point"):
        load_dataset(write(tmp_path / "d.csv", ["1,5", "2", "3,5"] * 40, ";"))
