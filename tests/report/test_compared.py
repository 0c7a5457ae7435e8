"""Runs side by side: their numbers, whether they differ, and pictures that can be held against each other."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.report.compared import beside, compared
from genreg_np.report.page import page_of
from genreg_np.report.sections import classes
from genreg_np.report.shown import Table
from genreg_np.report.subject import Subject
from tests.report.subjects import answering, run_of, table_in


def named(name: str, wrong: int, count: int = 200) -> Subject:
    """Return a subject that takes so many of class 1 for class 0."""
    labels = np.arange(count) % 2
    answers = labels.copy()
    answers[1 : 2 * wrong : 2] = 0
    subject = answering(answers.tolist(), labels.tolist(), 2)
    return dataclasses.replace(subject, name=name)


def test_what_is_more_than_chance_is_said_to_be() -> None:
    """Every two are held against each other."""
    shown = compared([named("good", 2), named("bad", 40), named("worse", 43)])
    assert "good is better than bad on test (19.0 points" in shown.words
    assert "good is better than worse" in shown.words
    assert "bad and worse differ by no more than chance" in shown.words or "bad is better than worse" in shown.words
    table = table_in(shown)
    assert [row[:2] for row in table.rows] == [
        ("good", "99.0 % ± 1.7"), ("bad", "80.0 % ± 5.7"), ("worse", "78.5 % ± 5.8"),
    ]  # fmt: skip
    many = compared([named(str(number), 2 * number) for number in range(6)])
    assert many.words.count("on test") == 5


def test_other_inputs_are_held_against_each_other_as_such() -> None:
    assert "on different inputs" in compared([named("one", 5), named("two", 9, 300)]).words
    assert "on different inputs" not in compared([named("one", 5), named("two", 9)]).words
    assert "cannot be compared" in compared([named("one", 5), answering([0, 1, 2], [0, 1, 2], 3)]).words


def test_classes_stand_in_one_order() -> None:
    """Worst first by all runs together; one that is better at another class has the same rows."""
    turned = answering([0] * 4 + [1] * 6 + [1] * 10, [0] * 10 + [1] * 10, 2)
    both = [named("one", 1, 20), dataclasses.replace(turned, name="two")]
    common = beside(both)
    assert common.classes == (0, 1)
    orders = []
    for subject in both:
        shown = classes.section(dataclasses.replace(subject, beside=common))
        assert shown is not None
        (table,) = [part for part in shown.parts if isinstance(part, Table)]
        orders.append([row[0] for row in table.rows])
    assert orders[0] == orders[1] == ["class 0", "class 1"]
    assert beside([both[0], answering([0, 1, 2], [0, 1, 2], 3)]).classes == ()


@pytest.mark.usefixtures("coarse")
def test_axes_begin_where_the_worst_run_does(tmp_path: Path) -> None:
    runs = [run_of(tmp_path / name, seed=seed, generations=4, validate_every=2) for name, seed in (("a", 0), ("b", 1))]
    common = beside(runs)
    seen = [record["mean_accuracy"] for one in runs if one.run for record in one.run.records]
    assert common.lowest <= min(seen)
    page, _ = page_of(runs)
    assert page.index('id="compared"') < page.index('id="verdict"')
    assert 'class="several"' in page
    assert 'id="compared"' not in page_of(runs[:1])[0]
