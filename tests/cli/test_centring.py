"""`genreg-np infer --centre`: what is done to pictures of characters, and that it is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from genreg_np.data.centring import centred
from genreg_np.model import Dense, Model, Network
from tests.cli import one_line
from tests.export.test_page import quarters

SAID = "centred and scaled as MNIST's were"


def off_centre(ink: int = 255, paper: int = 0) -> np.ndarray:
    """Return a picture of 60 x 80 with a stroke in its upper left."""
    levels = np.full((60, 80), paper, np.uint8)
    levels[2:24, 15:22] = ink
    return levels


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """A model that says in which quarter of the image there is most light, its classes called like digits."""
    quarters(names=tuple("0123"), background=0.0).save(tmp_path / "digits.npz")
    return tmp_path / "digits.npz"


def told(genreg, model: Path, *options: object) -> tuple[str, float, str]:
    """Return the class and its probability, and what was said on stderr."""
    done = genreg("infer", model, "stroke.png", "--json", *options)
    assert done.code == 0, done.err
    (result,) = json.loads(done.out)
    return result["class"], result["probability"], done.err


def test_resize_centres_digits_and_says_so(genreg, digits: Path) -> None:
    """About pixel (14, 14) most of the light is in the lower right quarter; scaled only, it is in the upper left."""
    Image.fromarray(off_centre()).save("stroke.png")
    quarter, _, said = told(genreg, digits, "--resize")
    assert quarter == "3"
    assert said.count(SAID) == 1
    quarter, _, said = told(genreg, digits, "--resize", "--no-centre")
    assert quarter == "0"
    assert said == ""


def test_a_photograph_is_predicted_as_its_centred_pixels_are(genreg, digits: Path) -> None:
    """Dark ink on grey paper, inverted: what infer gives is what the model gives for the levels of `centred`."""
    photograph = off_centre(ink=30, paper=200)
    Image.fromarray(photograph).save("stroke.png")
    quarter, certain, _ = told(genreg, digits, "--resize", "--invert")
    np.save("centred.npy", centred(255 - photograph))
    (expected,) = json.loads(genreg("infer", digits, "centred.npy", "--json").out)
    assert (expected["class"], expected["probability"]) == (quarter, certain)


def test_an_image_of_the_models_own_size_is_taken_as_it_is_unless_asked(genreg, digits: Path) -> None:
    """Pixel by pixel with --resize; centred with --centre."""
    levels = np.zeros((28, 28), np.uint8)
    levels[2:8, 3:6] = 255
    Image.fromarray(levels).save("stroke.png")
    assert told(genreg, digits, "--resize")[0] == told(genreg, digits)[0] == "0"
    assert told(genreg, digits, "--centre")[0] == "3"


def test_an_empty_picture_is_refused(genreg, digits: Path) -> None:
    """There is no middle to find; --no-centre takes it as it is."""
    Image.fromarray(np.full((50, 50), 9, np.uint8)).save("stroke.png")
    done = genreg("infer", digits, "stroke.png", "--resize")
    assert done.code == 1
    assert "stroke.png: is blank" in done.err
    assert genreg("infer", digits, "stroke.png", "--resize", "--no-centre").code == 0


@pytest.mark.parametrize(
    "model",
    [
        quarters(names=("shoe", "bag", "coat", "dress"), background=0.0),
        quarters(names=tuple("0123"), background=0.9),
        quarters(side=16, names=tuple("0123")),
    ],
    ids=["words", "light", "small"],
)
def test_other_models_are_not_centred_unasked(genreg, model: Model) -> None:
    """Classes that are words, ink that is dark in training, another size: scaled only, and nothing is said."""
    model.save("model.npz")
    Image.fromarray(off_centre()).save("stroke.png")
    plain = genreg("infer", "model.npz", "stroke.png", "--resize", "--as-is", "--json")
    assert plain.code == 0
    assert plain.err == ""
    assert plain.out == genreg("infer", "model.npz", "stroke.png", "--resize", "--as-is", "--no-centre", "--json").out


@pytest.mark.parametrize("name", ["light", "small", "features"])
def test_centre_is_refused_where_it_means_nothing(genreg, name: str) -> None:
    """Another size, dark ink in training, no images at all."""
    models = {
        "light": quarters(names=tuple("0123"), background=0.9),
        "small": quarters(side=16, names=tuple("0123")),
        "features": Model.build(Network((3,), (Dense(3, 2, "linear"),)), np.zeros(8, np.float32), ("a", "b")),
    }
    models[name].save("model.npz")
    Image.fromarray(off_centre()).save("stroke.png")
    assert "28 x 28" in one_line(genreg("infer", "model.npz", "stroke.png", "--centre"), 2)
