"""Signal: on how many images should a generation be scored?

GENREG as published, 784-32-10, scored on 1 to 200 images of each class: at equal generations, as in GENREG's README,
and at equal evaluations. The best number is predicted from one run with 20 images (variance.py): between the moments at
which it was measured, all parts are assumed to depend on the mean accuracy m alone, and for n images of each class

    dm / dgeneration = S(n; m) - load(m),      for as many generations as evaluations allow
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from genreg_np.experiments import plots
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import differs, listed, mean_text, percent, points
from genreg_np.experiments.training import LOOKS, TESTED, evolution_of, population_of, stepped, trained
from genreg_np.experiments.variance import Parts, intensity, parts_of, repeatability, right, some_of_each
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.streams import Stream

IMAGES = (1, 2, 5, 10, 20, 50, 100, 200)
PUBLISHED, GENERATIONS = 20, 600
MOST = 50  # largest number of images of each class at equal generations
MOMENTS = (0.0, 0.01, 0.03, 0.08, 0.17, 0.33, 0.67, 1.0)  # fractions of a run at which its parts are measured
MEASURED_ON = 200  # images of each class
REPEATED = (1, 5, 20, 100)  # images of each class for which two batches measure heritability
SEED = 1 << 32  # of the images on which parts are measured, different from that of any run
CLASSES = 10
NEAR = 2  # factor within which the best number of images was to be predicted


class Signal(Study):
    """The study `signal`."""

    name = "signal"
    question = "One image of each digit or twenty: on how many should a generation be scored?"
    about = f"""
GENREG's mechanism, 784-32-10, scored in each generation on 1 to 200 images of each digit: at equal evaluations (those
of 600 generations with 20 images), and up to 50 images at equal generations (600). In a run with 20 images, the
variance of scores is split into parts: between genomes (VG), and within genomes, per image (VE). These, and how much
worse children are than their parents (the load), give the gain per generation for any number of images, and so the best
number.
{TESTED}
"""

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each number of images, at equal generations and at equal evaluations, and the parts of variance."""
        found = []
        for images in size.pick(IMAGES, (1, 5, 20, 100), (1, 20)):
            more = 2 if size.name == "full" and images in (1, PUBLISHED) else 0
            equal = size.generations(GENERATIONS)
            for part, generations in (("generations", equal), ("evaluations", max(2, equal * PUBLISHED // images))):
                if (part == "evaluations" and images == PUBLISHED) or (part == "generations" and images > MOST):
                    continue  # the same as the other part, or ten times as long as published
                settings = _settings(size, images, generations)
                found.append(Case(f"{part}, {images}", settings, more if part == "generations" else 0))
        found.append(Case("parts", {**_settings(size, PUBLISHED, size.generations(GENERATIONS)), "parts": True}))
        return found

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train one population, or measure its parts of variance."""
        own = dict(settings)
        return taken_apart(own, seed) if own.pop("parts", False) else trained(own, seed)

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield accuracy by number of images, and the parts of scores."""
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
                "The measurement is the champion's test accuracy, the prediction the mean accuracy of the last "
                "generation, which is lower, as genomes are scored by sampled predictions: only the place of the "
                "maximum is predicted. Variances and load are assumed to depend on mean accuracy alone, which need not "
                "hold for runs of many more or fewer generations than the one in which they were measured."
            )
            parts.append(Picture("images", png, says, caption))  # type: ignore[arg-type]
        yield Shown("Accuracy", "", parts)
        if results.measured("parts"):
            yield Shown("Parts of the variance", _formula(), (_parts_table(results), _repeated(results)))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about the number of images."""
        if results.measured("generations, 1", f"generations, {PUBLISHED}"):
            one, twenty = (results.numbers(f"generations, {count}", "test") for count in (1, PUBLISHED))
            yield Answer(
                "000", "Training plateaued at 65 % with 1 image of each digit; 20 images were the breakthrough",
                f"in equally many generations, 1 image gives {percent(one)} %, 20 images {percent(twenty)} %, "
                f"a difference of {points(results.gap(f'generations, {PUBLISHED}', 'generations, 1'))} points"
                f"{_equally(results)}.",
            )  # fmt: skip
        means = {images: float(np.mean(results.numbers(_case(results, "evaluations", images), "test")))
                 for images in _images(results) if results.measured(_case(results, "evaluations", images))}  # fmt: skip
        expected = predicted(results)
        if means and expected:
            best, foreseen = (max(found, key=lambda count: found[count]) for found in (means, expected))
            ratio = max(best, foreseen) / min(best, foreseen)
            alike = [count for count in means if count != best and results.both(*_pair(results, best, count))
                     and not differs(results.gap(*_pair(results, best, count)))]  # fmt: skip
            gaps = [f"{count} ({points(results.gap(*_pair(results, best, count)))} points)" for count in alike]
            same = f"; these seeds cannot tell from it {listed(gaps)}" if gaps else ""
            yield Answer(
                "000", "Evolutionary learning requires stable fitness signals: average over several samples",
                f"at equal evaluations {best} images of each digit have the highest mean ({100 * means[best]:.1f} %)"
                f"{same}. The variance of scores in one run predicts "
                f"{foreseen}, {_off(ratio)}; with it "
                f"{percent(results.numbers(_case(results, 'evaluations', foreseen), 'test'))} % are reached"
                f"{_failing(means, expected)}. At the end of a run with twenty images, the "
                f"heritability of a score is {_heritability(results, 1)} for one image and "
                f"{_heritability(results, PUBLISHED)} for twenty.",
            )  # fmt: skip


def _settings(size: Size, images: int, generations: int) -> dict[str, object]:
    return {
        "preset": "seed-mnist-32", "dataset": size.data, "images_per_class": images, "generations": generations,
        "validate_every": max(1, generations // LOOKS),
    }  # fmt: skip


def taken_apart(settings: Settings, seed: int) -> Values:
    """Return the parts of variance at MOMENTS of a run, and heritability at its end measured by two batches."""
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
    """Return the saved parts of a run."""
    found: list[dict[str, Any]] = [
        {name: math.nan if value is None else value for name, value in part.items()} for part in values["parts"]
    ]
    return [Parts(**part) for part in found]


def predicted(results: Results) -> dict[int, float]:
    """Return the predicted mean accuracy for each number of images at equal evaluations."""
    runs = results.of("parts")
    if not runs:
        return {}
    return {images: float(np.mean([_reached(run, images, _generations(results, images)) for run in runs]))
            for images in _images(results)}  # fmt: skip


def _reached(run: Values, images: int, generations: int) -> float:
    """Return the predicted mean accuracy after `generations` generations with `images` images of each class."""
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
    """Return the case of a part; for the published number of images, both parts are the same runs."""
    return f"generations, {images}" if images == PUBLISHED else f"{part}, {images}"


def _generations(results: Results, images: int) -> int:
    return max(2, results.size.generations(GENERATIONS) * PUBLISHED // images)


def _off(ratio: float) -> str:
    if ratio == 1:
        return "the same number"
    aim = f"within the {NEAR} that were the aim" if ratio <= NEAR else f"where {NEAR} was the aim"
    return f"a factor of {ratio:g} away, {aim}"


def _pair(results: Results, one: int, other: int) -> tuple[str, str]:
    return _case(results, "evaluations", one), _case(results, "evaluations", other)


def _equally(results: Results) -> str:
    """Return what one image gives at equal evaluations, as the end of a sentence."""
    few, many = _pair(results, 1, PUBLISHED)
    if not results.both(few, many):
        return ""
    return (
        f"; at equal evaluations 1 image gives {percent(results.numbers(few, 'test'))} %, a difference of "
        f"{points(results.gap(many, few))}"
    )


def _failing(means: Mapping[int, float], expected: Mapping[int, float]) -> str:
    """Return where less than half of the accuracy is predicted, as the end of a sentence."""
    wrong = [count for count in sorted(means) if expected[count] < means[count] / 2]
    if not wrong:
        return ""
    foreseen, reached = ([100 * found[count] for count in wrong] for found in (expected, means))
    return (
        f". For {listed([str(count) for count in wrong])} images the prediction fails: {min(foreseen):.0f} to "
        f"{max(foreseen):.0f} % where {min(reached):.0f} to {max(reached):.0f} % are reached"
    )


def _formula() -> str:
    return (
        "For a run scored on 20 images of each digit; means over all seeds. VG: variance of genomes' true accuracy. "
        "VE: variance per image. h2 is the heritability of a score by 1 and by 20 images of each digit, VG / (VG + VE "
        "/ images). The load is how much worse children are than their parents; the next column is the part due to "
        "mutation. The last column is the slope of a regression of the children's accuracy without mutation on their "
        "parents' mean: how much of true accuracy they inherit."
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
    return Table(head, rows, "At the end of the run: heritability as calculated, and as the correlation of scores on "
                 "two batches without a common image.")  # fmt: skip
