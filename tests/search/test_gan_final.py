"""The winner's training: its best checkpoint is kept, also if it fails after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.engines.base import OK
from genreg_np.errors import FitnessError
from genreg_np.search.gan import health, pair
from genreg_np.search.lessons import gan as lessons_gan
from genreg_np.search.lessons.base import Part, backend_for
from genreg_np.search.lessons.gan import CHECKPOINTS, GanLesson
from genreg_np.search.trials import DIVERGED, REMOVED
from tests.search.pairs import lesson

COPIES = {"copying", "copies", "copying-psnr", "duplicates"}
STEPS = 12


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for all tests of this file."""
    return str(tmp_path_factory.mktemp("digits"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let few images be judged."""
    monkeypatch.setattr(lessons_gan, "CLASSED", 100)


def final(place: str, folder: Path, **changes: Any) -> GanLesson:
    """Return the last training of a winner: of a few steps."""
    return dataclasses.replace(lesson(place, folder, 32 * STEPS, **changes), is_final=True)


def merits(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    """Let the checkpoints have these fitnesses, and break no rule."""
    monkeypatch.setattr(lessons_gan._Learning, "_merit", lambda self, checkpoints: values[len(checkpoints) - 1])
    monkeypatch.setattr(health, "faults", lambda *told: {})
    monkeypatch.setattr(health, "removed", lambda *told: "")


def removed_at(number: int) -> Callable[..., str]:
    """Return a rule that removes a pair at its number-th checkpoint."""
    return lambda checkpoints, *told: "collapsed: 1 of 10 classes" if len(checkpoints) == number else ""


def test_the_best_checkpoint_is_kept(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its networks, and its measures: it is not that of the end."""
    merits(monkeypatch, 3, 1, 2, 4)
    one = final(place, tmp_path)
    learned = one.learn()
    kept = one.kept(0, learned.steps)
    assert kept is not None
    assert (kept.state.step, kept.end.place, len(kept.checkpoints)) == (STEPS // 2, 1, CHECKPOINTS)
    assert learned.measures["search"]["fcd"] == kept.checkpoints[1]["fcd"] != kept.checkpoints[3]["fcd"]
    assert (learned.status, learned.why, learned.steps) == (OK, "", STEPS)
    assert one.described()["checkpoint"] == 2
    again = lessons_gan._Learning(one, backend_for("numpy", lessons_gan.WORKS)).judged(kept.state, one.held)
    assert again == kept.checkpoints[1]


def test_in_the_search_it_is_the_end_that_is_kept(place: str, tmp_path: Path) -> None:
    """Since training goes on from there."""
    one = lesson(place, tmp_path, 32 * STEPS)
    learned = one.learn()
    kept = one.kept(0, learned.steps)
    assert kept is not None
    assert (kept.state.step, kept.end.place) == (STEPS, CHECKPOINTS - 1)
    assert kept.course == kept.checkpoints


def test_a_training_that_fails_late_leaves_its_best_checkpoint(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merits(monkeypatch, 2, 1, 3)
    monkeypatch.setattr(health, "removed", removed_at(4))
    one = final(place, tmp_path)
    learned = one.learn()
    assert learned.status == OK
    assert (
        learned.why == "as it was at checkpoint 2 of 4, since its training failed after it: collapsed: 1 of 10 classes"
    )
    assert one.finished(learned.steps) is not None
    monkeypatch.setattr(pair, "step", lambda *told: pytest.fail("it is stored"))
    assert dataclasses.replace(one).learn().why == learned.why


def test_a_training_that_diverges_late_leaves_its_best_checkpoint(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merits(monkeypatch, 2, 1)
    plain = pair.step

    def diverges(state: pair.State, *told: Any) -> pair.State:
        if state.step == 8:
            raise FitnessError("step 9: the pair diverged")
        return plain(state, *told)

    monkeypatch.setattr(pair, "step", diverges)
    learned = final(place, tmp_path).learn()
    assert learned.status == OK
    assert "checkpoint 2 of 4" in learned.why
    assert "diverged" in learned.why
    (tmp_path / "other").mkdir()
    assert lesson(place, tmp_path / "other", 32 * STEPS).learn().status == DIVERGED  # in the search


@pytest.mark.parametrize(("at", "best"), [(1, 1.0), (3, 101.0)])
def test_a_training_without_a_sound_checkpoint_is_removed(
    at: int, best: float, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next best individual is trained instead."""
    merits(monkeypatch, best, best, best)
    monkeypatch.setattr(health, "removed", removed_at(at))
    one = final(place, tmp_path)
    assert one.learn().status == REMOVED
    assert one.finished(None) is None


def test_copies_are_looked_for_where_that_is_read(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the last checkpoint of a rung, before a removal, and at each of a winner's training."""
    monkeypatch.setattr(health, "removed", lambda *told: "")
    one, last = lesson(place, tmp_path, 32 * STEPS), final(place, tmp_path)
    one.learn()
    kept = one.kept(0, None)
    assert kept is not None
    assert [told.keys() >= COPIES for told in kept.checkpoints] == [False, False, False, True]
    assert not any(COPIES & told.keys() for told in kept.checkpoints[:3])
    (tmp_path / "0.npz").unlink()
    last.learn()
    kept = last.kept(0, None)
    assert kept is not None
    assert all(told.keys() >= COPIES for told in kept.checkpoints)
    (tmp_path / "0.npz").unlink()
    monkeypatch.setattr(health, "removed", removed_at(2))
    learned = one.learn()
    assert learned.status == REMOVED
    assert learned.measures["search"].keys() >= COPIES


def test_images_are_alike_by_how_much_real_ones_vary(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside real images of half the contrast, generated ones vary by twice as much."""
    found: list[float] = []
    monkeypatch.setattr(health, "removed", lambda checkpoints, deviation, *told: found.append(deviation) or "")
    one = lesson(place, tmp_path, 32)
    one.learn()
    np.save(tmp_path / "faint.npy", one.held.read()[0] / 2)
    held = Part(str(tmp_path / "faint.npy"), one.held.labels)
    (tmp_path / "0.npz").unlink()
    dataclasses.replace(one, held=held, judged={"search": held}).learn()
    assert len(found) == 2
    assert found[1] == pytest.approx(2 * found[0], rel=1e-4)
