"""Do two versions of the code train the same networks? Trains every preset for a few generations and hashes its arrays.

    python bench/same_results.py --out before.json                     with one version
    python bench/same_results.py --out after.json --against before.json    with the other: exit 1 if anything differs

docs/reproducibility.md says what must be equal: arrays byte for byte, and headers except for settings that are new.
The data are the first images of MNIST if it is available, else the digits; letters for their presets.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from genreg_np.data import load_dataset
from genreg_np.data.dataset import Dataset, Split
from genreg_np.errors import DataError
from genreg_np.runs.config import TrainConfig, preset_names, read_preset
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.training import train

GENERATIONS = 6
SIZES = {"train": 2000, "validation": 300, "test": 300}
CHANGES: dict[str, dict[str, Any]] = {  # reduces what would take minutes, rather than leaving it out
    "genreg-2": {"filter_rounds": 2, "filter_generations": 3, "axes": 100},
    "best": {"copies": 2},
    "mixed": {"generations": 2},
    "seed-mixed": {"generations": 2},
}


def data_of(preset: str) -> Dataset:
    """Return a few images of the dataset that a preset is meant for."""
    if read_preset(preset).get("dataset") == "letters" or "alphabet" in preset:
        return load_dataset("letters")
    try:
        whole = load_dataset("digits" if "small" in preset else "mnist", download=False)
    except DataError:
        whole = load_dataset("digits")
    parts = {}
    for name, size in SIZES.items():
        part = whole.split(name)
        parts[name] = Split(part.inputs[:size].copy(), part.labels[:size].copy())
    return dataclasses.replace(whole, **parts)


def result_of(preset: str, backend: str, threads: int | None) -> dict[str, Any]:
    """Train a preset for a few generations; return hashes of the champions' arrays, and a run's header."""
    settings = {"generations": GENERATIONS, "validate_every": 3, **CHANGES.get(preset, {})}
    config = TrainConfig.from_preset(preset, **settings)
    evolution = Evolution(config, data_of(preset), backend=backend, threads=threads)
    evolution.run()
    champions = {
        name: hashlib.sha256(b"".join(array.tobytes() for array in model.arrays.values())).hexdigest()
        for name, model in evolution.champions().items()
    }
    found: dict[str, Any] = {"champions": champions, "settings": config.to_dict()}
    if not config.spent:
        with tempfile.TemporaryDirectory() as folder:
            model = train(config, data_of(preset), Path(folder) / "run", backend=backend, threads=threads).model
        assert model is not None
        header = {name: value for name, value in model.header.items() if name != "training"}
        found |= {"header": header, "accuracies": model.training["accuracies"]}
        found["model"] = hashlib.sha256(b"".join(array.tobytes() for array in model.arrays.values())).hexdigest()
    return found


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Return what differs, a line each; new settings are ignored."""
    found = []
    for preset, old in before.items():
        new = after.get(preset)
        if new is None:
            found.append(f"{preset}: is gone")
            continue
        for what in old:
            mine = new.get(what)
            if what == "settings" and mine is not None:
                mine = {name: mine.get(name) for name in old[what]}
            if mine != old[what]:
                found.append(f"{preset}: {what} differ")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--backend", default="numba")
    parser.add_argument("--threads", type=int)
    parser.add_argument("presets", nargs="*", default=preset_names())
    chosen = parser.parse_args()
    found = {}
    for preset in chosen.presets:
        found[preset] = result_of(preset, chosen.backend, chosen.threads)
        print(preset, found[preset]["champions"]["best"][:16], file=sys.stderr, flush=True)
    chosen.out.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
    if chosen.against is None:
        return 0
    before = json.loads(chosen.against.read_text())
    wrong = differences({preset: before[preset] for preset in found if preset in before}, found)
    print("\n".join(wrong) or f"{len(found)} presets give the same")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
