"""What curves say: where validation was best, whether it falls, and whether training images are known by heart."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.report.sections.curves import MOST_POINTS, line_of, section, thinned, verdict
from genreg_np.report.subject import Subject
from tests.helpers import NETWORK, model_of


def records(validation: list[float], training: float = 0.0, every: int = 10) -> list[dict[str, object]]:
    """Return records of a run whose looks saw this."""
    return [
        {"generation": number, "mean_accuracy": training}
        | ({"validation_accuracy": validation[number // every - 1]} if number % every == 0 else {})
        for number in range(1, every * len(validation) + 1)
    ]


def test_a_run_that_still_gains_is_told_to_be_longer() -> None:
    said = " ".join(verdict(records([0.1 * step for step in range(1, 10)])))
    assert "best at generation 90: 90.0 %" in said
    assert "still rising (+10.0 points since generation 80)" in said
    assert "heart" not in said


def test_a_run_that_has_stopped_gaining_says_since_when() -> None:
    said = " ".join(verdict(records([0.5, 0.9, 0.8, 0.8, 0.8, 0.8, 0.8, 0.8])))
    assert "best at generation 20: 90.0 %" in said
    assert "In the last 75 % of the run it gained nothing" in said


def test_a_flat_end_is_called_flat() -> None:
    said = " ".join(verdict(records([0.5, *[0.9] * 12])))
    assert "hardly rose" in said


def test_what_is_known_by_heart_is_told() -> None:
    said = " ".join(verdict(records([0.5, 0.8], training=0.95)))
    assert "15.0 points better" in said
    assert "heart" not in " ".join(verdict(records([0.5, 0.8], training=0.82)))
    measure = "validation_accuracy"
    assert "heart" in " ".join(verdict(records([0.5, 0.8], training=0.9), measure, 100))  # 8 points are two errors
    assert "heart" not in " ".join(verdict(records([0.5, 0.8], training=0.9), measure, 60))  # and here 10.3


def test_the_verdict_is_of_the_genome_that_is_saved() -> None:
    lines = [record | {"consensus_validation_accuracy": 0.9} for record in records([0.5, 0.4])]
    assert "Validation of the consensus was best at generation 20: 90.0 %" in " ".join(
        verdict(lines, "consensus_validation_accuracy")
    )
    assert "Validation was best at generation 10: 50.0 %" in " ".join(verdict(lines))


def test_no_look_is_said() -> None:
    assert verdict([{"generation": 1}]) == ["There was no look at the validation split."]


def test_lines_pass_over_what_is_no_number() -> None:
    """A run folder may come from anybody."""
    hostile = [{"generation": 1, "x": "9"}, {"generation": 2, "x": True}, {"generation": 3, "x": float("nan")}]
    assert line_of([*hostile, {"generation": 4, "x": 2}], "x") == ([4], [2.0])


def test_long_lines_become_means() -> None:
    values = list(np.random.default_rng(0).normal(size=10_000))
    generations, found = thinned((list(range(1, 10_001)), values))
    assert len(found) == MOST_POINTS
    assert found[0] == pytest.approx(np.mean(values[:25]))
    assert generations[-1] == 10_000


def test_a_model_alone_has_no_curves() -> None:
    assert section(Subject("alone", model_of(NETWORK))) is None
