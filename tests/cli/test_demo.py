"""`genreg-np demo`: a page is written whole, opened where there is a browser, and nothing is lost."""

from __future__ import annotations

import os
import re
import tempfile
import webbrowser
from pathlib import Path

import pytest

from genreg_np.export import files_of
from genreg_np.model import Network, load
from tests.cli import one_line
from tests.helpers import model_of


@pytest.fixture
def small() -> Path:
    """A model file."""
    path = Path("small.npz")
    model_of(Network.build((4, 4), (), 3)).save(path)
    return path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What a browser was asked to open, on a desktop."""
    addresses: list[str] = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "open", lambda address: addresses.append(address) or True)
    return addresses


def test_demo_makes_a_page_that_may_be_unsure(genreg, small: Path) -> None:
    """The page that `export --reject` writes; what is no probability is refused, and nothing is written."""
    assert genreg("demo", small, "--out", "page.html", "--no-open", "--reject", 0.9).code == 0
    assert Path("page.html").read_bytes() == files_of(load(small), "html", reject=0.9)["model.html"]
    assert "0 to 1" in one_line(genreg("demo", small, "--out", "other.html", "--no-open", "--reject", 9), 2)
    assert not Path("other.html").exists()


def test_demo_opens_a_page_in_a_folder_that_stays(
    genreg, small: Path, opened: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call writes a file of its own, says where, and opens it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    paths = []
    for _ in range(2):
        outcome = genreg("demo", small)
        assert outcome.code == 0, outcome.err
        paths.append(Path(re.fullmatch(r"wrote (\S+): [\d,]+ bytes, all in one file", outcome.out.strip())[1]))
    assert paths[0] != paths[1]
    assert opened == [path.as_uri() for path in paths]
    assert {path.read_bytes() for path in paths} == {files_of(load(small), "html")["model.html"]}


def test_demo_writes_where_it_is_told_and_opens_nothing_then(genreg, small: Path, opened: list[str]) -> None:
    outcome = genreg("demo", small, "--out", "page.html", "--no-open")
    assert outcome.code == 0, outcome.err
    assert Path("page.html").read_bytes().startswith(b"<!doctype html>")
    assert "page.html" in outcome.out
    assert opened == []
    assert genreg("demo", small, "--out", "other.html").code == 0
    assert opened == [Path("other.html").absolute().as_uri()]


@pytest.mark.parametrize("fault", ["no screen", "no browser", "error"])
def test_demo_says_what_to_do_where_no_browser_can_be_opened(
    genreg, small: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """The page is there all the same, so it is no failure; without a screen no text browser is started."""

    def fail(address: str) -> bool:
        if fault == "error":
            raise webbrowser.Error("none")
        return False

    if fault == "no screen":
        monkeypatch.setattr("sys.platform", "linux")
        for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
            monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setattr(webbrowser, "open", fail)
    outcome = genreg("demo", small, "--out", "page.html")
    assert outcome.code == 0
    assert "open the file" in outcome.out.splitlines()[-1]
    assert Path("page.html").exists()
    assert opened == []


def test_demo_overwrites_only_by_force_and_never_the_model(genreg, small: Path) -> None:
    """Nor a folder, nor into one that does not exist."""
    Path("page.html").write_text("mine")
    assert "--force" in one_line(genreg("demo", small, "--out", "page.html", "--no-open"), 2)
    assert Path("page.html").read_text() == "mine"
    assert genreg("demo", small, "--out", "page.html", "--no-open", "--force").code == 0
    assert Path("page.html").read_text("utf-8") != "mine"
    before = small.read_bytes()
    assert "MODEL itself" in one_line(genreg("demo", small, "--out", small, "--no-open", "--force"), 2)
    assert small.read_bytes() == before
    Path("folder").mkdir()
    assert "model.html" in one_line(genreg("demo", small, "--out", "folder", "--no-open"), 2)
    assert "does not exist" in one_line(genreg("demo", small, "--out", "nowhere/page.html", "--no-open"), 2)
    os.mkfifo("pipe")
    assert "not a regular file" in one_line(genreg("demo", small, "--out", "pipe", "--no-open", "--force"), 2)


def test_demo_of_what_is_no_model_writes_nothing(genreg, opened: list[str]) -> None:
    Path("broken.npz").write_bytes(b"PK broken")
    for name in ("broken.npz", "missing.npz"):
        assert name in one_line(genreg("demo", name, "--out", "page.html"), 1)
    assert not Path("page.html").exists()
    assert opened == []


def test_demo_that_cannot_be_written_is_one_line(genreg, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("genreg_np.files.write_atomic", fail)
    line = one_line(genreg("demo", small, "--out", "page.html", "--no-open"), 1)
    assert "page.html: cannot be written (No space left on device)" in line
