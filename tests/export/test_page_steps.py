"""The page of a model that remembers: a step at a time, each after all before it, until it starts again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.export.browser import NOTHING, Browser
from tests.export.conftest import Visit
from tests.export.test_html import BOUND
from tests.helpers import answers
from tests.zoo import POLICIES, exhibit_of

MODEL = "elman, two, of standardised features"


def fill(browser: Browser, values: np.ndarray) -> None:
    """Put numbers into the fields, as typing does."""
    browser.run(f"""{json.dumps(values.tolist())}.forEach((value, index) => {{
        const field = document.querySelectorAll("#fields input")[index];
        field.value = value;
        field.dispatchEvent(new Event("input", {{ bubbles: true }}));
    }})""")


def shown(browser: Browser) -> list[str]:
    """Return the amounts beside the outputs."""
    amounts = "Array.from(document.querySelectorAll('#outputs .amount'), (cell) => cell.innerText)"
    return list(browser.run(amounts))


@pytest.mark.parametrize("name", POLICIES)
def test_steps_are_those_of_the_model(visit: Visit, name: str) -> None:
    """Thirty, one after another; and the state that a step is given stays as it is."""
    exhibit = exhibit_of(name)
    browser = visit(exhibit.model)
    rows = json.dumps(exhibit.inputs.reshape(len(exhibit.inputs), -1).tolist())
    found = browser.run(f"""(() => {{
        let [state, outputs] = [network.start(), null];
        return {rows}.map((raw) => {{
            network.step(state, network.prepare(raw)); // not kept, so nothing comes of it
            [state, outputs] = network.step(state, network.prepare(raw));
            return Array.from(outputs);
        }});
    }})()""")
    expected = answers(exhibit.model, exhibit.inputs)
    assert np.abs(np.array(found) - expected).max() <= BOUND * np.abs(expected).max()


def test_a_step_is_made_by_the_button_and_by_enter_and_start_again_forgets(visit: Visit) -> None:
    """Nothing is answered before the first step, nor by typing; the third step knows of the first two."""
    exhibit = exhibit_of("elman, tanh")
    browser = visit(exhibit.model)
    assert shown(browser) == [NOTHING] * 2
    assert browser.text("#count") == "No step yet"
    expected = answers(exhibit.model, exhibit.inputs[[0, 0, 1]])
    for steps, outputs in enumerate(expected, start=1):
        before = shown(browser)
        fill(browser, exhibit.inputs[int(steps == 3)])
        assert shown(browser) == before
        if steps == 2:
            browser.run("document.querySelector('#fields input').focus()")
            browser.key("Enter")
        else:
            browser.click("#step")
        assert browser.text("#count") == f"Steps so far: {steps}"
        assert np.array(shown(browser), float) == pytest.approx(outputs, rel=1e-5, abs=1e-6)
    assert not np.allclose(expected[0], expected[1], rtol=1e-3)
    browser.click("#again")
    assert shown(browser) == [NOTHING] * 2
    fill(browser, exhibit.inputs[0])
    browser.click("#step")
    assert browser.text("#count") == "Steps so far: 1"
    assert np.array(shown(browser), float) == pytest.approx(expected[0], rel=1e-5, abs=1e-6)


def test_measuring_how_long_an_answer_takes_makes_no_steps(visit: Visit) -> None:
    """It is computed again and again, from the state before."""
    exhibit = exhibit_of(MODEL)
    browser = visit(exhibit.model)
    for _ in range(2):
        fill(browser, exhibit.inputs[0])
        browser.click("#step")
        browser.wait_for("document.getElementById('announcement').textContent !== ''")
    classes = answers(exhibit.model, exhibit.inputs[[0, 0]])
    assert browser.text("#best") == exhibit.model.class_names[int(classes[1].argmax())]
    assert "ms per prediction" in browser.text("#time")
    exponentials = np.exp(classes[1] - classes[1].max())
    expected = [f"{100 * share:.1f} %" for share in exponentials / exponentials.sum()]
    assert shown(browser) == expected


def test_no_step_is_made_of_a_field_that_is_wrong(visit: Visit) -> None:
    """The button says so, and what was answered stays."""
    browser = visit(exhibit_of("elman, tanh").model)
    browser.click("#step")
    before = shown(browser)
    browser.run("""(() => {
        const field = document.querySelector("#fields input");
        field.value = "";
        field.dispatchEvent(new Event("input", { bubbles: true }));
    })()""")
    assert browser.run("document.getElementById('step').disabled") is True
    assert browser.text("#notice") == "Feature 1 is empty"
    browser.run("document.querySelector('#fields input').focus()")
    browser.key("Enter")
    browser.click("#step")
    assert (shown(browser), browser.text("#count")) == (before, "Steps so far: 1")
