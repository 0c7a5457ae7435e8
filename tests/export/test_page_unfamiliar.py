"""Target html: a page with a threshold says of inputs unlike all of training that it is unsure, as infer does."""

from __future__ import annotations

import json

import numpy as np
import pytest

from genreg_np.infer_familiarity import unfamiliarity
from tests.export.browser import NOTHING, Browser
from tests.export.conftest import Visit
from tests.test_familiarity import RUNS, trained


@pytest.mark.parametrize("name", ["pixels", "convolution", "columns"])
def test_the_page_finds_as_unfamiliar_what_infer_does(visit: Visit, name: str) -> None:
    """The same numbers within rounding, for inputs of the test split and for others."""
    model, inputs = trained(name), RUNS[name][1].test.inputs
    both = np.concatenate([inputs[:10], inputs[::-1][:10, ..., ::-1]])
    expected = unfamiliarity(model, both)
    browser = visit(model, reject=0.9)
    listed = json.dumps([one.ravel().tolist() for one in both])
    found = browser.run(f"{listed}.map((raw) => unfamiliarity(network.prepare(raw)))")
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert (expected > 1).any()
    assert (expected < 1).any()


def test_an_unfamiliar_input_is_unsure_however_probable(visit: Visit) -> None:
    """In the headline and in what is read out, whatever the threshold; probabilities stay. Not without a threshold."""
    model, inputs = trained("columns"), RUNS["columns"][1].test.inputs
    usual = inputs[np.argmin(unfamiliarity(model, inputs))]
    for reject, unsure in ((0.0, True), (None, False)):
        browser = visit(model, reject=reject)

        def answered(values: list[float], browser: Browser = browser) -> tuple[str, str]:
            browser.run(f"answer.show({json.dumps(values)}, null)")
            said = f"{browser.text('#best')}, {browser.text('#certainty')}"
            browser.wait_for(f"document.getElementById('announcement').textContent === {json.dumps(said)}")
            return browser.text("#best"), browser.text("#certainty")

        best = model.class_names[int(model.predict(usual)[0])]
        assert answered(usual.tolist())[0] == best
        found = answered([1e4, -1e4, 1e4, -1e4])
        assert (found == ("Unsure", "like nothing it was trained on")) is unsure
        assert browser.run("Array.from(document.querySelectorAll('.amount'), (cell) => cell.textContent)")[0] != NOTHING
        assert ("is like nothing the network was trained on" in browser.text("#facts")) is unsure
