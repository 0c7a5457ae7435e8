"""Target html on the real MNIST: what Python answers the page answers, and what is drawn is what was meant."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.export import mnist
from tests.export.conftest import Visit
from tests.export.handwriting import STROKES, digit
from tests.export.test_html import first_layers
from tests.export.test_page import picture, seen, take

pytestmark = pytest.mark.data
FEW, COUNT = 60, 200  # of every test, and of the soak tests


MODELS = {"nodes": mnist.dense, "int8": mnist.integers, "fast": mnist.bank, "convolution": mnist.convolution}


@pytest.mark.parametrize(
    ("name", "count"), [("nodes", FEW), *(pytest.param(name, COUNT, marks=pytest.mark.soak) for name in MODELS)]
)
def test_test_images_are_answered_as_in_python(visit: Visit, tmp_path: Path, name: str, count: int) -> None:
    """Each chosen as a picture: the class that the page shows is the class that the model predicts."""
    model, images = MODELS[name](), mnist.dataset().test.inputs[:count]
    browser = visit(model)
    shown = []
    for number, image in enumerate(images):
        take(browser, picture(tmp_path / f"{number}.png", image))
        shown.append(browser.text("#best"))
    np.testing.assert_array_equal(seen(browser), images[-1])
    classes = model.predict(images)
    assert shown == [model.class_names[number] for number in classes]
    assert (classes == mnist.dataset().test.labels[:count]).mean() > 0.9


def test_detectors_see_the_same_levels(visit: Visit) -> None:
    """Deskewed and pooled, of real digits: equal whole numbers."""
    model, images = mnist.bank(), mnist.dataset().test.inputs[:COUNT]
    network = model.network
    assert network.fixed[-2].whole
    found = first_layers(visit(model), len(network.fixed) - 1, images)
    expected = images.reshape(COUNT, -1).astype(np.float32) / np.float32(255)
    for layer in network.fixed[:-1]:
        expected = layer.apply(expected)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("name", ["int8", pytest.param("fast", marks=pytest.mark.soak)])
def test_drawn_digits_are_recognised(visit: Visit, name: str) -> None:
    """All ten, small or large, anywhere on the pad: they are centred and scaled as MNIST's were."""
    browser = visit(MODELS[name]())
    for number in STROKES:
        browser.click("#clear")
        left, top, width, height = browser.frame("#pad")
        size, x, y = (1.0, 0.0, 0.0) if int(number) % 2 else (0.6, 0.35, 0.1)
        for stroke in digit(number):
            points = [(left + width * (x + size * across), top + height * (y + size * down)) for across, down in stroke]
            browser.mouse(points)
        browser.wait_for(f"document.getElementById('announcement').textContent.startsWith('{number}, ')")


@pytest.mark.parametrize("count", [20, pytest.param(40, marks=pytest.mark.soak)])
def test_mnist_digits_come_back_from_large_pictures_as_they_were(visit: Visit, tmp_path: Path, count: int) -> None:
    """Ten times as large, off the centre, in a wider picture: nearly every pixel, and nearly all to the last level."""
    browser = visit(mnist.dense())
    rng = np.random.default_rng(5)
    errors = []
    for number, image in enumerate(mnist.dataset().test.inputs[:count]):
        large = np.zeros((448, 448), np.uint8)
        y, x = rng.integers(0, 448 - 280, 2)
        large[y : y + 280, x : x + 280] = image.repeat(10, axis=0).repeat(10, axis=1)
        take(browser, picture(tmp_path / f"{number}.png", large))
        errors.append(np.abs(seen(browser).astype(int) - image).max())
    assert np.mean(np.array(errors) == 0) > 0.8, errors
