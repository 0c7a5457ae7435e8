"""Looking for datasets, and fetching them from mirrors that are right, wrong, broken or silent."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from genreg_np.data import cache, download
from genreg_np.data.cache import fetch, find, search_folders
from genreg_np.data.download import answering
from genreg_np.data.idx import read_idx, write_idx
from genreg_np.data.mnist import FILES, load_source
from genreg_np.errors import DataError, UsageError
from tests.data.conftest import Reply, source_of


def good(folder: Path) -> Reply:
    def reply(file: str) -> tuple[int, bytes, int]:
        body = (folder / file).read_bytes()
        return 200, body, len(body)

    return reply


def cut_short(folder: Path) -> Reply:
    """Declare all bytes, send half, close."""
    return lambda file: (200, (body := (folder / file).read_bytes())[: len(body) // 2], len(body))


def half(folder: Path) -> Reply:
    """Send half as if it were all."""
    return lambda file: (200, body := (folder / file).read_bytes()[:40], len(body))


def rubbish(file: str) -> tuple[int, bytes, int]:
    return 200, b"<html>please log in</html>", 26


def absent(file: str) -> tuple[int, bytes, int]:
    return 404, b"no", 2


def contents(folder: Path) -> set[str]:
    return {path.name for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layout", ["", "mnist", "MNIST/raw", "raw"])
@pytest.mark.parametrize("spelling", ["gz", "plain", "dotted"])
@pytest.mark.usefixtures("bare_machine")
def test_a_dataset_is_found_in_each_layout(originals: Path, tmp_path: Path, layout: str, spelling: str) -> None:
    folder = tmp_path / "data" / layout
    folder.mkdir(parents=True)
    for file in FILES:
        if spelling == "gz":
            shutil.copy(originals / f"{file}.gz", folder)
        else:
            name = file if spelling == "plain" else file.replace("-idx", ".idx")
            write_idx(folder / name, read_idx(originals / f"{file}.gz"))
    assert find(source_of(originals), tmp_path / "data") == folder
    assert len(load_source(source_of(originals), tmp_path / "data", download=False).test) == 20


def test_places_are_searched_in_the_documented_order(
    originals: Path, bare_machine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = source_of(originals)
    asked, environment, debian = tmp_path / "asked", tmp_path / "environment", tmp_path / "debian"
    monkeypatch.setenv("GENREG_DATA", str(environment))
    monkeypatch.setattr(cache, "DEBIAN_FOLDER", debian)
    with pytest.raises(UsageError, match=r"GENREG_DATA=.*environment is not a folder"):
        find(source, asked)
    environment.mkdir()
    assert search_folders(asked) == [asked, environment, bare_machine, debian]
    assert find(source, asked) is None
    for place in (debian, bare_machine, environment, asked):  # the least preferred first
        shutil.copytree(originals, place / "mnist")
        assert find(source, asked) == place / "mnist"


@pytest.mark.usefixtures("bare_machine")
def test_a_folder_with_a_file_missing_is_passed_over(originals: Path, tmp_path: Path) -> None:
    shutil.copytree(originals, tmp_path / "a" / "mnist")
    (tmp_path / "a" / "mnist" / f"{FILES[1]}.gz").unlink()
    assert find(source_of(originals), tmp_path / "a") is None


@pytest.mark.usefixtures("bare_machine")
def test_files_of_another_known_dataset_are_passed_over(originals: Path, tmp_path: Path) -> None:
    """Fashion-MNIST's files have MNIST's names: unpacked into $GENREG_DATA they are not a damaged MNIST."""
    wanted, other = source_of(originals), source_of(originals)
    wanted = cache.Source("other", "", (), dict.fromkeys(FILES, "0" * 64), ())
    assert find(wanted, originals) == originals
    assert find(wanted, originals, (wanted, other)) is None


@pytest.mark.usefixtures("bare_machine")
def test_a_local_file_with_wrong_bytes_is_named(originals: Path, tmp_path: Path) -> None:
    source = source_of(originals)
    folder = tmp_path / "data" / "mnist"
    shutil.copytree(originals, folder)
    shutil.copy(originals / f"{FILES[2]}.gz", folder / f"{FILES[0]}.gz")
    with pytest.raises(DataError, match=rf"{FILES[0]}\.gz: not the expected data"):
        load_source(source, tmp_path / "data")


@pytest.mark.usefixtures("bare_machine")
def test_the_last_training_images_are_validation(originals: Path) -> None:
    dataset = load_source(source_of(originals), originals)
    images = read_idx(originals / f"{FILES[0]}.gz")
    assert (dataset.train.inputs == images[:30]).all()
    assert (dataset.validation.inputs == images[30:]).all()
    assert dataset.input_range == (0.0, 255.0)


def test_a_download_is_checked_reported_and_kept(
    originals: Path, bare_machine: Path, serve: Callable[[dict[str, Reply]], str]
) -> None:
    source = source_of(originals, (serve({"m": good(originals)}) + "/m/",))
    seen: list[tuple[str, int, int]] = []
    dataset = load_source(source, progress=lambda *step: seen.append(step))
    assert len(dataset.train) == 30
    assert contents(bare_machine) == {f"{file}.gz" for file in FILES}
    assert {name for name, _, _ in seen} == {f"{file}.gz" for file in FILES}
    assert all(0 < done <= total for _, done, total in seen)
    assert find(source) == bare_machine / "mnist"


@pytest.mark.parametrize("bad", ["rubbish", "absent", "cut_short", "half", "swapped"])
def test_a_bad_mirror_is_followed_by_the_next(
    originals: Path, bare_machine: Path, serve: Callable[[dict[str, Reply]], str], bad: str
) -> None:
    swapped = good(originals)
    replies: dict[str, Reply] = {
        "rubbish": rubbish,
        "absent": absent,
        "cut_short": cut_short(originals),
        "half": half(originals),
        "swapped": lambda file: swapped(f"{FILES[2]}.gz" if file != f"{FILES[2]}.gz" else f"{FILES[0]}.gz"),
        "good": good(originals),
    }
    address = serve(replies)
    only_bad = source_of(originals, (f"{address}/{bad}/",))
    with pytest.raises(DataError, match=r"cannot be downloaded \(127\.0\.0\.1: .*--data-dir") as error:
        load_source(only_bad)
    assert "\n" not in str(error.value)
    assert contents(bare_machine) == set(), "nothing broken is left in the cache"
    load_source(source_of(originals, (f"{address}/{bad}/", f"{address}/good/")))
    assert contents(bare_machine) == {f"{file}.gz" for file in FILES}


def test_an_interrupted_download_leaves_whole_files_only_and_goes_on(
    originals: Path, bare_machine: Path, serve: Callable[[dict[str, Reply]], str]
) -> None:
    source = source_of(originals, (serve({"m": good(originals)}) + "/m/",))

    def interrupt(file: str, done: int, total: int) -> None:
        if file.startswith("t10k-images"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_source(source, progress=interrupt)
    assert contents(bare_machine) == {f"{file}.gz" for file in FILES[:2]}
    fetched: set[str] = set()
    load_source(source, progress=lambda file, done, total: fetched.add(file))
    assert fetched == {f"{file}.gz" for file in FILES[2:]}


def test_fetching_replaces_a_damaged_file(
    originals: Path, bare_machine: Path, serve: Callable[[dict[str, Reply]], str]
) -> None:
    source = source_of(originals, (serve({"m": good(originals)}) + "/m/",))
    folder = fetch(source, bare_machine / "mnist")
    (folder / f"{FILES[0]}.gz").write_bytes(b"")
    assert not cache.is_whole(source, folder)
    assert cache.is_whole(source, fetch(source, folder))


@pytest.mark.usefixtures("bare_machine")
def test_a_mirror_cannot_fill_the_memory(
    originals: Path, serve: Callable[[dict[str, Reply]], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "LIMIT_BYTES", 10)
    with pytest.raises(DataError, match="more than 10 bytes"):
        load_source(source_of(originals, (serve({"m": good(originals)}) + "/m/",)))


@pytest.mark.usefixtures("bare_machine")
def test_a_folder_that_cannot_be_written_is_named(
    originals: Path, tmp_path: Path, serve: Callable[[dict[str, Reply]], str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    source = source_of(originals, (serve({"m": good(originals)}) + "/m/",))
    with pytest.raises(DataError, match=r"cannot be written .*--data-dir"):
        fetch(source, tmp_path / "file" / "mnist")


def test_a_silent_network_is_given_up_at_the_deadline() -> None:
    """A name server that never answers: the probe's thread hangs for good, the caller does not."""
    hang = threading.Event()

    def connect(mirror: str, seconds: float) -> None:
        hang.wait()

    try:
        assert answering(("http://a/", "http://b/"), seconds=0.05, connect=connect) == []
    finally:
        hang.set()


def test_a_silent_mirror_does_not_hold_up_one_that_answers() -> None:
    hang = threading.Event()

    def connect(mirror: str, seconds: float) -> None:
        if "silent" in mirror:
            hang.wait()
        if "closed" in mirror:
            raise ConnectionRefusedError

    mirrors = ("http://silent/", "http://closed/", "http://open/")
    try:
        assert answering(mirrors, seconds=3600.0, grace=0.05, connect=connect) == ["http://open/"]
    finally:
        hang.set()


def test_mirrors_that_answer_keep_their_order() -> None:
    first_may_answer = threading.Event()

    def connect(mirror: str, seconds: float) -> None:
        if mirror == "a":
            first_may_answer.wait()
        else:
            first_may_answer.set()

    assert answering(("a", "b"), seconds=60.0, grace=60.0, connect=connect) == ["a", "b"]


@pytest.mark.usefixtures("bare_machine")
def test_without_a_network_the_error_says_what_to_do(originals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "answering", lambda mirrors: [])
    with pytest.raises(
        DataError, match=r"no mirror answers \(example\.org\): go online, put its files into .*--data-dir"
    ):
        load_source(source_of(originals, ("http://example.org/",)))


def test_a_proxy_is_asked_instead_of_the_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    class Connection:
        def close(self) -> None:
            pass

    def create_connection(address: tuple[str, int], timeout: float) -> Connection:
        asked.append(address)
        return Connection()

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setattr(download.socket, "create_connection", create_connection)
    assert answering(("https://mirror.example/",)) == ["https://mirror.example/"]
    monkeypatch.delenv("https_proxy")
    answering(("https://mirror.example/",))
    assert asked == [("proxy.example", 3128), ("mirror.example", 443)]
