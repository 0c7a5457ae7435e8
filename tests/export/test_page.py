"""Target html: the page as people use it, in a browser: drawn on, given pictures, read by those who do not see it."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np.data.centring import mnist_squares, square_means, without_paper
from genreg_np.model import Dense, Model, Network
from tests.export.browser import NOTHING, Browser, Point
from tests.export.conftest import Visit

Levels = NDArray[np.uint8]
QUARTERS = ("upper left", "upper right", "lower left", "lower right")


def quarters(side: int = 28, names: tuple[str, ...] = QUARTERS, **training: object) -> Model:
    """Return a model of images that says in which quarter there is most light, or least if the background is bright."""
    sign = -1 if float(str(training.get("background", 0))) > 0.5 else 1
    weight = np.zeros((4, side, side), np.float32)
    for quarter in range(4):
        row, column = divmod(quarter, 2)
        weight[quarter, row * side // 2 :, column * side // 2 :][: side // 2, : side // 2] = sign
    network = Network((side, side), (Dense(side * side, 4, "linear"),))
    genes = np.concatenate([weight.ravel(), np.zeros(4, np.float32)])
    return Model.build(network, genes, names, (0.0, 255.0), training)


def colours_seen(browser: Browser) -> Levels:
    """Return the input that the page says the network sees, (3, H, W)."""
    code = """(() => {
        const sees = document.getElementById('sees');
        const { width, height } = sees;
        const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
        context.drawImage(sees, 0, 0);
        return [height, width, Array.from(context.getImageData(0, 0, width, height).data)];
    })()"""
    height, width, data = browser.run(code)
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3].transpose(2, 0, 1)


def seen(browser: Browser) -> Levels:
    """Return the same of a grey one, (H, W)."""
    red, green, blue = colours_seen(browser)
    assert (red == green).all()
    assert (red == blue).all()
    return red


def on_pad(browser: Browser, *points: Point) -> list[Point]:
    """Return points of the pad, given from 0 to 1, as ones of the screen, with others between them."""
    left, top, width, height = browser.frame("#pad")
    path = [points[0]]
    for (x, y), (to_x, to_y) in pairwise(points):
        path += [(x + (to_x - x) * step / 8, y + (to_y - y) * step / 8) for step in range(1, 9)]
    return [(left + width * x, top + height * y) for x, y in path]


def picture(path: Path, levels: NDArray[np.generic]) -> Path:
    """Write an image file, grey or in colours."""
    from PIL import Image

    Image.fromarray(levels.astype(np.uint8)).save(path)
    return path


def take(browser: Browser, file: Path, way: str = "choose") -> None:
    """Choose, drop or paste a picture and wait until it was answered."""
    {
        "choose": lambda: browser.choose("#file", file),
        "drop": lambda: browser.drop(".card", file),
        "paste": lambda: browser.paste(file),
    }[way]()
    browser.wait_for(f"document.getElementById('notice').textContent.startsWith({json.dumps(file.name)})")


@pytest.mark.parametrize("seed", range(6))
def test_infer_centres_as_the_page_does(visit: Visit, seed: int) -> None:
    """Ink anywhere on a picture of any size, fine or coarse: the same squares, and the same 28 x 28 levels."""
    rng = np.random.default_rng(seed)
    height, width = rng.integers(20, 300, 2)
    levels = np.zeros((height, width), np.uint8)
    for _ in range(4):
        top, left = rng.integers(0, height - 5), rng.integers(0, width - 5)
        tall, wide = rng.integers(1, 1 + height - top), rng.integers(1, 1 + width - left)
        levels[top : top + tall, left : left + wide] = rng.integers(0, 256, (tall, wide))
    found = visit(quarters()).run(
        f"(() => {{ const levels = {levels.ravel().tolist()}; const squares = mnistSquares(levels, {width});"
        f"return [squares.left, squares.top, squares.step, ...squareMeans(levels, {width}, squares)]; }})()"
    )
    squares = mnist_squares(levels)
    assert squares is not None
    assert tuple(found[:3]) == squares
    np.testing.assert_array_equal(np.reshape(found[3:], (28, 28)), square_means(levels, *squares))


@pytest.mark.parametrize("paper", [20, 90, 160])
def test_infer_cleans_paper_as_the_page_does(visit: Visit, paper: int) -> None:
    """Levels nearer to the paper's become black, the brightest stay: as a canvas rounds them."""
    levels = np.random.default_rng(paper).integers(paper - 10, 256, (9, 11)).astype(np.uint8)
    found = visit(quarters()).run(
        f"Array.from(Uint8ClampedArray.from(withoutPaper({levels.ravel().tolist()}, {paper / 7})))"
    )
    np.testing.assert_array_equal(np.reshape(found, (9, 11)), without_paper(levels, paper / 7))


# Drawing


@pytest.mark.parametrize("by", ["mouse", "touch"])
def test_what_is_drawn_is_answered(visit: Visit, by: str) -> None:
    """A stroke by mouse, or finger on a page that scrolls, is seen as drawn, anti-aliased; clearing takes it back."""
    browser = visit(quarters()) if by == "mouse" else visit(quarters(), width=390, height=480)
    assert browser.text("#best") == NOTHING
    getattr(browser, by)(on_pad(browser, (0.7, 0.2), (0.9, 0.3)))
    browser.wait_for("document.getElementById('best').textContent === 'upper right'")
    pixels = seen(browser)
    assert pixels.max() == 255
    assert ((pixels > 0) & (pixels < 255)).any()
    assert not pixels[14:].any()
    assert not pixels[:, :14].any()
    getattr(browser, by)(on_pad(browser, (0.1, 0.8), (0.1, 0.6), (0.4, 0.9)))
    browser.wait_for("document.getElementById('best').textContent === 'lower left'")
    browser.click("#clear")
    assert browser.text("#best") == NOTHING
    assert not seen(browser).any()


def test_keys_draw_and_erase_and_say_where(visit: Visit) -> None:
    """Tab reaches the pad; arrows, Space and Backspace do what a pointer does, and every step is announced."""
    browser = visit(quarters())
    browser.key("Tab")
    assert browser.run("document.activeElement.id") == "pad"
    assert browser.run("getComputedStyle(document.getElementById('pad')).outlineStyle") == "solid"
    assert browser.frame("#cursor")[2] > 0
    for _ in range(6):
        browser.key("ArrowUp")
        browser.key("ArrowRight")
    assert browser.text("#position") == "row 9, column 21"
    browser.key(" ")
    assert browser.text("#position") == "row 9, column 21, painted"
    browser.wait_for("document.getElementById('best').textContent === 'upper right'")
    browser.run(
        "globalThis.lit = () => document.getElementById('pad').getContext('2d')"
        ".getImageData(0, 0, 448, 448).data.filter((level, at) => at % 4 < 3 && level > 0).length; 0"
    )
    once = browser.run("lit()")
    assert once > 0
    browser.key("ArrowRight", shift=True)
    browser.key("Enter")
    browser.wait_for(f"lit() > {once}")
    for _ in range(2):
        browser.key("Backspace")
        browser.key("ArrowLeft")
    browser.wait_for(f"document.getElementById('best').textContent === '{NOTHING}'")


def test_ink_is_dark_where_training_images_were_light(visit: Visit) -> None:
    """A model of dark ink on light paper gets that."""
    browser = visit(quarters(background=0.97))
    browser.mouse(on_pad(browser, (0.2, 0.7), (0.3, 0.8)))
    browser.wait_for("document.getElementById('best').textContent === 'lower left'")
    pixels = seen(browser)
    assert pixels.min() == 0
    assert (pixels == 255).mean() > 0.8


def test_a_drawing_is_centred_and_scaled_as_mnist_by_a_switch(visit: Visit) -> None:
    """The ink fills 20 pixels and its centre of brightness is in the middle; without, it stays where it is."""
    browser = visit(quarters(names=tuple("0123"), background=0.0))
    browser.mouse(on_pad(browser, (0.1, 0.1), (0.3, 0.1), (0.2, 0.4)))
    browser.wait_for(f"document.getElementById('best').textContent !== '{NOTHING}'")
    pixels = seen(browser).astype(float)
    rows, columns = (np.flatnonzero(pixels.max(axis=axis) > 25) for axis in (1, 0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    centre = [(pixels.sum(axis=axis) @ np.arange(28)) / pixels.sum() for axis in (1, 0)]
    assert np.abs(np.array(centre) - 14).max() <= 0.51
    browser.click(".switch")
    assert browser.text("#best") == "0"
    assert not seen(browser)[14:].any()


@pytest.mark.parametrize(("side", "names", "background"), [(27, "0123", 0.0), (28, "0123", 0.9)])
def test_images_unlike_mnist_are_not_centred(visit: Visit, side: int, names: str, background: float) -> None:
    """The switch is where it can be right only."""
    browser = visit(quarters(side, tuple(names), background=background))
    assert browser.run("document.getElementById('mnist')") is None


# Pictures


@pytest.mark.parametrize("way", ["choose", "drop", "paste"])
def test_a_picture_of_the_input_s_size_is_taken_pixel_by_pixel(visit: Visit, tmp_path: Path, way: str) -> None:
    """Chosen, dropped or pasted: every level arrives, whatever the switch says; drawn over, it is a drawing."""
    levels = np.random.default_rng(2).integers(0, 256, (28, 28)).astype(np.uint8)
    file = picture(tmp_path / "<b>noise.png", levels)
    browser = visit(quarters(names=tuple("0123")))
    take(browser, file, way)
    assert browser.text("#notice") == "<b>noise.png, taken pixel by pixel"
    np.testing.assert_array_equal(seen(browser), levels)
    assert browser.text("#best") == "0123"[int(quarters().predict(levels[None])[0])]
    browser.mouse(on_pad(browser, (0.5, 0.5), (0.6, 0.5)))
    browser.wait_for("document.getElementById('notice').textContent === ''")


def test_a_picture_of_another_size_becomes_the_means_of_its_squares(visit: Visit, tmp_path: Path) -> None:
    """Shrunk by averaging, stretched to the input as `genreg-np infer --resize` does."""
    levels = np.random.default_rng(2).integers(0, 256, (56, 112)).astype(np.uint8)
    browser = visit(quarters())
    take(browser, picture(tmp_path / "large.png", levels))
    means = levels.reshape(28, 2, 28, 4).mean(axis=(1, 3))
    np.testing.assert_array_equal(seen(browser), np.floor(means + 0.5))


def test_colours_become_grey_as_pillow_makes_them(visit: Visit, tmp_path: Path) -> None:
    """0.299 R + 0.587 G + 0.114 B, transparent parts white."""
    from PIL import Image

    colours = np.random.default_rng(2).integers(0, 256, (28, 28, 4)).astype(np.uint8)
    colours[..., 3] = np.where(np.arange(28) < 20, 255, 0)
    browser = visit(quarters())
    take(browser, picture(tmp_path / "colours.png", colours))
    expected = np.array(Image.fromarray(colours[..., :3]).convert("L"))
    expected[:, 20:] = 255
    np.testing.assert_array_equal(seen(browser), expected)


@pytest.mark.parametrize(("background", "swapped"), [(0.02, True), (0.98, False), (0.5, False), (None, False)])
def test_a_picture_that_looks_inverted_is_swapped(
    visit: Visit, tmp_path: Path, background: float | None, swapped: bool
) -> None:
    """Where the background of training is known and was the opposite; said, and undone by a button."""
    levels = np.full((28, 28), 240, np.uint8)
    levels[4:10, 4:10] = 10
    browser = visit(quarters(**({} if background is None else {"background": background})))
    take(browser, picture(tmp_path / "dark on light.png", levels))
    expected = 255 - levels if swapped else levels
    np.testing.assert_array_equal(seen(browser), expected)
    assert ("swapped" in browser.text("#notice")) == swapped
    browser.click("#swap")
    np.testing.assert_array_equal(seen(browser), 255 - expected)
    browser.click("#clear")
    assert browser.run("document.getElementById('swap').hidden")


def test_a_photograph_of_a_digit_loses_its_paper(visit: Visit, tmp_path: Path) -> None:
    """Dark ink on uneven grey paper becomes bright ink on black, centred and in its own shape."""
    rng = np.random.default_rng(0)
    levels = np.clip(200 + rng.normal(0, 6, (300, 600)), 0, 255)
    levels[40:140, 450:470] = np.clip(60 + rng.normal(0, 6, (100, 20)), 0, 255)
    browser = visit(quarters(names=tuple("0123"), background=0.0))
    take(browser, picture(tmp_path / "photo.png", levels))
    pixels = seen(browser)
    rows, columns = (np.flatnonzero(pixels.max(axis=axis)) for axis in (1, 0))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) in {(20, 4), (20, 5)}
    assert pixels.max() > 230


def test_a_file_that_is_no_image_is_named(visit: Visit, tmp_path: Path) -> None:
    """And what was on the pad stays."""
    browser = visit(quarters())
    browser.mouse(on_pad(browser, (0.2, 0.2), (0.3, 0.2)))
    browser.wait_for("document.getElementById('best').textContent === 'upper left'")
    (tmp_path / "words.png").write_text("no image")
    take(browser, tmp_path / "words.png")
    assert browser.text("#notice") == "words.png: not an image that this browser can read"
    assert browser.text("#best") == "upper left"
