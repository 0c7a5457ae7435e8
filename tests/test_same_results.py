"""Between versions that promise it, the same settings train the same networks: every preset, to the byte."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.helpers import PATIENCE, ROOT

SINCE = (
    "65ab2b7"  # the version whose results this one gives; moved on where they change on purpose, with why in CHANGELOG
)


def trained(checkout: Path, out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Train every preset a few generations with the code of a checkout."""
    return subprocess.run(
        [sys.executable, checkout / "bench" / "same_results.py", "--out", out, *arguments],
        cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)}, capture_output=True, text=True,
        timeout=4 * PATIENCE,
    )  # fmt: skip


@pytest.mark.soak
def test_every_preset_trains_the_networks_of_an_earlier_version(tmp_path: Path) -> None:
    """Arrays are byte-identical, headers equal but for settings that did not exist before (bench/same_results.py)."""
    packed = subprocess.run(["git", "archive", SINCE], cwd=ROOT, capture_output=True)
    if packed.returncode:
        pytest.skip(f"needs the history with {SINCE} in it")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(tmp_path / "before", filter="data")
    assert trained(tmp_path / "before", tmp_path / "before.json").returncode == 0
    done = trained(ROOT, tmp_path / "after.json", "--against", str(tmp_path / "before.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip() == f"{len(json.loads((tmp_path / 'before.json').read_text()))} presets give the same"


def test_results_that_differ_are_named() -> None:
    """The comparison can fail: another champion, a setting of another value, a preset that is gone."""
    sys.path.insert(0, str(ROOT / "bench"))
    try:
        from same_results import differences
    finally:
        sys.path.pop(0)
    before = {"a": {"champions": {"best": "1"}, "settings": {"seed": 1}}, "b": {"champions": {}, "settings": {}}}
    same = {"a": {"champions": {"best": "1"}, "settings": {"seed": 1, "new": 2}}, "b": before["b"]}
    assert differences(before, same) == []
    other = {"a": {"champions": {"best": "2"}, "settings": {"seed": 3}}}
    assert differences(before, other) == ["a: champions differ", "a: settings differ", "b: is gone"]
