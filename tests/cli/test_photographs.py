"""From a folder of photographs to answers: what a model remembers of them, and that every command goes by it."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from genreg_np.cli.inputs import Taking, read_file
from genreg_np.data import load_dataset
from genreg_np.infer import load
from genreg_np.model import Network
from tests.cli import FAST, one_line
from tests.data.test_pictures import png
from tests.helpers import model_of

RED, GREEN = (200, 40, 40), (20, 128, 60)  # of equal brightness
FEW = ["--preset", "nodes-small", "--backend", "numpy", "--generations"]
NOT_ANNEALED = [*FAST[:2], *FAST[4:], "--backend", "numpy", "--generations"]
AS_IS = Taking(resize=False, centre=None, invert=False, as_is=True, range=None)


def discs(folder: Path, count: int = 24, ending: str = "png", **how: Any) -> None:
    """Write photographs of many sizes, red discs and green ones, somewhere in the middle."""
    draw = np.random.default_rng(3)
    for name, colour in (("red", RED), ("green", GREEN)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            height, width = draw.integers(60, 200, 2).tolist()
            image = Image.new("RGB", (width, height), (235, 235, 235))
            side = min(height, width)
            radius, (x, y) = (
                side // 5,
                (extent // 2 + draw.integers(-side // 6, side // 6) for extent in (width, height)),
            )
            ImageDraw.Draw(image).ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
            image.save(folder / name / f"{index}.{ending}", **how)


def of_all_kinds(folder: Path) -> None:
    """Add what else lies in folders: large JPEG files, turned ones, palettes, CMYK, clear grounds, grey, 16 bits."""
    image = Image.open(folder / "red" / "0.png").resize((1400, 900))
    image.save(folder / "red" / "large.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "red" / "turned.jpg", exif=exif)
    image.convert("CMYK").save(folder / "red" / "print.jpg")
    image.quantize(20).save(folder / "red" / "palette.gif")
    image.convert("L").save(folder / "red" / "grey.png")
    clear = np.zeros((70, 90, 4), np.uint8)
    clear[20:60, 30:70] = (*GREEN, 255)
    Image.fromarray(clear).save(folder / "green" / "clear.png")
    deep = np.linspace(0, 60_000, 80 * 70).reshape(80, 70).astype(np.uint16)
    (folder / "green" / "deep.png").write_bytes(png(np.repeat(deep[..., None], 3, axis=2)))
    (folder / "green" / "deep grey.png").write_bytes(png(deep))
    (folder / "green" / "dark grey.png").write_bytes(png(deep // 8))


@pytest.fixture
def photos() -> Path:
    discs(Path("photos"))
    return Path("photos")


def test_colours_of_equal_brightness_are_told_apart(genreg, photos: Path) -> None:
    """By a small network, all of them, with nothing asked for; in grey they cannot be."""
    assert len({Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) for colour in (RED, GREEN)}) == 1
    outcome = genreg("train", "--dataset", photos, "--out", "run", *FEW, 150)
    assert outcome.code == 0, outcome.err
    assert "are scaled to 32x32, the middle of each (--size and --fit change that)\n" in outcome.out
    assert "48 of 48 images have colours: all are read in colour (--color grey reads all in grey)\n" in outcome.out
    assert "48 of 48" in outcome.out
    assert ", 32x32 pixels in colour, fit crop\n" in outcome.out
    assert load("run/model.npz").header["picture"] == {"fit": "crop"}
    result = json.loads(genreg("eval", "run/model.npz", "--dataset", photos, "--split", "all", "--json").out)
    assert result["accuracy"] == 1
    answers = json.loads(genreg("infer", "run/model.npz", photos, "--json").out)
    assert len(answers) == 48
    assert all(f"/{answer['class']}/" in answer["file"] for answer in answers)


@pytest.mark.parametrize(
    "options",
    [[], ["--color", "grey"], ["--fit", "pad", "--size", "20x30"], ["--fit", "stretch"], ["--range", "0", "65535"]],
    ids=" ".join,
)
def test_infer_and_eval_see_what_training_saw(genreg, photos: Path, options: list[str]) -> None:
    """To the bit, of files of all kinds, whatever was asked for; with nothing but the model to go by."""
    of_all_kinds(photos)
    call = ["train", "--dataset", photos, "--out", "run", *FEW, 20, *options]
    outcome = genreg(*call)
    assert outcome.code == 0, outcome.err
    model = load("run/model.npz")
    reading: dict[str, Any] = {"color": "grey"} if "grey" in options else {}
    reading |= {"fit": "pad", "size": (20, 30)} if "pad" in options else {}
    reading |= {"fit": "stretch"} if "stretch" in options else {}
    reading |= {"range": (0, 65535)} if "--range" in options else {}
    dataset = load_dataset(photos, **reading)
    trained = sorted(one.tobytes() for one in dataset.everything.inputs)
    files = sorted(file for file in photos.rglob("*") if file.is_file())
    seen = [read_file(file, model, AS_IS)[0][1] for file in files]
    assert sorted(one.tobytes() for one in seen) == trained
    assert seen[0].shape == model.input_shape == dataset.input_shape
    measured = json.loads(genreg("eval", "run/model.npz", "--dataset", photos, "--split", "test", "--json").out)
    assert measured["accuracy"] == model.trained("accuracies", "test", "best")


@pytest.mark.parametrize(
    "preset", [None, "gradient-small", "small", "nodes", "gradient", "selection", "fast", "genreg-2"]
)
def test_any_preset_trains_on_colours_or_says_why_not(genreg, photos: Path, preset: str | None) -> None:
    """Whatever it is, there is no traceback."""
    few = ["--generations", "2", "--backend", "numpy", "--out", "run"]
    outcome = genreg("train", "--dataset", photos, *few, *(["--preset", preset] if preset else []))
    if preset == "fast":
        assert "deskew is for grey images, but those of photos are (3, 32, 32)" in one_line(outcome, 2)
    elif preset == "genreg-2":
        assert "but photos has inputs of (3, 32, 32)" in one_line(outcome, 2)
    else:
        assert outcome.code == 0, outcome.err
        assert load("run/model.npz").input_shape == (3, 32, 32)


def test_the_preset_of_a_folder_goes_by_the_size_of_its_pictures(genreg, photos: Path) -> None:
    """Filters for photographs, a small network for what has hardly any pixels; a setting of either is taken."""
    few = ["--dataset", photos, "--generations", "2", "--backend", "numpy"]
    assert "preset photos" in genreg("train", *few, "--out", "large", "--set", "grid=3").out
    assert "preset nodes-small" in genreg("train", *few, "--out", "tiny", "--size", "8x8", "--hidden", "4").out
    assert "preset photos" in genreg("train", *few, "--out", "bank", "--strategy", "detector-bank").out


@pytest.mark.parametrize(("options", "value"), [((), "true"), (("--preset", "gradient-small"), "0.5")])
def test_flip_is_what_the_strategy_has_for_it(genreg, photos: Path, options: tuple[str, ...], value: str) -> None:
    few = ["--dataset", photos, "--generations", "2", "--backend", "numpy", "--out", "run"]
    assert genreg("train", *few, "--flip", *options).code == 0
    assert f"flip = {value}" in Path("run/config.toml").read_text("utf-8").splitlines()
    assert "--flip cannot be combined with --resume" in one_line(genreg("train", "--resume", "run", "--flip"), 2)


def test_flip_is_refused_where_nothing_mirrors(genreg, photos: Path) -> None:
    outcome = genreg("train", "--dataset", photos, "--preset", "nodes-small", "--flip", "--out", "run")
    assert "--flip is for strategies detector-bank and gradient, not node-perturbation" in one_line(outcome, 2)
    assert not Path("run").exists()


def test_layers_in_words_train_on_colours(genreg, photos: Path) -> None:
    words = ["--network", "conv 4 3 / relu / max 4 / dense 2", "--strategy", "gradient", "--generations", "3"]
    outcome = genreg("train", "--dataset", photos, "--out", "run", "--backend", "numpy", *words)
    assert outcome.code == 0, outcome.err
    assert load("run/model.npz").input_shape == (3, 32, 32)


def test_a_run_goes_on_with_pictures_read_as_they_were(genreg, photos: Path) -> None:
    call = ["train", "--dataset", photos, "--out", "run", "--fit", "pad", "--size", "9x12", *NOT_ANNEALED, 3]
    assert genreg(*call, "--quiet").code == 0
    origin = Path("run/config.toml").read_text()
    assert 'fit = "pad"\ncolor = "rgb"\n' in origin
    assert genreg("train", "--resume", "run", "--generations", 6, "--quiet").code == 0
    whole = [*call[:4], "whole", *call[5:-1], 6]
    assert genreg(*whole, "--quiet").code == 0
    assert Path("run/model.npz").read_bytes() == Path("whole/model.npz").read_bytes()
    for option in (["--fit", "crop"], ["--color", "grey"], ["--skip-bad"]):
        assert f"{option[0]} cannot be combined" in one_line(genreg("train", "--resume", "run", *option), 2)


@pytest.mark.parametrize("size", [[], ["--size", "9x12"]])
def test_a_run_of_which_no_fit_is_known_goes_on_in_grey_and_stretched(genreg, photos: Path, size: list[str]) -> None:
    """As runs were before there was a choice: of one size, whatever that is, or stretched."""
    if not size:
        for file in photos.rglob("*.png"):
            Image.open(file).resize((80, 70)).save(file)
    once = ["--color", "grey", "--fit", "stretch", *(size or ["--size", "70x80"])]
    assert genreg("train", "--dataset", photos, "--out", "run", *NOT_ANNEALED, 5, *once, "--quiet").code == 0
    config = Path("run/config.toml")
    text = re.sub('(fit|color) = ".*"\n', "", config.read_text())
    config.write_text(text if size else re.sub(r"size = \[[^]]*\]\n", "", text))
    outcome = genreg("train", "--resume", "run", "--generations", 6, "--quiet")
    assert outcome.code == 0, outcome.err
    assert load("run/model.npz").header["picture"] == {"fit": "stretch"}


def test_info_and_data_show_say_size_colour_and_fit(genreg, photos: Path) -> None:
    picture = {"fit": "pad", "range": {"16 bits": [0, 4095]}}
    model_of(Network.build((3, 20, 30), (), 2), class_names=("red", "green")).save("m.npz")
    loaded = load("m.npz")
    from genreg_np.model import Model

    Model(loaded.header | {"picture": picture}, loaded.arrays).save("m.npz")
    said = "pictures     20x30 pixels (height x width) in colour, fit pad, 16 bits 0 to 4095"
    assert said in genreg("info", "m.npz").out.splitlines()
    shown = genreg("data", "show", photos, "--out", "s.png", "--fit", "stretch").out
    assert "photos, train split, 32x32 pixels in colour, fit stretch: s.png" in shown.splitlines()
    with Image.open("s.png") as sheet:
        assert sheet.mode == "RGB"


def test_infer_takes_any_size_only_where_the_model_knows_how(genreg, photos: Path) -> None:
    """Else --resize stretches, as it did, unless a --fit is given; a --fit counts before the model's own."""
    model_of(Network.build((3, 20, 30), (), 2), class_names=("red", "green")).save("m.npz")
    model, file = load("m.npz"), photos / "red" / "0.png"
    assert "add --resize" in one_line(genreg("infer", "m.npz", file), 1)
    assert genreg("infer", "m.npz", file, "--resize").code == 0
    image = Image.open(file)

    def inputs(**how: Any) -> np.ndarray:
        return read_file(
            file, model, Taking(**{"resize": False, **how}, centre=None, invert=False, as_is=False, range=None)
        )[0][1]

    stretched = np.array(image.resize((30, 20), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    np.testing.assert_array_equal(inputs(resize=True), stretched)
    cropped, padded = inputs(fit="crop"), inputs(resize=True, fit="pad")
    assert not np.array_equal(cropped, stretched)
    assert not padded[:, :, 0].any() or not padded[:, 0].any()


def test_a_picture_is_inverted_when_asked_and_colours_are_never_taken_for_inverted(genreg) -> None:
    """Their backgrounds are what the photograph was taken before."""
    model = model_of(Network.build((3, 2, 2), (), 2), class_names=("a", "b"), training={"background": 0.0})
    Image.new("RGB", (2, 2), (250, 240, 230)).save("a.png")
    model.save("m.npz")
    assert genreg("infer", "m.npz", "a.png").code == 0
    how = Taking(resize=False, centre=None, invert=True, as_is=False, range=None)
    ((_, found),) = read_file(Path("a.png"), load("m.npz"), how)
    assert found[:, 0, 0].tolist() == [5, 15, 25]


@pytest.mark.parametrize("names", [("dark", "middle"), ("d", "m")])
def test_a_light_background_is_said_of_grey_photographs_and_refused_of_letters(genreg, names: tuple[str, str]) -> None:
    """By what the network sees: what training took. A photograph is taken before whatever was there."""
    for name, level in zip(names, (10, 50), strict=True):
        Path("grey", name).mkdir(parents=True)
        for index in range(8):
            Image.new("L", (60, 70 + index), level + 4 * index).save(f"grey/{name}/{index}.png")
    assert genreg("train", "--dataset", "grey", "--out", "run", *FEW, 3, "--quiet").code == 0
    Image.new("L", (300, 200), 250).save("light.png")
    Image.new("L", (300, 200), 240).save("lighter.png")
    outcome = genreg("infer", "run/model.npz", "light.png", "lighter.png")
    if names == ("d", "m"):
        assert outcome.code == 1
        assert outcome.err.count("looks inverted") == 2
    else:
        assert outcome.code == 0
        assert len(outcome.out.splitlines()) == 2
        assert outcome.err == (
            "light.png: its border is light, those of the training images were mostly dark; add --invert if black and "
            "white should be swapped\n"
        )
    for option in ("--invert", "--as-is"):
        assert genreg("infer", "run/model.npz", "light.png", option).err == ""


def test_infer_says_what_it_leaves_out_of_a_folder_and_takes_heic_for_no_array(genreg, photos: Path) -> None:
    """A phone's folder is half HEIC: not passed over in silence."""
    model_of(Network.build((3, 20, 30), (), 2), class_names=("red", "green")).save("m.npz")
    (photos / "red" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + b"x" * 100)
    (photos / "green" / "Thumbs.db").write_bytes(b"x")
    outcome = genreg("infer", "m.npz", photos, "--resize")
    assert outcome.code == 0
    assert outcome.err == "photos: left out: 2 files of kinds that are not read (1 .db, 1 .heic)\n"
    assert "not an image of a known format" in one_line(genreg("infer", "m.npz", photos / "red" / "IMG_1.HEIC"), 1)
    for file in (photos / "red").glob("*.png"):
        file.unlink()
    line = one_line(genreg("train", "--dataset", photos, "--out", "run"), 1)
    assert line.endswith(
        "but 1 file of kinds that are not read (1 .heic); convert them, for example to JPEG, or remove the folder"
    )
    assert ", but 1 file of kinds that are not read (1 .heic)" in one_line(genreg("infer", "m.npz", photos / "red"), 1)


def test_bad_pictures_are_named_and_skipped_by_every_command(genreg, photos: Path) -> None:
    (photos / "red" / "broken.jpg").write_bytes(b"\xff\xd8 broken")
    call = ["train", "--dataset", photos, "--out", "run", *NOT_ANNEALED, 5]
    line = one_line(genreg(*call), 1)
    assert "photos: 1 of 49 pictures cannot be read: red/broken.jpg: " in line
    assert line.endswith("fix or remove it, or leave it out with --skip-bad")
    outcome = genreg(*call, "--skip-bad")
    assert outcome.code == 0, outcome.err
    assert "left out: 1 of 49 pictures cannot be read: red/broken.jpg: " in outcome.out
    assert outcome.out.splitlines()[-1].endswith(" --skip-bad")
    assert genreg("train", "--resume", "run", "--generations", 6, "--quiet").code == 0
    assert genreg("eval", "run/model.npz", "--dataset", photos, "--skip-bad").code == 0
    result = genreg("infer", "run/model.npz", photos, "--json")
    assert result.code == 1
    assert len(json.loads(result.out)) == 48


def test_classes_that_are_the_same_are_one_line(genreg, photos: Path) -> None:
    (photos / "copy").mkdir()
    for file in (photos / "red").iterdir():
        (photos / "copy" / file.name).write_bytes(file.read_bytes())
    line = one_line(genreg("train", "--dataset", photos, "--out", "run", *FEW, 5, "--quiet"), 1)
    assert "every image of class" in line
    assert not Path("run").exists()


def test_a_photograph_comes_from_stdin_too(genreg, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert genreg("train", "--dataset", photos, "--out", "run", *FEW, 5, "--quiet").code == 0

    class Stdin:
        buffer = io.BytesIO((photos / "red" / "0.png").read_bytes())

        def isatty(self) -> bool:
            return False

    monkeypatch.setattr("sys.stdin", Stdin())
    (answer,) = json.loads(genreg("infer", "run/model.npz", "--json").out)
    (expected,) = json.loads(genreg("infer", "run/model.npz", photos / "red" / "0.png", "--json").out)
    assert answer | {"file": ""} == expected | {"file": ""}
