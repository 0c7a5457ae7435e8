"""The other commands, and what all have in common."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from genreg_np.cli import COMMANDS
from genreg_np.infer import load
from genreg_np.model import Model
from tests.cli import one_line, save_relabelled


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(genreg, command: str) -> None:
    outcome = genreg(command, "--help")
    assert outcome.code == 0
    assert f"genreg-np {command}" in outcome.out
    assert "Example" in outcome.out


def test_names_from_a_file_are_printed_on_one_line_without_control_characters(genreg, model: Path) -> None:
    names = ["a\nb", "\x1b[31mred", "long " * 60, *"3456789"]
    changed = save_relabelled(model, class_names=names, training={"method": "x\ny", "source": "s\x07t", "note": "n\n"})
    np.savez("own.npz", x=np.zeros((60, 8, 8), np.uint8), y=np.arange(60) % 10, class_names=np.array(names))
    info = genreg("info", changed).out
    assert len(info.splitlines()) == 7
    loaded = load(changed)
    Path("changed.npz").write_bytes(
        Model(loaded.header | {"class_names": [name.strip() for name in names], "input_range": [0, 255]}, loaded.arrays)
        .pack()
    )  # fmt: skip
    evaluated = genreg("eval", changed, "--dataset", "own.npz")
    assert evaluated.code == 0, evaluated.err
    np.save("digit.npy", np.zeros((8, 8), np.uint8))
    inferred = genreg("infer", changed, "digit.npy", "--top", 10).out
    assert len(inferred.splitlines()) == 1
    for printed in (info, evaluated.out, inferred):
        assert all(sign.isprintable() or sign == "\n" for sign in printed)
        assert "long long long long lo" in printed
        assert "long " * 6 not in printed


def test_info_says_what_the_model_is(genreg, model: Path) -> None:
    out = genreg("info", model).out
    assert "64-32-10" in out
    assert "on digits" in out
    assert json.loads(genreg("info", model, "--json").out)["format"] == "genreg-np model"


def test_data_list_names_every_dataset(genreg) -> None:
    out = genreg("data", "list").out
    for name in ("mnist", "fashion-mnist", "cifar-10", "cifar-100", "digits", "letters"):
        assert name in out


def test_data_fetch_of_digits_needs_scikit_learn(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "built in" in genreg("data", "fetch", "digits").out
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert "pip install 'genreg-np[train]'" in one_line(genreg("data", "fetch", "digits"), 1)


def test_doctor_selftest_passes(genreg) -> None:
    outcome = genreg("doctor", "--selftest")
    assert outcome.code == 0, outcome.out
    assert "DISAGREES" not in outcome.out
    assert re.search(r"^  numpy +ready", outcome.out, re.MULTILINE)


def test_doctor_compiles_nothing_unless_asked(genreg, monkeypatch: pytest.MonkeyPatch) -> None:
    """It looks and says; compiling takes long, and is for --selftest."""
    pytest.importorskip("numba")
    from genreg_np.backends.numba.backend import NumbaBackend

    monkeypatch.setattr(NumbaBackend, "warm_up", lambda *_: pytest.fail("kernels are compiled"))
    outcome = genreg("doctor")
    assert outcome.code == 0
    assert re.search(r"^  numba +ready", outcome.out, re.MULTILINE)


def test_unknown_command_is_a_usage_error(genreg) -> None:
    assert genreg("tarin").code == 2
