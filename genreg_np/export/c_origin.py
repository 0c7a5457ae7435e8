"""The origin of a model in C, for the comment at the top of its header: hashes, accuracies, class names.

A model file may contain anything about its training, so entries of an unexpected kind are left out.
"""

from __future__ import annotations

import contextlib
import hashlib
import re

from genreg_np.export import c_text
from genreg_np.export.facts import facts
from genreg_np.model import Model

MOST_NAMES = 100  # characters of class names in a comment: longer lists are only in the array


def origin(model: Model) -> dict[str, str]:
    """Return facts about a model for its header, by term, with nothing that could end a comment."""
    names = ", ".join(c_text.quoted(name) for name in model.class_names)
    told = {"Classes": names} if 0 < len(names) <= MOST_NAMES else {}
    with contextlib.suppress(ValueError):  # a header with infinite numbers, which is never written
        told["Model"] = f"SHA-256 of model.npz {hashlib.sha256(model.pack()).hexdigest()}"
    told |= {term: c_text.plain(text) for term, text in facts(model, 0) if term in ("Accuracy", "R2", "8 bits")}
    made_from = model.trained("int8", "from")
    if isinstance(made_from, str) and re.fullmatch("[0-9a-f]{64}", made_from):
        told["Made from"] = f"SHA-256 of the float32 model.npz {made_from}"
    return told
