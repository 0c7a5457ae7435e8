"""docs/layers.md is what the registry and bench/results say, and its results are right."""

from __future__ import annotations

import pytest

from genreg_np.layers import REGISTRY
from tests.helpers import ROOT

PAGE = (ROOT / "docs/layers.md").read_text("utf-8")


@pytest.fixture(autouse=True)
def bench_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))


def test_the_page_is_current() -> None:
    """Every table; `make figures` writes them anew. Kinds of a package of one's own are not in it."""
    import layer_tables

    if set(REGISTRY) != set(layer_tables.EQUATIONS):
        pytest.skip("the registry has kinds of another package")
    for name, write in layer_tables.PAGE.items():
        assert f"<!-- {name} -->\n{write()}\n<!-- end -->" in PAGE, name


def test_every_kind_is_on_the_page() -> None:
    import layer_tables

    for kind in layer_tables.EQUATIONS:
        assert f"| `{kind}` |" in PAGE


def test_every_kind_that_has_a_gradient_was_compared_with_pytorch_and_agrees() -> None:
    """To the last bits of double precision, and of single."""
    import layer_tables
    from tables import read

    document = read("layers")
    with_gradient = {kind for kind, layer in layer_tables.examples().items() if layer_tables.has_gradient(layer)}
    for precision, bound in (("float64", 1e-13), ("float32", 1e-5)):
        assert set(document[precision]) == with_gradient & set(layer_tables.EQUATIONS)
        for kind, figures in document[precision].items():
            assert all(figures[what] < bound for what in ("output", "gradient", "statistic")), kind
    assert document["machine"]["versions"]["torch"]


def test_the_comparison_has_every_kind_that_has_a_gradient() -> None:
    """As the registry is now; and it computes them all, in training and in prediction."""
    import layer_tables
    import layers_against_torch as comparison
    import numpy as np

    cases = comparison.cases()
    expected = {kind for kind, layer in layer_tables.examples().items() if layer_tables.has_gradient(layer)}
    assert {case.layer.kind for case in cases} == expected
    rng = np.random.default_rng(0)
    for case in cases:
        given, found = comparison.ours(case, rng, np.float64)
        assert len(given["input"]) == len(found["output"]) == len(found["by_input"]) == comparison.IMAGES
        assert all(np.isfinite(array).all() for array in found.values())
