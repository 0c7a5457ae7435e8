"""What is kept of pairs and read again, whoever wrote it; and how many images they are compared by."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.data.split import Split
from genreg_np.errors import UsageError
from genreg_np.files import pack_arrays
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import SearchFolder
from genreg_np.search.gan.kept import Growth
from genreg_np.search.kinds import kind_of
from genreg_np.search.kinds.base import Preparing
from genreg_np.search.lessons import gan as lessons_gan
from genreg_np.search.lessons.base import Part, backend_for
from genreg_np.search.lessons.gan import SHEET
from genreg_np.search.sharing import Parts
from tests.search.helpers import bars
from tests.search.pairs import lesson, prepared


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for all tests of this file."""
    return str(tmp_path_factory.mktemp("digits"))


def state_of(path: Path, told: Any) -> None:
    """Write a state file that has checkpoints like these."""
    text = np.frombuffer((told if isinstance(told, str) else json.dumps(told)).encode(), np.uint8)
    path.write_bytes(pack_arrays({"told": text, "sheets": np.zeros((1, SHEET, 64), np.uint8)}))


def check_not_shown(path: Path) -> None:
    """Check that a file is not taken for the state of a pair."""
    with pytest.raises(ValueError, match="not a state of a pair"):
        Growth.read(path)


def test_what_is_no_state_of_a_pair_is_not_shown(tmp_path: Path) -> None:
    """Nor does it take the report down, all memory, or for ever."""
    path = tmp_path / "state.npz"
    state_of(path, [{"fcd": 2.0}])
    assert Growth.read(path).checkpoints == ({"fcd": 2.0},)
    few = ({"fcd": 1.0}, [1.0], [{"fcd": "2"}], [{"fcd": None}], [{"fcd": 10**400}], "[" * 5000, "[{}, {}]", "[{]")
    for told in (*few, '[{"fcd": NaN}]'):
        state_of(path, told)
        check_not_shown(path)
    np.savez_compressed(path, told=np.frombuffer(b"[{}]", np.uint8), sheets=np.zeros((1, SHEET, 64), np.uint8))
    check_not_shown(path)  # a small file may hold any number of zeros
    header = b"\x93NUMPY\x01\x00\x76\x00" + b"{'descr': '|u1', (".ljust(117) + b"\n"  # no end to be found
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("told.npy", header)
    check_not_shown(path)
    path.write_bytes(b"nothing")
    check_not_shown(path)
    path.unlink()
    check_not_shown(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_pipes_are_not_waited_for(place: str, tmp_path: Path) -> None:
    """In place of a state, or of the diary."""
    os.mkfifo(tmp_path / "pipe")
    check_not_shown(tmp_path / "pipe")
    one = dataclasses.replace(lesson(place, tmp_path, 320), diary=str(tmp_path / "pipe"))
    assert one.learn().steps == 10


def test_the_floor_is_that_of_as_many_images(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Distances of fewer images are larger, those of real ones as those of generated ones."""
    kind, parts, _ = prepared(place)
    sizes = {name: len(parts[name].read()[1]) for name in ("search", "select", "test")}
    assert kind.compared == sizes["select"] < sizes["search"]
    asked, plain = list[int](), lessons_gan.drawn

    def noted(*how: Any) -> Any:
        asked.append(how[3])
        return plain(*how)

    monkeypatch.setattr(lessons_gan, "drawn", noted)
    dataclasses.replace(lesson(place, tmp_path, 320), compared=60).learn()
    assert set(asked) == {17 * 60, SHEET}  # classes are counted in 1,000 at least


def test_copies_are_looked_for_among_all_images_that_are_learned_from(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However few of them are compared pixel by pixel."""
    monkeypatch.setattr(lessons_gan, "MOST_PIXELS", 40)
    monkeypatch.setattr(lessons_gan, "MOST_IMAGES", 300)  # that are seen by the judge at a time
    kind, parts, _ = prepared(place)
    judge, backend = (kind.judge, kind.judged_by), backend_for("numpy", kind.works)
    train = Part(shutil.copy(parts["train"].features, tmp_path), parts["train"].labels)  # that nothing is kept of
    reals = lessons_gan.reals_of(*judge, parts["search"], train, 60, backend)
    copies = np.array(train.read()[0][100:400])
    assert len(reals.pixels) == 40
    found = reals.measured(lessons_gan.judge_of(*judge).seen(copies, backend))
    assert found["copies"] > 0.9
    assert found["copying"] < 0.1


def test_images_that_were_learned_from_are_seen_once(place: str) -> None:
    kind, parts, _ = prepared(place)
    judge, backend = (kind.judge, kind.judged_by), backend_for("numpy", kind.works)
    reals = [lessons_gan.reals_of(*judge, parts[name], parts["train"], 60, backend) for name in ("search", "test")]
    assert reals[0].trained is reals[1].trained


def prepared_for(data: Any, folder: Path) -> list[str]:
    """Prepare a search for generators of such images; return what is remarked."""
    kind = kind_of(SearchConfig(kind="gan", metric="fitness", max_parameters=600_000), (8, 8), data.class_names)
    said = list[str]()
    folder.mkdir()
    parts = Parts.of(data).share(folder, data.input_range)
    told = Preparing("bars", lambda: backend_for("numpy", kind.works), lambda phase: None, said.append)
    with SearchFolder.create(folder / "run") as own:
        own.write_config(kind.config, {"data": "bars"})
        kind.prepared(parts, own, told)
    return said


def test_too_few_test_images_are_remarked_and_too_few_others_refused(tmp_path: Path) -> None:
    """With the split, and with the way out."""
    data = bars(490)
    few = dataclasses.replace(data, test=Split(data.test.inputs[:40], data.test.labels[:40]))
    assert any("40 test images are too few" in remark for remark in prepared_for(few, tmp_path / "few"))
    assert not any("too few" in remark for remark in prepared_for(data, tmp_path / "enough"))
    with pytest.raises(UsageError, match=r"the part of the training split .* needs 50 at least.*about 480"):
        prepared_for(bars(440), tmp_path / "fewer")
