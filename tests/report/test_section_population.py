"""The section of the population: how far survivors are apart, how weights grow, how alike networks are."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.model import Model
from genreg_np.report.sections import population
from genreg_np.report.shown import Picture
from genreg_np.report.subject import Subject
from tests.report.subjects import run_of
from tests.report.test_sections_hidden import pictures, section

pytest.importorskip("matplotlib", reason="needs matplotlib to draw")


def with_records(subject: Subject, records: list[dict[str, Any]]) -> Subject:
    assert subject.run is not None
    return dataclasses.replace(subject, run=dataclasses.replace(subject.run, records=records))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    return run_of(tmp_path_factory.mktemp("population") / "run")


@pytest.mark.parametrize(("last", "word"), [(9.9, "has not collapsed"), (0.9, "nearly a single network")])
def test_a_population_that_collapses_is_told(run: Subject, last: float, word: str) -> None:
    records = [{"generation": 10, "survivor_distance": 10.0}, {"generation": 20, "survivor_distance": last}]
    found = section("population", with_records(run, records))
    assert found is not None
    assert word in found.words
    assert pictures(found) == ["diversity"]


@pytest.mark.parametrize(("most", "about"), [(10**9, "are 9.00 apart"), (10, "are about 9.00 apart")])
def test_a_distance_that_is_sampled_is_about(
    run: Subject, most: int, about: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where genomes have more genes than are looked at."""
    monkeypatch.setattr(population, "MOST_GENES", most)
    records: list[dict[str, Any]] = [
        {"generation": 10, "survivor_distance": 9.0},
        {"generation": 20, "survivor_distance": 8.127},
    ]
    found = section("population", with_records(run, records))
    assert found is not None
    assert about in found.words
    assert "8.13 at the end" in found.words


@pytest.mark.parametrize(("sizes", "told"), [((1, 2, 3, 4), True), ((1, 4, 4, 4), False)])
def test_weights_that_grow_on_are_told(run: Subject, sizes: tuple[int, ...], told: bool) -> None:
    records = [{"generation": number, "mean_weight": size} for number, size in enumerate(sizes, start=1)]
    found = section("population", with_records(run, records))
    assert found is not None
    assert ("has not levelled off" in found.words) == told


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"survivor_distance": None},
        {"survivor_distance": "far"},
        {"similarity": [], "clusters": []},
        {"similarity": [0.5], "clusters": "many"},
        {"similarity": [None], "clusters": [1]},
        {"similarity": [10**400], "clusters": [1]},
        {"similarity": [0.5], "clusters": [10**400]},
        {"similarity": [float("inf")], "clusters": [1]},
        {"similarity": [0.5], "clusters": [float("nan")]},
        {"similarity": [0.5, 0.5], "clusters": [1]},
        {"similarity": [9.5], "clusters": [1]},
    ],
)
def test_records_without_a_population_show_none(run: Subject, record: dict[str, Any]) -> None:
    """As older runs have, or files that somebody changed."""
    records = [{"generation": 1, "similarity": [0.5], "clusters": [1]}, {"generation": 1, **record}]
    assert section("population", with_records(run, records[1:])) is None
    assert section("population", with_records(run, records)) is None, "one that is a record is no line"
    assert section("population", with_records(run, [records[0], *records])) is not None


def test_a_population_of_one_kind(run: Subject) -> None:
    """Of layers that the model does not have, they are numbered; records of another length are passed over."""
    records = [
        {"generation": 1, "similarity": [0.1], "clusters": [4]},
        {"generation": 2, "similarity": [0.2, -0.3, 0.1], "clusters": [4, 4, 4]},
        {"generation": 3, "similarity": [1, 0.25, 0.5], "clusters": [1, 3, 2]},
    ]
    found = section("population", with_records(run, records))
    assert found is not None
    (picture,) = (part for part in found.parts if isinstance(part, Picture))
    assert picture.name == "similarity"
    assert "layer 2 ends at 0.50 in 2 clusters" in picture.says


def test_growth_of_weights_is_no_population(tmp_path: Path) -> None:
    """Where nothing is told of one; its line begins at the start, and has no bias for the largest weight."""
    subject = run_of(tmp_path / "run", strategy="gradient")
    found = section("population", subject)
    assert found is not None
    assert found.title == "Growth of weights"
    assert "at the start" in found.words
    assert subject.initial is not None
    assert f"from {np.abs(subject.initial).mean():.3g} at the start" in found.words
    genes = np.arange(subject.model.genes.size, dtype=np.float32)
    for row, drawn in ((genes[::-1], True), (genes, False)):  # the last is a bias
        model = Model.build(subject.model.network, np.ascontiguousarray(row), subject.model.class_names)
        found = section("population", dataclasses.replace(subject, model=model))
        assert found is not None
        assert ("largest" in next(part.says for part in found.parts if isinstance(part, Picture))) == drawn
