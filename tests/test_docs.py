"""The documentation's pages hang together, and the tutorials run as printed."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from genreg_np.cli import main

DOCS = Path(__file__).resolve().parents[1] / "docs"
TUTORIALS = sorted(path.stem for path in (DOCS / "tutorials").glob("*.md") if path.stem != "index")
GENERATED = "generated/"  # written when the site is built
RENAMED = {"generated/search-images": "search"}  # search.html is Sphinx's
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
VARYING = re.compile(r", kernels ready in .*| \d+ threads?|[\d.]+ s\b")  # of machines
NEAR = 0.25  # of a number: what training comes to differs between processors
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.MULTILINE | re.DOTALL)
PUBLIC = ("genreg_np", "genreg_np.control", "genreg_np.infer")


def pages() -> set[str]:
    """Return all pages of docs/, as the site names them."""
    found = (path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md"))
    return {name for name in found if not name.startswith((GENERATED, "_"))}


def listed(page: str) -> list[str]:
    """Return the pages in a page's toctrees."""
    found = []
    for block in TOCTREE.findall((DOCS / f"{page}.md").read_text("utf-8")):
        for line in block.splitlines():
            if line and not line.startswith(":"):
                target = re.fullmatch(r"(?:.*<)?([^<>]+?)>?", line)[1]  # type: ignore[index]
                name = os.path.normpath(os.path.join(os.path.dirname(page), target))
                found.append(RENAMED.get(name, name))
    return found


def test_every_page_is_reached_from_the_index_once() -> None:
    """By toctrees, so that it is in the site's navigation."""
    reached, waiting = ["index"], ["index"]
    while waiting:
        for name in listed(waiting.pop()):
            if not name.startswith(GENERATED):
                assert (DOCS / f"{name}.md").exists(), name
                reached.append(name)
                waiting.append(name)
    assert sorted(reached) == sorted(pages())


@pytest.mark.parametrize("page", sorted(pages()))
def test_links_between_files_lead_somewhere(page: str) -> None:
    """On a code host as well as on the site; and to headings that are there."""
    source = DOCS / f"{page}.md"
    text = re.sub(r"^```.*?^```", "", source.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target, anchor in re.findall(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]*))?\)", text):
        path = source if not target else source.parent / target
        if GENERATED not in target:
            assert path.exists(), f"{page} links to {target}"
        if anchor and path.suffix == ".md":
            assert anchor in anchors(path), f"{page} links to {target}#{anchor}"


def anchors(path: Path) -> set[str]:
    """Return the anchors that code hosts give a page's headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", text)).lower().replace(" ", "-") for text in headings}


@pytest.mark.parametrize("name", TUTORIALS)
def test_a_tutorial_runs_as_printed(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Blocks of Python and of the shell, in order, in an empty folder, and what they print; our commands in this
    process, for speed.
    """
    pytest.importorskip("sklearn", reason="has the digits")
    if name == "photographs":
        pytest.importorskip("PIL", reason="writes pictures")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    names: dict[str, Any] = {}
    printed, ran = "", 0
    for language, block in BLOCK.findall((DOCS / f"tutorials/{name}.md").read_text("utf-8")):
        if language == "text":
            assert_printed(block, printed)
        if language not in ("python", "sh"):
            continue
        ran += 1
        capsys.readouterr()
        printed = ""
        if language == "python":
            exec(compile(block, f"{name}.md", "exec"), names)
        elif all(line.startswith("genreg-np ") for line in block.splitlines()):
            for line in block.splitlines():
                with pytest.raises(SystemExit) as ended:
                    main(shlex.split(line)[1:])
                assert ended.value.code == 0, line
        else:
            done = subprocess.run(["bash", "-ec", block], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
            printed = done.stdout
        printed += capsys.readouterr().out
    assert ran
    CLAIMS[name](names)


def assert_printed(shown: str, printed: str) -> None:
    """Find the lines that a page shows among those that were printed, in their order, with numbers near to theirs."""
    waiting = [VARYING.sub("", line).rstrip() for line in printed.splitlines()]
    for line in (VARYING.sub("", line).rstrip() for line in shown.splitlines()):
        found = next((place for place, other in enumerate(waiting) if is_like(line, other)), None)
        assert found is not None, f"{line!r} is not among what was printed:\n{printed}"
        waiting = waiting[found + 1 :]


def is_like(line: str, other: str) -> bool:
    """Whether two lines have the same words, and numbers that differ by a quarter at most.

    Of a line of numbers alone by a quarter of the largest: it is one of a table, whose small ones come from anywhere.
    """
    if NUMBER.sub("#", line).split() != NUMBER.sub("#", other).split():
        return False
    ours, theirs = ([float(text.replace(",", "")) for text in NUMBER.findall(one)] for one in (line, other))
    largest = 0.0 if re.search(r"[a-z]", line) else max(map(abs, ours), default=0.0)
    return all(abs(one - two) <= NEAR * max(abs(one), largest) for one, two in zip(ours, theirs, strict=True))


def test_lines_that_differ_are_told_apart() -> None:
    """Words exactly, numbers by a quarter, seconds and threads not at all."""
    assert_printed("took 2.1 s, 100 rows\n", "before\ntook 9.0 s, 110 rows\nafter\n")
    for other in ("took 2.1 s, 150 rows", "took 2.1 s, 100 lines", "100 rows"):
        with pytest.raises(AssertionError, match="is not among"):
            assert_printed("took 2.1 s, 100 rows", other)


def _digits(names: dict[str, Any]) -> None:
    assert names["accuracy"] > 0.93


def _photographs(names: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "genreg_np", "infer", "runs/photos/model.npz", "new/", "--reject", "0.9"]
    noise, sea = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert "like nothing it was trained on" in noise
    assert " sea " in sea
    assert Path("page/model.html").stat().st_size < 500_000


def _table(names: dict[str, Any]) -> None:
    assert [names["model"].class_names[k] for k in names["answers"]] == ["Gentoo", "Chinstrap"]
    assert len(Path("predictions.csv").read_text().splitlines()) == 4


def _own_score(names: dict[str, Any]) -> None:
    assert names["profit"](names["best"], *names["fresh"]) > 1500 > 0 > names["everybody"]


def _evolving_a_cnn(names: dict[str, Any]) -> None:
    assert names["winner"]["network"].startswith("conv ")
    assert Path("firmware/digits.c").exists()


def _microcontroller(names: dict[str, Any]) -> None:
    if "printed" in names:
        (predicted,) = names["model"].predict(names["pixels"])
        assert names["printed"].split()[0].decode() == names["model"].class_names[predicted]


def _genreg(names: dict[str, Any]) -> None:
    assert names["soft"].test_accuracy > names["literal"].test_accuracy


CLAIMS = {
    "digits": _digits,
    "photographs": _photographs,
    "table": _table,
    "own-score": _own_score,
    "evolving-a-cnn": _evolving_a_cnn,
    "microcontroller": _microcontroller,
    "genreg": _genreg,
}


def test_the_reference_lists_what_is_public() -> None:
    """In docs/reference/python.md, from which the site makes a page for each, and nothing else."""
    text = (DOCS / "reference/python.md").read_text("utf-8")
    for module in PUBLIC[:2]:
        for name in importlib.import_module(module).__all__:
            assert re.search(rf"\b{name}\b", text), f"{module}.{name} is not in reference/python.md"


ARRAY = re.compile(r"ndarray|NDArray|ArrayLike|Arrays|Floats")
ANY_SHAPE = ("genreg_np.infer.read_arrays", "genreg_np.infer.read_npy")  # that of the file
EXTENT = r"(?:\.\.\.|\*?\w+)"
SHAPE = re.compile(rf"\((?:{EXTENT},|{EXTENT}(?:, {EXTENT})+|\*\w+)\)")  # (D,), (N, K), (..., D), (*shape)


def functions() -> Iterator[tuple[str, Any]]:
    """Yield all public functions, methods and properties, with their names."""
    for module in PUBLIC:
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if inspect.isfunction(value):
                yield f"{module}.{name}", value
            for base in value.__mro__ if inspect.isclass(value) else ():
                for method, static in vars(base).items() if base.__module__.startswith("genreg_np") else ():
                    plain = getattr(static, "__func__", None) or getattr(static, "fget", None) or static
                    plain = getattr(plain, "func", plain)
                    if inspect.isfunction(plain) and not method.startswith("_") and plain.__name__ != "<lambda>":
                        yield f"{module}.{name}.{method}", plain


def test_every_public_function_has_a_docstring_and_shapes_of_its_arrays() -> None:
    """A reader of the reference need not open the code."""
    pytest.importorskip("sklearn", reason="estimators are scikit-learn's")
    without, shapeless = [], set()
    for name, function in functions():
        text = inspect.getdoc(function)
        if not text:
            without.append(name)
        signature = inspect.signature(function)
        annotated = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
        returned = {} if name in ANY_SHAPE else {"return": signature.return_annotation}
        for what, annotation in (annotated | returned).items():
            if ARRAY.search(str(annotation)) and not SHAPE.search(text or ""):
                shapeless.add((name, what))
    assert without == []
    assert shapeless == set()
