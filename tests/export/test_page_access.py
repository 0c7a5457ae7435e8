"""Target html: the page for everyone: fields, keyboards, screen readers, small screens, light and dark."""

from __future__ import annotations

import io
import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from genreg_np.export.html import start_values
from genreg_np.export.quantise import quantise
from genreg_np.model import Model, Network
from tests.export.browser import NOTHING, Browser
from tests.export.conftest import Visit
from tests.export.test_page import on_pad, picture, quarters, take
from tests.export.test_page_generator import generator
from tests.helpers import model_of
from tests.zoo import exhibit_of

NAMES = ("w" * 80, *(f"a rather long name of class {number}, of several words" for number in range(11)))
PAGES: dict[str, Model] = {
    "drawing": quarters(names=tuple("0123"), background=0.0),
    "light paper": quarters(20, background=0.9),
    "many long names": model_of(Network.build((20, 90), (), 12), class_names=NAMES),
    "photograph": model_of(Network.build((3, 20, 30), (), 12), class_names=NAMES),
    "fields": exhibit_of("standardised features").model,
    "many numbers": model_of(Network.build((200,), (), 3), input_range=(0.0, 9.0)),
    "generator": generator((3, 12, 9)),
    "generator of classes": generator(classes=NAMES),
    "values of an image": model_of(Network.build((90, 14), (), 300), class_names=()),
}
REJECT = {"photograph": 1.0, "drawing": 0.9}  # where the page may say that it is unsure
SCHEMES = ("light", "dark")

# For each text that is shown: what it says, its colour, and the first background behind it.
COLOURS = """(() => {
    const rgba = (text) => text.match(/[\\d.]+/g).map(Number);
    const behind = (node) => {
        const colour = rgba(getComputedStyle(node).backgroundColor);
        return colour.length === 3 || colour[3] === 1 || !node.parentElement ? colour : behind(node.parentElement);
    };
    const shown = (node) => node.checkVisibility() && !node.closest('.unseen');
    const found = [];
    for (const node of document.body.querySelectorAll('*')) {
        const text = node.value ?? Array.from(node.childNodes, (part) => part.nodeType === 3 ? part.data : '').join('');
        if (shown(node) && text.trim()) found.push([text, rgba(getComputedStyle(node).color), behind(node)]);
    }
    return found;
})()"""


def contrast(one: list[float], other: list[float]) -> float:
    """Return the ratio of two colours' luminances, as WCAG 2 defines it."""

    def luminance(colour: list[float]) -> float:
        parts = [level / 255 for level in colour[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colour_of(browser: Browser, selector: str, style: str) -> list[float]:
    """Return a colour of an element's style."""
    code = f"getComputedStyle(document.querySelector({json.dumps(selector)})).{style}.match(/[\\d.]+/g).map(Number)"
    colour: list[float] = browser.run(code)
    return colour


def use(browser: Browser, folder: Path) -> None:
    """Draw, where there is a pad, or choose a photograph: an answer to look at."""
    if browser.run("document.getElementById('photograph') !== null"):
        take(browser, picture(folder / f"{'w' * 60}.png", np.random.default_rng(0).integers(0, 256, (90, 200, 4))))
    if browser.run("document.getElementById('pad') !== null"):
        browser.mouse(on_pad(browser, (0.2, 0.2), (0.4, 0.3)))
        browser.wait_for(f"document.querySelector('.amount').textContent !== '{NOTHING}'")


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("name", PAGES)
def test_text_is_legible_and_nothing_is_wider_than_a_small_phone(
    visit: Visit, tmp_path: Path, name: str, scheme: str
) -> None:
    """At 320 pixels nothing sticks out; text contrasts 4.5 to 1 with what is behind it, edges of controls 3 to 1."""
    browser = visit(PAGES[name], width=320, height=640, reject=REJECT.get(name), prefers_color_scheme=scheme)
    for used in (False, True):
        if used:
            use(browser, tmp_path)
        assert browser.run("document.documentElement.scrollWidth") == 320
    texts = browser.run(COLOURS)
    assert len(texts) > 10
    faint = [text for text, colour, behind in texts if contrast(colour, behind) < 4.5]
    assert faint == []
    page = colour_of(browser, "html", "backgroundColor")
    assert (contrast(page, [255, 255, 255]) < 1.2) == (scheme == "light")
    card = colour_of(browser, ".card", "backgroundColor")
    for control in ("button", "input[type=number]", "select", "textarea", "#pad"):
        if browser.run(f"document.querySelector('{control}') !== null"):
            assert contrast(colour_of(browser, control, "borderTopColor"), card) >= 3
    if browser.run("document.querySelector('.bar:not([hidden])') !== null"):
        assert contrast(colour_of(browser, ".best .bar span", "backgroundColor"), card) >= 3
        assert contrast(colour_of(browser, "tr:not(.best) .bar span", "backgroundColor"), card) >= 3


@pytest.mark.parametrize("name", PAGES)
def test_everything_has_a_name_and_a_place_in_the_order_of_tab(visit: Visit, name: str) -> None:
    """Controls and images are named to those who do not see them, reached by Tab, then outlined, and large enough."""
    browser = visit(PAGES[name], width=390)
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    controls = {"button", "checkbox", "textbox", "spinbutton", "image", "Canvas", "application", "table", "region"}
    named = [node for node in nodes if not node["ignored"] and node["role"]["value"] in controls]
    assert len(named) >= 4
    assert [node["role"]["value"] for node in named if not node.get("name", {}).get("value", "").strip()] == []
    wanted = browser.run(
        "Array.from(document.querySelectorAll('button, input, select, textarea, [tabindex]'))"
        ".filter((node) => node.checkVisibility()).length"
    )
    browser.run("globalThis.seen = new Set(); 0")
    for _ in range(wanted):
        browser.key("Tab")
        assert browser.run("seen.add(document.activeElement) && document.activeElement !== document.body")
        assert browser.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert browser.run("seen.size") == wanted
    # A checkbox is as large as its label, which is pressed as well.
    sizes = browser.run(
        "Array.from(seen, (node) => (node.type === 'checkbox' ? node.closest('label') : node).getBoundingClientRect())"
        ".map(({ width, height }) => Math.min(width, height))"
    )
    assert min(sizes) >= 44


def test_an_answer_is_announced_once_it_stands(visit: Visit) -> None:
    """Politely, and not at every stroke."""
    browser = visit(PAGES["drawing"])
    browser.run(
        "globalThis.said = []; globalThis.place = document.getElementById('announcement');"
        "new MutationObserver(() => said.push(place.textContent)).observe(place, { childList: true, subtree: true }); 0"
    )
    assert browser.run("place.getAttribute('role')") == "status"
    path = on_pad(browser, (0.1, 0.1), (0.3, 0.3), (0.8, 0.8), (0.1, 0.2))
    for piece in pairwise(path):
        browser.mouse(list(piece))
    browser.wait_for("said.length > 0")
    best, chance = browser.text("#best"), browser.text("#certainty")
    browser.wait_for(f"said.at(-1) === {json.dumps(f'{best}, {chance}')}")
    assert browser.run("said.length") <= 3
    browser.wait_for("/ms per prediction/.test(document.getElementById('time').textContent)")


def test_bars_do_not_move_for_those_who_asked_for_that(visit: Visit) -> None:
    """Reduced motion: no transition."""
    duration = "getComputedStyle(document.querySelector('.bar span')).transitionDuration"
    assert visit(PAGES["drawing"]).run(duration) == "0.12s"
    assert visit(PAGES["drawing"], prefers_reduced_motion="reduce").run(duration) == "0s"


@pytest.mark.parametrize(("name", "scheme"), [("drawing", "light"), ("photograph", "dark"), ("fields", "light")])
def test_a_screenshot_shows_the_page(visit: Visit, tmp_path: Path, name: str, scheme: str) -> None:
    """More than one colour is painted, the answer's among them."""
    from PIL import Image

    browser = visit(PAGES[name], prefers_color_scheme=scheme)
    use(browser, tmp_path)
    accent = tuple(int(level) for level in colour_of(browser, ".best .bar span", "backgroundColor")[:3])
    browser.wait_for("document.getAnimations().length === 0")
    with Image.open(io.BytesIO(browser.screenshot())) as image:
        colours = {colour: count for count, colour in image.convert("RGB").getcolors(1 << 24) or []}
    assert colours.get(accent, 0) > 500  # type: ignore[call-overload]
    assert len(colours) > 50


# Fields


@pytest.mark.parametrize("int8", [False, True])
def test_fields_begin_with_the_mean_of_training_and_answer_what_is_entered(visit: Visit, int8: bool) -> None:
    """A field for each feature; every change is answered as by infer.py."""
    exhibit = exhibit_of("standardised features")
    model = quantise(exhibit.model, exhibit.inputs) if int8 else exhibit.model
    browser = visit(model)
    begun = browser.run("Array.from(document.querySelectorAll('#fields input'), (field) => field.valueAsNumber)")
    np.testing.assert_allclose(begun, exhibit.model.arrays["layers.0.mean"], rtol=1e-3, atol=1e-3)
    assert begun == start_values(model)
    browser.run("document.querySelectorAll('#fields input')[1].select()")
    browser.call("Input.insertText", text="-31.5")
    begun[1] = -31.5
    chances = model.predict_proba(np.array([begun]))[0]
    shown = browser.run("Array.from(document.querySelectorAll('.amount'), (cell) => cell.textContent)")
    assert shown == [f"{100 * chance:.1f} %" for chance in chances.astype(float)]
    assert browser.text("#best") == model.class_names[int(chances.argmax())]


@pytest.mark.parametrize("text", ["", "1e39", "-1", "9.5", "1e", "nine"])
def test_what_is_no_number_of_the_range_is_pointed_at(visit: Visit, text: str) -> None:
    """The field is marked, the message names it, and the answer is taken back."""
    browser = visit(model_of(Network.build((3,), (), 2), input_range=(0.0, 9.0)))
    assert browser.text("#best") != NOTHING
    browser.run("document.querySelectorAll('#fields input')[2].select()")
    browser.key("Backspace") if not text else browser.call("Input.insertText", text=text)
    assert browser.text("#notice").startswith("Feature 3 ")
    assert browser.text("#notice").endswith(", 0 to 9")
    assert browser.text("#best") == NOTHING
    invalid = browser.run("Array.from(document.querySelectorAll('#fields input'), (f) => f.ariaInvalid)")
    assert invalid == ["false", "false", "true"]


def test_many_numbers_are_pasted_into_one_field(visit: Visit) -> None:
    """Separated as people separate them; a wrong count is told."""
    model = PAGES["many numbers"]
    browser = visit(model)
    raw = np.random.default_rng(3).integers(0, 10, 200)
    for separator in (" ", ", ", "\n", "; ", "\t"):
        browser.run("document.querySelector('textarea').select()")
        browser.call("Input.insertText", text=separator.join(map(str, raw)))
        chance = model.predict_proba(raw[None])[0].astype(float).max()
        assert browser.text("#certainty") == f"{100 * chance:.1f} %"
    browser.run("document.querySelector('textarea').select()")
    browser.call("Input.insertText", text="1 2 3")
    assert browser.text("#notice") == "200 numbers are needed, but there are 3"


def test_values_are_shown_as_numbers(visit: Visit, tmp_path: Path) -> None:
    """Six digits of each output; of very many, the first hundred."""
    model = exhibit_of("values, not classes").model
    values = model.outputs(np.zeros((1, 3), np.float32))[0]
    shown = visit(model).run("Array.from(document.querySelectorAll('.amount'), (cell) => Number(cell.textContent))")
    np.testing.assert_allclose(shown, values, rtol=1e-5)
    browser = visit(PAGES["values of an image"])
    use(browser, tmp_path)
    assert browser.run("document.querySelectorAll('#outputs tr').length") == 100
    assert browser.run("document.getElementById('best')") is None


# Unsure


def doubtful() -> Model:
    """Return a model of one feature x: the probability of `yes` is 1 / (1 + exp(-x))."""
    network = Network.build((1,), (), 2)
    genes = np.zeros(network.gene_count, np.float32)
    genes[0] = 1
    return Model.build(network, genes, ("yes", "no"))


@pytest.mark.parametrize("chance", [0.5, 0.89, 0.91, 0.11, 0.05])
def test_below_the_threshold_an_answer_is_unsure(visit: Visit, chance: float) -> None:
    """In the headline and in what is read out, and no longer; the probabilities are what they were."""
    browser = visit(doubtful(), reject=0.9)

    def enter(value: float) -> None:
        browser.run("document.querySelector('#fields input').select()")
        browser.call("Input.insertText", text=str(value))

    def check(yes: float) -> None:
        enter(math.log(yes / (1 - yes)))
        best, most = ("yes", yes) if yes >= 0.5 else ("no", 1 - yes)
        unsure = most < 0.9
        assert browser.text("#best") == (f"Unsure: perhaps {best}" if unsure else best)
        assert browser.text("#certainty") == f"{100 * most:.1f} %" + (", below 90 %" if unsure else "")
        shown = browser.run("Array.from(document.querySelectorAll('.amount'), (cell) => cell.textContent)")
        assert shown == [f"{100 * yes:.1f} %", f"{100 * (1 - yes):.1f} %"]
        said = f"{browser.text('#best')}, {browser.text('#certainty')}"
        browser.wait_for(f"document.getElementById('announcement').textContent === {json.dumps(said)}")

    check(chance)
    check(0.95)
    check(chance)
    assert "is below 90 %" in browser.text("#facts")


@pytest.mark.parametrize("reject", [None, 0, 0.0])
def test_without_a_threshold_nothing_is_unsure(visit: Visit, reject: float | None) -> None:
    browser = visit(doubtful(), reject=reject)
    assert browser.text("#best") == "yes"
    assert ("Unsure" in browser.text("#facts")) == (reject is not None)
