"""UMAP is a package of others: whatever it does, there is a page, and a sentence says why UMAP is not on it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="embeddings need scikit-learn")
pytest.importorskip("matplotlib", reason="needs matplotlib to draw")

from genreg_np.model import Network
from genreg_np.report.sections import embeddings
from genreg_np.report.subject import Subject
from tests.helpers import model_of, tiny_dataset
from tests.report.subjects import labelled
from tests.report.test_sections_hidden import pictures, section


def subject() -> Subject:
    data = tiny_dataset()
    return labelled(model_of(Network.build((4, 4), (5,), 4)), data.test.inputs, data.test.labels)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("raise AttributeError('numba has no such thing')", "AttributeError: numba has no such thing"),
        ("raise SystemError", "SystemError"),
        ("import nothing_of_that_name", "nothing_of_that_name"),
        ("1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_package_that_cannot_be_imported(
    line: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one that is missing: that one can be had."""
    (tmp_path / "umap.py").write_text(line + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "umap", raising=False)
    found = section("embeddings", subject())
    assert found is not None
    assert pictures(found) == ["pca-classes", "pca-predictions"]
    assert why in found.words
    assert embeddings.HOW_TO_GET not in found.words


def reducer(result: Callable[[Any], Any], begins: Callable[[], Any] = lambda: None) -> ModuleType:
    """Return a module like the package, whose result is as it is told."""

    class Reducer:
        def __init__(self, **settings: Any) -> None:
            begins()

        def fit_transform(self, values: Any) -> Any:
            return result(values)

    module = ModuleType("umap")
    module.UMAP = Reducer  # type: ignore[attr-defined]
    return module


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (reducer(lambda values: values[:, :2]), ""),
        (reducer(lambda values: values[:, :2], lambda: [][0]), "IndexError"),
        (reducer(lambda values: 1 // 0), "ZeroDivisionError"),
        (reducer(lambda values: np.full((len(values), 2), np.nan)), "did not return a plane of numbers"),
        (reducer(lambda values: values[:, :1]), "did not return a plane of numbers"),
        (reducer(lambda values: "plane"), "ValueError"),
        (ModuleType("umap"), embeddings.HOW_TO_GET),
        (None, embeddings.HOW_TO_GET),
    ],
)
def test_a_package_that_fails(module: ModuleType | None, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """When it is made, when it is used, or by what it gives; where it works, it is shown."""
    monkeypatch.setitem(sys.modules, "umap", module)
    found = section("embeddings", subject())
    assert found is not None
    assert ("umap-classes" in pictures(found)) == (not said)
    assert said in found.words
