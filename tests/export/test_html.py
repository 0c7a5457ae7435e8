"""Target html: its JavaScript, held to infer.py in a browser; what a page is made of, and what it keeps out."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from genreg_np import infer_images
from genreg_np.export import files_of, html
from genreg_np.export.quantise import quantise
from genreg_np.layers.images import Branches, FixedLayer, Levels
from genreg_np.layers.responses import Responses, Statistics
from genreg_np.model import Model, Network
from tests.export.browser import Browser
from tests.export.conftest import Visit
from tests.export.hard_int8 import NUMBERS, hard_int8
from tests.export.hard_layers import HARD
from tests.helpers import KINDS, PATIENCE, model_of
from tests.test_layers import IMAGE_STACKS, drawing
from tests.zoo import NASTY_NAMES, ZOO, exhibit_for, exhibit_of

BOUND = 2e-6  # of float logits, relative to the largest; 4.5e-7 is the most that was measured
NASTY = (
    "</script><script>document.title='broken'</script>",
    "<!-- <script>",
    "<img src=x onerror=\"document.title='broken'\">",
    "\u2028line\u2029 & &lt;",
    "w" * 200,
    "\ud800",
    "__proto__",
    "$model",
)


def ask(browser: Browser, function: str, rows: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return what a function of the page gives for each row of inputs."""
    asked = json.dumps(rows.reshape(len(rows), -1).tolist())
    return np.array(browser.run(f"{asked}.map((row) => Array.from(({function})(row)))"))


def first_layers(browser: Browser, count: int, rows: NDArray[np.generic]) -> NDArray[np.float64]:
    """Return what the page's first layers make of raw inputs."""
    unpacked = "Object.fromEntries(Object.entries(model.arrays).map(([name, packed]) => [name, decode(packed)]))"
    browser.run(f"globalThis.first = stack(model.layers.slice(0, {count}), {unpacked}, 'layers'); 0")
    return ask(browser, "(raw) => first(network.prepare(raw))", rows)


def page_of(model: Model) -> str:
    """Return a model's page."""
    return files_of(model, "html")["model.html"].decode("utf-8")


@pytest.mark.parametrize("name", ZOO)
def test_a_page_computes_what_the_model_does(visit: Visit, name: str) -> None:
    """Of 8-bit integers to the bit; of float32 within the bound, and the same class wherever the margin exceeds it."""
    exhibit = exhibit_for("html", name)
    model, browser = exhibit.model, visit(exhibit.model)
    expected = model.outputs(exhibit.inputs).astype(np.float64)
    found = ask(browser, "(raw) => network.outputs(network.prepare(raw))", exhibit.inputs)
    if "int8" in name:
        np.testing.assert_array_equal(found, expected)
    room = BOUND * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=room)
    if model.class_names:
        best = np.sort(expected, axis=1)
        clear = ("int8" in name) | (best[:, -1] - best[:, -2] > 2 * room)
        assert clear.any()
        assert (found.argmax(axis=1) == expected.argmax(axis=1))[clear].all()
        chances = ask(browser, "(raw) => Network.probabilities(network.outputs(network.prepare(raw)))", exhibit.inputs)
        np.testing.assert_allclose(chances, model.predict_proba(exhibit.inputs), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", HARD)
def test_layers_of_maps_are_those_of_the_model_whatever_their_shapes(visit: Visit, name: str) -> None:
    exhibit = HARD[name]
    expected = exhibit.model.outputs(exhibit.inputs)
    found = ask(visit(exhibit.model), "(raw) => network.outputs(network.prepare(raw))", exhibit.inputs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=BOUND * np.abs(expected).max())


@pytest.mark.parametrize("name", NUMBERS)
def test_layers_of_8_bit_integers_are_exact_whatever_their_numbers(visit: Visit, name: str) -> None:
    exhibit = hard_int8(name)
    found = ask(visit(exhibit.model), "(raw) => network.outputs(network.prepare(raw))", exhibit.inputs)
    np.testing.assert_array_equal(found, exhibit.model.outputs(exhibit.inputs))


def image_model(fixed: Sequence[FixedLayer]) -> Model:
    """Return a model whose first layers are these, for images of 9 x 12."""
    return model_of(Network.build((9, 12), (), 3, fixed=(Levels(108), *fixed)))


@pytest.mark.parametrize("name", list(IMAGE_STACKS))
def test_levels_are_exact_whole_numbers(visit: Visit, name: str) -> None:
    """Whatever the shape of images, detectors and pools: the levels of infer.py, a dark image's too."""
    model = image_model(IMAGE_STACKS[name])
    inputs, network = drawing(40, 9, 12).reshape(40, 9, 12), model.network
    found = first_layers(visit(model), len(network.fixed), inputs)
    np.testing.assert_array_equal(found, network.features(inputs, model.input_range))


def test_every_response_and_statistic_is_that_of_the_model(visit: Visit) -> None:
    """Each function of a filter, several grids of cells, and directions that lie on the border of two eighths."""
    taps = np.random.default_rng(0).normal(0, 0.5, (len(infer_images.RESPONSES), 4, 4)).astype(np.float32)
    responses = Responses((9, 12), taps, tuple(infer_images.RESPONSES), ((2, 2), (4, 1), (1, 9)))
    model = image_model([Branches(((responses,), (Statistics((9, 12)),)))])
    inputs, network = (drawing(60, 9, 12) // 64 * 64).reshape(60, 9, 12), model.network
    expected = network.features(inputs, model.input_range)
    found = first_layers(visit(model), len(network.fixed), inputs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * np.abs(expected).max())


@pytest.mark.parametrize("input_range", [(0.0, 255.0), (-3.0, 14.0), (0.3, 9.7)])
def test_raw_values_are_mapped_as_the_model_maps_them(visit: Visit, input_range: tuple[float, float]) -> None:
    """Rounded to float32 after each step, as in prepare: equal to the bit."""
    model = model_of(Network.build((50,), (), 2), input_range=input_range)
    low, high = input_range
    raw = np.random.default_rng(1).integers(np.ceil(low), np.floor(high) + 1, (9, 50))
    np.testing.assert_array_equal(ask(visit(model), "(raw) => network.prepare(raw)", raw), model.prepare(raw))


def test_ties_go_to_the_lowest_class(visit: Visit) -> None:
    """Equal logits name the first class, wherever they stand among the others."""
    network = Network.build((1,), (), 12)
    genes = np.zeros(network.gene_count, np.float32)
    genes[12:][[3, 7, 11]] = 2.0
    browser = visit(Model.build(network, genes, tuple("abcdefghijkl")))
    assert browser.text("#best") == "d"
    shown = browser.run("Array.from(document.querySelectorAll('#outputs th'), (cell) => cell.textContent)")
    assert shown == list("dhlabcefgi")


def test_fields_have_the_names_of_the_features(visit: Visit) -> None:
    """As text, whatever is in it; one without a name is numbered, and what is wrong is said by name."""
    browser = visit(exhibit_of("standardised features with names").model)
    labels = browser.run("Array.from(document.querySelectorAll('#fields label span'), (span) => span.textContent)")
    assert labels == [*NASTY_NAMES[:3], "Feature 4"]
    browser.run(
        "const field = document.querySelector('#fields input'); field.value = '';"
        "field.dispatchEvent(new Event('input', { bubbles: true })); 0"
    )
    assert browser.text("#notice") == "width / cm is empty"


def test_many_features_are_asked_for_in_the_order_of_their_names(visit: Visit) -> None:
    """One field for all of them, beside which the names stand."""
    names = tuple(f"column {place}" for place in range(41))
    model = model_of(Network.build((41,), (), 2), input_range=None, feature_names=names)
    assert "in this order: column 0, column 1, " in visit(model).text("#fields label span")


# What a page is made of


def scripts(page: str) -> str:
    """Return a page's program."""
    return page.rsplit("<script>", 1)[1].split("</script>", 1)[0]


def test_every_kind_of_layer_has_a_script() -> None:
    """What infer.py computes, the target takes."""
    assert set(KINDS) == html.TAKES
    for kind in html.TAKES:
        assert Path(html.PAGE, "layers", f"{kind}.js").exists()


def test_a_page_has_only_what_its_model_needs() -> None:
    """No script of layers, of drawing or of fields that is never called."""
    dense, features = exhibit_of("dense, relu"), exhibit_of("int8, standardised features")
    images, numbers = scripts(page_of(dense.model)), scripts(page_of(features.model))
    assert "LAYERS.dense" in images
    assert "class Pad" in images
    assert not re.search(r"int8\"\]|deskew|slide|class Fields|function mnistSquares", images)
    assert 'LAYERS["dense-int8"]' in numbers
    assert "class Fields" in numbers
    assert not re.search(r"LAYERS.dense\b|class Pad|squareMeans", numbers)


def test_arrays_that_no_layer_has_are_left_out() -> None:
    """What else a file brings is not passed on."""
    model = exhibit_of("dense, relu").model
    arrays = {**model.arrays, "notes": np.zeros(9, np.float32), "layers.0.text": np.array(["private"])}
    assert page_of(Model(model.header, arrays)) == page_of(model)


@pytest.mark.parametrize("name", ["dense, relu", "standardised features"])
def test_a_page_allows_itself_and_nothing_else(visit: Visit, name: str) -> None:
    """Its policy names the hashes of its own script and style; what would ask a network is stopped by it."""
    model = exhibit_of(name).model
    page = page_of(model)
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1]  # type: ignore[index]
    style = page.split("<style>", 1)[1].split("</style>", 1)[0]
    for kind, text in (("script", scripts(page)), ("style", style)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}';" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"https?://|@import|url\(", page)
    browser = visit(model)
    browser.run(
        "globalThis.stopped = []; addEventListener('securitypolicyviolation', (e) => stopped.push(e.blockedURI))"
    )
    for attempt in ("fetch('https://a.example/')", "(new Image()).src = 'https://a.example/'"):
        browser.run(f"Promise.resolve({attempt}).catch(() => 0).then(() => 0)")
    browser.wait_for("stopped.length === 2")
    browser.events.clear()  # the browser's own complaints about what was just attempted


def test_class_names_are_text_and_nothing_else(visit: Visit) -> None:
    """Names made to break out of the page are shown letter by letter."""
    model = model_of(Network.build((3,), (), len(NASTY)), class_names=NASTY, input_range=None)
    page = page_of(model)
    assert page.count("<script") == 2
    browser = visit(model)
    shown = browser.run("Array.from(document.querySelectorAll('#outputs th'), (cell) => cell.textContent)")
    assert shown == [name.replace("\ud800", "\ufffd") for name in NASTY] or shown == list(NASTY)
    assert browser.run("[document.title, document.images.length, document.scripts.length]") == ["Ask the network", 0, 2]


@pytest.mark.parametrize("said", [{}, {"method": 3, "accuracies": [1], "config": "x"}, "words", {"method": NASTY[0]}])
def test_whatever_a_header_says_of_training_makes_a_page(visit: Visit, said: object) -> None:
    """Facts of unexpected kinds are left out, text is shown as text."""
    model = model_of(Network.build((3,), (), 2))
    browser = visit(Model(model.header | {"training": said}, model.arrays))
    facts = browser.text("#facts")
    assert "3-2" in facts
    assert ("broken" in facts) == (isinstance(said, dict) and said.get("method") == NASTY[0])


def test_a_page_is_little_more_than_its_weights() -> None:
    """784-64-10: 306 kB with float32, 113 kB with 8-bit integers; the page itself is 36 kB at most."""
    images = np.random.default_rng(0).integers(0, 256, (20, 28, 28)).astype(np.uint8)
    model = model_of(Network.build((28, 28), (64,), 10, "relu"))
    for made, most in ((model, 308_000), (quantise(model, images), 115_000)):
        weights = sum(array.nbytes for array in made.arrays.values()) * 4 // 3
        assert len(page_of(made)) < min(most, weights + 36_000)


@pytest.mark.parametrize("name", ["dense, relu", "int8, maps, two stages", "deskew and detectors"])
def test_a_network_can_be_taken_out_of_its_page(tmp_path: Path, name: str) -> None:
    """As docs/export.md says: the JSON, and the script as far as it knows nothing of a page; in Node.js."""
    if not shutil.which("node"):
        pytest.skip("needs node: apt install nodejs")
    exhibit = exhibit_of(name)
    text = page_of(exhibit.model)
    described = text.split('<script type="application/json" id="model">')[1].split("</script>")[0]
    script = text.split("<script>")[1].split("// What every page begins with")[0]
    rows = json.dumps(exhibit.inputs.reshape(len(exhibit.inputs), -1).tolist())
    asked = f"const network = new Network({described}), rows = {rows};"
    asked += "console.log(JSON.stringify(rows.map((x) => Array.from(network.outputs(network.prepare(x))))));"
    (tmp_path / "own.js").write_text(script + asked)
    done = subprocess.run(["node", tmp_path / "own.js"], capture_output=True, text=True, timeout=PATIENCE)
    expected = exhibit.model.outputs(exhibit.inputs)
    room = 0 if "int8" in name else BOUND * np.abs(expected).max()
    np.testing.assert_allclose(json.loads(done.stdout), expected, rtol=0, atol=room, err_msg=done.stderr)
