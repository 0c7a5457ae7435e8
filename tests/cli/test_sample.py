"""`genreg-np search gan` and `sample`: from digits to a sheet of new ones, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.cli.info_ import first_command
from genreg_np.files import pack_arrays
from genreg_np.model import Network, load
from genreg_np.search.folder import trials_in
from tests.cli import one_line
from tests.helpers import model_of

TOLD: dict[str, Any] = {
    "noise": {"size": 2, "kind": "truncated", "spread": 1.5}, "image": [3, 4, 5], "classes": ["red", "blue"],
}  # fmt: skip


def save(told: dict[str, Any], name: str = "generator.npz", outputs: int = 60) -> None:
    """Save a generator that was never trained."""
    network = Network.build((4,), (6,), outputs)
    model_of(network, class_names=(), input_range=None, training={"generator": told}).save(name)


def test_digits_are_searched_drawn_and_shown(genreg) -> None:
    Path("small.toml").write_text("g_filters = 16\ng_convolutions = 0\nd_filters = 8\nd_hidden = 0\n")
    how = ["--genome", "small.toml", "--generations", 1, "--max-epochs", 2, "--final-epochs", 2, "--backend", "numpy"]
    done = genreg("search", "gan", "digits", *how, "--out", "run")
    assert done.code == 0, done.err
    assert "judge " in done.out
    (fcd,) = [line for line in done.out.splitlines() if line.startswith("test fcd ")]
    assert "(real images " in fcd
    assert "genreg-np sample run" in done.out
    assert load("run/generator.npz").training["generator"]["image"] == [8, 8]
    drawn = genreg("sample", "run", "--n", 12, "--seed", 3, "--out", "sheet.png")
    assert drawn.code == 0, drawn.err
    assert "12 images, 8 x 8 pixels" in drawn.out
    pillow = pytest.importorskip("PIL.Image")
    with pillow.open("sheet.png") as sheet:
        assert sheet.mode == "L"
        assert sheet.width > 10 * 56
    explained = genreg("search", "explain", "run")
    assert "individual 0" in explained.out
    assert genreg("export", "run/generator.npz", "--to", "html", "--out", "page").code == 0
    assert "Draw new images" in Path("page/model.html").read_text("utf-8")
    again = json.loads(genreg("search", "gan", "digits", *how, "--out", "run", "--json").out.splitlines()[-1])
    assert again["floor"]["fcd"] > 0
    assert again["judge"] == load("run/generator.npz").training["judge"]
    assert again["why"] == "" or again["why"].startswith("infeasible")
    check_shown_without(genreg, "run")


@pytest.mark.soak
def test_generated_digits_are_of_all_classes(genreg) -> None:
    """The hand-made pair alone, after as many epochs as a search of a minute has for its winner."""
    Path("plain.toml").write_text("g_filters = 16\n")
    how = ["--genome", "plain.toml", "--generations", 1, "--final-epochs", 80, "--seed", 0, "--json"]
    told = json.loads(genreg("search", "gan", "digits", *how).out.splitlines()[-1])
    assert told["modes"] == 10
    assert told["tvd"] < 0.2


def check_shown_without(genreg, folder: str) -> None:
    """Check that a search is shown of which measures are missing, or are something else."""
    shown = shown_by(genreg, folder)
    assert "real images" in shown
    unsound = [trial for trial in trials_in(Path(folder, "trials.jsonl")) if trial.why]
    assert ("pairs that failed, were removed, or break rules" in shown) == bool(unsound)
    notes = json.loads(Path(folder, "search.json").read_text("utf-8"))
    few = notes | {"floor": "none", "finals": [{"fcd": 2.0}, "one", {"tvd": "x"}], "judge_accuracy": None}
    Path(folder, "search.json").write_text(json.dumps(few))
    state = Path(folder, "states", notes["state"])
    with np.load(state) as stored:
        sheets = stored["sheets"][:1]
    state.write_bytes(pack_arrays({"sheets": sheets, "told": np.frombuffer(b'[{"fcd": 7.125}]', np.uint8)}))
    shown = shown_by(genreg, folder)
    assert "7.12" in shown
    assert "They are measured by judge" not in shown
    Path(folder, "search.json").write_text(json.dumps(notes | {"floor": [], "finals": 3, "state": 5}))
    assert "Samples" in shown_by(genreg, folder)


def shown_by(genreg, folder: str) -> str:
    """Return the page of a report."""
    done = genreg("report", folder, "--out", "shown")
    assert done.code == 0, done.err
    return Path("shown/report.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("shape", "outputs", "how", "said"),
    [
        ((4,), 60, {"class_names": (), "training": {"generator": TOLD}}, "genreg-np sample m.npz"),
        ((4, 4), 3, {}, "genreg-np infer m.npz IMAGE.png --top 3"),
        ((4, 4), 2, {}, "genreg-np infer m.npz IMAGE.png"),
        ((4,), 3, {"feature_names": tuple("abcd")}, "genreg-np infer m.npz new.csv --out predictions.csv"),
        ((4,), 3, {}, "genreg-np infer m.npz values.npy"),
        ((4,), 3, {"class_names": ()}, "genreg-np infer m.npz values.npy --save outputs/"),
    ],
)
def test_the_command_by_which_a_model_is_tried_is_one_that_it_takes(
    shape: tuple[int, ...], outputs: int, how: dict[str, Any], said: str
) -> None:
    model = model_of(Network.build(shape, (6,), outputs), **({"input_range": None} | how))
    assert first_command("m.npz", model) == said


@pytest.mark.parametrize("name", ["one.png", "noise.csv"])
def test_pictures_and_tables_for_a_generator_are_told_to_be_none(genreg, name: str) -> None:
    """It takes arrays of noise."""
    save(TOLD)
    Path(name).write_bytes(b"1,2,3,4\n")
    found = one_line(genreg("infer", "generator.npz", name), 1)
    assert f"{name}: is no array (.npy), and the model generates images from noise: genreg-np sample" in found
    np.save("noise.npy", np.zeros((2, 4), np.float32))
    assert genreg("infer", "generator.npz", "noise.npy", "--json").code == 0


def test_the_same_seed_draws_the_same_images_and_classes_have_columns(genreg) -> None:
    pillow = pytest.importorskip("PIL.Image")
    save(TOLD)
    for name in ("one", "two"):
        assert genreg("sample", "generator.npz", "--n", 6, "--seed", 5, "--out", f"{name}.npy").code == 0
    one = np.load("one.npy")
    assert one.shape == (6, 3, 4, 5)
    assert (one == np.load("two.npy")).all()
    assert genreg("sample", "generator.npz", "--n", 6, "--seed", 5, "--class", "blue", "--out", "blue.npy").code == 0
    blue = np.load("blue.npy")
    assert (blue[1::2] == one[1::2]).all()
    assert (blue[::2] != one[::2]).any()
    assert genreg("sample", "generator.npz", "--n", 5, "--out", "sheet.png").code == 0
    with pillow.open("sheet.png") as sheet:
        assert sheet.mode == "RGB"
        assert sheet.width == 2 * (11 * 5 + 2) + 2  # a column for each class
        assert sheet.height == 3 * (11 * 4 + 2) + 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["generator.npz", "--class", "green"], "no class 'green'"),
        (["generator.npz", "--class", "bleu"], "did you mean 'blue'"),
        (["plain.npz", "--class", "blue"], "cannot generate a given class"),
        (["model.npz"], "not a generator of images"),
        (["damaged.npz"], "not a generator of images"),
        (["other.npz"], "not a generator of images"),
        (["missing.npz"], "no such file"),
        (["generator.npz", "--out", "sheet.gif"], "must end with .png or .npy"),
        (["generator.npz", "--n", "20000"], "10,000 images at most"),
        (["generator.npz", "--out", "no/folder/sheet.png"], "cannot be written"),
    ],
)
def test_what_cannot_be_drawn_is_refused(genreg, arguments: list[str], said: str) -> None:
    pytest.importorskip("PIL")
    save(TOLD)
    network = Network.build((2,), (6,), 60)
    plain = {"generator": TOLD | {"classes": []}}
    model_of(network, class_names=(), input_range=None, training=plain).save("plain.npz")
    model_of(Network.build((4,), (), 2), input_range=None).save("model.npz")
    save(TOLD | {"noise": {"size": "two"}}, "damaged.npz")
    save(TOLD, "other.npz", outputs=30)
    done = genreg("sample", *arguments)
    assert done.code in (1, 2)
    assert said in done.err
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--genome", "missing.toml"], "cannot be read"),
        (["--metric", "accuracy"], "unknown metric"),
        (["--mode", "loss"], "must be one of pipeline, losses"),
        (["--augmentation", "joint"], "simple, evolved or none"),
        (["--genome", "small.toml", "--population", 5], "trains the given individual alone: leave out --population"),
        (["--genome", "small.toml", "--selection", "crossover"], "alone: leave out --selection, or breed"),
    ],
)
def test_what_cannot_be_searched_is_refused(genreg, arguments: list[str], said: str) -> None:
    Path("small.toml").write_text("g_filters = 16\n")
    done = genreg("search", "gan", "digits", *arguments, "--generations", 1, "--out", "run")
    assert done.code == 2
    assert said in done.err


def test_other_commands_know_a_generator(genreg) -> None:
    save(TOLD)
    told = genreg("info", "generator.npz")
    what = "5 x 4 pixels in colour, from 2 numbers of truncated noise, and the class: red, blue"
    assert f"draws        {what}" in told.out
    done = genreg("eval", "generator.npz", "--dataset", "digits")
    assert done.code == 2
    assert "genreg-np sample generator.npz" in done.err
