"""Target `html`: one page that contains the model and runs it in plain JavaScript, without network access.

The page is assembled from the files under page/, using only those that the model's layers and kind of input need. A
Content-Security-Policy allows only the page's own script and style, by their SHA-256, and no requests. The weights are
base64 of the bytes in the model file, inside JSON that no class name can break out of.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import html
import json
import math
import numbers
import re
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.centring import SIDE, is_light, is_written
from genreg_np.data.fitting import CROP, remembered
from genreg_np.data.generated import Generator
from genreg_np.errors import UsageError
from genreg_np.export import kinds_of
from genreg_np.export.facts import facts
from genreg_np.infer_familiarity import Familiarity
from genreg_np.infer_table import inputs_of
from genreg_np.model import Model

SUMMARY = "one page for any browser: draw, photograph or enter an input, and see the answer; no network"

PAGE = Path(__file__).parent / "page"
SHARED = {  # scripts that layers call
    "dense": ("activations",),
    "elman": ("activations", "steps"),
    "activation": ("activations",),
    "detectors": ("slide",),
    "responses": ("slide", "cells"),
    "statistics": ("cells",),
    "branches": ("side-by-side",),
    "concatenate": ("side-by-side",),
    "convolution": ("slide", "convolved", "biased"),
    "convolution-int8": ("slide", "convolved", "rescaled"),
    "transposed-convolution": ("transposed", "biased"),
    "transposed-convolution-int8": ("transposed", "rescaled"),
    "pooling": ("slide", "windows"),
    "pooling-int8": ("slide", "windows", "rescaled"),
    "adaptive-pooling": ("windows",),
    "adaptive-pooling-int8": ("windows", "rescaled"),
    "quantise": ("rescaled",),
    "dense-int8": ("rescaled",),
    "residual-int8": ("rescaled",),
    "normalisation-int8": ("channels", "rescaled"),
    "upsample": ("channels",),
    "prelu": ("channels",),
    "minibatch-deviation": ("channels",),
    "scale-shift": ("channels",),
    **dict.fromkeys(("group-norm", "instance-norm", "layer-norm"), ("channels", "normalised")),
}
TAKES = frozenset(file.stem for file in (PAGE / "layers").glob("*.js")).difference(*SHARED.values())
PICTURES = ["averages.js", "chosen.js"]  # shared by pages that take pictures
FITTED = ["colours.js", "ground.js", "stretched.js", "fitting.js"]  # fit pictures as in training
PHOTOGRAPH = [*PICTURES, *FITTED, "photograph.js"]
UNSURE = "if the largest probability (softmax of the outputs) is below {:g} %"
UNFAMILIAR = ", or the input is like nothing the network was trained on"
FAMILIARITY = tuple(f"familiarity.{part}" for part in ("projection", "scale", "shift", "prototypes"))
NUMBERS = ("float32", "int8", "uint8", "int32")  # types of a layer's arrays


def files(model: Model, name: str, *, reject: float | None = None) -> dict[str, bytes]:
    """Return NAME.html, which calls an answer unsure if its probability is below `reject`.

    With `reject`, a model that recognises unfamiliar inputs is unsure about those, too.

    Raises
    ------
    UsageError
        If `reject` is not a number from 0 to 1, or the model has no classes.
    """
    return {f"{name}.html": page(model, reject).encode("utf-8")}


def page(model: Model, reject: float | None = None) -> str:
    """Return the page as text."""
    weights = layer_arrays(model)
    known = facts(model, sum(array.nbytes for array in weights.values()))
    familiar = reject is not None and "familiarity" in model.header
    if reject is not None:
        reject = _checked_threshold(reject, model)
        known.append(("Unsure", UNSURE.format(100 * reject) + (UNFAMILIAR if familiar else "")))
    described: dict[str, Any] = {
        "class_names": model.class_names,
        "value_names": model.value_names,
        "output_count": model.output_count,
        "input_range": model.input_range,
        "layers": model.header["network"]["layers"],
        "arrays": {name: _packed(array) for name, array in weights.items()},
        "facts": known,
        "reject": reject or 0,
    }
    if familiar:
        Familiarity(model)  # raises an error if it is malformed
        described["familiarity"] = {key: model.header["familiarity"][key] for key in ("layer", "limit")}
        described["arrays"] |= {name: _packed(model.arrays[name]) for name in FAMILIARITY}
    asked, generator = asked_for(model), Generator.found(model)
    scripts: list[str]
    if generator is not None:
        described["generator"] = {
            "noise": dataclasses.asdict(generator.noise), "image": generator.shape, "classes": generator.class_names,
        }  # fmt: skip
        asking, scripts = _filled("parts/noise.html", classes=_choice(generator.class_names)), ["noise.js"]
        answer = _filled("parts/image.html", rows=str(generator.shape[1]), columns=str(generator.shape[2]))
        return _written(asking, answer, described, model, scripts, "Draw new images", "draws", _read("noise.css"))
    if asked == "drawing":
        asking, answering, scripts = _drawing(model, described)
    elif asked == "photograph":
        taken = remembered(model.header)
        shape = model.input_shape if len(model.input_shape) == 3 else (1, *model.input_shape)
        described |= {"input_shape": shape, "fit": taken.fit if taken else CROP}
        asking, answering, scripts = _read("parts/photograph.html"), _sees(model), PHOTOGRAPH
    elif (columns := model.header.get("columns")) and not model.start():
        described |= {"columns": _columns(model, columns)}
        asking, answering, scripts = _read("parts/fields.html"), "", ["rows.js"]
    else:
        described |= {"start": start_values(model), "feature_names": model.feature_names}
        asking, answering, scripts = _read("parts/fields.html"), "", ["fields.js", "asked.js"]
        if model.start():
            asking, scripts = _read("parts/steps.html"), ["fields.js", "steps.js"]
    if model.class_names:
        answering += _read("parts/headline.html")
    if answering:
        answering = f'<div class="top">\n{answering}</div>'
    answers = ["answer.js", "familiarity.js"] if familiar else ["answer.js"]
    answer = _filled("parts/answer.html", answering=answering)
    style = _read("photograph.css") if asked == "photograph" else ""
    return _written(asking, answer, described, model, [*answers, *scripts], _title(model), "answers", style)


def _written(
    asking: str,
    answer: str,
    described: dict[str, Any],
    model: Model,
    scripts: list[str],
    title: str,
    does: str,
    style: str,
) -> str:
    """Return a page made of parts: its input, its answer, scripts and styles."""
    files = ["network.js", *layer_files(model), "known.js", *scripts]
    script, style = "\n".join(["\n'use strict';\n", *map(_read, files)]), "\n" + _read("page.css") + style
    policy = f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data:; "
    return _filled(
        "page.html",
        policy=policy + "base-uri 'none'; form-action 'none'",
        title=title,
        does=does,
        asking=asking,
        answer=answer,
        style=style,
        model=_json(described),
        script=script,
    )


def asked_for(model: Model) -> str:
    """Return the kind of input on a page: "drawing" or "photograph" for images, else "fields".

    A recurrent model always has fields, since steps follow each other.
    """
    if model.start():
        return "fields"
    channels, image = model.input_shape[:-2], model.input_range is not None
    photographs = remembered(model.header) is not None and not is_written(model)
    if image and len(model.input_shape) == 2:
        return "photograph" if photographs else "drawing"
    if image and channels == (1,) and is_written(model):
        return "drawing"
    return "photograph" if image and channels in ((1,), (3,)) else "fields"


def layer_arrays(model: Model) -> dict[str, NDArray[np.generic]]:
    """Return the arrays that layers may use, by name."""
    return {
        name: array
        for name, array in model.arrays.items()
        if name.startswith("layers.") and array.dtype.name in NUMBERS
    }


def layer_files(model: Model) -> list[str]:
    """Return the script of each kind of layer in the model, after those it calls."""
    found: dict[str, None] = {}
    for _, kind in kinds_of(model.header["network"]["layers"]):
        found |= dict.fromkeys(f"layers/{part}.js" for part in (*SHARED.get(kind, ()), kind))
    return list(found)


def _columns(model: Model, columns: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns of a table's rows, each with a typical value as the initial value of its field."""
    fill, place, described = model.arrays["layers.0.fill"], 0, []
    for column in columns:
        start = float(f"{float(fill[place]):.4g}")
        if column["kind"] == "words" and start < 0:  # missing words have a code of their own
            start = 0.0
        described.append({**column, "start": start})
        place += len(inputs_of(column))
    return described


def start_values(model: Model) -> list[float]:
    """Return an initial input: the training mean if the model knows it, else the smallest value or 0."""
    count = math.prod(model.input_shape)
    if model.input_range is not None:
        return [model.input_range[0]] * count
    first = model.header["network"]["layers"][0]["kind"]
    if first == "standardise":
        mean = model.arrays["layers.0.mean"]
    elif first == "quantise":  # floor(a x + b) with b = 1/2 - a mean
        a, b = (model.arrays[f"layers.0.{part}"].astype(np.float64) for part in "ab")
        mean = np.divide(0.5 - b, a, out=np.zeros_like(a), where=a != 0)
    else:
        return [0.0] * count
    return [float(f"{value:.4g}") for value in mean]


def _drawing(model: Model, described: dict[str, Any]) -> tuple[str, str, list[str]]:
    """Return the input and answer parts of a page for images, and its scripts; add the images' entries."""
    background = model.trained("background")
    background = float(background) if type(background) in (int, float) and 0 <= background <= 1 else None
    light = is_light(model)
    shape = model.input_shape[-2:]
    taken = remembered(model.header)
    fit = taken.fit if taken else None  # by default pictures are stretched like with `infer --resize`
    described |= {"input_shape": shape, "drawing": {"background": background, "light": light, "fit": fit}}
    centring, scripts = "", [*PICTURES, "pixels.js", "pad.js", "picture.js", "drawing.js"]
    if shape == (SIDE, SIDE) and not light:
        centring = _filled("parts/centring.html", checked="checked" if is_written(model) and not fit else "")
        scripts.insert(0, "mnist.js")
    if fit:
        scripts[:0] = [*FITTED, "placed.js"]
    return _filled("parts/drawing.html", centring=centring), _sees(model), scripts


def _choice(names: Sequence[str]) -> str:
    """Return a choice of classes as HTML; "" if there are none."""
    if not names:
        return ""
    options = "".join(f"<option>{html.escape(name)}</option>" for name in names)
    return f'<select id="class" aria-label="Class">{options}</select>\n'


def _sees(model: Model) -> str:
    rows, columns = model.input_shape[-2:]
    return _filled("parts/sees.html", rows=str(rows), columns=str(columns))


def _checked_threshold(reject: Any, model: Model) -> float:
    if isinstance(reject, bool) or not (isinstance(reject, numbers.Real) and 0 <= float(reject) <= 1):
        raise UsageError(f"reject {reject!r} must be a number from 0 to 1, the probability below which it is unsure")
    if not model.class_names:
        raise UsageError("reject is for models with classes, but this one gives values: leave it out")
    return float(reject)


def _title(model: Model) -> str:
    asked = asked_for(model)
    if asked == "fields":
        return "Ask the network"
    if asked == "photograph":
        return "Show the network a photograph"
    if not is_written(model):
        return "Show the network a picture"
    return "Draw a digit" if all(name.isdigit() for name in model.class_names) else "Draw a character"


def _packed(array: NDArray[np.generic]) -> tuple[str, str]:
    """Return an array's type, and its little-endian bytes in base64."""
    ordered = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return array.dtype.name, base64.b64encode(ordered.tobytes()).decode("ascii")


def _json(value: Any) -> str:
    """Return JSON for a script element: ASCII, without any < that could begin an end tag or a comment."""
    return json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"


def _read(file: str) -> str:
    """Return a part of the page, indented with tabs to save two kilobytes."""
    return re.sub(r"^(?:  )+", lambda found: "\t" * (len(found[0]) // 2), (PAGE / file).read_text("utf-8"), flags=re.M)


def _filled(file: str, **parts: str) -> str:
    return Template(_read(file)).substitute(parts)
