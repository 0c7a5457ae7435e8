"""Files from strangers on the command line: one line each, and no traceback."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from genreg_np.files import pack_arrays
from genreg_np.model import Model
from tests import zoo
from tests.cli import one_line

posix = pytest.mark.skipif(os.name != "posix", reason="FIFOs and devices of POSIX")


def test_info_on_integers_that_do_not_name_their_activation(genreg) -> None:
    """Nothing needs the name: it only says what a table was made from."""
    model = zoo.exhibit_of("int8, tanh").model
    network = model.header["network"]
    layers = [{key: value for key, value in layer.items() if key != "activation"} for layer in network["layers"]]
    header = model.header | {"network": network | {"layers": layers}}
    Path("m.npz").write_bytes(Model(header, model.arrays).pack())
    outcome = genreg("info", "m.npz")
    assert outcome.code == 0
    assert "100-7-3, unnamed," in outcome.out


COMMANDS = [("info",), ("eval",), ("infer",), ("export", "--to", "c", "--out", "o"), ("demo",), ("convert", "o")]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("what", ["an array", *(pytest.param(what, marks=posix) for what in ("a pipe", "a device"))])
def test_what_is_no_model_is_refused_by_every_command(genreg, command: tuple[str, ...], what: str) -> None:
    """In one line that names the file, without waiting for a pipe or reading a device without end."""
    path = Path("m.npz")
    if what == "an array":
        path.write_bytes(pack_arrays({"header": np.zeros(3)}))
    elif what == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert "m.npz" in one_line(genreg(*command[:1], "m.npz", *command[1:]), 1)


@posix
def test_settings_from_a_pipe_are_refused(genreg) -> None:
    """A configuration file is read once, and is a file."""
    os.mkfifo("settings.toml")
    outcome = genreg("train", "--dataset", "digits", "--config", "settings.toml", "--out", "run")
    assert "settings.toml: cannot be read (is not a regular file)" in one_line(outcome, 2)


def test_settings_that_ask_for_the_moon_are_refused_before_a_folder_is_left(genreg) -> None:
    """What would fit is named, and nothing stays behind."""
    Path("settings.toml").write_text("population_size = 1000000\nhidden = [20000]\n")
    line = one_line(genreg("train", "--dataset", "digits", "--preset", "small", "--config", "settings.toml"), 2)
    assert "would fit" in line
    assert not list(Path().glob("runs/*"))


@posix
def test_a_run_folder_with_a_link_is_refused(genreg) -> None:
    """Nothing is made where it leads."""
    Path("run").mkdir()
    Path("run/.lock").symlink_to(Path("elsewhere").absolute())
    line = one_line(genreg("train", "--dataset", "digits", "--preset", "small", "--out", "run"), 1)
    assert "its .lock is a symbolic link" in line
    assert not Path("elsewhere").exists()
