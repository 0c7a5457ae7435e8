"""Runs on a score of one's own: what is told of the best ever, drawn of scores, and said of runs side by side."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="figures need matplotlib")

from genreg_np.errors import UsageError
from genreg_np.layers.dense import Dense
from genreg_np.layers.normalise import ScaleShift
from genreg_np.model import Network
from genreg_np.report import own_score
from genreg_np.report.compared_scores import compared_scores
from genreg_np.report.opening import of_run
from genreg_np.report.page import page_of
from genreg_np.report.scales import LINEAR, LOGARITHMIC, SYMLOG, scale_of
from genreg_np.report.sections import attained, curves, scores, settings, summary, verdict
from genreg_np.report.sections.scores import band_of
from genreg_np.report.sections.weights import first_weights
from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Subject
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.stored import StoredRun
from tests.helpers import NETWORK, model_of
from tests.report.subjects import answering, check_picture, pictures_in, table_in

Record = dict[str, Any]


def record(generation: int, low: float | None, mean: float | None, high: float | None, **more: Any) -> Record:
    """Return the record of a generation."""
    told = {"fitness_minimum": low, "fitness_mean": mean, "fitness_maximum": high, "fitness_deviation": 0.5}
    return {"generation": generation, **told, "fitness_infinite": 0, "fitness_invalid": 0, **more}


def rising(count: int, best: Sequence[float] = (), **more: Any) -> list[Record]:
    """Return records whose best ever rises by 1 in each generation, or as it is told."""
    values = best or range(count)
    return [
        record(place, value - 2, value - 1, value, best_ever_fitness=value, best_ever_generation=place, **more)
        for place, value in enumerate(values, start=1)
    ]


def own(
    records: Sequence[Record], origin: Record | None = None, training: Record | None = None, **more: Any
) -> Subject:
    """Return a run on a score of one's own with such records, whose model says what the last of them does."""
    last = records[-1] if records else {}
    known = {"fitness": last.get("best_ever_fitness"), "generation": last.get("best_ever_generation")}
    known |= {"generations": last.get("generation"), **(training or {})}
    model = model_of(NETWORK, class_names=("<left>", "right"), training=known)
    told = {"fitness": "__main__.game", "rescore": 0, "backend": "numpy", **(origin or {})}
    config = more.pop("config", TrainConfig.from_dict({"strategy": "cma-es", "population_size": 10}))
    run = StoredRun(Path("run"), config, more.pop("changes", []), told, list(records), {"seconds": 2.0, **more})
    return Subject("run", model, run=run)


def told(subject: Subject) -> dict[str, str]:
    """Return what is told of the best ever, by its name."""
    return dict(table_in(attained.section(subject)).rows)  # type: ignore[arg-type]


def drawn(subject: Subject) -> Shown:
    """Return the section of scores, drawn without a warning, held to what all pictures must be."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        shown = scores.section(subject)
    assert shown is not None
    for picture in pictures_in(shown):
        check_picture(picture)
    return shown


def test_the_best_ever_and_its_end_are_told() -> None:
    """How many scores there were a second, how often it rose, and whether it did so to the end."""
    rows = told(own(rising(4)))
    assert rows["Reached"].startswith("3, at generation 4: the highest of 40, not taken again.")
    assert rows["Improved"] == "4 times, last at generation 4 of 4, which is the end: a longer run may gain more."
    assert rows["Scores"] == "40 in 2.0 s: 20 a second, including selection."
    later = [*rising(4), *(rising(1, [3.0])[0] | {"generation": 5 + place, "best_ever_generation": 4}
                           for place in range(6))]  # fmt: skip
    assert told(own(later))["Improved"].endswith("4 of 10: the 6 generations after it brought nothing better.")
    assert told(own(later[:5]))["Improved"].endswith("4 of 5: the last one brought nothing better.")


def test_scores_that_are_taken_again_are_means() -> None:
    rows = told(own(rising(4), {"rescore": 5, "episodes": 3}))
    assert rows["Reached"] == "3, at generation 4: the mean of 5 scores taken again."
    assert rows["Scores"].startswith("120 in 2.0 s, not counting those taken again: 60 a second")


def test_scores_are_counted_by_the_populations_there_were() -> None:
    """A change holds from the generation after it on; none after the run's end."""

    def change(generation: int, old: int, new: int) -> Record:
        return {"generation": generation, "setting": "population_size", "old": old, "new": new}

    other = {"generation": 2, "setting": "sigma", "old": 0.1, "new": 0.2}
    for count, changes in (
        (40, [other]),
        (10 + 3 * 18, [change(1, 10, 18), other]),
        (10 + 18 + 6 + 16, [change(1, 10, 18), change(2, 18, 6), change(3, 6, 16)]),
        (40, [change(4, 10, 99)]),
    ):
        assert told(own(rising(4), changes=changes))["Scores"].startswith(f"{count} in")


def test_where_generations_were_scored_is_told_where_records_say_it() -> None:
    records = [one | {"workers": workers} for one, workers in zip(rising(4), (4, 4, 0, 0), strict=True)]
    assert told(own(records))["Scores"].endswith(
        "Generations scored: 2 in the run's own process, 2 in 4 other processes."
    )
    assert "Generations" not in told(own(rising(4, workers="4")))["Scores"]


def test_a_perfect_one_is_said_to_be_and_a_dotted_line_marks_when() -> None:
    """The best ever has no number from then on; nor has a generation that was perfect as a whole."""
    perfect = {"best_ever_fitness": None, "best_ever_generation": 4}
    records = [*rising(3), record(4, 0, 1, 2, **perfect) | {"fitness_infinite": 3},
               record(5, None, None, None, **perfect) | {"fitness_infinite": 10}]  # fmt: skip
    rows = told(own(records))
    assert rows["Reached"] == "+inf (perfect), at generation 4."
    assert rows["Improved"].endswith("at generation 4 of 5: nothing is better than +inf.")
    assert rows["Scores"].endswith("13 were +inf, in 2 generations.")
    shown = drawn(own(records))
    (picture,) = pictures_in(shown)
    assert "it is +inf from generation 4 on" in picture.says
    assert "dotted line" in picture.caption
    assert "1 of 5 generations had no finite score" in shown.words
    assert "+inf" in table_in(shown).head
    alone = drawn(own(records[-1:]))
    assert (alone.words, alone.parts) == ("No generation had a finite score, all were +inf.", ())


def test_undefined_scores_are_counted() -> None:
    records = [*rising(3), record(4, 0, 1, 2) | {"fitness_invalid": 1}]
    assert told(own(records, training={"fitness": 2.0}))["Scores"].endswith("1 was NaN or -inf, in 1 generation.")
    assert "NaN, -inf" in table_in(drawn(own(records))).head


def test_a_single_generation_has_a_table_and_no_curve() -> None:
    shown = drawn(own(rising(1)))
    assert "single generation" in shown.words
    assert table_in(shown).rows == [("1", "-2", "-1", "0", "0.5")]
    assert "Improved" not in told(own(rising(1)))


def test_the_step_is_drawn_where_it_is_recorded() -> None:
    with_step = [one | {"sigma": 0.1 * one["generation"]} for one in rising(5)]
    (picture,) = pictures_in(drawn(own(with_step)))
    assert "sigma goes from 0.1 to 0.5" in picture.says
    assert "sigma" not in pictures_in(drawn(own(rising(5))))[0].says


def test_a_long_band_keeps_its_lowest_and_highest() -> None:
    """Where neighbours become one, nothing that was reached is lost."""
    records = [record(place, -1, 0, 1) for place in range(1, 5001)]
    records[2345] |= {"fitness_minimum": -9, "fitness_maximum": 8}
    generations, low, high = band_of(records)
    assert len(generations) == len(low) == len(high) < 500
    assert (min(low), max(high)) == (-9, 8)


def test_trust_is_drawn_where_it_is_more_than_the_scores() -> None:
    """Of a strategy that adds scores up; else the picture of scores is all there is."""
    plain = [one | {"best_trust": one["fitness_maximum"], "mean_trust": 0.0} for one in rising(4)]
    assert curves.section(own(plain)) is None
    gathered = [one | {"best_trust": one["fitness_maximum"] + 1.5} for one in plain]
    shown = curves.section(own(gathered))
    assert shown is not None
    assert [picture.name for picture in pictures_in(shown)] == ["trust"]
    assert "validation" not in shown.words
    assert curves.section(own(gathered[:1])) is None


def test_scores_are_written_with_few_digits() -> None:
    numbers = {0.0340338: "0.034034", -1749.6: "-1749.6", 123456.7: "123,457", 1e12: "1e+12", math.inf: "+inf"}
    assert {number: own_score.shown(number) for number in numbers} == numbers
    assert [own_score.shown(number, 3) for number in (-1749.6, 12.3456, None)] == ["-1,750", "12.3", "?"]


@pytest.mark.parametrize(
    ("values", "matters", "kind", "is_cut"),
    [
        ([0, 1, 5, 10], [5, 10], LINEAR, False),
        ([3, 3, 3], [3, 3], LINEAR, False),
        ([1, 10, 1e5], [1, 1e5], LOGARITHMIC, False),
        ([-1e4, -1e-6], [-1e4, -1e-6], SYMLOG, False),
        ([-1e4, -5, 0], [-5, -1, -0.01, 0], SYMLOG, False),
        ([-1e4, 10, 200, 300], [-200, 300], SYMLOG, False),
        ([-1e9, 1000, 1001], [1000, 1001], LINEAR, True),
        ([999, 1000, 1001], [1000, 1001], LINEAR, False),
        ([-1e9, 7, 7], [7, 7], LINEAR, False),
        ([-1e300, 1e300], [-1e300, 1e300], LINEAR, False),
        ([0, 0], [0, 0], LINEAR, False),
    ],
)
def test_an_axis_shows_what_matters(values: list[float], matters: list[float], kind: str, is_cut: bool) -> None:
    """Logarithmic only where a line would be flat otherwise, cut where that does not help."""
    scale = scale_of(values, matters)
    assert (scale.kind, scale.cut is not None) == (kind, is_cut)
    if scale.cut is not None:
        assert min(values) < scale.cut[0] < min(matters)
        assert max(values) < scale.cut[1]
        assert "cut off" in scale.words


@pytest.mark.parametrize(
    "best",
    [[-1e6, -1e3, -1.0, -1e-6], [1.0, 1e4, 1e9], [-1e300, 1e299], [5e-324, 1e-300, 1e299], [0.0, 0.0, 0.0],
     [-5.0, 0.0, 5e8], [1000.0, 1000.5, 1000.75]],
)  # fmt: skip
def test_scores_of_any_size_are_drawn(best: list[float]) -> None:
    """Without a warning, an outlier below them included."""
    records = rising(0, best)
    for low in (records[0]["fitness_minimum"], -9e299):
        shown = drawn(own([records[0] | {"fitness_minimum": low}, *records[1:]]))
        assert "nan" not in shown.words


def test_settings_are_those_that_bear_on_it() -> None:
    """None of images and rewards; what was changed stands in a table; what a function tells of itself, too."""
    changes = [{"generation": 2, "setting": "sigma", "old": 0.1, "new": 0.2}]
    subject = own(rising(4), {"episodes": 3, "rescore": 5}, {"score": {"env": "CartPole-v1", "env_steps": 500}},
                  changes=changes)  # fmt: skip
    shown = settings.section(subject)
    assert shown is not None
    table, changed = shown.parts
    assert isinstance(table, Table)
    assert isinstance(changed, Table)
    rows = dict(table.rows)  # type: ignore[arg-type]
    assert rows["strategy"] == "cma-es"
    assert (rows["population_size"], rows["episodes"], rows["rescore"], rows["env_steps"]) == ("10", "3", "5", "500")
    assert not {"batch_size", "prediction", "fitness"} & set(rows)
    assert changed.rows == [("2", "sigma", "0.1", "0.2")]
    assert dict(table_in(summary.section(subject)).rows)["score"] == "CartPole-v1"  # type: ignore[arg-type]


def test_the_summary_names_function_and_outputs() -> None:
    rows = dict(table_in(summary.section(own(rising(4), ended="patience"))).rows)  # type: ignore[arg-type]
    assert rows["score"] == "game"
    assert rows["outputs"] == "<left>, right"
    assert "patience" in rows["ended"]


def test_a_model_alone_tells_what_it_knows() -> None:
    """Of a run its best ever and its settings; of a champion that was saved by hand the former alone."""
    config = TrainConfig.from_dict({"strategy": "cma-es"}).determining()
    alone = dataclasses.replace(own(rising(4), training={"config": config, "rescore": 2}), run=None)
    assert told(alone)["Reached"] == "3, at generation 4: the mean of 2 scores taken again."
    assert settings.section(alone) is not None
    assert scores.section(alone) is None
    saved = Subject("model.npz", model_of(NETWORK, training={"fitness": 1.5, "generation": 7}))
    assert told(saved) == {"Reached": "1.5, at generation 7: the highest of all, not taken again. "
                           "If scores are noisy, it is the luckiest one."}  # fmt: skip
    assert settings.section(saved) is None


def test_first_weights_are_known_where_later_layers_are_not_dense(tmp_path: Path) -> None:
    """Outputs of a policy may be scaled by a layer of their own."""
    network = Network((3,), (Dense(3, 4), ScaleShift((4,))))
    evolution = Evolution(TrainConfig.from_dict({"strategy": "cma-es"}), network=network, backend="numpy")
    evolution.run(2, fitness=lambda model: float(model.genes.sum()), out=tmp_path / "run")
    subject, _ = of_run(tmp_path / "run")
    found = first_weights(subject)
    assert found is not None
    assert subject.initial is not None
    np.testing.assert_array_equal(found.ravel(), subject.initial[:12])


def test_what_data_judged_has_none_of_it() -> None:
    subject = answering([0, 1], [0, 1], 2)
    assert all(module.section(subject) is None for module in (attained, scores, settings))
    assert verdict.section(subject) is not None
    assert verdict.section(own(rising(2))) is None


@pytest.mark.usefixtures("undrawn")
def test_no_records_are_a_line() -> None:
    page, _ = page_of([own([], training={"fitness": 2.0, "generation": 3, "generations": 4})])
    assert "Not shown: Scores: the run has no records (metrics.jsonl)." in page


def test_runs_side_by_side_have_one_picture() -> None:
    """And a table; who is ahead is said, with what that is worth."""
    one, other = (dataclasses.replace(own(rising(count)), name=name) for name, count in (("one", 9), ("other", 5)))
    shown = compared_scores([one, other])
    (picture,) = pictures_in(shown)
    check_picture(picture)
    assert "one ends at 8; other ends at 4" in picture.says
    assert shown.words.startswith("one reached the most, 8. They used different numbers of scores.")
    assert [row[:5] for row in table_in(shown).rows] == [
        ("one", "game", "8", "9", "9"),
        ("other", "game", "4", "5", "5"),
    ]
    unlike = dataclasses.replace(own(rising(5), {"fitness": "games.chess"}), name="unlike")
    assert "cannot be compared" in compared_scores([one, unlike]).words
    perfect = own([*rising(3), record(4, 0, 1, 2, best_ever_fitness=None, best_ever_generation=4)])
    shown = compared_scores([one, dataclasses.replace(perfect, name="perfect")])
    assert "perfect reached the most, +inf" in shown.words
    assert "perfect ends at 2, is +inf from generation 4 on" in pictures_in(shown)[0].says
    assert pictures_in(compared_scores([own(rising(1)), own(rising(1))])) == []


@pytest.mark.usefixtures("undrawn")
def test_pages_of_both_kinds_are_not_put_side_by_side() -> None:
    with pytest.raises(UsageError, match="compare runs of one kind"):
        page_of([own(rising(3)), answering([0, 1], [0, 1], 2)])
    page, pictures = page_of([own(rising(3)), own(rising(4))])
    assert "best-ever.png" in pictures
    assert page.index('id="compared"') < page.index('id="attained"')


@pytest.mark.usefixtures("coarse")
def test_hostile_records_and_notes_have_a_page() -> None:
    """What is no number is left out; names are text."""
    draw = np.random.default_rng(0)
    values = [None, 0, -1e300, 1e300, 5e-324, "<b>", True, [1], {}, math.nan, math.inf, 10**400, -3.5]
    names = [*record(1, 0, 0, 0), "best_ever_fitness", "best_ever_generation", "sigma", "workers", "best_trust"]
    for count in (1, 2, 40):
        records = [
            {name: values[draw.integers(len(values))] for name in names} | {"generation": place}
            for place in range(1, count + 1)
        ]
        subject = own(records, {"fitness": "<b>x", "rescore": -1, "episodes": 2.5}, {"generations": "<b>"},
                      ended=[1], seconds={})  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            page, _ = page_of([subject])
        assert "<b>" not in page
