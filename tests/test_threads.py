"""Threads, forks and the kernel cache: they change how fast results come, never a byte of them."""

from __future__ import annotations

import ast
import importlib.util
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from genreg_np import backends
from genreg_np.backends import threads
from genreg_np.backends.base import Backend
from genreg_np.backends.threads import in_order
from genreg_np.errors import UsageError
from tests.helpers import PATIENCE, ROOT, one_line, python

HAS_NUMBA = bool(importlib.util.find_spec("numba") and importlib.util.find_spec("scipy"))
needs_numba = pytest.mark.skipif(not HAS_NUMBA, reason="numba is not installed")


DIGEST = """
import hashlib, sys
import numpy as np
from genreg_np.backends.base import Batch, Brood, Perturbation
from genreg_np.layers.groups import Gene
from genreg_np.fitness import Score
from genreg_np.model import Network
from genreg_np.streams import Purpose

def digest(backend):
    rng = np.random.default_rng(2)
    network = Network.build((300,), (64,), 10)
    survivors = rng.normal(size=(5, network.gene_count)).astype(np.float32)
    parents = rng.integers(0, 5, (37, 2)).astype(np.int32)
    mutated = dict(mutation_rate=0.07, mutation_scale=0.1, elites=2)
    family = dict(network=network, seed=5, generation=3, survivors=survivors, parents=parents)
    broods = [Brood(**family, gene=gene, **mutated) for gene in Gene]
    features = rng.random((1100, 300), np.float32)
    batch = Batch(features[:200], rng.integers(0, 10, 200), np.ones(200), Score.LOG_PROBABILITY)
    results = [backend.score(brood, batch).fitness for brood in broods]  # by both plans
    results += [backend.rebuild(brood, np.arange(37)) for brood in broods]
    results += [backend.logits(network, survivors[0], features)]
    results += [backend.mutate(survivors, 1, 2, Purpose.MUTATION, 0.1, 0.1, 1)]
    whole = Batch(features, rng.integers(0, 10, 1100), np.ones(1100), Score.LOG_PROBABILITY)
    results += [backend.perturb(network, survivors[0], whole, Perturbation(8, 0.1, 5, 3)).change]
    return hashlib.sha256(b"".join(result.tobytes() for result in results)).hexdigest()
"""


def digest(backend: Backend) -> str:
    """Return a hash of everything a backend computes on an example large enough for threads to matter."""
    names: dict[str, object] = {}
    exec(DIGEST, names)
    return names["digest"](backend)  # type: ignore[operator, no-any-return]


@needs_numba
def test_threads_change_no_byte() -> None:
    """One, two and three threads give identical fitness, weights and logits."""
    one = digest(backends.create("numba", 1))
    assert digest(backends.create("numba", 2)) == one
    code = DIGEST + "from genreg_np import backends\nprint(digest(backends.create('numba', 3)))"
    assert python(code, OPENBLAS_NUM_THREADS="2").strip() == one


@pytest.mark.parametrize("name", ["numpy"] + ["numba"] * HAS_NUMBA)
def test_blas_threads_change_no_byte(name: str) -> None:
    """Results do not depend on how many threads the process gives its BLAS."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    backend = backends.create(name)
    with threadpoolctl.threadpool_limits(1):
        one = digest(backend)
    with threadpoolctl.threadpool_limits(2):
        assert digest(backend) == one


@needs_numba
@pytest.mark.parametrize("count", [0, -1, 10_000])
def test_impossible_numbers_of_threads_are_refused(count: int) -> None:
    """The error names the range."""
    with pytest.raises(UsageError, match="from 1 to") as raised:
        backends.create("numba", count)
    assert f"threads {count} " in one_line(raised.value)


@needs_numba
def test_numba_starts_no_threads_of_its_own() -> None:
    """A user's own Numba settings survive: nothing here is parallel in Numba's sense."""
    code = "from genreg_np import backends\ndigest(backends.create('numba', 2))\nimport numba\n"
    with pytest.raises(AssertionError, match="Threading layer is not initialized"):
        python(DIGEST + code + "numba.threading_layer()")


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("tiles", [0, 1, 2, 7, 100])
def test_every_tile_is_done_once_by_any_number_of_threads(count: int, tiles: int) -> None:
    """Ranges cover all tiles, none twice, on at most so many threads."""
    done: list[int] = []
    on: set[int] = set()

    def do(first: int, last: int) -> None:
        on.add(threading.get_ident())
        done.extend(range(first, last))

    threads.share_out(tiles, do, count)
    assert sorted(done) == list(range(tiles))
    assert len(on) <= count


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_an_error_in_a_tile_ends_the_work_and_is_raised(where: str) -> None:
    """Whichever thread meets it; and the threads work again afterwards."""
    main, met, done = threading.get_ident(), threading.Event(), []

    def do(first: int, last: int) -> None:
        if (threading.get_ident() == main) == (where == "here"):
            met.set()
            raise ValueError("broken tile")
        assert met.wait(PATIENCE)
        done.append(first)

    with pytest.raises(ValueError, match="broken tile"):
        threads.share_out(1000, do, 2)
    assert len(done) <= 1
    test_every_tile_is_done_once_by_any_number_of_threads(2, 100)


def blas_threads() -> list[int]:
    """Return the thread limit of every BLAS library that is loaded."""
    import threadpoolctl

    return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]


@pytest.fixture
def two_blas_threads() -> Iterator[None]:
    """Give every BLAS two threads for one test."""
    threadpoolctl = pytest.importorskip("threadpoolctl")
    with threads.single_threaded_blas():
        pass  # load all libraries first
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


@pytest.mark.usefixtures("two_blas_threads")
def test_blas_limits_are_restored_after_use_and_after_errors() -> None:
    """Inside, every BLAS has one thread; after the block, and after an error in it, as many as before."""
    before = blas_threads()
    assert 2 in before
    with threads.single_threaded_blas():
        assert set(blas_threads()) == {1}
    assert blas_threads() == before
    with pytest.raises(KeyError), threads.single_threaded_blas():
        raise KeyError
    assert blas_threads() == before


@pytest.mark.usefixtures("two_blas_threads")
def test_blas_stays_single_threaded_while_another_thread_still_needs_it() -> None:
    """Limits are the process's: leaving one of two overlapping blocks must not lift the other's, nor stay for good."""
    before = blas_threads()
    first, second = threads.single_threaded_blas(), threads.single_threaded_blas()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    inside = blas_threads()
    second.__exit__(None, None, None)
    assert set(inside) == {1}
    assert blas_threads() == before


FORK = """
import os, signal, sys
from genreg_np import backends, streams
backend = backends.create("numba")
before = digest(backend)
child = os.fork()
if child == 0:
    signal.alarm(60)  # a child that hangs ends itself
    os._exit(0 if digest(backend) == before else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert digest(backend) == before
"""


@needs_numba
@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork")
def test_a_forked_child_can_go_on_with_the_backend() -> None:
    """After the parent used its threads, a forked copy neither hangs nor differs."""
    python(DIGEST + FORK)


# The kernel cache

UNCACHED = """
import sys, warnings
import numpy as np
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from genreg_np import backends, streams
    from genreg_np.streams import Purpose
    arguments = (np.ones((3, 50), np.float32), 1, 2, Purpose.MUTATION, 0.3, 0.1, 0)
    found = backends.create("numba").mutate(*arguments)
assert np.array_equal(found, backends.create("numpy").mutate(*arguments))
for warning in caught:
    if "compiled anew" in str(warning.message):
        print(warning.message)
"""


@needs_numba
def test_an_unwritable_cache_costs_one_warning_and_nothing_else() -> None:
    """Kernels are then compiled in the process, with the same results."""
    a_file = str(ROOT / "pyproject.toml")
    printed = python(UNCACHED, XDG_CACHE_HOME=a_file, LOCALAPPDATA=a_file, HOME=a_file)
    assert len(printed.splitlines()) == 1
    assert "pyproject.toml is not a folder" in printed


@needs_numba
def test_the_cache_folder_changes_with_every_edit_of_a_kernel_source(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Numba does not see edits in imported files, so the folder's name carries a hash of all sources."""
    from genreg_np.backends.numba.kernels import jit

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    names = {jit.cache_folder.__wrapped__().name}
    sources = [path for path in Path(jit.__file__).parent.glob("*.py") if path.name != "__init__.py"]
    sources += [jit.PACKAGE / name for name in jit.CONSTANTS]
    read = Path.read_bytes
    for edited in sources:
        monkeypatch.setattr(Path, "read_bytes", lambda path, edited=edited: read(path) + b"#" * path.samefile(edited))
        names.add(jit.cache_folder.__wrapped__().name)
    assert len(names) == 1 + len(sources)


@needs_numba
def test_all_that_kernels_import_is_part_of_the_cache_folders_name() -> None:
    """Constants are compiled into kernels: an edit of the module they come from is one of the kernels."""
    from genreg_np.backends.numba.kernels import jit

    here = Path(jit.__file__).parent
    known = {"genreg_np/files.py", "genreg_np/backends/numba/ownership.py"}  # imported by jit.py alone
    for source in here.glob("*.py"):
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("genreg_np"):
                path = ROOT / f"{str(node.module).replace('.', '/')}"
                files = (
                    [path.with_suffix(".py")]
                    if path.with_suffix(".py").exists()
                    else [path / f"{name.name}.py" for name in node.names]
                )
                for file in files:
                    listed = file.is_relative_to(here) or file.relative_to(jit.PACKAGE).as_posix() in jit.CONSTANTS
                    assert listed or file.relative_to(ROOT).as_posix() in known, f"{source.name} imports {file}"


@needs_numba
def test_vectorised_tanh_and_exponential_are_as_near_as_they_say() -> None:
    """|error| < 1e-6 for tanh, |relative error| < 3e-7 for exp on -87 .. 0: what kernels/network.py states."""
    import numba
    import numpy as np

    from genreg_np.backends.numba.kernels import network

    compiled_tanh = numba.njit(lambda value: network.tanh(value))
    compiled_exponential = numba.njit(lambda value: network.exponential(value))
    x = np.linspace(-12, 12, 20_001, dtype=np.float32)
    tanh = np.array([compiled_tanh(value) for value in x], np.float64)
    assert np.abs(tanh - np.tanh(x.astype(np.float64))).max() < 1e-6
    x = np.linspace(-87, 0, 20_001, dtype=np.float32)
    exponential = np.array([compiled_exponential(value) for value in x], np.float64)
    assert np.abs(exponential / np.exp(x.astype(np.float64)) - 1).max() < 3e-7


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_work_for_threads_comes_back_in_order(threads: int) -> None:
    """Whoever did it, and as it is asked for: what is large need not be there at once."""
    assert list(in_order(lambda number: number * number, range(50), threads)) == [n * n for n in range(50)]
    begun: list[int] = []
    results = in_order(lambda number: begun.append(number), range(50), threads)
    next(results)
    assert len(begun) <= threads


def test_what_work_raises_is_raised() -> None:
    """By whoever takes the results."""
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda number: 1 // number, [2, 1, 0, 5], 2))
