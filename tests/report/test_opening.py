"""A run folder as a subject: what does not belong together is not put together, and it is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.report.opening import of_run
from genreg_np.report.page import page_of
from tests.report.subjects import run_of


@pytest.mark.parametrize("later", [0, 40])
def test_a_run_under_way_is_shown_until_its_model(later: int, tmp_path: Path) -> None:
    """Its records are written more often than its model is saved."""
    ended = run_of(tmp_path / "run")
    assert ended.run is not None
    assert ended.run.records[-1]["generation"] == 6
    with open(tmp_path / "run/metrics.jsonl", "a", encoding="utf-8") as file:
        for number in range(7, 7 + later):
            file.write(json.dumps({"generation": number, "validation_accuracy": 0.999, "mean_accuracy": 0.1}) + "\n")
    subject, _ = of_run(tmp_path / "run")
    assert subject.run is not None
    assert subject.run.records == ended.run.records
    page, _ = page_of([subject])
    assert ("The model was saved at generation 6, and the run has records until 46" in page) == bool(later)
    assert "99.9" not in page
