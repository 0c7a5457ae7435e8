"""The cache of compiled kernels is code: where it lies, who may have written it, and what is said without one."""

from __future__ import annotations

import importlib.util
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from genreg_np.backends.numba import ownership
from genreg_np.files import user_cache_dir
from tests.helpers import ROOT, python

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="needs numba"),
    pytest.mark.skipif(os.name != "posix", reason="owners and modes of POSIX"),
]

only_root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can give files away")

USE = """
import os, sys, warnings
os.umask(int(sys.argv[1], 8))
warnings.simplefilter("always")
warnings.showwarning = lambda message, *_: print(message)
import numpy as np
from genreg_np.backends import compiled_how_often
from genreg_np.backends.numba.kernels.detectors import standardise_levels
from genreg_np.backends.numba.kernels.jit import cache_folder
numbers = np.ones((1, 1), np.float32)
standardise_levels(numbers, np.ones((1, 1), np.uint8), numbers[0], numbers[0], 0, 1)
print(compiled_how_often())
print(cache_folder())
"""
ONCE, EVERY_TIME = "once on this machine", "in every process, as there is no cache"


def use(umask: str = "022", **environment: str) -> list[str]:
    """Use a kernel in a fresh interpreter; return the lines it printed: a warning if any, how often, and the folder."""
    return python(USE, umask, **environment).splitlines()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with a kernel in it, to be copied."""
    cache = tmp_path_factory.mktemp("compiled") / "cache"
    assert use(XDG_CACHE_HOME=str(cache))[0] == ONCE
    return cache


@pytest.fixture
def cache(compiled: Path, tmp_path: Path) -> Path:
    """A copy of that cache, with its modes."""
    return Path(shutil.copytree(compiled, tmp_path / "cache"))


def test_another_installation_of_the_same_sources_compiles_nothing(tmp_path: Path, cache: Path) -> None:
    """Nor does one that was installed anew: what counts is what was compiled, not where it is or how old."""
    folder = str(next(cache.rglob("kernels/*")))
    written = {path: path.stat().st_mtime_ns for path in Path(folder).iterdir()}
    assert any(path.suffix == ".nbc" for path in written)
    shutil.copytree(ROOT / "genreg_np", tmp_path / "elsewhere" / "genreg_np")
    for path in (tmp_path / "elsewhere").rglob("*.py"):
        os.utime(path, (1, 1))
    where = "import genreg_np\nprint(genreg_np.__file__)"
    *_, again, file = python(USE + where, "022", cwd=tmp_path / "elsewhere", XDG_CACHE_HOME=str(cache)).splitlines()
    assert Path(file).is_relative_to(tmp_path)
    assert again == folder
    assert {path: path.stat().st_mtime_ns for path in Path(folder).iterdir()} == written


def test_locators_that_a_user_chose_are_for_other_functions(tmp_path: Path) -> None:
    """Numba's setting would put kernels where nobody looks who may write there."""
    places = "InTreeCacheLocator,UserWideCacheLocator"
    _, folder = use(XDG_CACHE_HOME=str(tmp_path), NUMBA_CACHE_LOCATOR_CLASSES=places)
    assert list(Path(folder).glob("*.nbc"))


def test_two_that_save_at_once_never_name_their_files_alike() -> None:
    """Else the index of one would lead to the code of the other."""
    from genreg_np.backends.numba.kernels.detectors import standardise_levels

    files = standardise_levels._cache._cache_file
    assert files._data_name(1) != files._data_name(1)


def test_without_sources_kernels_are_compiled_in_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As from a bundle of compiled files: said in one warning, and no reason to stop."""
    from genreg_np.backends.numba.kernels import jit

    def missing(path: Path) -> bytes:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(Path, "read_bytes", missing)
    with pytest.warns(RuntimeWarning, match=r"cannot be read \(No such file or directory\): kernels are compiled anew"):
        assert jit.cache_folder.__wrapped__() is None


def test_a_file_that_is_renamed_while_the_folder_is_looked_through_is_nobodys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another process saves a kernel: its temporary file is listed, and gone a moment later."""
    (tmp_path / "a.nbc.tmp").touch()
    scan = os.scandir

    def renamed(folder: Path) -> list[os.DirEntry[str]]:
        entries = list(scan(folder))
        for entry in entries:
            os.rename(entry.path, entry.path.removesuffix(".tmp"))
        return entries

    monkeypatch.setattr(os, "scandir", renamed)
    assert ownership.distrust_content(tmp_path, os.geteuid()) == ""


class Hostile:
    """What an attacker's cache would hold: a pickle that runs code as soon as it is read."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.marker), "w")


def planted(cache: Path, marker: Path) -> None:
    """Put a pickle that runs code in place of every index of a cache that has been used."""
    indices = list(cache.rglob("*.nbi"))
    assert indices, "there is something to put it in place of"
    for index in indices:
        index.write_bytes(pickle.dumps(Hostile(marker)))


def spoil(cache: Path, how: str) -> None:
    """Make a cache one that another user may have filled."""
    if how == "open to others":
        cache.chmod(0o777)
    elif how == "the folder itself open":
        (next(cache.rglob("kernels/*"))).chmod(0o777)
    else:
        for path in (cache, *cache.rglob("*")):
            os.chown(path, 2000, 2000)


@pytest.mark.parametrize(
    "how",
    [
        "open to others",
        "the folder itself open",
        pytest.param("another user's", marks=only_root),
    ],
)
def test_a_cache_that_others_may_have_filled_is_not_read(tmp_path: Path, cache: Path, how: str) -> None:
    """Numba's cache is pickles: reading it would run whatever they hold."""
    marker = tmp_path / "marker"
    planted(cache, marker)
    spoil(cache, how)
    warning, often, folder = use(XDG_CACHE_HOME=str(cache))
    assert not marker.exists(), "the other user's code ran"
    assert warning.startswith(str(cache))
    assert warning.endswith("kernels are compiled anew in every process")
    assert (often, folder) == (EVERY_TIME, "None")


def test_a_planted_index_would_run_in_a_trusted_cache(tmp_path: Path, cache: Path) -> None:
    """What the test before keeps out is real: numba reads the index, and it runs."""
    planted(cache, tmp_path / "marker")
    use(XDG_CACHE_HOME=str(cache))
    assert (tmp_path / "marker").exists()


def test_a_cache_made_under_any_umask_is_closed_and_used_again(tmp_path: Path) -> None:
    """A umask of 0 makes every file open to all; the folder keeps others from them."""
    for _ in range(2):
        often, folder = use("000", XDG_CACHE_HOME=str(tmp_path / "cache"))
        assert often == ONCE
    place = Path(folder)
    while place != tmp_path:
        assert place.stat().st_mode & 0o077 == 0
        place = place.parent


@pytest.mark.parametrize("name", ["XDG_CACHE_HOME", "HOME"])
@pytest.mark.parametrize("value", ["", "relative/folder", "."])
def test_variables_that_name_no_absolute_folder_are_ignored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, value: str
) -> None:
    """The cache must not depend on the folder a program is started in, nor lie under the root folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    expected = user_cache_dir()
    monkeypatch.setenv(name, value)
    if name == "HOME":
        import pwd

        home = Path(pwd.getpwuid(os.getuid()).pw_dir)
        expected = home / expected.relative_to(tmp_path)
    assert user_cache_dir() == expected


def test_a_user_without_a_home_compiles_without_a_cache(tmp_path: Path) -> None:
    """No entry in the list of users, no HOME: one line, no traceback."""
    nobody = "import pwd\ndef missing(user): raise KeyError(user)\npwd.getpwuid = missing\n"
    environment = {"HOME": "", "XDG_CACHE_HOME": ""}
    lines = python(nobody + USE, "022", **environment).splitlines()
    assert lines == ["no home folder: kernels are compiled anew in every process", EVERY_TIME, "None"]


def test_a_cache_that_cannot_be_written_is_said_so_once(tmp_path: Path) -> None:
    """What is said before compiling does not contradict the warning."""
    (tmp_path / "file").touch()
    lines = use(XDG_CACHE_HOME=str(tmp_path / "file"))
    assert lines == [
        f"{tmp_path / 'file'} is not a folder: kernels are compiled anew in every process", EVERY_TIME, "None"
    ]  # fmt: skip
