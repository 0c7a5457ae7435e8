"""The verdict: what is confused, whether it overfits, why training stopped improving; chance is no finding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.data.dataset import Dataset, Split
from genreg_np.report.chance import Share, paired_either_way, rises
from genreg_np.report.compared import compared
from genreg_np.report.sections.verdict import confused, overfits, planned, section, stopped
from genreg_np.report.shown import Table
from genreg_np.report.subject import Subject
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.stored import StoredRun
from tests.helpers import NETWORK, model_of
from tests.report.subjects import answering, shown
from tests.zoo import ZOO


def counted(**right: tuple[int, int]) -> Subject:
    """Return a subject of a run whose model gets so many of so many right of each split; all are of two classes."""
    splits = {}
    for name, (good, count) in right.items():
        labels = np.arange(count) % 2
        answers = np.where(np.arange(count) < good, labels, 1 - labels)
        splits[name] = Split((np.eye(2, dtype=np.float32) * 9)[answers] + np.arange(count)[:, None] * 1e-3, labels)
    told = answering([0, 1], [0, 1], 2)
    data = Dataset("counted", splits["train"], splits["validation"], splits["test"], told.model.class_names)
    return Subject("counted", told.model, data, run=run([]))


def run(records: list[dict[str, Any]], notes: dict[str, Any] | None = None, **settings: Any) -> StoredRun:
    """Return a run of records."""
    config = TrainConfig.from_dict({"strategy": "gradient", "schedule": "constant"} | settings)
    return StoredRun(Path("run"), config, [], {}, records, {"test": True} | (notes or {}))


def looks(validation: list[float], training: list[float] | None = None, **more: Any) -> Subject:
    """Return a subject whose looks, one in ten generations, saw this of 1,000 inputs; 80 % of training is right."""
    rows = [
        {"generation": 10 * number, "validation_accuracy": value}
        | ({"mean_accuracy": training[number - 1]} if training else {})
        for number, value in enumerate(validation, start=1)
    ]
    subject = counted(train=(800, 1000), validation=(800, 1000), test=(800, 1000))
    return replace(subject, run=run(rows, generations=10 * len(validation), **more))


def test_shares_know_how_far_they_may_be_off() -> None:
    assert str(Share(90, 100)) == "90.0 % ± 6.2"
    assert Share(10, 10).either_way > 0.1  # all of ten is no certainty
    one, other = np.ones(100, bool), np.arange(100) >= 8
    assert paired_either_way(one, other) == pytest.approx(2 * np.sqrt(8 - 64 / 100) / 100)
    assert paired_either_way(one, one) > 0


def test_a_rise_is_one_that_looks_do_not_scatter_by() -> None:
    assert rises([0.5]) == 0
    assert rises([0.5, 0.6], 0.05) == pytest.approx(0.1)
    assert rises([0.5, 0.6], 0.2) == 0
    scattered = [0.5 + 0.05 * (-1) ** number for number in range(40)]
    assert rises(scattered) == 0
    slowly = [value + 0.01 * number for number, value in enumerate(scattered)]
    assert rises(slowly, 0.5) == pytest.approx(0.1)


def test_confusions_that_are_seen_once_are_no_finding() -> None:
    assert confused(answering([0, 1], [0, 1], 2)).startswith("nothing: all 2 test")
    assert confused(answering([0, 1, 1], [0, 0, 1], 2)).startswith("nothing twice; 1 of 3")
    subject = answering([1, 1, 1, 0, 2, 1], [0, 0, 1, 0, 0, 2], 3)
    assert confused(subject) == "class 0 taken for class 1 (2 of 4); 4 of 6 test inputs are wrong."


def test_classes_that_are_hardly_answered_are_named() -> None:
    said = confused(answering([0] * 30 + [1], [0] * 10 + [1] * 21, 2))
    assert "hardly ever predicts class 1 (once, for 21 inputs)" in said
    assert "It predicts class 0 30 times, for 10 inputs." in said
    assert "hardly" not in confused(answering([0] * 9 + [0], [0] * 9 + [1], 2))


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ((1000, 1000), (800, 1000), "yes, test is 20.0 points below training"),
        ((1000, 1000), (987, 1000), "hardly, test is 1.3 points"),
        ((800, 1000), (790, 1000), "not seen"),
        ((50, 50), (9, 10), "cannot be told (with 10 test inputs"),
        ((40, 50), (3, 10), "yes, test"),
    ],
)
def test_overfitting_is_told_beyond_chance(train: tuple[int, int], test: tuple[int, int], said: str) -> None:
    subject = counted(train=train, validation=test, test=test)
    assert overfits(subject).startswith(said)
    assert str(Share(*test)) in overfits(subject)


def test_overfitting_is_not_told_of_the_same_inputs_or_of_other_data() -> None:
    subject = counted(train=(9, 10), validation=(9, 10), test=(9, 10))
    assert "test inputs are the training inputs" in overfits(subject)
    assert "other data" in overfits(replace(subject, run=None))
    assert overfits(Subject("alone", model_of(NETWORK))) == ""


def test_test_is_not_looked_at_before_its_time() -> None:
    """Of a run that was stopped validation is held against training."""
    subject = counted(train=(1000, 1000), validation=(800, 1000), test=(700, 1000))
    early = replace(subject, run=run([], {"test": None}))
    assert set(early.shares) == {"train", "validation"}
    assert overfits(early).startswith("yes, validation is 20.0 points")


def test_guessing_and_luck_are_named() -> None:
    said = overfits(counted(train=(60, 100), validation=(90, 100), test=(55, 100)))
    assert "no better than guessing: class 0 for all gives 50.0 %" in said
    assert "Test is clearly below validation" in said
    assert "guessing" not in overfits(counted(train=(90, 100), validation=(90, 100), test=(90, 100)))
    lucky = replace(
        counted(train=(60, 100), validation=(90, 100), test=(55, 100)),
        run=run(looks([0.5, 0.9]).run.records),  # type: ignore[union-attr]
    )
    lucky.model.header["training"] = {"generation": 20}
    assert "the best of 2 looks at only 100 inputs" in overfits(lucky)


def test_what_still_rises_is_told_to_be_longer() -> None:
    said = stopped(looks([0.1 * step for step in range(1, 10)]))
    assert said.startswith("not yet: validation still rose at the end, by 20.0 points")
    assert stopped(looks([0.5, 0.6, 0.7, 0.8, 0.9])).startswith("not yet")
    assert "since generation 10 of 90" in stopped(looks([0.8 + 0.001 * step for step in range(9)][::-1]))


def test_a_run_that_has_stopped_gaining_says_since_when() -> None:
    """Ties are for the first look; what is within chance of it came no later."""
    said = stopped(looks([0.5, 0.79, 0.8, *[0.8] * 5]))
    assert said.startswith("since generation 20 of 80 validation has risen by no more than chance (±2.5 points)")
    assert "best at generation 30, 80.0 %" in said
    assert "at the end 60.0 %" in stopped(looks([0.5, 0.8, 0.8, 0.8, 0.8, 0.6]))


def test_why_it_stopped_is_told() -> None:
    flat = [0.8] * 8
    assert "All 1,000 training inputs" in stopped(
        replace(looks(flat), dataset=counted(train=(1000, 1000), validation=(800, 1000), test=(800, 1000)).dataset)
    )
    slow = [0.5, 0.6, 0.7, 0.75, 0.78, 0.82, 0.82, 0.82, 0.82]
    assert "learning rate had fallen to 25 % of the first by then, as planned" in stopped(
        looks(slow, schedule="cosine")
    )
    assert "planned" not in stopped(looks(flat, schedule="cosine"))
    assert "does not rise either" in stopped(looks(flat, flat))
    assert "which so few validation inputs cannot show" in stopped(looks(flat, [0.1 * step for step in range(8)]))
    assert "It was stopped at generation" in stopped(
        replace(looks(flat), run=run(looks(flat).run.records, {"ended": "stopped"}))  # type: ignore[union-attr]
    )


def test_a_single_look_tells_nothing_but_what_training_does() -> None:
    assert stopped(looks([0.5])) == "cannot be told: there was a single look at validation, at generation 10."
    rows = [{"generation": number, "mean_accuracy": 0.1 * number} for number in range(1, 9)]
    rows[-1]["validation_accuracy"] = 0.5
    assert "still rose" in stopped(replace(looks([0.5]), run=run(rows)))
    assert stopped(replace(looks([0.5]), run=run([{"generation": 1}]))) == ""


def test_what_is_planned_to_become_small() -> None:
    assert planned(TrainConfig.from_dict({"strategy": "gradient", "schedule": "constant"})) is None
    assert planned(TrainConfig.from_dict({"strategy": "genreg"})) is None
    for settings, name, left in (
        ({"strategy": "gradient"}, "learning rate", 0),
        ({"strategy": "node-perturbation"}, "step size", 0),
        ({"strategy": "genreg", "final_scale": 0.1}, "scale of mutations", 0.1),
    ):
        found = planned(TrainConfig.from_dict(settings))
        assert found is not None
        assert found[0] == name
        assert [found[1](done) for done in (0, 1, 2)] == pytest.approx([1, left, left], abs=1e-9)


def test_the_section_is_a_table_of_lines() -> None:
    found = section(looks([0.8] * 8))
    assert found is not None
    (table,) = found.parts
    assert isinstance(table, Table)
    assert [row[0] for row in table.rows] == ["Confuses", "Overfits", "Stopped improving"]
    assert section(Subject("alone", model_of(NETWORK))) is None
    alone = section(Subject("looked", model_of(NETWORK), run=looks([0.8] * 8).run))
    assert alone is not None
    assert "hardly risen" in alone.parts[0].rows[0][1]  # type: ignore[union-attr]


@pytest.mark.parametrize("name", ZOO)
def test_models_of_every_kind_have_a_verdict(name: str) -> None:
    """Whatever their inputs and numbers; where classes are told, and only there."""
    subject = shown(name)
    assert (section(subject) is not None) == subject.is_counted
    assert compared([subject, subject]).parts
