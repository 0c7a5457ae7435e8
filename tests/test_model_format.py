"""docs/model-format.md says what model files hold: its reader reads them, and it names every kind and entry."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from genreg_np import infer
from genreg_np.export import kinds_of
from genreg_np.model import Model, Network
from tests.helpers import KINDS, ROOT, model_of
from tests.zoo import ZOO, exhibit_of

PAGE = (ROOT / "docs/model-format.md").read_text("utf-8")


def test_the_reader_of_the_page_gives_what_infer_gives(tmp_path: Path) -> None:
    """A network of two dense layers, read by the standard library alone."""
    model = model_of(Network.build((2, 3), (5,), 4))
    model.save(tmp_path / "model.npz")
    (block,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(block, "model-format.md", "exec"), names)
    header, arrays = names["read"](tmp_path / "model.npz")  # type: ignore[operator]
    image = np.arange(6, dtype=np.uint8).reshape(2, 3) * 40
    found = names["logits"](header, arrays, (image.ravel() / 255).tolist())  # type: ignore[operator]
    assert found == pytest.approx(model.outputs(image)[0], abs=1e-5)
    assert header == model.header


def rows(kind: str) -> str:
    """Return the page's table row of a kind of layer."""
    (row,) = re.findall(rf"^\| [^|]*`{kind}`[^|]* \|.*\|$", PAGE, re.MULTILINE)
    return str(row)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer_is_described(kind: str) -> None:
    """With the entries and arrays that models of the zoo have."""
    described = rows(kind)
    if "int8.md" in described:
        return
    for name in ZOO:
        model = exhibit_of(name).model
        layers = model.header["network"]["layers"]
        for layer in [layer for layer in _all(layers) if layer["kind"] == kind]:
            assert {entry for entry in layer if f"`{entry}`" not in described} <= {"kind"}
        for where, found in kinds_of(layers):
            if found == kind:
                prefix = f"layers.{where.removeprefix('layer ')}."
                own = {array.removeprefix(prefix) for array in model.arrays if array.startswith(prefix)}
                assert all(f"`{array}`" in described for array in own if "." not in array)


def _all(layers: list[dict[str, object]]) -> list[dict[str, object]]:
    stacks = [stack for layer in layers for stack in (layer.get("layers", []), *layer.get("branches", ()))]  # type: ignore[misc]
    return [*layers, *(inner for stack in stacks for inner in _all(stack))]  # type: ignore[arg-type]


@pytest.mark.parametrize("activation", infer.ACTIVATIONS)
def test_every_activation_is_described(activation: str) -> None:
    """In the table of activations."""
    assert f"| `{activation}` |" in PAGE


def test_every_entry_of_the_header_is_described() -> None:
    """As a model with classes, range, names and training has them."""
    model = Model.build(Network.build((1,), (), 2), np.zeros(4, np.float32), ("a", "b"), None, {"x": 1}, ("c",))
    for entry, value in model.header.items():
        for name in [f"{entry}.{key}" for key in value] if entry == "network" else [entry]:
            assert f"| `{name}` |" in PAGE
