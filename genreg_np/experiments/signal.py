"""Signal: how many images should a generation be judged on?

GENREG as published, 784-32-10, judged on 1 to 200 images of each class: at equal generations, as the seeds compare, and
at equal evaluations. What is best is predicted from one run of 20 images (variance.py): between the moments at which it
was measured, all parts are taken to depend on the mean accuracy m alone, and for n images of each class

    dm / dgeneration = S(n; m) - load(m),      as many generations as evaluations allow
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import mean_text, percent, points
from genreg_np.experiments.training import LOOKS, evolution_of, population_of, stepped, trained
from genreg_np.experiments.variance import Parts, intensity, parts_of, repeatability, right, some_of_each
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.streams import Stream

IMAGES = (1, 2, 5, 10, 20, 50, 100, 200)
PUBLISHED, GENERATIONS = 20, 600
MOST = 50  # images of each class, of those that are measured at equal generations
MOMENTS = (0.0, 0.01, 0.03, 0.08, 0.17, 0.33, 0.67, 1.0)  # of a run, at which its parts are measured
MEASURED_ON = 200  # images of each class
REPEATED = (1, 5, 20, 100)  # images of each class whose heritability is measured by two batches
SEED = 1 << 32  # of the images that parts are measured by: no run's
CLASSES = 10


class Signal(Study):
    """The study `signal`."""

    name = "signal"
    question = "One image of each digit or twenty: how many should a generation be judged on?"
    about = """
GENREG as published, 784-32-10, judged in each generation on 1 to 200 images of each digit: at equal evaluations (as
many generations as make 600 of 20 images), and up to 50 images at equal generations (600). In a run of 20 images the
variance of scores is taken apart: between genomes (VG), and within, by image (VE). From these and from what children
are worse than their parents (the load) follows what is gained in a generation for any number of images, and which
number is best.
What is tested is the most trusted genome or the survivors' mean, whichever did better in validation.
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each number of images, at equal generations and at equal evaluations, and the parts of variance."""
        found = []
        for images in size.pick(IMAGES, (1, 5, 20, 100), (1, 20)):
            more = 2 if size.name == "full" and images in (1, PUBLISHED) else 0
            equal = size.generations(GENERATIONS)
            for part, generations in (("generations", equal), ("evaluations", max(2, equal * PUBLISHED // images))):
                if (part == "evaluations" and images == PUBLISHED) or (part == "generations" and images > MOST):
                    continue  # it is the other's, or takes ten times as long as what was published
                settings = _settings(size, images, generations)
                found.append(Case(f"{part}, {images}", settings, more if part == "generations" else 0))
        found.append(Case("parts", {**_settings(size, PUBLISHED, size.generations(GENERATIONS)), "parts": True}))
        return found

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train one population, or take one apart."""
        own = dict(settings)
        return taken_apart(own, seed) if own.pop("parts", False) else trained(own, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield accuracy by images, and what scores are made of."""
        known = _images(results)
        rows = [
            [f"{images}", *(percent(results.numbers(_case(results, part, images), "test")) for part in ("generations",
             "evaluations")), f"{_generations(results, images):,}"]
            for images in known
        ]  # fmt: skip
        head = ["images of each digit", "at equal generations", "at equal evaluations", "generations there"]
        parts = [Table(head, rows, "Test accuracy, %.")]
        expected = predicted(results)
        if known and expected:
            named = {}
            for part in ("generations", "evaluations"):
                some = [images for images in known if results.measured(_case(results, part, images))]
                named[part] = (some, [results.numbers(_case(results, part, images), "test") for images in some])
            drawn = {"predicted, equal evaluations": (list(expected), list(expected.values()))}
            png = plots.lines(
                {f"at equal {part}": line for part, line in named.items()}, "images of each digit", "accuracy, %",
                logarithmic=True, scale=100, expected=drawn,
            )  # fmt: skip
            says = "Accuracy against the number of images of each digit, measured and predicted."
            caption = (
                "Measured is the champion's test accuracy, predicted the mean accuracy of the last generation, "
                "which is lower, as genomes are judged by sampled predictions: what is predicted is where the top "
                "is. It takes variances and load to depend on mean accuracy alone, to which runs of many more or "
                "fewer generations than the one they were taken from need not keep."
            )
            parts.append(Picture("images", png, says, caption))  # type: ignore[arg-type]
        yield Shown("Accuracy", "", parts)
        if results.measured("parts"):
            yield Shown("What scores are made of", _formula(), (_parts_table(results), _repeated(results)))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield what the numbers of images say."""
        if results.measured("generations, 1", f"generations, {PUBLISHED}"):
            one, twenty = (results.numbers(f"generations, {count}", "test") for count in (1, PUBLISHED))
            yield Answer(
                "000", "Training plateaued at 65 % with 1 image of each digit; 20 images were the breakthrough",
                f"in as many generations 1 image gives {percent(one)} %, 20 images {percent(twenty)} %: "
                f"a difference of {points(results.gap(f'generations, {PUBLISHED}', 'generations, 1'))} points.",
            )  # fmt: skip
        means = {images: float(np.mean(results.numbers(_case(results, "evaluations", images), "test")))
                 for images in _images(results) if results.measured(_case(results, "evaluations", images))}  # fmt: skip
        expected = predicted(results)
        if means and expected:
            best, foreseen = (max(found, key=lambda count: found[count]) for found in (means, expected))
            ratio = max(best, foreseen) / min(best, foreseen)
            yield Answer(
                "000", "Evolutionary learning requires stable fitness signals: average over several samples",
                f"at equal evaluations {best} images of each digit are best ({100 * means[best]:.1f} %); the variance "
                f"of scores in one run predicts {foreseen}, {_off(ratio)}. With one image a score's heritability is "
                f"{_heritability(results, 1)} at the end of a run of twenty, with twenty "
                f"{_heritability(results, PUBLISHED)}.",
            )  # fmt: skip


def _settings(size: Size, images: int, generations: int) -> dict[str, object]:
    return {
        "preset": "seed-mnist-32", "dataset": size.data, "images_per_class": images, "generations": generations,
        "validate_every": max(1, generations // LOOKS),
    }  # fmt: skip


def taken_apart(settings: Settings, seed: int) -> Values:
    """Return the parts of variance at MOMENTS of a run, and the heritability of scores at its end by two batches."""
    evolution = evolution_of(settings, seed)
    labels, classes = evolution.context.labels, len(evolution.class_names)
    rows = some_of_each(labels, classes, MEASURED_ON, Stream(SEED))
    total, found = int(settings["generations"]), []
    moments = sorted({round(total * moment) for moment in MOMENTS})

    def look(run: object) -> None:
        found.append(dataclasses.asdict(parts_of(evolution, rows)))

    if 0 in moments:
        look(evolution)
    stepped(evolution, total, {moment: look for moment in moments if moment})
    state, _, brood = population_of(evolution)
    chance, stream = right(evolution, brood, rows), Stream(SEED + seed)
    repeated = {str(images): repeatability(chance, classes, images, stream) for images in REPEATED}
    finite = [{name: value if value == value else None for name, value in part.items()} for part in found]
    return {"parts": finite, "repeated": repeated, "classes": classes, "population": brood.size,
            "survivors": len(state.survivors)}  # fmt: skip


def parts_in(values: Values) -> list[Parts]:
    """Return the parts of a run that were saved."""
    found: list[dict[str, Any]] = [
        {name: math.nan if value is None else value for name, value in part.items()} for part in values["parts"]
    ]
    return [Parts(**part) for part in found]


def predicted(results: Results) -> dict[int, float]:
    """Return the mean accuracy that each number of images is expected to reach at equal evaluations."""
    runs = results.of("parts")
    if not runs:
        return {}
    return {images: float(np.mean([_reached(run, images, _generations(results, images)) for run in runs]))
            for images in _images(results)}  # fmt: skip


def _reached(run: Values, images: int, generations: int) -> float:
    """Return the mean accuracy after so many generations of so many images of each class."""
    parts = sorted(parts_in(run), key=lambda part: part.mean)
    means = [part.mean for part in parts]
    strong = intensity(run["population"], run["survivors"])
    gains = [part.differential(images, run["classes"], strong) - part.load for part in parts]
    mean = parts_in(run)[0].mean
    for _ in range(generations):
        mean = min(1.0, max(0.0, mean + float(np.interp(mean, means, gains))))
    return mean


def _images(results: Results) -> list[int]:
    names = [*results.names("generations, "), *results.names("evaluations, ")]
    return sorted({int(name.rpartition(", ")[2]) for name in names})


def _case(results: Results, part: str, images: int) -> str:
    """Return the case of a part; of the published number of images both parts are the same runs."""
    return f"generations, {images}" if images == PUBLISHED else f"{part}, {images}"


def _generations(results: Results, images: int) -> int:
    return max(2, results.size.generations(GENERATIONS) * PUBLISHED // images)


def _off(ratio: float) -> str:
    return "the same number" if ratio == 1 else f"a factor of {ratio:g} away"


def _formula() -> str:
    return (
        "Of a run judged on 20 images of each digit; the mean of all seeds. VG: variance of genomes' true accuracy. "
        "VE: variance per image. Heritability is that of a score by 1 and by 20 images of each digit, VG / (VG + VE / "
        "images). The load is what children are worse than their parents, of it by mutation the next column. The last "
        "is the slope of children's accuracy, had none mutated, by the mean of their parents': what they inherit of "
        "true accuracy."
    )


def _parts_table(results: Results) -> Table:
    rows, runs = [], [parts_in(run) for run in results.of("parts")]
    for moment in zip(*runs, strict=False):
        cells = [
            100 * np.mean([part.mean for part in moment]),
            1e4 * np.mean([part.between for part in moment]),
            np.mean([part.within for part in moment]),
            np.mean([part.heritability(1, CLASSES) for part in moment]),
            np.mean([part.heritability(PUBLISHED, CLASSES) for part in moment]),
            100 * np.mean([part.load for part in moment]),
            100 * np.mean([part.recombined - part.children for part in moment]),
        ]
        slopes = [part.slope for part in moment if not math.isnan(part.slope)]
        rows.append([f"{moment[0].generation}", *(f"{cell:.3g}" for cell in cells), mean_text(slopes)])
    head = ["generation", "mean accuracy, %", "VG x 10,000", "VE", "h2, 1 image", "h2, 20 images", "load, points",
            "by mutation", "children by parents"]  # fmt: skip
    return Table(head, rows)


def _heritability(results: Results, images: int) -> str:
    return mean_text([parts_in(run)[-1].heritability(images, CLASSES) for run in results.of("parts")])


def _repeated(results: Results) -> Table:
    runs, rows = results.of("parts"), []
    for images in REPEATED:
        measured = [run["repeated"][str(images)] for run in runs if run["repeated"][str(images)] is not None]
        rows.append([f"{images}", _heritability(results, images), mean_text(measured)])
    head = ["images of each digit", "h2 by VG and VE", "correlation of two batches"]
    return Table(head, rows, "At the end of the run: heritability as calculated, and as two batches without a common "
                 "image agree on who is good.")  # fmt: skip
