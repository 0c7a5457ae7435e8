"""`genreg-np search`: what it prints, how it goes on, and one clear line for every misuse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

from genreg_np import load
from genreg_np.search.folder import trials_in
from genreg_np.search.kinds.classifiers import SPACE
from tests.cli import one_line
from tests.helpers import PATIENCE, ROOT
from tests.search.helpers import bars

QUICK = (
    "--population", 3, "--generations", 1, "--max-epochs", 2, "--final-epochs", 1, "--final-seeds", 1,
    "--engine", "serial", "--backend", "numpy",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _data() -> None:
    data = bars()
    inputs = np.concatenate([part.inputs for part in (data.train, data.validation, data.test)])
    labels = np.concatenate([part.labels for part in (data.train, data.validation, data.test)])
    np.savez("bars.npz", x=inputs, y=labels, class_names=np.array(data.class_names))


def test_a_search_says_what_it_came_to_and_leaves_a_model(genreg) -> None:
    """In words and as JSON; the model is ready for eval."""
    found = genreg("search", "images", "bars.npz", *QUICK, "--out", "one")
    assert found.code == 0, found.err
    assert "3 trials of 3 individuals, 0 of them bred" in found.out
    assert "test accuracy" in found.out
    assert "test f1" in found.out
    assert "genreg-np eval one/model.npz" in found.out
    again = genreg("search", "images", "--dataset", "bars.npz", *QUICK, "--out", "two", "--json")
    told = json.loads(again.out)
    assert told["ended"] == "generations"
    assert told["network"] in found.out
    assert load("two/model.npz").header == load("one/model.npz").header
    checked = genreg("eval", "two/model.npz", "--dataset", "bars.npz", "--json")
    assert json.loads(checked.out)["accuracy"] == pytest.approx(told["test"][0]["accuracy"])
    assert SPACE.read(tomllib.loads(Path("one/winner.toml").read_text("utf-8")), told["genome"])


def test_a_search_goes_on_by_its_folder_alone(genreg) -> None:
    """With more generations; nothing else need be said again."""
    assert genreg("search", "images", "bars.npz", *QUICK, "--out", "run", "--quiet").code == 0
    before = list(trials_in(Path("run/trials.jsonl")))
    found = genreg(
        "search", "images", "--resume", "run", "--generations", 2, "--engine", "serial", "--backend", "numpy", "--json"
    )
    assert found.code == 0, found.err
    after = list(trials_in(Path("run/trials.jsonl")))
    assert after[: len(before)] == before
    assert json.loads(found.out)["trials"] == 6


def test_a_search_for_an_autoencoder(genreg) -> None:
    """It ends with the front of likeness and code, and three models that infer takes; `images` leaves it alone."""
    found = genreg("search", "autoencoder", "bars.npz", *QUICK, "--max-macs", 200_000, "--out", "run")
    assert found.code == 0, found.err
    for said in ("test psnr", "test squared-error", " code  psnr ", "infer run/encoder.npz PICTURE --save codes"):
        assert said in found.out
    np.save("images.npy", bars().test.inputs)
    shown = genreg("infer", "run/encoder.npz", "images.npy", "--json")
    assert shown.code == 0, shown.err
    saved = genreg("infer", "run/encoder.npz", "images.npy", "--save", "codes")
    assert saved.code == 0, saved.err
    codes = sorted(Path("codes").iterdir())
    assert len(codes) == len(bars().test)
    assert genreg("infer", "run/decoder.npz", *codes, "--save", "copies").code == 0
    copies = sorted(Path("copies").glob("*.npy"))
    expected = load("run/model.npz").outputs(bars().test.inputs)
    assert np.allclose([np.load(path) for path in copies], expected, atol=1e-5)
    pillow = pytest.importorskip("PIL.Image")
    drawn = np.asarray(pillow.open(sorted(Path("copies").glob("*.png"))[0]))
    assert np.abs(drawn.astype(float).ravel() - 255 * expected[0]).max() <= 0.51
    assert load("run/decoder.npz").output_count == load("run/model.npz").output_count == 64
    wrong = genreg("search", "images", "--resume", "run", "--generations", 2)
    assert "holds a search of another kind, autoencoder, not classifier" in one_line(wrong, 2)

    shown = genreg("eval", "run/model.npz", "--dataset", "bars.npz")
    assert "gives 64 values and no classes" in one_line(shown, 2)


def test_the_encoder_of_a_folder_takes_pictures_as_the_model_does(genreg) -> None:
    """Of another size, brought to its own as in training."""
    pillow = pytest.importorskip("PIL.Image")
    data = bars(60, side=12)
    for place, (pixels, label) in enumerate(zip(data.everything.inputs, data.everything.labels, strict=True)):
        folder = Path("photos") / data.class_names[label]
        folder.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(pixels).save(folder / f"{place}.png")
    assert genreg("search", "autoencoder", "photos", "--size", "8x8", *QUICK, "--out", "run", "--quiet").code == 0
    picture = sorted(Path("photos").rglob("*.png"))[0]
    for name in ("model", "encoder"):
        found = genreg("infer", f"run/{name}.npz", picture, "--json")
        assert found.code == 0, found.err


def test_a_search_that_has_ended_is_not_gone_on_with_unasked(genreg) -> None:
    """By a budget: it would take longer, and become another."""
    assert genreg("search", "images", "bars.npz", *QUICK, "--out", "run", "--quiet").code == 0
    before = Path("run/model.npz").read_bytes()
    found = genreg("search", "images", "bars.npz", "--budget", "5s", "--out", "run")
    assert "holds a search that has ended: continue it with --resume run" in one_line(found, 2)
    assert Path("run/model.npz").read_bytes() == before


def test_the_winner_is_explained_where_nobody_is_named(genreg) -> None:
    genreg("search", "images", "bars.npz", *QUICK, "--out", "run", "--quiet")
    winner = json.loads(Path("run/search.json").read_text("utf-8"))["winner"]
    assert genreg("search", "explain", "run").out == genreg("search", "explain", "run", winner).out
    assert "has no individual 99; the numbers run from 0 to 2" in one_line(genreg("search", "explain", "run", 99), 2)


def test_prototypes_are_a_head(genreg) -> None:
    found = genreg("search", "images", "bars.npz", *QUICK, "--head", "prototypes", "--out", "run")
    assert found.code == 0, found.err
    np.save("images.npy", bars().test.inputs)
    refused = genreg("infer", "run/model.npz", "images.npy", "--save", "values")
    assert "--save is for models that give values" in one_line(refused, 2)
    assert not Path("values").exists()
    assert genreg("eval", "run/model.npz", "--dataset", "bars.npz").code == 0


def test_images_in_two_parts_are_counted(genreg) -> None:
    """By their pixels, wherever they come from; the search says so, and so does its record."""
    with np.load("bars.npz") as file:
        held = dict(file)
    np.savez("twice.npz", x=np.concatenate([held["x"]] * 2), y=np.concatenate([held["y"]] * 2))
    found = genreg("search", "images", "twice.npz", *QUICK, "--out", "run")
    assert "also in train: accuracy on those says nothing about new ones" in found.out
    assert "also in train" in json.loads(Path("run/search.json").read_text("utf-8"))["remark"]


def test_a_search_of_a_folder_goes_on_with_pictures_as_they_were_read(genreg) -> None:
    """Size and colour need not be said again; nor is a budget taken where generations are counted."""
    pillow = pytest.importorskip("PIL.Image")
    data = bars(60, side=12)
    for place, (pixels, label) in enumerate(zip(data.everything.inputs, data.everything.labels, strict=True)):
        folder = Path("photos") / data.class_names[label]
        folder.mkdir(parents=True, exist_ok=True)
        pillow.fromarray(pixels).save(folder / f"{place}.png")
    first = genreg("search", "images", "photos", "--size", "9x9", *QUICK, "--out", "run", "--quiet")
    assert first.code == 0, first.err
    again = ("search", "images", "--resume", "run", "--engine", "serial", "--backend", "numpy")
    assert genreg(*again, "--generations", 2, "--quiet").code == 0
    assert load("run/model.npz").input_shape == (9, 9)
    assert "takes --generations, not --budget" in one_line(genreg(*again, "--budget", "1m"), 2)


def test_an_individual_is_explained(genreg) -> None:
    """Its network, its trials, where it came from, its genes and those that are not expressed."""
    genreg("search", "images", "bars.npz", *QUICK, "--out", "run", "--quiet")
    found = genreg("search", "explain", "run", 1)
    assert found.code == 0, found.err
    for said in (
        "individual 1: conv",
        "weights and biases",
        "trial 1: rung 0",
        "bred 1: made by hand",
        "not expressed:",
    ):
        assert said in found.out
    assert "the numbers run from 0 to 2" in one_line(genreg("search", "explain", "run", 99), 2)
    assert "holds no search" in one_line(genreg("search", "explain", "nowhere", 0), 1)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("bars.npz", "--metric", "acc"), 2, "unknown metric 'acc'"),
        (("bars.npz", "--metric", "f1:left"), 2, "there is no class 'left'"),
        (("bars.npz", "--selection", "greedy"), 2, "must be one of steady, crossover"),
        (("bars.npz", "--budget", "soon"), 2, "must look like 60s, 5m or 1h"),
        (("bars.npz", "--budget", "1m", "--generations", 2), 2, "cannot be combined"),
        (("bars.npz", "--dataset", "digits"), 2, "cannot be combined"),
        (("bars.npz", *QUICK, "--max-parameters", 10), 2, "the limits leave no individual"),
        (("bars.npz", *QUICK, "--engine", "cluster"), 2, "unknown engine 'cluster'"),
        (("bars.npz", *QUICK, "--backend", "tpu"), 2, "unknown backend 'tpu'"),
        (("nowhere.npz",), 2, "nowhere.npz"),
        (("table.csv", *QUICK), 2, "not images of integer pixels"),
        (("--resume", "nowhere"), 1, "holds no search"),
        (("--resume", "run", "--out", "other"), 2, "leave out --out"),
        (("--resume", "run", "--size", "9x9"), 2, "a search that has its own --size: leave it out"),
        (("--resume", "run", "--color", "rgb"), 2, "a search that has its own --color: leave it out"),
        (("--resume", "run", "--skip-bad"), 2, "a search that has its own --skip-bad: leave it out"),
        (("--resume", "run", "--no-header"), 2, "a search that has its own --header: leave it out"),
        (("bars.npz", *QUICK, "--weights", "log-loss=1"), 2, "give it a negative weight, log-loss=-1"),
    ],
)
def test_misuse_is_one_line(genreg, arguments: tuple[object, ...], code: int, said: str) -> None:
    Path("table.csv").write_text("a,b,label\n" + "1,2,x\n3,4,y\n" * 20, "utf-8")
    out = () if "--resume" in arguments else ("--out", "fresh")
    assert said in one_line(genreg("search", "images", *arguments, *out), code)
    assert not Path("fresh").exists(), "nothing is left that a second try would stumble over"


def test_another_search_in_the_same_folder_is_refused(genreg) -> None:
    genreg("search", "images", "bars.npz", *QUICK, "--out", "run", "--quiet")
    found = genreg("search", "images", "bars.npz", *QUICK, "--out", "run", "--seed", 3)
    assert "holds a search with seed = 0, not 3" in one_line(found, 2)


def test_ctrl_c_leaves_the_best_so_far_and_says_how_to_go_on(tmp_path: Path) -> None:
    """In processes of its own; none of them is left."""
    command = [
        sys.executable, "-m", "genreg_np", "search", "images", "bars.npz", "--generations", "1000", "--workers", "2",
        "--backend", "numpy", "--out", "run",
    ]  # fmt: skip
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        end = time.monotonic() + PATIENCE
        while len(list(trials_in(Path("run/trials.jsonl")))) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "Resume with:" in out
    assert "genreg-np search images --resume run" in out
    assert "Traceback" not in err
    assert load("run/model.npz").predict(bars().test.inputs).shape == (len(bars().test),)
