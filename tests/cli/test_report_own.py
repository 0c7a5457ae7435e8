"""`genreg-np report` of runs on a score of one's own: a page for each, and one clear line where there can be none."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from genreg_np import Evolution, Model, Network, TrainConfig
from tests.cli import FAST, one_line
from tests.cli.test_report import Checked

pytest.importorskip("matplotlib", reason="figures need matplotlib")

INPUTS = np.linspace(-2, 2, 12, dtype=np.float32)[:, None]


def likeness(model: Model) -> float:
    """Return how near outputs come to a sine."""
    return -float(np.mean((model.outputs(INPUTS)[:, 0] - np.sin(INPUTS[:, 0])) ** 2))


def perfect(_: Model) -> float:
    """Return a perfect score."""
    return np.inf


def undefined(_: Model) -> float:
    """Return no number."""
    return np.nan


def evolved(
    out: str, fitness: object = likeness, generations: int = 6, strategy: str = "cma-es", **more: object
) -> None:
    """Keep a run on a score of one's own."""
    config = TrainConfig.from_dict({"strategy": strategy, "population_size": 8})
    evolution = Evolution(config, network=Network.build((1,), (4,), 1), backend="numpy")
    evolution.run(generations, fitness=fitness, out=out, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("strategy", ["genreg", "evolution-strategy", "cma-es", "random-search"])
def test_a_run_on_a_score_has_a_page_that_needs_no_data(genreg, strategy: str) -> None:
    """Nothing in it speaks of data that there are none of; pictures have words."""
    evolved("run", strategy=strategy, rescore=2)
    outcome = genreg("report", "run", "--json")
    assert (outcome.code, outcome.err) == (0, "")
    text = Path("run/report.html").read_text("utf-8")
    page = Checked(text)
    assert page.headings[:3] == ["Best ever", "Summary", "Scores"]
    assert page.headings[-1] == "Settings"
    assert (Path("run/report-figures") / "scores.png").exists()
    assert all(len(str(image["alt"])) > 20 for image in page.images)
    assert "tests.cli.test_report_own.likeness" in text
    assert "sigma goes from" in text or strategy != "cma-es"
    for absent in ("validation", "Not shown", "column of the table", "data"):
        assert absent not in text.partition("<main>")[2].replace("data:image", "")


@pytest.mark.usefixtures("undrawn")
def test_runs_that_ended_early_have_a_page(genreg) -> None:
    """After one generation, by a perfect score, by an error of the score itself."""
    evolved("perfect", perfect, target=np.inf)
    assert genreg("report", "perfect").code == 0
    text = Path("perfect/report.html").read_text("utf-8")
    assert "+inf (perfect), at generation 1." in text
    assert "No generation had a finite score" in text
    calls = []

    def failing(model: Model) -> float:
        calls.append(model)
        if len(calls) > 20:
            raise ValueError("no more")
        return likeness(model)

    with pytest.raises(Exception, match="no more"):
        evolved("failed", failing)
    assert genreg("report", "failed").code == 0
    assert "it failed" in Path("failed/report.html").read_text("utf-8")


def test_a_run_without_a_model_is_one_line(genreg) -> None:
    """One that never had a best ever, or whose model is gone; data that it has none of."""
    with pytest.raises(Exception, match="none of the 8 fitness values"):
        evolved("undefined", undefined)
    assert "ended before it had a best genome" in one_line(genreg("report", "undefined"), 1)
    evolved("run")
    assert "leave out --dataset" in one_line(genreg("report", "run", "--dataset", "digits"), 2)
    notes = json.loads(Path("run/run.json").read_text("utf-8"))
    del notes["ended"]
    Path("run/run.json").write_text(json.dumps(notes), "utf-8")
    Path("run/model.npz").unlink()
    assert "no model yet" in one_line(genreg("report", "run"), 1)


@pytest.mark.usefixtures("undrawn")
def test_a_damaged_folder_has_an_honest_page(genreg) -> None:
    """Records that are none, or not there; notes that are none."""
    evolved("run")
    Path("run/metrics.jsonl").write_bytes(b'\xff\xfe{"generation": 1}\n[[[\n{"generation": 3, "fitness_mean": 1e999}\n')
    Path("run/run.json").write_text("{", "utf-8")
    assert genreg("report", "run").code == 0
    assert "Best ever" in Path("run/report.html").read_text("utf-8")
    Path("run/metrics.jsonl").unlink()
    assert genreg("report", "run").code == 0
    assert "Not shown: Scores: the run has no records" in Path("run/report.html").read_text("utf-8")


@pytest.mark.usefixtures("undrawn")
def test_runs_on_scores_stand_side_by_side(genreg) -> None:
    """Two of them, and none beside a run on a dataset, whichever is named first."""
    evolved("one")
    evolved("two", strategy="random-search")
    assert genreg("report", "one", "--compare", "two", "--out", "both").code == 0
    page = Checked(Path("both/report.html").read_text("utf-8"))
    assert page.headings[:4] == ["Side by side", "Best ever", "one", "two"]
    assert (Path("both/report-figures") / "best-ever.png").exists()
    assert genreg("train", "--dataset", "digits", "--out", "digits", *FAST, "--quiet").code == 0
    for first, second in (("one", "digits"), ("digits", "one")):
        said = one_line(genreg("report", first, "--compare", second, "--out", "mixed"), 2)
        assert "compare runs of one kind" in said
    assert not Path("mixed").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_model_alone_has_a_page(genreg) -> None:
    """Without a word of data; one that was saved by hand, too."""
    evolved("run")
    Path("run/model.npz").rename("own.npz")
    outcome = genreg("report", "own.npz")
    assert (outcome.code, outcome.err) == (0, "")
    page = Checked(Path("own-report/report.html").read_text("utf-8"))
    assert page.headings[:2] == ["Best ever", "Summary"]
    assert "Settings" in page.headings
    evolution = Evolution(network=Network.build((1,), (4,), 1), backend="numpy")
    evolution.run(1, fitness=likeness)
    evolution.champion().save("hand.npz")
    assert genreg("report", "hand.npz").code == 0
