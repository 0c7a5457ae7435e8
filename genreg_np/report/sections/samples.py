"""Samples of a search for a generator: its images, their development, and the health of the population."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from genreg_np.data.generated import COLUMNS, Generator
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.report.subject import Subject
from genreg_np.report.tiles import draw_tiles, pictures_of
from genreg_np.search.gan.kept import Growth
from genreg_np.search.stored import StoredSearch, numbers_in
from genreg_np.search.trials import Trial

SHOWN, MOST_OPEN = 40, 12
MEASURES = (
    "fcd",
    "coverage",
    "density",
    "tvd",
    "modes",
    "confident",
    "variety",
    "copying",
    "copies",
    "duplicates",
    "agreement",
)
AT_CHECKPOINTS = ("fcd", "coverage", "tvd", "modes", "confident", "critic")


def section(subject: Subject) -> Shown | None:
    """Show images of a search's generator; None for other subjects."""
    search = subject.search
    if search is None or search.config.kind != "gan":
        return None
    generator = Generator.of(subject.model, subject.name)
    images = pictures_of(generator.drawn(SHOWN, 0), generator.shape)
    if images is None:
        return None
    judge, right = search.notes.get("judge"), search.notes.get("judge_accuracy")
    said = f"{SHOWN} generated images, from the noise of seed 0."
    if isinstance(judge, str) and isinstance(right, float):
        said += (
            f" They are measured by judge {judge}, a classifier of such images with an accuracy of "
            f"{100 * right:.1f} % on those held out: its figures can be compared only with each other, not with those "
            "of publications."
        )
    if isinstance(why := search.notes.get("why"), str) and why:
        said += f" What was saved is {why}."
    parts: list[Picture | Table] = [_sheet("samples", list(images), generator.grouped, "Images of the generator.")]
    growth = search.growth()
    if growth is not None and growth.sheets.shape[2] == subject.model.output_count:
        parts += _course(growth, generator)
    stored = search.notes.get("finals")
    finals = [numbers_in({"": one}, "") for one in stored] if isinstance(stored, list) else []
    if any(finals):
        parts.append(_beside_the_floor(finals, numbers_in(search.notes, "floor")))
    parts.append(_generations(search))
    return Shown("Samples", said, [*parts, *unsound(search.trials)])


def _sheet(name: str, images: Sequence[Any], columns: int, caption: str) -> Picture:
    tiles = [np.clip(image, 0, 1) for image in images]
    png = draw_tiles(tiles, [""] * len(tiles), columns)
    return Picture(name, png, f"{len(tiles)} generated images.", caption)


def _course(growth: Growth, generator: Generator) -> list[Picture | Table]:
    """Return a sheet of the same noise at each checkpoint of the winner's training, and the measures there."""
    maps = growth.sheets.reshape(*growth.sheets.shape[:2], *generator.shape) / np.float32(255)
    rows = [pictures_of(sheet[:COLUMNS], generator.shape) for sheet in maps]
    images = [image for row in rows if row is not None for image in row]
    table = [
        (f"{number}", *(_shown(told, name) for name in AT_CHECKPOINTS))
        for number, told in enumerate(growth.checkpoints, start=1)
    ]
    return [
        _sheet("growth", images, COLUMNS, "The same noise at each checkpoint of the winner's training, from the top."),
        Table(("checkpoint", *AT_CHECKPOINTS), table, "measures there, by real images that were not learned from"),
    ]


def _beside_the_floor(finals: Sequence[dict[str, float]], floor: dict[str, float]) -> Table:
    """Return the measures of the winner's trainings against real images of the test split, and the floor."""
    rows = [
        (
            name,
            *(_shown(final, name) for final in finals),
            _shown(floor, name),
        )
        for name in MEASURES
        if any(name in final for final in finals)
    ]
    trainings = ["saved", *(f"training {number}" for number in range(2, len(finals) + 1))]
    return Table(
        ("measure", *trainings, "real images"),
        rows,
        "compared with the test split; for real images, the select split compared with the search split",
    )


def _shown(measures: Mapping[str, float], name: str) -> str:
    """Return a measure in three digits; "-" if there is none, as in a file that was changed."""
    return f"{measures[name]:.3g}" if name in measures else "-"


def _generations(search: StoredSearch) -> Table:
    """Return the health of each generation at the lowest rung."""
    first = [trial for trial in search.trials if trial.rung == 0]
    rows = []
    for start in range(0, len(first), search.config.population):
        own = first[start : start + search.config.population]
        judged = [trial for trial in own if trial.is_ok]
        healthy = [trial for trial in judged if not trial.metrics.get("violations")]
        distances = [trial.metrics["fcd"] for trial in judged if "fcd" in trial.metrics]
        rows.append(
            (
                f"{start // search.config.population + 1}", f"{len(own)}", f"{len(own) - len(judged)}",
                f"{len(judged) - len(healthy)}", f"{len(healthy)}",
                f"{statistics.median(distances):.3g}" if distances else "-",
                f"{min(distances):.3g}" if distances else "-",
            )
        )  # fmt: skip
    head = ("generation", "individuals", "removed", "infeasible", "healthy", "median fcd", "best fcd")
    return Table(head, rows, "the population at its lowest rung; the next table says which, and why")


def unsound(trials: Sequence[Trial]) -> list[Table]:
    """Return a table of the pairs that failed or are infeasible, and why; empty if there are none."""
    bred = {trial.child: trial.how for trial in trials if not trial.rung}
    rows = [
        (
            f"{trial.child}", f"{trial.rung}", bred.get(trial.child, "-"),
            trial.why if trial.is_ok else f"{trial.status}: {trial.why}",
        )
        for trial in trials
        if trial.why or not trial.is_ok
    ]  # fmt: skip
    caption = "pairs that failed, were removed, or break rules"
    return [Table(("individual", "rung", "bred", "why"), rows, caption, MOST_OPEN)] if rows else []
