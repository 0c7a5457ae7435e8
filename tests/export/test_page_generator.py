"""Target html: the page of a generator: sliders for the noise, the image that comes of it, and others to choose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from genreg_np.export.html import page
from genreg_np.model import Model, Network
from tests.export.conftest import Visit
from tests.helpers import model_of

PIXELS = """(() => {{
    const copy = Object.assign(document.createElement('canvas'), {{ width: {0}, height: {1} }}).getContext('2d');
    copy.drawImage(document.getElementById('image'), 0, 0);
    return Array.from(copy.getImageData(0, 0, {0}, {1}).data);
}})()"""  # a canvas that is read again and again is one that a browser complains of


def generator(shape: tuple[int, ...] = (1, 4, 5), classes: tuple[str, ...] = (), kind: str = "normal") -> Model:
    """Return a generator that was never trained, of images of a shape."""
    outputs = int(np.prod(shape))
    layers = Network.build((3 + len(classes),), (6,), outputs, "tanh").layers
    told = {
        "noise": {"size": 3, "kind": kind, "spread": 1.5}, "image": list(shape), "classes": list(classes),
    }  # fmt: skip
    sigmoid = [*layers[:-1], type(layers[-1])(6, outputs, "sigmoid")]
    return model_of(
        Network((3 + len(classes),), tuple(sigmoid)), class_names=(), input_range=None, training={"generator": told}
    )


def shown(browser: Any, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the pixels (C, H, W) that the page shows."""
    channels, height, width = shape
    values = np.array(browser.run(PIXELS.format(width, height))).reshape(height, width, 4)
    assert (values[..., 3] == 255).all()
    return values[..., :channels].transpose(2, 0, 1)


def slid(browser: Any, noise: list[float]) -> None:
    """Move the sliders."""
    for place, value in enumerate(noise):
        slider = f"document.querySelectorAll('#noise input')[{place}]"
        browser.run(f"{slider}.value = {value}")
        browser.run(f"{slider}.dispatchEvent(new Event('input', {{ bubbles: true }}))")


@pytest.mark.parametrize("shape", [(1, 4, 5), (3, 6, 4)])
def test_sliders_draw_what_the_model_gives(visit: Visit, shape: tuple[int, int, int]) -> None:
    model = generator(shape)
    browser = visit(model)
    for noise in ([0.75, -1.5, 0.0], [0.0, 0.0, 3.0]):
        slid(browser, noise)
        expected = 255 * model.outputs(np.array([noise], np.float32)).reshape(shape)
        np.testing.assert_allclose(shown(browser, shape), expected, atol=0.51)
    browser.run("document.getElementById('middle').click()")
    expected = 255 * model.outputs(np.zeros((1, 3), np.float32)).reshape(shape)
    np.testing.assert_allclose(shown(browser, shape), expected, atol=0.51)


def test_a_class_can_be_asked_for_and_others_take_turns(visit: Visit) -> None:
    names = ("zero", "<b>one</b>")
    model = generator(classes=names)
    browser = visit(model)
    assert browser.run("Array.from(document.getElementById('class').options, (one) => one.text)") == list(names)
    slid(browser, [0.0, 0.0, 0.0])
    browser.run("document.getElementById('class').selectedIndex = 1")
    browser.run("document.getElementById('class').dispatchEvent(new Event('change'))")
    expected = 255 * model.outputs(np.array([[0, 0, 0, 0, 1]], np.float32)).reshape(1, 4, 5)
    np.testing.assert_allclose(shown(browser, (1, 4, 5)), expected, atol=0.51)
    labels = browser.run("Array.from(document.querySelectorAll('#more button'), (one) => one.ariaLabel)")
    assert labels[:3] == ["Image 1, zero", "Image 2, <b>one</b>", "Image 3, zero"]
    browser.run("document.querySelectorAll('#more button')[2].click()")
    assert browser.run("document.getElementById('class').selectedIndex") == 0
    thumbnail = "document.querySelectorAll('#more canvas')[2].toDataURL()"
    assert browser.run(thumbnail) == browser.run("document.getElementById('image').toDataURL()")
    for place in (1, 0):  # another class and back: the noise is the same, however coarse sliders are
        browser.run(f"document.getElementById('class').selectedIndex = {place}")
        browser.run("document.getElementById('class').dispatchEvent(new Event('change'))")
    assert browser.run(thumbnail) == browser.run("document.getElementById('image').toDataURL()")


@pytest.mark.parametrize("kind", ["normal", "uniform", "truncated"])
def test_noise_is_of_the_kind_that_it_was_trained_with(visit: Visit, kind: str) -> None:
    browser = visit(generator(kind=kind))
    drawn = np.array(browser.run("Array.from({ length: 4000 }, () => noisy(model.generator.noise))"))
    most = {"normal": 9.0, "uniform": 1.0, "truncated": 1.5}[kind]
    deviation = {"normal": 1.5, "uniform": 3**-0.5, "truncated": 0.7426}[kind]
    assert np.abs(drawn).max() <= most
    assert drawn.std() == pytest.approx(deviation, rel=0.08)
    assert browser.run("Number(document.querySelector('#noise input').max)") == {"normal": 3.75}.get(kind, most)


def test_a_model_that_only_says_so_is_asked_for_numbers() -> None:
    model = generator()
    assert "Draw new images" in page(model)
    model.header["training"]["generator"]["noise"]["spread"] = 0.0
    assert "Ask the network" in page(model)
