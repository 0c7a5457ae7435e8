"""Searches for generators from end to end, at toy size: pictures in colour, and digits."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from genreg_np import load_dataset
from genreg_np.cli import main
from genreg_np.data.dataset import Dataset
from genreg_np.data.generated import Generator
from genreg_np.infer import load
from genreg_np.report.sections import samples as samples_of_search
from genreg_np.search.config import SearchConfig
from genreg_np.search.gan import health
from genreg_np.search.gan.kept import Growth
from genreg_np.search.images import Found, search_images
from genreg_np.search.lessons.base import Learned, Lesson, learn
from genreg_np.search.stored import StoredSearch
from tests.search.helpers import bars
from tests.search.pairs import GIVEN


def search(folder: Path, data: Dataset, genome: str, samples: int) -> Found:
    """Search for a generator among one pair, which is given."""
    config: dict[str, Any] = {
        "kind": "gan", "metric": "fitness", "population": 1, "selection": "random", "generations": 1,
        "rungs": (samples,), "final_seeds": 1, "genome": genome, "final_epochs": 1, "max_parameters": 60_000,
    }  # fmt: skip
    return search_images(data, SearchConfig.from_dict(config), folder, engine="serial", backend="numpy")


def test_pictures_in_colour_are_generated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a search to a sheet of pictures."""
    pillow = pytest.importorskip("PIL.Image")
    monkeypatch.setattr(health, "removed", lambda *told: "")  # so few steps are no health yet
    found = search(tmp_path / "run", bars(490, channels=3), "g_filters = 8\nd_filters = 8\nd_hidden = 0", 640)
    assert found.path.name == "generator.npz"
    generator = Generator.of(load(found.path), "run")
    drawn = generator.drawn(5, 0)
    assert drawn.shape == (5, 3, 8, 8)
    assert 0 <= drawn.min() < drawn.max() <= 1
    growth = Growth.read(found.folder / "states" / StoredSearch.read(found.folder).notes["state"])
    assert growth.sheets.shape[1:] == (40, 3 * 64)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["sample", "run", "--n", "4", "--out", "sheet.png"])
    assert not ended.value.code
    with pillow.open("sheet.png") as sheet:
        assert sheet.mode == "RGB"


def test_a_search_on_digits_ends_sound_or_says_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the measures of its own record."""
    done: list[Learned] = []

    def noted(lesson: Lesson) -> Learned:
        done.append(learn(lesson))
        return done[-1]

    monkeypatch.setattr("genreg_np.search.images.learn", noted)
    found = search(tmp_path / "run", load_dataset("digits"), GIVEN, 1600)
    told = done[-1].measures["search"]
    broken = health.broken((told,), 10, 1600)
    assert told["violations"] == len(broken)
    assert found.why == (f"infeasible: {', '.join(broken)}" if broken else "")
    stored = StoredSearch.read(found.folder)
    assert stored.notes["why"] == found.why
    for why, said in (("", False), ("infeasible: 9 of 10 classes", True)):
        told_so = dataclasses.replace(stored, notes={**stored.notes, "why": why})
        subject: Any = SimpleNamespace(model=load(found.path), name="run", search=told_so)
        shown = samples_of_search.section(subject)
        assert shown is not None
        assert ("What was saved is infeasible: 9 of 10 classes." in shown.words) == said
    assert found.finals[0]["fcd"] == pytest.approx(told["fcd"], rel=0.5)  # on the test split
