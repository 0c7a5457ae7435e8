"""`train --network`: layers in words, from the command line to the model, and through a resume."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from genreg_np import load
from genreg_np.runs.config import read_toml
from tests.cli import FAST, one_line

WORDS = "conv 3 3 / relu / max 2 / dense 10"
DIGITS = ("train", "--dataset", "digits", "--backend", "numpy")


@pytest.fixture
def maps(genreg) -> Path:
    """A run folder with a small network of maps in it."""
    outcome = genreg(*DIGITS, "--network", WORDS, "--out", "run", *FAST)
    assert outcome.code == 0, outcome.err
    assert f"8 x 8: {WORDS}" in outcome.out + outcome.err
    return Path("run")


def test_a_network_is_trained_saved_and_gone_on_with(genreg, maps: Path) -> None:
    """The folder, its notes and the model say which; a resumed run builds the same."""
    assert read_toml(maps / "config.toml")["network"] == WORDS
    assert WORDS in json.loads((maps / "run.json").read_text("utf-8"))["network"]
    first = load(maps / "model.npz")
    assert first.training["config"]["network"] == WORDS
    outcome = genreg("train", "--resume", "run", "--generations", 4)
    assert outcome.code == 0, outcome.err
    assert load(maps / "model.npz").network == first.network


def test_a_network_is_a_setting(genreg) -> None:
    """In a file, by --set, over a preset's hidden layers; the option counts before the file."""
    Path("my.toml").write_text('network = "dense 9 / dense 10"\n', "utf-8")
    for name, words in {
        "a": ("--config", "my.toml"),
        "b": ("--set", "network=dense 9 / dense 10"),
        "c": ("--config", "my.toml", "--network", "dense 9 / dense 10"),
    }.items():
        assert genreg(*DIGITS, "--preset", "small", *words, "--out", name, *FAST).code == 0
        assert load(f"{name}/model.npz").training["config"]["network"] == "dense 9 / dense 10"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--network", WORDS, "--hidden", "9"), "network and hidden cannot be combined"),
        (("--network", "conv 3 / dense 10"), "layer 1, 'conv 3': KERNEL is missing"),
        (("--network", "conv 3 3 / dense 4"), "end it with `dense 10`"),
        (("--network", "conv 3 9 / dense 10"), "filters of 9 x 9 are larger than the 8 x 8"),
        (("--network", WORDS, "--strategy", "node-perturbation"), "node-perturbation trains only dense layers"),
        (("--network", WORDS, "--set", "activation=relu"), "write it as a layer of its own"),
    ],
)
def test_what_cannot_be_is_one_line(genreg, words: tuple[str, ...], said: str) -> None:
    """And no folder is left behind."""
    assert said in one_line(genreg(*DIGITS, *words, "--out", "run"), 2)
    assert not Path("run").exists()


def test_a_network_goes_with_a_new_run_only(genreg, maps: Path) -> None:
    """A run has its own."""
    assert "--network cannot be combined with --resume" in one_line(
        genreg("train", "--resume", "run", "--network", WORDS), 2
    )
    line = one_line(genreg("train", "--resume", "run", "--set", "network=dense 10"), 2)
    assert "network cannot be changed during a run" in line


def test_a_presets_network_that_does_not_fit_names_one_that_does(genreg) -> None:
    """One of one's own is refused without."""
    line = one_line(genreg(*DIGITS, "--preset", "convolution", "--out", "a"), 2)
    assert "preset convolution is for 28 x 28 pictures" in line
    example = line.split('--network "')[1].rstrip('"')
    outcome = genreg(*DIGITS, "--preset", "convolution", "--network", example, "--generations", "1", "--out", "b")
    assert outcome.code == 0, outcome.err
    assert "preset" not in one_line(genreg(*DIGITS, "--network", "conv 3 3 / max 9 / dense 10", "--out", "c"), 2)
    Path("d.csv").write_text("a,b,kind\n" + "1,2,x\n3,4,y\n" * 20)
    line = one_line(genreg("train", "--dataset", "d.csv", "--preset", "filters", "--out", "d"), 2)
    assert '--network "dense 64 / relu / dense 2"' in line
