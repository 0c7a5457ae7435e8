"""Searches on few images: how long individuals learn, and how they are judged by cross-validation."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.search.config import KINDS, SearchConfig
from genreg_np.search.kinds import REGISTRY
from genreg_np.search.lessons import base as lessons
from genreg_np.search.lessons import network
from genreg_np.search.lessons.network import NetworkLesson, first_alike, folds_of
from genreg_np.search.networks import NetworkSearch
from genreg_np.search.searching import MOST_BYTES, Watcher
from genreg_np.search.trials import Trial
from tests.search.helpers import bars, search

TINY: dict[str, Any] = {"folds": 0, "repeats": 1, "rungs": (), "generations": 1, "final_seeds": 1}


def seen(folder: Path, data: Any = None, **changes: Any) -> tuple[NetworkSearch, list[Trial]]:
    """Return a search that has ended, and its trials as they ended."""
    running: list[Any] = []
    search(folder, data, watcher=Watcher(lambda trial, one: running.append((one, trial))), **changes)
    return running[0][0], [trial for _, trial in running]


def test_no_network_of_a_fold_sees_an_image_more_often_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The images of its fold are missing; steps of whole batches stay below the limit."""
    data, most, counted = bars(54), 7.0, [0]
    images = len(data.train) + len(data.validation)
    learned = images - -(-images // 5)

    def checked(lesson: lessons.Lesson) -> lessons.Learned:
        assert isinstance(lesson, NetworkLesson)
        found = lessons.learn(lesson)
        if "final" not in Path(lesson.states[0]).name:
            batch = min(int(lesson.options["batch_size"]), learned)
            for path in Path(lesson.states[0]).parent.glob(f"{Path(lesson.states[0]).name[:16]}-*"):
                with np.load(path) as file:
                    assert int(file["generation"]) * batch <= max(most * learned, batch)
                    counted[0] += 1
        return found

    monkeypatch.setattr("genreg_np.search.images.learn", checked)
    search(tmp_path, data, **TINY, max_epochs=most)
    assert counted[0] > 30


def test_rungs_of_a_tiny_set_are_epochs_unless_they_are_given(tmp_path: Path) -> None:
    """Whether a set is tiny is told by all images but those of the test split, as the folds are."""
    data = bars(54)
    images = len(data.train) + len(data.validation)
    learned = images - -(-images // 5)
    running, _ = seen(tmp_path / "tiny", data, **TINY)
    assert running.course.ladder.samples == (10 * learned, 30 * learned, 90 * learned)
    given, _ = seen(tmp_path / "given", bars(54), **TINY | {"rungs": (40, 80)})
    assert given.course.ladder.samples == (40, 80)
    config = SearchConfig()
    assert [config.is_tiny(images) for images in (499, 500)] == [True, False]
    assert [config.folds_for(images) for images in (499, 500)] == [5, 0]
    assert config.ladder(300).samples[0] == 8_000  # 300 to learn from, of more than 500


def test_samples_of_promotions_count_the_folds_that_are_new(tmp_path: Path) -> None:
    """Those that choose among finalists begin from nothing at the second rung, or at the only one."""
    running, _ = seen(tmp_path / "three", bars(54), **TINY | {"rungs": (40, 100, 300), "repeats": 2})
    assert [running._new_samples(rung) for rung in range(3)] == [10 * 40, 10 * (60 + 100), 10 * (200 + 200)]
    running, _ = seen(tmp_path / "one", bars(54), **TINY | {"rungs": (40,)})
    assert running._new_samples(0) == 5 * (40 + 40)


def test_equal_images_are_in_one_fold() -> None:
    """Or else a network would be judged on images that it has learned from."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 9, (40, 16)).astype(np.float32)
    images[20:30] = images[:10]
    labels = np.arange(40) % 2
    first = first_alike(images)
    assert first.tolist() == [*range(20), *range(10), *range(30, 40)]
    folds = folds_of(labels, 5, 0, first)
    assert (folds[20:30] == folds[:10]).all()
    assert (folds[30:] == folds_of(labels, 5, 0)[30:]).all()
    assert (folds_of(labels, 5, 0)[20:30] != folds[:10]).any()


def test_a_set_of_copies_is_searched(tmp_path: Path) -> None:
    """Also where they leave a fold empty."""
    data = bars(54)
    for split in (data.train, data.validation):
        split.inputs[:] = data.train.inputs[[0, 1, 2]][split.labels]
    _, trials = seen(tmp_path, data, **TINY, max_epochs=2.0)
    assert all(trial.is_ok for trial in trials)


def test_the_data_are_no_part_of_an_individual_s_memory(tmp_path: Path) -> None:
    """Mapped files count as used by a process."""
    running, _ = seen(tmp_path, generations=1)
    data = bars()
    assert running.most_bytes > MOST_BYTES + 4 * 64 * (len(data.train) + len(data.validation))


def test_a_lack_of_memory_is_not_a_full_disc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the system calls it; and nothing but writing a state tells of a disc."""

    def none(path: object, **how: object) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(np, "load", none)
        with pytest.raises(MemoryError):
            lessons.Part("features.npy", "labels.npy").read()

    def unread(*arguments: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(network, "kept_in", unread)
    with pytest.raises(OSError, match="Input/output error"):
        search(tmp_path)


def test_every_kind_may_be_configured() -> None:
    assert set(KINDS) == set(REGISTRY)


def test_states_of_few_are_kept_and_what_lacks_one_learns_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each rung there are the best that wait for a promotion, and those since the last look."""
    settings: dict[str, Any] = {**TINY, "rungs": (40, 80), "generations": 3, "population": 6}
    found, most = {}, {}
    for kept in (2, 1000):
        monkeypatch.setattr("genreg_np.search.networks.KEPT", kept)
        there: list[int] = []

        def count(trial: Trial, one: Any, there: list[int] = there) -> None:
            own = [path.name.partition(".")[0] for path in one.folder.states.iterdir()]
            there.append(len({name for name in own if name.endswith("-0")}))
            assert {f"{one.space.key(lead.genome)}-{lead.rung}" for lead in one.leaders(3)} <= set(own)

        result = search(tmp_path / f"{kept}", bars(54), watcher=Watcher(count), **settings)
        found[kept] = [(trial.number, trial.score, trial.select) for trial in result.tried]
        most[kept] = max(there)
    assert found[2] == found[1000]
    assert len(found[2]) > 18
    assert most[2] <= 2 + 2 + 2 < most[1000]  # kept, since the last look, and of running ones
