"""`genreg-np report`: a page of a run or a model, and one clear line for every misuse."""

from __future__ import annotations

import html.parser
import json
import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.cli.output import Progress
from genreg_np.cli.report_ import FIGURES
from genreg_np.infer import Model, load
from genreg_np.report.page import figures_of
from tests.cli import FAST, one_line, save_relabelled

pytest.importorskip("matplotlib", reason="figures need matplotlib")

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Checked(html.parser.HTMLParser):
    """Reads a page: every element is closed in its order, identifiers are unlike one another, links lead somewhere."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.headings: list[str] = []
        self.feed(text)
        assert not self.open
        assert len(set(self.ids)) == len(self.ids)
        assert {link.removeprefix("#") for link in self.links} <= set(self.ids)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if given.get("id"):
            self.ids.append(str(given["id"]))
        if tag == "a":
            self.links.append(str(given["href"]))
        if tag == "img":
            self.images.append(given)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h2", "h3"):
            self.headings.append(data)


def trained(genreg, out: str, *more: str) -> None:
    """Train on digits for a few generations."""
    assert genreg("train", "--dataset", "digits", "--out", out, *FAST, "--quiet", *more).code == 0


def test_a_run_has_one_page_that_needs_no_other(genreg) -> None:
    """Every picture is in it, with words for who does not see it; nothing is fetched, and no script runs."""
    trained(genreg, "run")
    outcome = genreg("report", "run", "--json")
    assert outcome.code == 0, outcome.err
    said = json.loads(outcome.out)
    text = Path("run/report.html").read_text("utf-8")
    assert said == {"report": str(Path("run/report.html")), "figures": said["figures"], "bytes": len(text.encode())}
    page = Checked(text)
    assert page.headings[:3] == ["In short", "Summary", "Training"]
    assert len(page.images) == said["figures"] == len(list((Path("run") / FIGURES).glob("*.png"))) > 0
    for image in page.images:
        assert str(image["src"]).startswith("data:image/png;base64,")
        assert len(str(image["alt"])) > 20
    for foreign in ("http:", "https:", "<script", 'src="/', "@import"):
        assert foreign not in text
    assert len(text) < 3_000_000


@pytest.mark.usefixtures("coarse")
def test_the_same_run_makes_the_same_page(genreg) -> None:
    """To the byte."""
    trained(genreg, "run")
    pages = []
    for out in ("one", "two"):
        assert genreg("report", "run", "--out", out).code == 0
        pages.append((Path(out) / "report.html").read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.usefixtures("undrawn")
def test_runs_stand_side_by_side(genreg) -> None:
    """Each section has a column for each, and each figure's file a number."""
    trained(genreg, "one")
    trained(genreg, "two", "--seed", "1")
    outcome = genreg("report", "one", "--compare", "two", "--out", "both")
    assert outcome.code == 0, outcome.err
    page = Checked(Path("both/report.html").read_text("utf-8"))
    assert page.headings[:4] == ["Side by side", "In short", "one", "two"]
    names = {path.name for path in (Path("both") / FIGURES).glob("*.png")}
    assert {"1-accuracy.png", "2-accuracy.png"} <= names
    assert "--out" in one_line(genreg("report", "one", "--compare", "two"), 2)
    assert "--dataset" in one_line(genreg("report", "one", "--compare", "two", "--dataset", "digits"), 2)


@pytest.mark.usefixtures("undrawn")
def test_a_model_alone_has_a_page_beside_it(genreg) -> None:
    """With the data that it says it was trained on, or those that are named, or none."""
    trained(genreg, "run")
    Path("run/model.npz").rename("digits.npz")
    assert genreg("report", "digits.npz").code == 0
    page = Checked(Path("digits-report/report.html").read_text("utf-8"))
    assert "Training" not in page.headings
    assert "Summary" in page.headings


@pytest.mark.usefixtures("undrawn")
def test_data_that_are_gone_are_said_to_be(genreg) -> None:
    """The rest is shown."""
    draw = np.random.default_rng(0)
    np.savez("mine.npz", inputs=draw.normal(size=(90, 4)).astype(np.float32), labels=np.arange(90) % 3)
    assert genreg("train", "--dataset", "mine.npz", "--out", "run", *FAST, "--quiet").code == 0
    Path("mine.npz").rename("moved.npz")
    outcome = genreg("report", "run")
    assert outcome.code == 0
    assert "shown without data" in outcome.err
    assert "--dataset" in outcome.err
    page = Path("run/report.html").read_text("utf-8")
    assert "Not shown: Confusion, Errors, Hidden units, Embeddings: its data are not at hand" in page
    moved = genreg("report", "run", "--dataset", "moved.npz")
    assert (moved.code, "without data" in moved.err) == (0, False)


def test_misuse_is_one_line(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """No run, no model yet, something else, no place to write, no matplotlib."""
    Path("empty").mkdir()
    assert "holds no run" in one_line(genreg("report", "empty"), 1)
    assert "nothere" in one_line(genreg("report", "nothere"), 1)
    Path("other.txt").write_text("x")
    assert "other.txt" in one_line(genreg("report", "other.txt"), 1)
    trained(genreg, "run")
    Path("file").write_text("x")
    assert "cannot be written" in one_line(genreg("report", "run", "--out", "file/inner"), 1)
    Path("taken/report.html").mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.setattr(Model, "predict_proba", None)  # nothing is computed for it
        assert "is a folder" in one_line(genreg("report", "run", "--out", "taken"), 1)
        patch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
        assert "cannot be written" in one_line(genreg("report", "run", "--out", "barred/inner"), 1)
    assert not Path("barred").exists()
    Path("run/model.npz").unlink()
    assert "no model yet" in one_line(genreg("report", "run"), 1)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "plots" in one_line(genreg("report", "run"), 1)


@pytest.mark.usefixtures("undrawn")
def test_training_may_end_with_a_page(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that `report` makes of the run; where it cannot be drawn, nothing is trained."""
    trained(genreg, "run", "--report")
    page = Path("run/report.html").read_bytes()
    assert genreg("report", "run").code == 0
    assert Path("run/report.html").read_bytes() == page
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "plots" in one_line(genreg("train", "--dataset", "digits", "--out", "other", *FAST, "--report"), 1)
    assert not Path("other").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_page_takes_the_place_of_the_one_before_and_of_nothing_else(genreg) -> None:
    """Figures of the page before go; what else lies there stays; nothing is written through a link."""
    trained(genreg, "run")
    own, other = Path("run") / FIGURES, Path("run/figures")
    other.mkdir()
    assert genreg("report", "run").code == 0
    page = Path("run/report.html").read_text("utf-8")
    assert sorted(figures_of(page)) == sorted(path.name for path in own.iterdir())
    named = " ".join(["stale.png", "../above.png", "weights.png", *figures_of(page)])
    Path("run/report.html").write_text(re.sub('(name="figures" content=)"[^"]*"', rf'\1"{named}"', page), "utf-8")
    for place in (own / "stale.png", own / "foreign.png", other / "stale.png", Path("run/above.png")):
        place.write_bytes(b"x")
    assert genreg("report", "run").code == 0
    assert not (own / "stale.png").exists()
    assert (own / "foreign.png").exists()
    assert Path("run/above.png").exists()
    assert "stale" not in Path("run/report.html").read_text("utf-8")
    Path("run/report.html").unlink()
    Path("kept.html").write_text("precious")
    Path("run/report.html").symlink_to(Path("kept.html").resolve())
    assert genreg("report", "run").code == 0
    assert (other / "stale.png").exists()
    assert Path("kept.html").read_text() == "precious"
    for file in own.iterdir():
        file.unlink()
    own.rmdir()
    Path("elsewhere").mkdir()
    own.symlink_to(Path("elsewhere").resolve(), target_is_directory=True)
    assert "symbolic link" in one_line(genreg("report", "run"), 1)
    assert not list(Path("elsewhere").iterdir())


@pytest.mark.usefixtures("coarse")
def test_hostile_lines_and_names_make_a_page_all_the_same(genreg) -> None:
    """What is no record is passed over; names are text, never markup."""
    trained(genreg, "run")
    lines = [
        {"generation": 4, "validation_accuracy": "high", "class_accuracy": "x", "trust_deviation": {}},
        {"generation": 4, "best_trust": [1]},
        {"generation": 9, "validation_accuracy": 10**400, "survivor_distance": 10**400, "mean_weight": -(10**400)},
        {"generation": 10**30, "validation_accuracy": 0.5},
        {"generation": 5, "validation_accuracy": 0.5, "class_accuracy": [1, 2], "survivor_distance": -1},
        {"generation": 6, "class_accuracy": [[1]] * 10, "mean_weight": None, "clusters": 3, "similarity": "y"},
        {"generation": "7"}, [1], "x",
    ]  # fmt: skip
    with open("run/metrics.jsonl", "a", encoding="utf-8") as file:
        file.write("\n".join(json.dumps(line) for line in lines) + '\n{"generation": 8, "best_trust": 1e999}\n[[[[')
    Path("run/run.json").write_text('{"test": 5, "ended": [1], "seconds": {}, "backend": "<b>"}')
    names = ["<script>alert(1)</script>", '"q"', "$x$", "a&b", *"456789"]
    save_relabelled(Path("run/model.npz"), class_names=names).rename("run/model.npz")
    outcome = genreg("report", "run")
    assert outcome.code == 0, outcome.err
    text = Path("run/report.html").read_text("utf-8")
    Checked(text)
    assert "<script" not in text
    assert "<b>" not in text
    assert load("run/model.npz").class_names[0] == names[0]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.usefixtures("undrawn")
def test_a_run_that_is_stopped_says_how_its_page_is_made(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of train and of mixed alike; nothing is drawn then."""
    update = Progress.update

    def pressed(*arguments: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        update(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Progress, "update", pressed)
        for command, *more in (("train", *FAST), ("mixed", "--population", "2", "--network", "8")):
            outcome = genreg(command, "--dataset", "digits", *more, "--report", "--out", f"{command} run")
            assert outcome.code == 130
            assert outcome.out.endswith(f"  genreg-np report '{command} run'\n")
            assert not Path(f"{command} run/report.html").exists()
    assert genreg("report", "train run").code == 0


@pytest.mark.usefixtures("undrawn")
def test_mixed_may_end_with_a_page(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """As train does."""
    few = ("--dataset", "digits", "--population", "2", "--network", "8", "--generations", "2", "--attack-images", "0")
    outcome = genreg("mixed", *few, "--no-figures", "--report", "--out", "run")
    assert outcome.code == 0, outcome.err
    assert outcome.out.endswith(f"report {Path('run/report.html')}\n")
    page = Path("run/report.html").read_bytes()
    assert genreg("report", "run").code == 0
    assert Path("run/report.html").read_bytes() == page
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "plots" in one_line(genreg("mixed", *few, "--report", "--out", "other"), 1)
    assert not Path("other").exists()
