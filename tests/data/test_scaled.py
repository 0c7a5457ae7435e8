"""Pictures as scaled are kept for the next time: the same to the bit, and never of files that have changed since."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from genreg_np.data import pictures, scaled
from genreg_np.data.dataset import Dataset
from genreg_np.data.folder import load_folder
from genreg_np.data.pictures import How, Pictures
from genreg_np.errors import DataError

Image = pytest.importorskip("PIL.Image")
LONG_AGO = 1_600_000_000


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep every folder, however small. Returns where."""
    monkeypatch.setattr(scaled, "LEAST_BYTES", 1)
    monkeypatch.setattr(scaled, "user_cache_dir", lambda: tmp_path / "cache")
    monkeypatch.delenv(scaled.VARIABLE, raising=False)
    return tmp_path / "cache" / "pictures"


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how many pictures are unpacked, call by call."""
    counts: list[int] = []
    read = pictures.read_pictures

    def counted(*arguments: object, **named: object) -> Pictures:
        counts.append(len(arguments[1]))  # type: ignore[arg-type]
        return read(*arguments, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(scaled, "read_pictures", counted)
    return counts


def picture(path: Path, seed: int, side: int = 70, changed: int = LONG_AGO) -> Path:
    """Write a picture in colour that was last changed long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
    Image.fromarray(pixels).resize((side, side + 10)).save(path)
    os.utime(path, (changed, changed))
    return path


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder of two classes of six pictures."""
    for index in range(12):
        picture(tmp_path / "photos" / "ab"[index % 2] / f"{index}.png", index)
    return tmp_path / "photos"


def same(one: Dataset, other: Dataset) -> bool:
    arrays = [
        np.array_equal(getattr(one.split(name), part), getattr(other.split(name), part))
        for name in ("train", "validation", "test")
        for part in ("inputs", "labels")
    ]
    return all(arrays) and one == replace(other, train=one.train, validation=one.validation, test=one.test)


@pytest.mark.parametrize("color", ["auto", "grey", "rgb"])
@pytest.mark.parametrize("size", [None, (9, 12)])
def test_what_is_kept_is_what_was_read(
    kept: Path, reads: list[int], photographs: Path, color: str, size: tuple[int, int] | None
) -> None:
    told: list[tuple[int, int]] = []
    first = load_folder(photographs, size, color=color)
    second = load_folder(photographs, size, color=color, told=lambda *step: told.append(step))
    assert reads == [12]
    assert told == [(12, 12)]
    assert same(first, second)
    assert first.origin == second.origin
    assert f"; the scaled pictures are kept for the next time in {kept}; " in first.note
    assert f"; the scaled pictures are taken from {kept}: no file has changed since; " in second.note
    said = [[line for line in dataset.note.split("; ") if "scaled pictures" not in line] for dataset in (first, second)]
    assert said[0] == said[1]
    assert second.note.count("scaled pictures") == 1
    assert second.train.inputs.flags.writeable


def test_deep_pictures_keep_their_range(kept: Path, reads: list[int], tmp_path: Path) -> None:
    for index in range(8):
        path = tmp_path / "deep" / "ab"[index % 2] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        levels = np.random.default_rng(index).integers(0, 65536, (5, 7), np.uint16)
        Image.fromarray(levels).save(path)
        os.utime(path, (LONG_AGO, LONG_AGO))
    first, second = load_folder(tmp_path / "deep"), load_folder(tmp_path / "deep")
    assert reads == [8]
    assert first.picture == second.picture
    assert "range" in (second.picture or {})
    assert same(first, second)


def removed(folder: Path) -> None:
    (folder / "a" / "0.png").unlink()


def added(folder: Path) -> None:
    picture(folder / "a" / "100.png", 100)


def changed(folder: Path) -> None:
    picture(folder / "a" / "0.png", 101, changed=LONG_AGO + 1)


def changed_in_size_alone(folder: Path) -> None:
    picture(folder / "a" / "0.png", 0, side=80)


def changed_in_time_alone(folder: Path) -> None:
    os.utime(folder / "a" / "0.png", ns=(LONG_AGO * 10**9, LONG_AGO * 10**9 + 1))


def renamed(folder: Path) -> None:
    (folder / "a" / "0.png").rename(folder / "a" / "0000.png")


def moved_to_another_class(folder: Path) -> None:
    (folder / "a" / "0.png").rename(folder / "b" / "0.png")


@pytest.mark.parametrize(
    "change",
    [removed, added, changed, changed_in_size_alone, changed_in_time_alone, renamed, moved_to_another_class],
)
def test_a_change_is_seen(kept: Path, reads: list[int], photographs: Path, change: Callable[[Path], None]) -> None:
    load_folder(photographs)
    change(photographs)
    after = load_folder(photographs)
    assert len(reads) == 2, "it is read again"
    assert len(list(kept.iterdir())) == 1, "what was kept is replaced"
    assert same(after, load_folder(photographs))
    assert len(reads) == 2, "and kept anew"


@pytest.mark.parametrize(
    "other", [{"size": (8, 8)}, {"fit": "pad"}, {"color": "grey"}, {"ranges": {"16 bits": (0, 9)}}]
)
def test_each_way_of_reading_is_kept_for_itself(
    kept: Path, reads: list[int], photographs: Path, other: dict[str, object]
) -> None:
    load_folder(photographs)
    load_folder(photographs, **other)  # type: ignore[arg-type]
    assert len(reads) == 2
    load_folder(photographs)
    load_folder(photographs, **other)  # type: ignore[arg-type]
    assert len(reads) == 2
    assert len(list(kept.iterdir())) == 2


def test_another_version_reads_for_itself(
    kept: Path, reads: list[int], photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder(photographs)
    monkeypatch.setattr(scaled, "__version__", "0.0.0")
    load_folder(photographs)
    assert len(reads) == 2


def flip(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def with_header(content: bytes, **values: object) -> bytes:
    magic, header, pixels = content.split(b"\n", 2)
    return b"\n".join((magic, json.dumps(json.loads(header) | values).encode(), pixels))


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "another kind": lambda content: b"\x89PNG\r\n",
    "another format": lambda content: content.replace(b"pictures 1", b"pictures 2", 1),
    "cut short": lambda content: content[:-1],
    "longer": lambda content: content + b"\0",
    "a pixel": lambda content: flip(content, len(content) - 5),
    "a header of nothing": lambda content: scaled.MAGIC + b"\n",
    "a header of text": lambda content: scaled.MAGIC + b'"text"\n',
    "a header of a list": lambda content: scaled.MAGIC + b"[1]\n",
    "a header without end": lambda content: scaled.MAGIC + b"[" * 3_000_000,
    "no shape": lambda content: with_header(content, shape=None),
    "a huge shape": lambda content: with_header(content, shape=[12, 1 << 40, 1 << 40]),
    "another shape": lambda content: with_header(content, shape=[12, 32, 32, 3]),
    "a shape of text": lambda content: with_header(content, shape=["12", "3", "32", "32"]),
    "negative": lambda content: with_header(content, shape=[12, -3, -32, 32]),
    "other ranges": lambda content: with_header(content, ranges={"kind": [1]}),
    "no notes": lambda content: with_header(content, notes=5),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_what_is_damaged_or_foreign_counts_as_none(
    kept: Path, reads: list[int], photographs: Path, damage: Callable[[bytes], bytes]
) -> None:
    whole = load_folder(photographs)
    (place,) = kept.iterdir()
    content = place.read_bytes()
    place.write_bytes(damage(content))
    assert same(whole, load_folder(photographs))
    assert len(reads) == 2
    assert place.read_bytes() == content, "and is replaced"


def test_a_link_or_a_folder_in_its_place_is_not_followed(kept: Path, reads: list[int], photographs: Path) -> None:
    load_folder(photographs)
    (place,) = kept.iterdir()
    place.rename(kept / "elsewhere")
    place.symlink_to(kept / "elsewhere")
    load_folder(photographs)
    assert len(reads) == 2
    place.unlink()
    place.mkdir()
    assert "for the next time" not in load_folder(photographs).note


def test_what_changed_just_now_is_not_kept(kept: Path, photographs: Path) -> None:
    """A second change in the same tick of the clock could not be told."""
    now = time.time()
    os.utime(photographs / "a" / "0.png", (now, now))
    assert "for the next time" not in load_folder(photographs).note
    assert not kept.exists()


def test_what_changes_while_it_is_read_is_not_kept(
    kept: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = pictures.read_pictures

    def slow(folder: Path, files: list[Path], how: How, told: None) -> Pictures:
        found = read(folder, files, how, told)
        changed(folder)
        return found

    monkeypatch.setattr(scaled, "read_pictures", slow)
    load_folder(photographs)
    assert not kept.exists()


def test_a_folder_with_pictures_left_out_is_not_kept(kept: Path, photographs: Path) -> None:
    """What kept one from being read may pass without a trace in its size and time."""
    bad = photographs / "a" / "0.png"
    bad.write_bytes(b"no picture")
    os.utime(bad, (LONG_AGO, LONG_AGO))
    with pytest.raises(DataError, match="1 of 12 pictures cannot be read"):
        load_folder(photographs)
    load_folder(photographs, skip_bad=True)
    assert not kept.exists()


def test_few_bytes_are_not_kept(kept: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total = sum(file.stat().st_size for file in photographs.rglob("*.png"))
    monkeypatch.setattr(scaled, "LEAST_BYTES", total + 1)
    load_folder(photographs)
    assert not kept.exists()
    monkeypatch.setattr(scaled, "LEAST_BYTES", total)
    load_folder(photographs)
    assert kept.exists()


def test_a_variable_turns_it_off(
    kept: Path, reads: list[int], photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_folder(photographs)
    monkeypatch.setenv(scaled.VARIABLE, "0")
    assert "scaled pictures" not in load_folder(photographs).note
    assert len(reads) == 2


def test_a_cache_that_cannot_be_written_is_no_error(kept: Path, photographs: Path) -> None:
    kept.parent.write_text("in the way")
    assert "for the next time" not in load_folder(photographs).note


def test_a_user_without_a_home_has_none(kept: Path, photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> Path:
        raise RuntimeError("no home folder")

    monkeypatch.setattr(scaled, "user_cache_dir", none)
    assert "for the next time" not in load_folder(photographs).note


def test_room_is_bounded(kept: Path, reads: list[int], photographs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not used for longest goes first; what a killed process left goes, too."""
    load_folder(photographs, (4, 4))
    (first,) = kept.iterdir()
    os.utime(first, (LONG_AGO, LONG_AGO))
    load_folder(photographs, (5, 5))
    (second,) = set(kept.iterdir()) - {first}
    os.utime(second, (LONG_AGO + 1, LONG_AGO + 1))
    load_folder(photographs, (4, 4))  # used: now the newest
    left = kept / ".x.pictures.0123abcd.tmp"
    left.write_bytes(b"x")
    os.utime(left, (LONG_AGO, LONG_AGO))
    fresh = kept / ".y.pictures.0123abcd.tmp"
    fresh.write_bytes(b"x")
    monkeypatch.setattr(scaled, "MOST_BYTES_KEPT", first.stat().st_size + 12 * 3 * 6 * 6)
    load_folder(photographs, (6, 6))
    assert first.exists()
    assert not second.exists()
    assert not left.exists()
    assert fresh.exists()
    monkeypatch.setattr(scaled, "MOST_BYTES", 12 * 3 * 7 * 7 - 1)
    assert "for the next time" not in load_folder(photographs, (7, 7)).note
