"""Tiny sets: what a search reaches on fifty images, and how far the best of many on sixteen images is from the truth.

    python bench/search_tiny.py [--first 0] [--draws 20] [--population 24] [--generations 3]

Each draw takes four classes of Fashion-MNIST, with 20, 10, 10 and 10 training images, 16 test images and 1,000 others
that stand for the truth: 250 of each class, so searches maximise balanced accuracy. The search, with either head, is
compared with sixteen random individuals of the same head, trained like the winner, and with a random forest on pixels.
Both cores; OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE unset. Each draw is
written to bench/results/search-tiny.json as soon as it is known.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

import machine
import numpy as np
from sklearn.ensemble import RandomForestClassifier

from genreg_np import load_dataset
from genreg_np.data.dataset import Dataset, Split
from genreg_np.search.config import SearchConfig
from genreg_np.search.draws import Draws
from genreg_np.search.images import search_images
from genreg_np.search.kinds import kind_of
from genreg_np.search.lessons.base import learn
from genreg_np.search.sharing import Parts

RESULT = Path(__file__).with_name("results") / "search-tiny.json"
SIZES, FEW, MANY, RANDOM = (20, 10, 10, 10), 16, 1000, 16
VALIDATION = 0.2  # of the training images: a search on few images merges them again


def drawn(draw: int, everything: Dataset) -> tuple[Dataset, Split]:
    """Return a tiny set with a large test split, and a few other test images."""
    rng = np.random.default_rng(draw)
    classes = np.sort(rng.choice(10, len(SIZES), replace=False))
    train, test = everything.train, everything.test
    parts: dict[str, list[np.ndarray[Any, Any]]] = {"train": [], "validation": [], "test": [], "few": []}
    for label, size in zip(classes, SIZES, strict=True):
        rows = rng.permutation(np.flatnonzero(train.labels == label))[:size]
        held = round(VALIDATION * size)
        parts["validation"].append(rows[:held])
        parts["train"].append(rows[held:])
        rows = rng.permutation(np.flatnonzero(test.labels == label))
        parts["few"].append(rows[: FEW // len(SIZES)])
        parts["test"].append(rows[FEW // len(SIZES) : (FEW + MANY) // len(SIZES)])

    def split(name: str) -> Split:
        source, rows = train if name in ("train", "validation") else test, np.concatenate(parts[name])
        return Split(source.inputs[rows], np.searchsorted(classes, source.labels[rows]))

    names = tuple(everything.class_names[label] for label in classes)
    own = Dataset(f"draw {draw}", split("train"), split("validation"), split("test"), names, (0.0, 255.0))
    return own, split("few")


def at_random(data: Dataset, few: Split, config: SearchConfig, draw: int) -> dict[str, Any]:
    """Return what random individuals reach on many images and on few, trained for as long as a winner."""
    kind, found = kind_of(config, data.input_shape, data.class_names), []
    top = config.ladder(50, by_epochs=True).samples[-1]
    samples = max(config.final_epochs * (len(data.train) + len(data.validation)), top)
    with tempfile.TemporaryDirectory() as place:
        cut = Parts.of(data, 5)
        parts = Parts({**cut.splits, "few": few}).share(Path(place), data.input_range)
        child = 0
        while len(found) < RANDOM:
            child += 1
            genome = kind.space.drawn(Draws(draw, child))
            if kind.fault_of(genome):
                continue
            individual = kind.individual_of(genome)
            lesson = kind.lesson(
                genome, individual, 0, seed=child, rungs=(samples,), train=parts["whole"],
                judged={name: parts[name] for name in ("test", "few")}, states=(f"{place}/{child}.npz",),
                backend="numba",
            )  # fmt: skip
            learned = learn(lesson)
            found.append([learned.measures[name]["accuracy"] if learned.measures else 0.25 for name in ("test", "few")])
    many, on_few = zip(*found, strict=True)
    best = int(np.argmax(on_few))
    return {
        "random, median": statistics.median(many), "random, best of all": max(many),
        "best of 16 by 16 test images, as told": on_few[best], "the same, in truth": many[best],
    }  # fmt: skip


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=0, help="the first draw; results of draws below are kept")
    parser.add_argument("--draws", type=int, default=20, help="the number of draws, those that are kept included")
    parser.add_argument("--population", type=int, default=24)
    parser.add_argument("--generations", type=int, default=3)
    arguments = parser.parse_args()
    everything = load_dataset("fashion-mnist")
    draws: list[dict[str, Any]] = []
    if arguments.first:
        draws = json.loads(RESULT.read_text("utf-8"))["draws"][: arguments.first]
    for draw in range(len(draws), arguments.draws):
        data, few = drawn(draw, everything)
        line: dict[str, Any] = {"draw": draw, "classes": list(data.class_names)}
        for head in ("classes", "prototypes"):
            config = SearchConfig(
                head=head, population=arguments.population, generations=arguments.generations, seed=draw,
                max_macs=700_000, final_epochs=90, metric="balanced-accuracy",
            )  # fmt: skip
            with tempfile.TemporaryDirectory() as place:
                found = search_images(data, config, f"{place}/run")
            line[head] = statistics.mean(one["accuracy"] for one in found.finals)
            line[f"{head}, by cross-validation"] = found.winner.metrics["balanced-accuracy"] if found.winner else None
            line[f"{head}, seconds"] = round(found.seconds, 1)
            line |= {f"{head}, {name}": value for name, value in at_random(data, few, config, draw).items()}
        forest = RandomForestClassifier(500, n_jobs=2, random_state=draw)
        whole = [
            np.concatenate([getattr(one, what) for one in (data.train, data.validation)])
            for what in ("inputs", "labels")
        ]
        forest.fit(whole[0].reshape(len(whole[0]), -1), whole[1])
        line["random forest"] = float(forest.score(data.test.inputs.reshape(len(data.test), -1), data.test.labels))
        draws.append(line)
        RESULT.write_text(json.dumps({"machine": machine.describe(), "draws": draws}, indent=1) + "\n", "utf-8")
        print(
            {name: round(value, 4) if isinstance(value, float) else value for name, value in line.items()}, flush=True
        )


if __name__ == "__main__":
    main()
