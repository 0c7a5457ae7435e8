"""How often models of digits report that they are unsure: for MNIST's test images, and for pictures of other things.

    python bench/unsure.py                      three seeds of each preset
    python bench/unsure.py fast --seeds 1

Each preset is trained with the distance to its training images, and then shown unfamiliar pictures: letters in Pillow's
font, white on black, rotated, shifted and of several sizes (data/letters.py), where O, I, S, Z, B and G, which look
like digits, are counted separately; shapes drawn from a fixed seed; and Fashion-MNIST's test images. The letters and
shapes are centred and scaled like MNIST's digits.

A picture is refused by its probability alone, by the distance alone, and by both, as `--reject` does: with a threshold
of 0.9, and with the one at which 95 % of the validation images are answered. Nothing is chosen by the other pictures or
by the test split. Writes bench/results/unsure.json.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from genreg_np import Evolution, Model, TrainConfig, load_dataset
from genreg_np.data.centring import centred
from genreg_np.infer_familiarity import Familiarity
from genreg_np.runs.champion import chosen

RESULTS = Path(__file__).resolve().parent / "results" / "unsure.json"
PRESETS = ("fast", "nodes", "convolution")
SEEDS = 3
LOOKALIKES = "OISZBG"
VIEWS = 60  # per letter
COUNT = 2000  # shapes, and pictures of clothes
SIDE, INK = 112, 255  # of a drawn shape, before scaling
ANSWERED, REJECT = 0.95, 0.9
Images = NDArray[Any]


def letters() -> tuple[Images, NDArray[np.str_]]:
    """Return views of letters (N, 28, 28), bright on dark, and the names of the letters."""
    data = load_dataset("letters", variations=VIEWS)
    part = data.everything
    found = []
    for picture, name in zip(part.inputs, np.array(data.class_names)[part.labels], strict=True):
        # Views differ in ink and paper; whatever differs from the paper becomes white on black.
        paper, levels = float(np.median(picture)), picture.astype(np.float64)
        ink = np.abs(levels - paper)
        image = centred((ink * 255 / max(1.0, ink.max())).astype(np.uint8))
        if image is not None:
            found.append((image, name))
    return np.stack([image for image, _ in found]), np.array([name for _, name in found])


def shapes() -> Images:
    """Return drawn rectangles, triangles, lines, crosses, dots and discs, (COUNT, 28, 28)."""
    rng, found = np.random.default_rng(0), []
    for number in range(COUNT):
        image = Image.new("L", (SIDE, SIDE))
        draw = ImageDraw.Draw(image)
        left, top, right, bottom = (int(value) for value in (*rng.integers(14, 40, 2), *rng.integers(70, 98, 2)))
        width = int(rng.integers(8, 14))
        kind = number % 6
        if kind == 0:
            draw.rectangle([left, top, right, bottom], outline=INK, width=width)
        elif kind == 1:
            draw.polygon([(SIDE // 2, top), (right, bottom), (left, bottom)], outline=INK, width=width)
        elif kind == 2:
            for _ in range(4):
                draw.line([int(value) for value in rng.integers(10, 100, 4)], fill=INK, width=width)
        elif kind == 3:
            draw.line([left, top, right, bottom], fill=INK, width=width)
            draw.line([left, bottom, right, top], fill=INK, width=width)
        elif kind == 4:
            for x, y in rng.integers(20, 92, (7, 2)).tolist():
                draw.ellipse([x - 7, y - 7, x + 7, y + 7], fill=INK)
        else:
            draw.ellipse([left, top, right, bottom], fill=INK)
        taken = centred(np.asarray(image))
        assert taken is not None
        found.append(taken)
    return np.stack(found)


def pictures() -> dict[str, Images]:
    """Return pictures that no model of digits was trained on, by kind."""
    drawn, names = letters()
    alike = np.isin(names, list(LOOKALIKES))
    clothes = load_dataset("fashion-mnist").test.inputs[:COUNT]
    return {"letters": drawn[~alike], "shapes": shapes(), "clothes": clothes, "look-alikes": drawn[alike]}


def refusals(model: Model, shown: dict[str, Images]) -> dict[str, dict[str, Any]]:
    """Return, for each way of refusing, the share it refuses of each kind, and its results on the test images."""
    data = load_dataset("mnist")
    familiarity = Familiarity(model)

    def seen(images: Images) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        return model.predict_proba(images).max(axis=1), familiarity.unfamiliarity(images)

    most, unfamiliar = seen(data.validation.inputs)
    spare = round((1 - ANSWERED) * len(most))
    alone = float(np.sort(most)[spare])
    beside = float(np.sort(most[unfamiliar <= 1])[max(0, spare - int((unfamiliar > 1).sum()))])
    found = {name: seen(images) for name, images in (shown | {"test": data.test.inputs}).items()}
    right = model.predict(data.test.inputs) == data.test.labels
    ways: dict[str, dict[str, Any]] = {"none": {"answered": 1.0, "accuracy_of_answered": round(float(right.mean()), 4)}}
    for way, threshold, limit in (
        ("probability, 95 %", alone, np.inf),
        (f"probability, {REJECT:g}", REJECT, np.inf),
        ("distance", 0.0, 1.0),
        (f"--reject {REJECT:g}", REJECT, 1.0),
        ("both, 95 %", beside, 1.0),
    ):
        refused = {name: (most < threshold) | (unfamiliar > limit) for name, (most, unfamiliar) in found.items()}
        answered = ~refused.pop("test")
        ways[way] = {
            "threshold": round(threshold, 4),
            "answered": round(float(answered.mean()), 4),
            "accuracy_of_answered": round(float(right[answered].mean()), 4),
            "refused": {name: round(float(share.mean()), 4) for name, share in refused.items()},
        }
    return ways


def measure(preset: str, seed: int, shown: dict[str, Images]) -> dict[str, Any]:
    """Train a preset on MNIST and return what it refuses."""
    config = TrainConfig.from_preset(preset, dataset="mnist", seed=seed, familiarity=True)
    evolution = Evolution(config, load_dataset("mnist"))
    evolution.run()
    candidates = evolution.candidates()
    begun = time.process_time()
    model = evolution.result_of(chosen(config.champion, candidates), candidates)
    took = time.process_time() - begun
    added = sum(array.nbytes for name, array in model.arrays.items() if name.startswith("familiarity."))
    said = model.header["familiarity"]
    return {
        "seed": seed,
        "seconds": round(evolution.seconds, 2),
        "fit_processor_seconds": round(took, 3),  # over all threads
        "model_bytes": len(model.pack()),
        "distance_bytes": added,
        "features": int(model.arrays["familiarity.projection"].shape[1]),
        "dimensions": said["dimensions"],
        "prototypes": said["prototypes"],
        "ways": refusals(model, shown),
    }


def main() -> None:
    """Measure, saving after each run; results of presets that are not given are kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("presets", nargs="*", default=PRESETS)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text("utf-8"))["presets"] if RESULTS.exists() else {}
    shown = pictures()
    for preset in options.presets:
        known[preset] = []
        for seed in range(options.seeds):
            known[preset].append(measure(preset, seed, shown))
            document = {
                "machine": machine.describe(),
                "pictures": {name: len(images) for name, images in shown.items()},
                "presets": known,
            }
            RESULTS.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
            print(preset, seed, known[preset][-1]["ways"], flush=True)


if __name__ == "__main__":
    main()
