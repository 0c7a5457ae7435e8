"""`genreg-np export`: what is refused, what a quantised model may lose, and that MODEL is never replaced."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from genreg_np.export.quantise import quantise
from genreg_np.layers.description import parse
from genreg_np.model import Model, Network, load
from tests.cli import one_line
from tests.helpers import PATIENCE, model_of

DENSE = model_of(Network.build((2, 2), (3,), 2))


def test_export_never_replaces_its_model(genreg, tmp_path: Path) -> None:
    """Forced into MODEL's own folder under MODEL's own name: refused, and the model is as it was."""
    DENSE.save(tmp_path / "model.npz")
    done = genreg("export", tmp_path / "model.npz", "--to", "python", "--out", tmp_path, "--force")
    assert done.code == 2
    assert "contains MODEL itself" in done.err
    assert load(tmp_path / "model.npz").pack() == DENSE.pack()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--max-loss", "1"), "--max-loss, --dataset, --data-dir, --label and the like are for --int8"),
        (("--dataset", "digits"), "are for --int8"),
        (("--int8", "--max-loss", "nan"), "must be a number of points"),
        (("--name", "../x"), "must be a letter"),
        (("--reject", "0.9"), "reject is for --to html, not for python"),
        (("--to", "html", "--reject", "1.5"), "reject 1.5 must be a number from 0 to 1"),
        (("--to", "html", "--reject", "nan"), "reject nan must be a number from 0 to 1"),
        (("--to", "html", "--reject", "most"), "not a valid float"),
    ],
)
def test_options_that_mean_nothing_are_refused(genreg, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    """Exit code 2, one line, no folder."""
    DENSE.save(tmp_path / "model.npz")
    done = genreg("export", tmp_path / "model.npz", "--to", "python", "--out", tmp_path / "app", *options)
    assert done.code == 2
    assert words in done.err
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--out", "taken"), "taken: is not empty"),
        (("--name", "a b"), "name 'a b' must be a letter"),
        (("--reject", "0.9"), "reject is for --to html"),
    ],
)
def test_what_no_model_could_mend_is_refused_before_int8_is_measured(
    genreg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], words: str
) -> None:
    """Measuring takes seconds, and would be for nothing."""
    DENSE.save(tmp_path / "model.npz")
    np.save("seen.npy", np.zeros((3, 2, 2), np.uint8))
    Path("taken").mkdir()
    Path("taken", "notes.txt").touch()
    monkeypatch.setattr("genreg_np.export.quantise.quantise", lambda model, inputs: pytest.fail("measured"))
    told = ("--int8", "--calibrate", "seen.npy", "--out", "app", *options)
    done = genreg("export", tmp_path / "model.npz", "--to", "c", *told)
    assert words in one_line(done, 2)


def test_a_page_is_told_below_which_probability_it_is_unsure(genreg, tmp_path: Path) -> None:
    """Of classes; values have no probability."""
    DENSE.save(tmp_path / "model.npz")
    done = genreg("export", tmp_path / "model.npz", "--to", "html", "--out", tmp_path / "page", "--reject", "0.9")
    assert done.code == 0, done.err
    assert '"reject":0.9' in (tmp_path / "page" / "model.html").read_text("utf-8")
    model_of(Network.build((2,), (), 2), class_names=()).save(tmp_path / "values.npz")
    done = genreg("export", tmp_path / "values.npz", "--to", "html", "--out", tmp_path / "other", "--reject", "0.9")
    assert "models with classes" in one_line(done, 2)
    assert not (tmp_path / "other").exists()


def test_what_c_says_to_try_compiles_and_checks(genreg, tmp_path: Path) -> None:
    """Also integers that normalise, which need the maths library, in a folder with blanks in its name."""
    if not shutil.which("gcc"):
        pytest.skip("needs gcc: apt install gcc")
    shape = (1, 4, 4)
    model = model_of(Network(shape, parse("conv 2 2 / layer-norm / dense 2", shape)))
    quantise(model, np.arange(64, dtype=np.uint8).reshape(4, *shape)).save(tmp_path / "model.npz")
    done = genreg("export", "model.npz", "--to", "c", "--name", "digits", "--out", "my firmware")
    line = done.out.splitlines()[-1]
    assert line.startswith("try:  cd 'my firmware' && gcc ")
    tried = subprocess.run(line.removeprefix("try:  "), shell=True, capture_output=True, text=True, timeout=PATIENCE)
    assert tried.stdout == "the test vector agrees\n", tried.stderr


def test_a_file_that_the_model_names_is_not_read_unless_told(genreg, tmp_path: Path) -> None:
    """A model may come from anywhere: its header names a file, and that could be any file."""
    (tmp_path / "private.csv").write_text("a,label\n1,0\n")
    training = {"config": {"dataset": str(tmp_path / "private.csv")}}
    model_of(Network.build((2, 2), (3,), 2), training=training).save(tmp_path / "model.npz")
    done = genreg("export", tmp_path / "model.npz", "--to", "python", "--out", tmp_path / "app", "--int8")
    assert done.code == 2
    assert "give its place with --dataset PATH" in done.err
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize(("limit", "code"), [("50", 0), ("49.9", 1)])
def test_a_loss_of_just_the_limit_is_allowed(
    genreg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, code: int
) -> None:
    """Half of the validation images lost: 50 points are allowed, 49.9 are not, and nothing is written."""
    from genreg_np.export import quantise as room

    images = np.arange(64, dtype=np.uint8).reshape(16, 2, 2)
    labels = np.arange(16) % 2
    np.savez(tmp_path / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels,
             x_validation=images, y_validation=labels)  # fmt: skip
    known = model_of(Network.build((2, 2), (), 2), class_names=("0", "1"))

    class Half(Model):
        def predict(self, inputs: object) -> np.ndarray:
            return labels if "right" in self.header["training"] else np.zeros(16, np.int64)

    told = Half(known.header | {"training": {"right": True}}, known.arrays)
    monkeypatch.setattr(
        room, "quantise", lambda model, inputs: Half(known.header | {"training": {"int8": {}}}, known.arrays)
    )
    monkeypatch.setattr("genreg_np.model.load", lambda path: told)
    (tmp_path / "model.npz").write_bytes(known.pack())
    done = genreg("export", tmp_path / "model.npz", "--to", "python", "--out", tmp_path / "app", "--int8",
                  "--dataset", tmp_path / "data.npz", "--max-loss", limit)  # fmt: skip
    assert done.code == code, done.err
    assert (tmp_path / "app").exists() == (code == 0)


# Inputs without labels


POLICY = model_of(Network.build((4,), (8,), 2), class_names=(), input_range=None)
OBSERVATIONS = np.random.default_rng(4).normal(0, [1, 3, 0.2, 2], (500, 4)).astype(np.float32)


def test_a_policy_is_quantised_by_what_it_observed(genreg, tmp_path: Path) -> None:
    """A model of values that says nothing of its training: the same file as from Python, and how far answers differ."""
    POLICY.save(tmp_path / "policy.npz")
    np.save(tmp_path / "seen.npy", OBSERVATIONS)
    options = ("--int8", "--calibrate", tmp_path / "seen.npy", "--out", tmp_path / "app", "--json")
    done = genreg("export", tmp_path / "policy.npz", "--to", "python", *options)
    assert done.code == 0, done.err
    expected = quantise(POLICY, OBSERVATIONS)
    assert (tmp_path / "app" / "model.npz").read_bytes() == expected.pack()
    told = json.loads(done.out)
    before, after = POLICY.outputs(OBSERVATIONS), expected.outputs(OBSERVATIONS)
    assert told["calibrated_on"] == 500
    assert not told["alike"]
    assert told["largest_difference"] == pytest.approx(np.abs(before - after).max(), rel=1e-6)
    assert told["same_answer"] == np.mean(before.argmax(axis=1) == after.argmax(axis=1)) > 0.9
    assert told["highest_output"] == pytest.approx(before.max())


def test_a_classifier_is_quantised_by_pictures_of_a_folder(genreg, tmp_path: Path) -> None:
    """Pictures and arrays side by side, no subfolders: each is an input."""
    from PIL import Image

    images = np.random.default_rng(1).integers(0, 256, (30, 2, 2), np.uint8)
    (tmp_path / "seen").mkdir()
    for number, image in enumerate(images[:10]):
        Image.fromarray(image).save(tmp_path / "seen" / f"{number}.png")
    np.save(tmp_path / "seen" / "rest.npy", images[10:])
    DENSE.save(tmp_path / "model.npz")
    options = ("--int8", "--calibrate", tmp_path / "seen", "--out", tmp_path / "app")
    done = genreg("export", tmp_path / "model.npz", "--to", "python", *options)
    assert done.code == 0, done.err
    assert "calibrated on 30 inputs" in done.out
    assert "have the same largest output for" in done.out


def test_raw_and_mapped_values_side_by_side_calibrate_alike(genreg, tmp_path: Path) -> None:
    """A file of whole numbers and one of floats in 0 .. 1 in one folder: what either would be by itself."""
    images = np.random.default_rng(2).integers(0, 256, (20, 2, 2), np.uint8)
    (tmp_path / "seen").mkdir()
    np.save(tmp_path / "seen" / "a.npy", images[:5])
    np.save(tmp_path / "seen" / "b.npy", images[5:].astype(np.float32) / np.float32(255))
    DENSE.save(tmp_path / "model.npz")
    options = ("--int8", "--calibrate", tmp_path / "seen", "--out", tmp_path / "app")
    done = genreg("export", tmp_path / "model.npz", "--to", "python", *options)
    assert done.code == 0, done.err
    assert (tmp_path / "app" / "model.npz").read_bytes() == quantise(DENSE, images).pack()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--calibrate", "seen.npy"), "--calibrate is for --int8: add it"),
        (("--int8", "--calibrate", "seen.npy", "--max-loss", "1"), "omit --dataset, --data-dir, --label"),
        (("--int8", "--calibrate", "seen.npy", "--dataset", "digits"), "omit --dataset, --data-dir, --label"),
        (("--int8", "--calibrate", "wide.npy"), "holds shape (5, 7)"),
        (("--int8", "--calibrate", "none.npy"), "at least one"),
        (("--int8", "--calibrate", "nan.npy"), "nan.npy[0]: inputs hold NaN"),
        (("--int8", "--calibrate", "nothere.npy"), "nothere.npy: cannot be read"),
        (("--int8",), "or inputs without labels with --calibrate"),
    ],
)
def test_what_cannot_calibrate_is_refused(genreg, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    """One line that says what would do, and nothing is written."""
    POLICY.save(tmp_path / "policy.npz")
    np.save("seen.npy", OBSERVATIONS)
    np.save("wide.npy", np.zeros((5, 7), np.float32))
    np.save("none.npy", np.zeros((0, 4), np.float32))
    np.save("nan.npy", np.full((2, 4), np.nan, np.float32))
    done = genreg("export", tmp_path / "policy.npz", "--to", "c", "--out", tmp_path / "app", *options)
    assert done.code in (1, 2)
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "app").exists()


def test_inputs_that_are_all_alike_are_no_good_measure(genreg, tmp_path: Path) -> None:
    """They calibrate for one point: that is said."""
    POLICY.save(tmp_path / "policy.npz")
    np.save("zeros.npy", np.zeros((50, 4), np.float32))
    told = ("--int8", "--calibrate", "zeros.npy", "--out", tmp_path / "app")
    assert "are equal" in genreg("export", tmp_path / "policy.npz", "--to", "python", *told).out
    np.save("one.npy", np.zeros((1, 4), np.float32))
    told = ("--int8", "--calibrate", "one.npy", "--out", tmp_path / "other")
    out = genreg("export", tmp_path / "policy.npz", "--to", "python", *told).out
    assert "there is only one calibration input" in out
    assert "calibrated on 1 input:" in out
