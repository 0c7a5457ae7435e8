"""`--reject` of `infer` and `eval`, and how `train` and `info` say that a model can tell unfamiliar inputs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from genreg_np.infer import load
from genreg_np.infer_familiarity import unfamiliarity
from genreg_np.model import Model, Network
from tests.cli import FAST, one_line, save_relabelled
from tests.helpers import model_of

NO_DISTANCE = "does not recognise unfamiliar inputs"


@pytest.fixture
def knowing(genreg) -> Path:
    """A model trained for three generations on the digits, which can tell unfamiliar inputs."""
    assert genreg("train", "--dataset", "digits", "--out", "run", *FAST, "--familiarity", "--quiet").code == 0
    return Path("run/model.npz")


@pytest.fixture
def images() -> Path:
    """Three digits and a picture of nothing like them."""
    from genreg_np.data import load_dataset

    found = load_dataset("digits").test.inputs[:4].copy()
    found[3] = 16 * (np.indices((8, 8)).sum(axis=0) % 2)
    np.save("images.npy", found)
    return Path("images.npy")


def lines(outcome) -> list[str]:
    assert outcome.code == 0, outcome.err
    return [line.split("  ", 1)[1].strip() for line in outcome.out.strip().splitlines()]


def test_an_unfamiliar_input_is_unsure_whatever_its_probability(genreg, knowing: Path, images: Path) -> None:
    """Exit code 0; the others are answered as without."""
    plain = lines(genreg("infer", knowing, images))
    found = genreg("infer", knowing, images, "--reject", 0)
    assert found.err == ""
    assert lines(found) == [*plain[:3], "unsure (like nothing it was trained on)"]


def test_below_the_threshold_an_answer_is_perhaps_one(genreg, knowing: Path, images: Path) -> None:
    """With as many classes as are asked for."""
    for top in (1, 2):
        plain = json.loads(genreg("infer", knowing, images, "--json", "--top", top).out)
        found = lines(genreg("infer", knowing, images, "--reject", 1, "--top", top))
        for entry, line in zip(plain[:3], found, strict=False):
            words = [f"{one['class']}, {100 * one['probability']:.2f} %" for one in entry["top"]]
            assert line == f"unsure (perhaps {'; '.join(words)})"


def test_json_has_no_class_but_a_reason(genreg, knowing: Path, images: Path) -> None:
    """What it might be stays in `top`; nothing is said of a reason unless it was asked for."""
    plain = json.loads(genreg("infer", knowing, images, "--json").out)
    threshold = sorted(entry["probability"] for entry in plain[:3])[1]
    found = json.loads(genreg("infer", knowing, images, "--json", "--reject", threshold).out)
    for before, after in zip(plain, found, strict=True):
        assert "reason" not in before
        unfamiliar = after["file"] == "images.npy[3]"
        reason = "unfamiliar" if unfamiliar else "probability" if before["probability"] < threshold else None
        assert after == before | {"reason": reason} | ({"class": None} if reason else {})
    assert [entry["reason"] for entry in found].count(None) == 2


def test_without_a_distance_probability_alone_decides_and_that_is_said_once(genreg, model: Path, images: Path) -> None:
    found = genreg("infer", model, images, images, "--reject", 1)
    assert found.err.count(NO_DISTANCE) == 1
    assert len(found.err.strip().splitlines()) == 1
    assert all(line.startswith("unsure (perhaps ") for line in lines(found))
    assert not any("unsure" in line for line in lines(genreg("infer", model, images, "--reject", 0)))


@pytest.mark.parametrize("command", ["infer", "eval"])
@pytest.mark.parametrize("value", [-0.1, 1.5, "nan", "most"])
def test_a_threshold_that_is_no_probability_is_refused(genreg, model: Path, command: str, value: object) -> None:
    arguments = ["images.npy"] if command == "infer" else []
    assert "--reject" in one_line(genreg(command, model, *arguments, "--reject", value), 2)


def test_a_model_of_values_has_nothing_to_reject(genreg) -> None:
    model = model_of(Network.build((3,), (), 2))
    Model(model.header | {"class_names": []}, model.arrays).save("values.npz")
    np.save("one.npy", np.zeros(3, np.float32))
    assert "gives values" in one_line(genreg("infer", "values.npz", "one.npy", "--reject", 0.9), 2)


@pytest.mark.parametrize("command", ["infer", "eval"])
def test_a_malformed_distance_is_one_line_with_the_file(genreg, knowing: Path, images: Path, command: str) -> None:
    said = load(knowing).header["familiarity"]
    bad = save_relabelled(knowing, familiarity=said | {"limit": -1.0})
    arguments = [images] if command == "infer" else []
    assert genreg(command, bad, *arguments).code == 0
    assert one_line(genreg(command, bad, *arguments, "--reject", 0.9), 1).startswith("error: changed.npz: ")


def test_eval_counts_what_is_answered(genreg, knowing: Path) -> None:
    """The share, the accuracy on it and the reasons, as computed here."""
    from genreg_np.data import load_dataset

    part, model = load_dataset("digits").test, load(knowing)
    chances = model.predict_proba(part.inputs)
    unfamiliar = unfamiliarity(model, part.inputs) > 1
    threshold = float(np.median(chances.max(axis=1)))
    answered = ~unfamiliar & (chances.max(axis=1) >= threshold)
    found = json.loads(genreg("eval", knowing, "--reject", threshold, "--json").out)
    right = (chances.argmax(axis=1) == part.labels)[answered]
    assert found["answered"] == pytest.approx(answered.mean())
    assert found["answered_accuracy"] == pytest.approx(right.mean())
    improbable = int((~unfamiliar & (chances.max(axis=1) < threshold)).sum())
    assert found["unsure"] == {"probability": improbable, "unfamiliar": int(unfamiliar.sum())}
    assert 0 < improbable < len(part)
    plain = json.loads(genreg("eval", knowing, "--json").out)
    assert {name: value for name, value in found.items() if name in plain} == plain
    printed = genreg("eval", knowing, "--reject", threshold).out
    assert f"answered {100 * answered.mean():.2f} % of them, {100 * right.mean():.2f} % of those correctly" in printed
    none = json.loads(genreg("eval", knowing, "--reject", 1, "--json").out)
    assert (none["answered"], none["answered_accuracy"]) == (0, None)
    assert "of them, - of those correctly" in genreg("eval", knowing, "--reject", 1).out


def test_info_says_that_unfamiliar_inputs_are_told(genreg, knowing: Path) -> None:
    assert "unfamiliar inputs are recognised" in " ".join(genreg("info", knowing).out.split())
    assert json.loads(genreg("info", knowing, "--json").out)["familiarity"]["prototypes"] == 200
    assert genreg("train", "--dataset", "digits", "--out", "other", *FAST, "--quiet").code == 0
    assert "unfamiliar" not in genreg("info", "other/model.npz").out


@pytest.mark.parametrize(("options", "has"), [((), True), (("--familiarity",), True), (("--no-familiarity",), False)])
def test_models_of_image_folders_can_tell_unless_that_is_not_wanted(
    genreg, options: tuple[str, ...], has: bool
) -> None:
    """The run keeps what was chosen."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name, place in (("left", 0), ("right", 4)):
        Path("photos", name).mkdir(parents=True)
        for number in range(30):
            levels = rng.integers(0, 90, (8, 8)).astype(np.uint8)
            levels[:, place : place + 4] += 120
            Image.fromarray(levels).save(Path("photos", name, f"{number}.png"))
    small = ["--preset", "small", "--generations", 3, "--set", "population_size=20", "--set", "images_per_class=4"]
    assert genreg("train", "--dataset", "photos", "--out", "run", *small, *options, "--quiet").code == 0
    assert ("familiarity" in load("run/model.npz").header) is has
    assert f"familiarity = {str(has).lower()}" in Path("run/config.toml").read_text("utf-8")
    assert genreg("train", "--resume", "run", "--generations", 4, "--quiet").code == 0
    assert ("familiarity" in load("run/model.npz").header) is has
    assert genreg("train", "--resume", "run", "--no-familiarity", "--quiet").code == 0
    assert "familiarity" not in load("run/model.npz").header


def test_data_too_alike_to_tell_by_are_said(genreg) -> None:
    """The plain alphabet has one picture of each letter."""
    options = ["--dataset", "letters", *FAST, "--set", "images_per_class=1", "--familiarity"]
    found = genreg("train", *options, "--out", "run")
    assert found.code == 0, found.err
    assert "or too similar ones, for the model to recognise unfamiliar inputs" in found.out + found.err
    assert "familiarity" not in load("run/model.npz").header


@pytest.mark.parametrize(("options", "says"), [(("c",), True), (("python", "--int8"), True), (("python",), False)])
def test_export_says_where_the_distance_is_lost(genreg, knowing: Path, options: tuple[str, ...], says: bool) -> None:
    limit = ["--max-loss", 100] if "--int8" in options else []
    found = genreg("export", knowing, "--out", "app", "--to", *options, *limit)
    assert found.code == 0, found.err
    assert ("leave out the distance" in found.err) is says
