"""Target html: the page of colour images: what becomes of a photograph, and what is answered."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps, PngImagePlugin

from genreg_np.cli.inputs import Taking, read_file
from genreg_np.data.images import decode_image
from genreg_np.export.html import asked_for
from genreg_np.export.quantise import quantise
from genreg_np.layers.description import parse
from genreg_np.layers.images import FixedLayer, Levels, Project, Standardise
from genreg_np.model import Model, Network
from tests.export.browser import NOTHING, Browser
from tests.export.conftest import Visit
from tests.export.test_html import BOUND
from tests.export.test_page import colours_seen, picture, seen, take
from tests.helpers import model_of

Shape = tuple[int, ...]
RNG = np.random.default_rng(4)
RED, BLUE = (255, 0, 0), (0, 0, 255)
AS_TRAINED = Taking(resize=False, centre=None, invert=False, as_is=False, range=None)
WATCH = """
    globalThis.logits = [];
    const show = answer.show.bind(answer);
    answer.show = (raw, range) => {
        logits.push(Array.from(network.outputs(network.prepare(raw, range))));
        return show(raw, range);
    };
    0
"""


def colour_model(shape: Shape = (3, 6, 9), **changes: Any) -> Model:
    """Return a model of images with an axis of channels."""
    return model_of(Network(shape, parse("conv 2 3 / relu / dense 4", shape)), **changes)


def folder_model(shape: Shape, fit: str, names: tuple[str, ...] = ("cat", "dog"), **training: Any) -> Model:
    """Return a model that was trained on a folder of images, which it remembers the fit of."""
    network = Network.build(shape, (), len(names))
    genes = np.zeros(network.gene_count, np.float32)
    return Model.build(network, genes, names, (0.0, 255.0), training, picture={"fit": fit})


def noise(height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """Return a picture without any two pixels that are alike, (H, W, C)."""
    return RNG.integers(0, 256, (height, width, channels)).astype(np.uint8)


def answered(browser: Browser, file: Path, way: str = "choose") -> NDArray[np.float64]:
    """Give a photograph to the page and return the logits of its answer."""
    browser.run(WATCH)
    take(browser, file, way)
    (logits,) = browser.run("logits")
    return np.array(logits)


def area_means(
    levels: NDArray[np.uint8], left: float, top: float, steps: tuple[float, float], shape: Shape
) -> NDArray[np.float64]:
    """Return the means of areas of a picture (H, W, 3), of shape[0] x shape[1] of them, channels first."""

    def parts(start: float, step: float, count: int, extent: int) -> NDArray[np.float64]:
        begins = start + step * np.arange(count)[:, None]
        pixels = np.arange(extent)
        return np.asarray(np.clip(np.minimum(begins + step, pixels + 1) - np.maximum(begins, pixels), 0, None))

    down = parts(top, steps[0], shape[0], levels.shape[0])
    across = parts(left, steps[1], shape[1], levels.shape[1])
    sums = np.einsum("ry,yxc,kx->crk", down, levels.astype(float), across, optimize=True)
    return np.asarray(sums / (steps[0] * steps[1]))


def stretched(levels: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) as Pillow stretches it, channels first."""
    return np.array(Image.fromarray(levels).resize((shape[1], shape[0]), Image.Resampling.BILINEAR)).transpose(2, 0, 1)


# The network's answer


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
@pytest.mark.parametrize("input_range", [(0.0, 255.0), (-3.0, 14.0)])
def test_a_photograph_is_answered_as_in_python(
    visit: Visit, tmp_path: Path, way: str, input_range: tuple[float, float]
) -> None:
    """Red, green and blue, in that order, in the model's range: the logits, the probabilities and the class."""
    model, levels = colour_model(input_range=input_range), noise(6, 9)
    browser = visit(model)
    assert browser.text("#best") == NOTHING
    found = answered(browser, picture(tmp_path / "<i>noise.png", levels), way)
    assert browser.text("#notice") == "<i>noise.png: 6 \u00d7 9 pixels (height \u00d7 width), taken pixel by pixel"
    channels = levels.transpose(2, 0, 1)
    np.testing.assert_array_equal(colours_seen(browser), channels)
    raw = channels if input_range == (0.0, 255.0) else channels.astype(np.float32) / np.float32(255)
    expected = model.outputs(raw[None])[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=BOUND * np.abs(expected).max())
    assert browser.text("#best") == model.class_names[int(expected.argmax())]
    chances = model.predict_proba(raw[None])[0].astype(float)
    shown = browser.run("Array.from(document.querySelectorAll('.amount'), (cell) => cell.textContent)")
    assert shown == [f"{100 * chance:.1f} %" for chance in chances]


FIXED: dict[str, tuple[FixedLayer, ...]] = {
    "dense": (),
    "standardise": (Standardise(np.full(48, 0.5, np.float32), np.full(48, 2.0, np.float32)),),
    "levels": (Levels(48),),
    "project": (Project(RNG.normal(size=(5, 48)).astype(np.float32)),),
}


@pytest.mark.parametrize("name", [*FIXED, "int8"])
def test_layers_that_know_no_channels_take_them_too(visit: Visit, tmp_path: Path, name: str) -> None:
    """Channel by channel, row by row, as values in a line; 8-bit integers to the bit."""
    model = model_of(Network.build((3, 4, 4), (5,), 3, fixed=FIXED.get(name, ())))
    levels = noise(4, 4)
    raw = levels.transpose(2, 0, 1)[None]
    if name == "int8":
        model = quantise(model, noise(40, 48, 1).reshape(40, 3, 4, 4))
    expected = model.outputs(raw)[0].astype(float)
    found = answered(visit(model), picture(tmp_path / "noise.png", levels))
    np.testing.assert_allclose(found, expected, rtol=0, atol=0 if name == "int8" else BOUND * np.abs(expected).max())


def test_a_grey_model_of_one_channel_sees_grey(visit: Visit, tmp_path: Path) -> None:
    """0.299 R + 0.587 G + 0.114 B of each pixel, as Pillow has it."""
    levels = noise(6, 9)
    browser = visit(colour_model((1, 6, 9)))
    take(browser, picture(tmp_path / "noise.png", levels))
    np.testing.assert_array_equal(seen(browser), np.array(Image.fromarray(levels).convert("L")))


def test_what_is_asked_for_depends_on_the_input() -> None:
    """Photographs for colours, one channel and models of a folder, unless that is written; fields without a range."""
    asked = {
        ((6, 9), "ab", (0, 255)): "drawing",
        ((3, 6, 9), "ab", (0, 255)): "photograph",
        ((1, 6, 9), ("cat", "dog"), (0, 255)): "photograph",
        ((1, 28, 28), "01", (0, 255)): "drawing",
        ((3, 6, 9), "ab", None): "fields",
        ((2, 6, 9), "ab", (0, 255)): "fields",
        ((3, 3, 6, 9), "ab", (0, 255)): "fields",
        ((54,), "ab", (0, 255)): "fields",
    }
    for (shape, names, bounds), wanted in asked.items():
        model = model_of(Network.build(shape, (), 2), class_names=tuple(names), input_range=bounds)
        assert asked_for(model) == wanted, shape
    for names, wanted in (("ab", "drawing"), (("cat", "dog"), "photograph")):
        network = Network.build((6, 9), (), 2)
        genes, told = np.zeros(network.gene_count, np.float32), {"fit": "crop"}
        assert asked_for(Model.build(network, genes, tuple(names), (0.0, 255.0), picture=told)) == wanted


def test_digits_of_one_channel_are_drawn_and_centred(visit: Visit, tmp_path: Path) -> None:
    """A pad, as without that axis."""
    model = model_of(Network.build((1, 28, 28), (), 3), class_names=tuple("012"))
    levels = noise(28, 28, 1)[..., 0]
    browser = visit(model)
    assert browser.run("document.getElementById('mnist').checked")
    found = answered(browser, picture(tmp_path / "noise.png", levels))
    expected = model.outputs(levels[None, None])[0]
    np.testing.assert_allclose(found, expected, rtol=0, atol=BOUND * np.abs(expected).max())


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(28, 28), (1, 12, 18)])
def test_a_picture_for_the_pad_becomes_what_it_became_in_training(
    visit: Visit, tmp_path: Path, fit: str, shape: Shape
) -> None:
    """Digits and letters of a folder, not stretched unless training did; swapped only where that is asked."""
    model = folder_model(shape, fit, ("0", "1"), background=0.0)
    levels = noise(90, 200) // 3
    browser = visit(model)
    take(browser, picture(tmp_path / "noise.png", levels))
    ((_, expected),) = read_file(tmp_path / "noise.png", model, AS_TRAINED)
    np.testing.assert_array_equal(seen(browser), expected.reshape(shape[-2:]))
    assert browser.text("#notice") == "noise.png"
    browser.click("#swap")
    np.testing.assert_array_equal(seen(browser), 255 - expected.reshape(shape[-2:]))


# What becomes of a photograph


@pytest.mark.parametrize("wide", [True, False])
def test_the_middle_is_taken_and_what_sticks_out_is_not(visit: Visit, tmp_path: Path, wide: bool) -> None:
    """Of a picture with red and blue ends nothing red or blue arrives: each pixel is the mean of four of the middle."""
    middle = noise(12, 18)
    ends = [np.full((12, 7, 3), RED), np.full((12, 7, 3), BLUE)] if wide else [np.full((5, 18, 3), RED)] * 2
    levels = np.concatenate([ends[0], middle, ends[1]], axis=int(wide))
    browser = visit(colour_model())
    take(browser, picture(tmp_path / "ends.png", levels))
    means = middle.reshape(6, 2, 9, 2, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    np.testing.assert_array_equal(colours_seen(browser), np.floor(means + 0.5))
    assert browser.text("#notice").endswith("pixels (height \u00d7 width), the middle 12 \u00d7 18 of it")


def test_all_of_it_is_taken_where_that_is_asked(visit: Visit, tmp_path: Path) -> None:
    """By a choice, that is reached by keys: black above and below, or at the sides; stretched; and back."""
    levels = noise(8, 36)
    browser = visit(colour_model())
    take(browser, picture(tmp_path / "wide.png", levels))
    cropped = colours_seen(browser)
    browser.run("document.getElementById('fit').focus()")
    browser.key("ArrowDown")
    expected = np.zeros((3, 6, 9))
    expected[:, 2:4] = levels.reshape(2, 4, 9, 4, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    np.testing.assert_array_equal(colours_seen(browser), np.floor(expected + 0.5))
    assert browser.text("#notice").endswith("all of it, with black beside it")
    browser.key("ArrowDown")
    np.testing.assert_array_equal(colours_seen(browser), stretched(levels, (6, 9)))
    assert browser.text("#notice").endswith("all of it, stretched")
    browser.key("ArrowUp")
    browser.key("ArrowUp")
    np.testing.assert_array_equal(colours_seen(browser), cropped)


@pytest.mark.parametrize(("height", "width"), [(1100, 1700), (613, 1031), (4, 5)])
def test_every_pixel_counts_however_large_the_photograph(visit: Visit, tmp_path: Path, height: int, width: int) -> None:
    """Fine rings, finer to the corners, become the means of areas: no coarse rings, which passing over pixels makes."""
    y, x = np.mgrid[:height, :width] - np.array([height / 3, width / 2])[:, None, None]
    rings = 127.5 + 127.5 * np.cos((x**2 + y**2)[..., None] / np.array([900, 700, 500]))
    levels = np.floor(rings).astype(np.uint8)
    browser = visit(colour_model())
    take(browser, picture(tmp_path / "rings.png", levels))
    step = min(width / 9, height / 6)
    means = area_means(levels, (width - 9 * step) / 2, (height - 6 * step) / 2, (step, step), (6, 9))
    assert np.abs(colours_seen(browser) - means).max() < 0.5 + 1e-6


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
@pytest.mark.parametrize("shape", [(3, 6, 9), (6, 9)])
def test_a_photograph_becomes_what_it_became_in_training(visit: Visit, tmp_path: Path, fit: str, shape: Shape) -> None:
    """Fitted as the model remembers, in colour or grey: the levels that `infer` gives it, to the bit."""
    levels = noise(613, 1031)
    model = folder_model(shape, fit)
    browser = visit(model)
    assert browser.run("document.getElementById('fit').value") == fit
    take(browser, picture(tmp_path / "noise.png", levels))
    ((_, expected),) = read_file(tmp_path / "noise.png", model, AS_TRAINED)
    np.testing.assert_array_equal(colours_seen(browser) if len(shape) == 3 else seen(browser), expected)
    words = {"crop": "the middle of each", "pad": "all of each, with black beside it", "stretch": "each stretched"}
    colour = "colour" if len(shape) == 3 else "grey"
    assert f"in {colour}, 6x9 pixels (height x width), {words[fit]}" in browser.text("body")


def test_a_smooth_photograph_is_nearly_what_infer_makes_of_it(visit: Visit, tmp_path: Path) -> None:
    """`genreg-np infer --resize` weights neighbours by distance, the page by area: within 4 levels, in grey."""
    y, x = np.mgrid[:720, :1080] / 1080
    levels = np.stack([255 * x, 255 * y, 127 + 127 * np.sin(9 * x)], axis=-1).astype(np.uint8)
    file = picture(tmp_path / "smooth.png", levels)
    browser = visit(colour_model((1, 12, 18)))
    take(browser, file)
    expected = decode_image(io.BytesIO(file.read_bytes()), file, (12, 18))
    assert np.abs(seen(browser).astype(int) - expected).max() <= 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_stands_upright_as_its_file_says(visit: Visit, tmp_path: Path, orientation: int) -> None:
    """A phone held sideways writes its picture sideways, and beside it how to turn it."""
    levels = np.full((48, 48, 3), 128, np.uint8)
    levels[:24, :24], levels[:24, 24:] = RED, BLUE
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = tmp_path / "turned.jpg"
    Image.fromarray(levels).save(file, exif=exif, quality=95, subsampling=0)
    browser = visit(colour_model((3, 4, 4)))
    take(browser, file)
    with Image.open(file) as image:
        upright = np.array(ImageOps.exif_transpose(image))
    expected = upright.reshape(4, 12, 4, 12, 3).mean(axis=(1, 3)).transpose(2, 0, 1)
    assert np.abs(colours_seen(browser) - expected).max() < 4


def test_colours_are_the_numbers_of_the_file(visit: Visit, tmp_path: Path) -> None:
    """Not converted for the screen, as the training pictures were not: whatever gamma the file asks for."""
    levels, asked = noise(6, 9), PngImagePlugin.PngInfo()
    asked.add(b"gAMA", struct.pack(">I", 100_000))
    Image.fromarray(levels).save(tmp_path / "linear.png", pnginfo=asked)
    browser = visit(colour_model())
    take(browser, tmp_path / "linear.png")
    np.testing.assert_array_equal(colours_seen(browser), levels.transpose(2, 0, 1))


def test_what_is_transparent_lies_on_white_and_the_page_says_so(visit: Visit, tmp_path: Path) -> None:
    """Also where it is only half transparent; of an opaque picture nothing is said."""
    levels = noise(6, 9, 4)
    levels[..., 3] = np.where(np.arange(9) < 3, 255, np.where(np.arange(9) < 6, 0, 128))
    browser = visit(colour_model())
    take(browser, picture(tmp_path / "clear.png", levels))
    found = colours_seen(browser).transpose(1, 2, 0)
    np.testing.assert_array_equal(found[:, :3], levels[:, :3, :3])
    assert (found[:, 3:6] == 255).all()
    half = 255 + (levels[:, 6:, :3].astype(float) - 255) * 128 / 255
    assert np.abs(found[:, 6:] - half).max() <= 2
    assert browser.text("#notice").endswith("transparent parts on white")
    take(browser, picture(tmp_path / "opaque.png", levels[..., :3]))
    assert "transparent" not in browser.text("#notice")


@pytest.mark.parametrize("level", [0, 120, 250, 255])
@pytest.mark.parametrize("fit", ["crop", "stretch"])
def test_strokes_on_nothing_lie_on_the_ground_that_infer_puts_them_on(
    visit: Visit, tmp_path: Path, level: int, fit: str
) -> None:
    """White, or black where they could not be seen on white, though nothing of them is in the middle."""
    levels = np.zeros((600, 1200, 4), np.uint8)
    levels[250:350, 100:1100] = (level, level, level, 255)
    model = folder_model((3, 6, 9), fit)
    browser = visit(model)
    take(browser, picture(tmp_path / "strokes.png", levels))
    ((_, expected),) = read_file(tmp_path / "strokes.png", model, AS_TRAINED)
    np.testing.assert_array_equal(colours_seen(browser), expected)
    assert browser.text("#notice").endswith(f"transparent parts on {'black' if level > 223 else 'white'}")


@pytest.mark.parametrize("names", [("cat", "dog"), ("0", "1")])
def test_a_picture_in_which_nothing_is_seen_is_not_answered(
    visit: Visit, tmp_path: Path, names: tuple[str, ...]
) -> None:
    """`infer` refuses it; the page says so, and takes the last answer away, of a photograph or from the pad."""
    browser = visit(folder_model((6, 9), "crop", names))
    take(browser, picture(tmp_path / "noise.png", noise(6, 9)))
    take(browser, picture(tmp_path / "clear.png", np.zeros((6, 9, 4))))
    assert browser.text("#notice") == "clear.png: an empty picture: transparent, with nothing visible in it"
    assert browser.text("#best") == NOTHING
    assert not colours_seen(browser).any()


def test_a_file_that_is_no_picture_is_named_and_the_last_answer_stays(visit: Visit, tmp_path: Path) -> None:
    browser = visit(colour_model())
    take(browser, picture(tmp_path / "noise.png", noise(6, 9)))
    best = browser.text("#best")
    (tmp_path / "words.png").write_text("no image")
    take(browser, tmp_path / "words.png")
    assert browser.text("#notice") == "words.png: not an image that this browser can read"
    assert browser.text("#best") == best != NOTHING


# The page


def test_a_photograph_is_asked_for_first_and_chosen_by_keys(visit: Visit, tmp_path: Path) -> None:
    """The first thing on the page and in the order of Tab, large; Enter opens the chooser, of images."""
    browser = visit(colour_model(), width=390, height=800)
    _, top, width, height = browser.frame("#choose")
    assert width * height > 390 * 800 / 8
    assert top + height < 800
    assert "Choose a photograph" in browser.text("#choose")
    assert browser.run("document.getElementById('photograph').checkVisibility()") is False
    browser.key("Tab")
    assert browser.run("document.activeElement.id") == "choose"
    browser.call("Page.setInterceptFileChooserDialog", enabled=True)
    browser.key("Enter")
    browser.wait_for_event("Page.fileChooserOpened")
    browser.call("Page.setInterceptFileChooserDialog", enabled=False)
    assert browser.run("document.getElementById('file').accept") == "image/*"
    take(browser, picture(tmp_path / "noise.png", noise(60, 90)))
    assert browser.run("document.getElementById('photograph').getAttribute('aria-label')") == "noise.png"
    assert browser.text("#choose") == "Choose another"
    assert browser.run("document.activeElement.id") == "choose"


def test_on_a_phone_the_answer_is_seen_without_scrolling(visit: Visit, tmp_path: Path) -> None:
    """Of a photograph that is taller than wide, as phones take them."""
    browser = visit(colour_model(), width=390, height=844)
    take(browser, picture(tmp_path / "tall.png", noise(400, 300)))
    browser.run("scrollTo(0, 0)")
    assert browser.run("document.getElementById('best').getBoundingClientRect().bottom") < 844


@pytest.mark.parametrize(("width", "height"), [(320, 640), (1600, 900)])
@pytest.mark.parametrize("size", [(10, 4000), (4000, 10), (1, 1)])
def test_a_photograph_of_any_shape_fits_the_page(
    visit: Visit, tmp_path: Path, size: tuple[int, int], width: int, height: int
) -> None:
    browser = visit(colour_model(), width=width, height=height)
    take(browser, picture(tmp_path / "odd.png", noise(*size)))
    assert browser.run("document.documentElement.scrollWidth") == width
    left, _, wide, tall = browser.frame("#photograph")
    assert left >= 0
    assert left + wide <= width
    assert tall <= height
    browser.run("fit.value = 'pad'; fit.dispatchEvent(new Event('change')); 0")
    assert browser.text("#best") != NOTHING
