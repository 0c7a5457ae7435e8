"""Whose folders are trusted: those that nobody but the user, or root, can have put anything into."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from genreg_np.backends.numba.ownership import distrust, make_private

ME, OTHER = 1000, 2000
FOLDER, LINK, FILE = stat.S_IFDIR, stat.S_IFLNK, stat.S_IFREG
Tree = dict[str, tuple[int, int]]  # path: mode, owner

posix = pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX")

COMMON: Tree = {
    "/": (FOLDER | 0o755, 0),
    "/tmp": (FOLDER | 0o1777, 0),
    "/home": (FOLDER | 0o755, 0),
    "/home/me": (FOLDER | 0o750, ME),
    "/home/me/.cache": (FOLDER | 0o700, ME),
}


def judged(folder: str, tree: Tree, links: dict[str, str] | None = None) -> str:
    """Return why a folder of an imagined file system is not trusted."""
    whole = COMMON | tree

    def status(path: str) -> os.stat_result:
        if path not in whole:
            raise FileNotFoundError(path)
        mode, owner = whole[path]
        return os.stat_result((mode, 0, 0, 1, owner, 0, 0, 0, 0, 0))

    return distrust(Path(folder), ME, status, lambda path: (links or {})[path])


TRUSTED: dict[str, tuple[str, Tree, dict[str, str]]] = {
    "the user's own": ("/home/me/.cache", {}, {}),
    "not there yet": ("/home/me/.cache/genreg-np/kernels/0123", {}, {}),
    "root's": ("/var/cache", {"/var": (FOLDER | 0o755, 0), "/var/cache": (FOLDER | 0o755, 0)}, {}),
    "the user's own in a sticky folder": ("/tmp/mine", {"/tmp/mine": (FOLDER | 0o700, ME)}, {}),
    "not there yet in a sticky folder": ("/tmp/mine/kernels", {}, {}),
    "behind the user's own link": ("/home/me/link/kernels", {"/home/me/link": (LINK | 0o777, ME)},
                                   {"/home/me/link": "/tmp/mine"}),
    "behind a relative link of root's": ("/link", {"/link": (LINK | 0o777, 0)}, {"/link": "home/../home/me/.cache"}),
}  # fmt: skip
DISTRUSTED: dict[str, tuple[str, Tree, dict[str, str], str]] = {
    "another user's": ("/tmp/x/kernels", {"/tmp/x": (FOLDER | 0o755, OTHER)}, {}, "/tmp/x belongs to another user"),
    "another user's further in": ("/tmp/x/kernels", {"/tmp/x": (FOLDER | 0o700, ME),
                                  "/tmp/x/kernels": (FOLDER | 0o755, OTHER)}, {}, "kernels belongs to another user"),
    "another user's, closed": ("/tmp/x", {"/tmp/x": (FOLDER | 0o700, OTHER)}, {}, "/tmp/x belongs to another user"),
    "open to a group": ("/home/me/x", {"/home/me/x": (FOLDER | 0o770, ME)}, {}, "/home/me/x can be written by others"),
    "open to all": ("/home/me/x", {"/home/me/x": (FOLDER | 0o707, ME)}, {}, "/home/me/x can be written by others"),
    "open further up": ("/x/y", {"/x": (FOLDER | 0o777, 0), "/x/y": (FOLDER | 0o700, ME)}, {}, "/x can be written"),
    "a sticky folder itself": ("/tmp", {}, {}, "/tmp can be written by others"),
    "behind another user's link": ("/tmp/link", {"/tmp/link": (LINK | 0o777, OTHER)}, {"/tmp/link": "/home/me/.cache"},
                                   "/tmp/link belongs to another user"),
    "behind a link into another user's": ("/home/me/link", {"/home/me/link": (LINK | 0o777, ME),
                                          "/tmp/x": (FOLDER | 0o755, OTHER)}, {"/home/me/link": "/tmp/x"},
                                          "/tmp/x belongs to another user"),
    "behind a link to itself": ("/home/me/link", {"/home/me/link": (LINK | 0o777, ME)}, {"/home/me/link": "link"},
                                "too many links"),
    "a file": ("/home/me/x", {"/home/me/x": (FILE | 0o600, ME)}, {}, "/home/me/x is not a folder"),
    "under a root of another user's": ("/home/me", {"/": (FOLDER | 0o755, OTHER)}, {}, "/ belongs to another user"),
}  # fmt: skip


@posix
@pytest.mark.parametrize("name", list(TRUSTED))
def test_a_folder_that_only_the_user_or_root_can_write_to_is_trusted(name: str) -> None:
    assert judged(*TRUSTED[name]) == ""


@posix
@pytest.mark.parametrize("name", list(DISTRUSTED))
def test_a_folder_that_others_can_write_to_is_not_trusted(name: str) -> None:
    """The line says which folder on the way it is."""
    folder, tree, links, words = DISTRUSTED[name]
    assert words in judged(folder, tree, links)


@posix
def test_folders_are_made_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    """A umask of 0 would open them to all, and one of 2, which is common, to a group."""
    before = os.umask(0)
    try:
        assert make_private(tmp_path / "a/b/c") == ""
    finally:
        os.umask(before)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/c")}
    assert modes == {0o700}


@posix
def test_nothing_is_made_where_others_can_write(tmp_path: Path) -> None:
    """A link of theirs could lead it anywhere."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    assert "can be written by others" in make_private(tmp_path / "open/a/b")
    assert not list((tmp_path / "open").iterdir())


@posix
def test_a_folder_that_others_can_read_is_not_closed(tmp_path: Path) -> None:
    """Files in it may be open to all, since a umask of 0 makes them so: only the folder itself keeps others out."""
    (tmp_path / "seen").mkdir(0o755)
    assert "is open to others" in make_private(tmp_path / "seen")


@posix
def test_links_in_a_closed_folder_are_not_followed(tmp_path: Path) -> None:
    """They were put there before it was closed, or are no part of it."""
    make_private(tmp_path / "a/b")
    (tmp_path / "a/b/link").symlink_to("/tmp")
    assert "is a link" in make_private(tmp_path / "a")


@posix
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("given_away", ["a", "a/b", "a/b/c", "a/b/c/file"])
def test_folders_and_files_of_another_user_are_not_trusted(tmp_path: Path, given_away: str) -> None:
    """Root, too, must not run what somebody else has put there."""
    make_private(tmp_path / "a/b/c")
    (tmp_path / "a/b/c/file").touch()
    assert make_private(tmp_path / "a/b") == ""
    os.chown(tmp_path / given_away, OTHER, OTHER)
    assert "belongs to another user" in make_private(tmp_path / "a/b")
