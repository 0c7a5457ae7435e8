"""Where a model in C came from, as lines of the comment that its header begins with: hashes, accuracies, class names.

A model file may say anything of its training, so whatever is not of the expected kind is left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from typing import Any

from genreg_np.data.labels import short_name
from genreg_np.export import c_text
from genreg_np.export.facts import facts
from genreg_np.export.integers import LONGEST
from genreg_np.model import Model

MOST_NAMES = 100  # characters of class names that stand in a comment: more are in the array alone


def origin(model: Model) -> dict[str, str]:
    """Return what a header says of a model, by term; nothing in it can end a comment."""
    names = ", ".join(c_text.quoted(name) for name in model.class_names)
    told = {"Classes": names} if 0 < len(names) <= MOST_NAMES else {}
    with contextlib.suppress(ValueError):  # of a header with infinite numbers, which is never written
        told["Model"] = f"SHA-256 of model.npz {hashlib.sha256(model.pack()).hexdigest()}"
    accuracy = dict(facts(model, 0)).get("Accuracy")
    if accuracy:
        told["Accuracy"] = c_text.plain(accuracy)
    return told | _before_int8(model)


def _before_int8(model: Model) -> dict[str, str]:
    """Return what a model of 8-bit integers was made from, and what that cost."""
    whole, as_float = (_percent(model.trained("int8", f"{kind}validation_accuracy")) for kind in ("", "float32_"))
    inputs, dataset, made_from = (model.trained("int8", key) for key in ("inputs", "dataset", "from"))
    words = [f"{whole} on the validation split"] if whole else []
    words += [f"{as_float} {'there ' if whole else 'on the validation split '}as float32"] if as_float else []
    if type(inputs) is int and inputs > 0:
        of = f" of {c_text.plain(short_name(dataset, LONGEST))}" if isinstance(dataset, str) else ""
        words.append(f"calibrated by {inputs:,} inputs{of}")
    told = {"8 bits": ", ".join(words)} if words else {}
    if isinstance(made_from, str) and re.fullmatch("[0-9a-f]{64}", made_from):
        told["Made from"] = f"SHA-256 of the float32 model.npz {made_from}"
    return told


def _percent(value: Any) -> str:
    """Return an accuracy in words; nothing if it is none."""
    return f"{100 * value:.2f} %" if type(value) in (int, float) and 0 <= value <= 1 else ""
