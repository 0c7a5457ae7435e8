"""What is compiled beforehand is what a run uses: the examples have a run's types; a second process is only a help."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from genreg_np.backends.base import Work
from tests.helpers import python

pytestmark = pytest.mark.skipif(
    not (importlib.util.find_spec("numba") and importlib.util.find_spec("scipy")), reason="numba is not installed"
)

SIGNATURES = """
import sys
from genreg_np import Evolution
from genreg_np.backends.kernels import bits, brood, descent, detectors, mutants, network, offspring, perturb
from genreg_np.config import parse_assignment
from tests.helpers import dataset_for, tiny_config, tiny_dataset

MODULES = (bits, brood, descent, detectors, mutants, network, offspring, perturb)

def signatures():
    kernels = [kernel for module in MODULES for kernel in vars(module).values()]
    kernels = [kernel for kernel in kernels if hasattr(kernel, "signatures")]
    return {(kernel.py_func.__module__, kernel.py_func.__name__): list(kernel.signatures) for kernel in kernels}

strategy, *settings = sys.argv[1:]
config = tiny_config(strategy=strategy, **dict(map(parse_assignment, settings)))
evolution = Evolution(config, dataset_for(strategy, tiny_dataset()), backend="numba")
before = signatures()
evolution.run()
after = signatures()
print(sorted(name for _, name in after if after[_, name] != before[_, name]))
"""


@pytest.mark.parametrize(
    ("strategy", "settings"),
    [
        ("genreg", ()),
        ("genreg", ("crossover=none",)),
        ("genreg", ("base_mutation_rate=0.1",)),
        ("node-perturbation", ()),
        ("node-perturbation", ("fitness=reward",)),
        ("node-perturbation", ("fitness=margin", "hidden=5,4")),
        ("detector-bank", ()),
        ("evolution-strategy", ()),
        ("random-search", ()),
        ("mixed", ()),
    ],
)
def test_a_run_compiles_nothing_that_was_not_ready(strategy: str, settings: tuple[str, ...]) -> None:
    """No kernel gets another signature in a run: what compiling takes is known before it begins."""
    assert python(SIGNATURES, strategy, *settings).strip() == "[]"


def test_every_work_has_its_examples_and_every_example_a_work() -> None:
    from genreg_np.backends.numba_warm import EXAMPLES, NEEDED

    assert set(NEEDED) == set(Work)
    assert {name for names in NEEDED.values() for name in names} == set(EXAMPLES)


@pytest.mark.parametrize("executable", ["", "/nowhere/python", sys.executable])
def test_a_second_process_that_fails_is_no_failure(monkeypatch: pytest.MonkeyPatch, executable: str) -> None:
    """None can be started, or it ends with an error: this one then compiles everything."""
    from genreg_np.backends import numba_warm
    from genreg_np.backends.numba_ import NumbaBackend

    done: list[str] = []
    monkeypatch.setattr(sys, "executable", executable)
    monkeypatch.setattr(numba_warm, "START", "raise SystemExit(3)")
    monkeypatch.setattr(numba_warm, "usable_processors", lambda: 2)
    monkeypatch.setattr(
        numba_warm, "EXAMPLES", {name: lambda _, name=name: done.append(name) for name in numba_warm.EXAMPLES}
    )
    numba_warm.warm_up(NumbaBackend(1), tuple(Work), compiled=False)
    assert sorted(done) == sorted(numba_warm.EXAMPLES)
