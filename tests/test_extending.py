"""docs/extending.md: its code is that of tests/extensions, on which the shared tests run; broken, they fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.helpers import PATIENCE, ROOT

EXTENSIONS = ROOT / "tests" / "extensions"
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)\n```", PAGE, re.MULTILINE | re.DOTALL)
SHARED = {  # the files of shared tests that are run here, and what a test's name has in it
    "hill-climber": (
        "test_evolution",
        "test_populations",
        "test_checkpoints",
        "test_memory",
        "test_non_finite",
        "test_config",
        "test_runs",
        "test_registries",
        "cli/test_train",
    ),
    "double": ("test_backends", "test_mutation", "test_perturb", "test_descent", "test_layers", "test_registries"),
    "absolute": ("test_every_layer", "export/test_export"),
    "moons": ("data/test_every_dataset",),
    "json": ("export/test_export",),
}
ESSENTIAL = {  # some tests that must have been run on each, and that find out what is broken in tests/extensions/broken
    "hill-climber": (
        "test_same_seed_same_result",
        "test_resume_equals_uninterrupted",
        "test_nan_never_wins_and_nothing_finite_is_an_error",
    ),
    "double": ("test_backend_agrees_with_the_specification", "test_logits_have_a_row_per_image"),
    "absolute": (
        "test_a_layer_comes_back_from_its_header_and_arrays",
        "test_forward_is_what_the_runtime_computes",
        "test_a_gradient_is_right_or_is_refused_in_one_line",
        "test_an_input_that_does_not_fit_is_refused_in_one_line",
    ),
    "moons": ("test_loaded_twice_it_is_the_same", "test_what_is_tested_on_is_not_trained_on"),
    "json": (
        "test_a_target_says_what_it_is_and_takes",
        "test_equal_models_give_equal_files",
        "test_a_target_writes_what_it_takes_and_names_what_it_does_not",
    ),
}
HOLDING = (  # the files that those tests are in
    "test_evolution",
    "test_populations",
    "test_backends",
    "test_every_layer",
    "data/test_every_dataset",
    "export/test_export",
)
Outcomes = dict[str, str]  # what became of a test, by its name with parameters: passed, skipped or failed


def ran(plugin: str, folder: Path, files: tuple[str, ...], names: str) -> tuple[Outcomes, str]:
    """Run tests of other files, as they are, in a process that registers more than the package has."""
    report = folder / "report.xml"
    command = ["-m", "pytest", "-p", plugin, "-p", "no:cacheprovider", "-k", names, f"--junitxml={report}", "--tb=line"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COV_"))}
    done = subprocess.run(
        [sys.executable, *command, *(f"tests/{file}.py" for file in dict.fromkeys(files))],
        cwd=ROOT,
        env=inherited,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert report.exists(), done.stdout + done.stderr
    outcomes = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        faults = {child.tag for child in case} & {"failure", "error", "skipped"}
        outcomes[str(case.get("name"))] = {"skipped": "skipped", "": "passed"}.get("".join(faults), "failed")
    return outcomes, done.stdout


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcomes, str]:
    """What became of the shared tests on all five."""
    files = tuple(file for found in SHARED.values() for file in found)
    names = "hill-climber or (double and not resume and not seed) or absolute or moons or json"
    return ran("tests.extensions.register", tmp_path_factory.mktemp("whole"), files, names)


def of(outcomes: Outcomes, name: str) -> Outcomes:
    return {test: outcome for test, outcome in outcomes.items() if re.search(rf"[\[-]{name}[\]-]", test)}


@pytest.mark.parametrize("name", list(SHARED))
def test_the_shared_tests_pass_on_what_was_added(name: str, whole: tuple[Outcomes, str]) -> None:
    """All of them, and none is passed over: a target need not take a layer that is not the package's."""
    outcomes, printed = whole
    own = of(outcomes, name)
    assert {test for test, outcome in own.items() if outcome == "failed"} == set(), printed
    assert {test for test, outcome in own.items() if outcome == "skipped"} <= {
        "test_a_python_folder_predicts_as_the_model_does[layer of absolute]"
    }
    for essential in ESSENTIAL[name]:
        assert any(test.startswith(f"{essential}[") for test in own), essential


def test_nothing_else_failed(whole: tuple[Outcomes, str]) -> None:
    """Tests of all that there is, whose names have nothing of the five in them by chance."""
    outcomes, printed = whole
    assert "failed" not in outcomes.values(), printed


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcomes, str]:
    """What became of the essential tests on five that are broken."""
    tests = " or ".join(test for found in ESSENTIAL.values() for test in found)
    names = " or ".join(SHARED)
    return ran("tests.extensions.broken", tmp_path_factory.mktemp("broken"), HOLDING, f"({tests}) and ({names})")


@pytest.mark.parametrize(("name", "test"), [(name, test) for name, tests in ESSENTIAL.items() for test in tests])
def test_what_is_broken_is_noticed(name: str, test: str, broken: tuple[Outcomes, str]) -> None:
    """Each of the essential tests fails on what is broken for it."""
    outcomes, printed = broken
    assert "failed" in {of(outcomes, name)[found] for found in of(outcomes, name) if found.startswith(f"{test}[")}, (
        printed
    )


# The page


def test_the_code_of_the_page_is_that_of_the_files() -> None:
    """Each block stands in one of them as it is, or indented; and each file is quoted."""
    sources = {path.name: path.read_text("utf-8") for path in EXTENSIONS.glob("*.py")}
    quoted = set()
    for block in BLOCKS:
        forms = (f"{block}\n", textwrap.indent(f"{block}\n", "    "))
        found = {name for name, source in sources.items() for form in forms if form in source}
        assert found, f"stands in no file of tests/extensions:\n{block}"
        quoted |= found
    assert quoted >= {f"my_{what}.py" for what in ("strategy", "backend", "layer", "dataset", "exporter")}
    assert "register.py" in quoted


def test_what_the_page_names_is_there() -> None:
    """Files and tables, where it says."""
    for name in re.findall(r"`([a-z_0-9]+(?:/[a-z_0-9]+)*(?:\.py|/))`", PAGE):
        places = (ROOT / name, ROOT / "genreg_np" / name, EXTENSIONS / name)
        assert any(place.exists() for place in places), name
    helpers = (ROOT / "tests" / "helpers.py").read_text("utf-8")
    assert all(f"{table}: dict" in helpers for table in ("TINY", "LEARNING", "NOT_FOR"))
