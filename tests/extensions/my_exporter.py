"""Target `json`: header and weights as text, for programs that read nothing else."""

from __future__ import annotations

import json

from genreg_np.model import Model

SUMMARY = "one file of JSON: the header, and all arrays as lists"
TAKES = frozenset({"dense", "standardise", "absolute"})


def files(model: Model, name: str) -> dict[str, bytes]:
    arrays = {array: values.tolist() for array, values in model.arrays.items()}
    text = json.dumps({"header": model.header, "arrays": arrays}, sort_keys=True, allow_nan=False)
    return {f"{name}.json": text.encode("utf-8")}
