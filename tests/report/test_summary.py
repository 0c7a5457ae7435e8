"""Summary: what is told of a model is of that model."""

from __future__ import annotations

import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.report.sections import summary
from genreg_np.report.subject import Subject
from tests.report.subjects import table_in
from tests.zoo import exhibit_of


@pytest.mark.parametrize(
    ("name", "row"), [("dense, tanh", "test"), ("int8, tanh", "test, before conversion to 8 bits")]
)
def test_accuracies_are_those_of_the_floats(name: str, row: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a model of 8-bit integers they were counted before it became one."""
    model = exhibit_of(name).model
    monkeypatch.setitem(model.header, "training", {"accuracies": {"test": {"best": 0.875}}})
    assert (row, "87.50 %") in table_in(summary.section(Subject("model", model))).rows
