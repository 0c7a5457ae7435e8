"""Embeddings: the values of the last hidden layer projected to a plane, and measures of how well they separate classes.

    PCA                 the first two principal components, by singular values
    UMAP                a plane that keeps neighbours (McInnes, Healy & Melville 2018, "UMAP"), if it is installed
    trustworthiness     1 minus a penalty for neighbours in the plane that are not neighbours among hidden values
                        (Venna & Kaski 2001, "Neighborhood preservation in nonlinear projection methods")
    neighbours          share of inputs with most of the 10 nearest others in their class; for classes of 5 or more
    silhouette          how much nearer an input is to its own class than to the next, -1 .. 1 (Rousseeuw 1987)
    linear probe        accuracy of a linear classifier on these values, by 5-fold cross-validation, likewise
                        (Alain & Bengio 2016, "Understanding intermediate layers using linear classifier probes")

For a linear head, the hidden values are its inputs. Shapes: n inputs, H hidden values, K classes.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.labels import short_name
from genreg_np.report.chance import LEAST, Share, either_way
from genreg_np.report.hidden import Hidden
from genreg_np.report.names import PLAIN, drawn
from genreg_np.report.sections import units
from genreg_np.report.shown import COLOURS, MARKS, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject
from genreg_np.report.tiles import text_width

TITLE = "Embeddings"
LARGE = 1e9  # hidden values beyond this are scaled, so that their squares fit in float32
MOST_WIDTH = 4096  # values of a layer that are used
MOST_MEASURED = 1000  # inputs for measures other than neighbours
MOST_PROBED = 256  # principal components for a probe, if there are more values
NEIGHBOURS = 10
MOST_DRAWN = 1000  # inputs in a picture
MOST_NAMED = 20  # classes named in a picture
MOST_LETTERS = 12  # of such a name
PANEL_WIDTH, NAME_HEIGHT, EDGE = 4.6, 0.055, 0.01  # inches of a panel; a name's height and the margin, as its fractions
ENOUGH = 5  # inputs of a class needed for neighbours and probes
PENALTY = 0.1  # C of a probe: the best of 1, .1, .01 and .001 on four runs
SEED = 42
NO_NUMBER = "-"
NOT_INSTALLED = "it is not installed"
HOW_TO_GET = "With umap-learn (pip install 'genreg-np[plots]') there would be a UMAP as well."

Matrix = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Points:
    """The inputs that are shown."""

    values: Matrix  # (n, H)
    labels: Labels  # (n,)
    predicted: Labels  # (n,)
    names: Sequence[str]  # K, in a form that figures can draw


def section(subject: Subject) -> Shown | None:
    """Show the last hidden layer; None without one, without data, without classes, or without scikit-learn."""
    if not subject.model.class_names or not subject.hidden:
        return None
    rows, hidden = subject.rows, subject.hidden[-1]
    labels = subject.labels[rows]
    if len(rows) < LEAST or len(np.unique(labels)) < 2 or unusable("sklearn"):
        return None
    from threadpoolctl import threadpool_limits  # scikit-learn needs it, too

    points = Points(narrowed(hidden), labels, subject.predicted[rows], drawn(subject.model.class_names, MOST_LETTERS))
    with threadpool_limits(1):  # with more, BLAS is far slower on a busy machine, and its last digits vary
        return _shown(points, hidden.name)


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    if not subject.model.class_names:
        return ""
    if not subject.hidden:
        return units.lacks(subject)
    if why := unusable("sklearn"):
        return f"scikit-learn cannot be used ({why}; pip install 'genreg-np[train]')"
    if len(subject.rows) < LEAST or len(np.unique(subject.labels[subject.rows])) < 2:
        return f"they need {LEAST} inputs of two classes or more"
    return "hidden values are the same for all inputs"


def _shown(points: Points, name: str) -> Shown | None:
    plane, share = pca(points.values)
    if not np.ptp(plane, axis=0).any():
        return None
    note = f"The first two components hold {100 * share:.0f} % of the variance."
    parts: list[Picture | Table] = [*_pictures("PCA", plane, points, note)]
    planes = {f"{points.values.shape[1]:,} hidden values": points.values, "PCA": plane}
    words = f"{len(points.labels):,} inputs by the outputs of {name}."
    if isinstance(other := umap(points.values), str):
        words += f" {other}"
    else:
        parts += _pictures("UMAP", other, points, "Distances between groups mean little.")
        planes["UMAP"] = other
    columns = list(_numbers(points, planes))
    head, *lines = zip(*([cell for cell, _ in column] for column in columns), strict=True)
    right = Share.of(points.predicted == points.labels)
    parts.append(
        Table(
            head, lines,
            "How well classes are separated, in all hidden values and in the plane. The linear probe is trained on "
            f"only these {right.count:,} inputs, each time on four fifths of them, and evaluated on the others; the "
            f"network itself is right on {100 * right.value:.1f} % of them.",
        )
    )  # fmt: skip
    return Shown(TITLE, f"{words}{_follows(columns[1][-1][1], right)}", parts)


def _follows(probed: float | None, right: Share) -> str:
    """Return a sentence on a probe that is far better than the network, or ""."""
    if probed is None or probed - right.value <= either_way(Share(round(probed * right.count), right.count), right):
        return ""
    return (
        f" A linear classifier of these values, trained on only these inputs, is right on {100 * probed:.1f} %, but "
        f"the network on {100 * right.value:.1f} %: the values separate the classes better than the later layers do."
    )


def narrowed(hidden: Hidden) -> Matrix:
    """Return hidden values (n, H), scaled if large; too many are reduced to channel means, or evenly spread ones."""
    values = hidden.values
    if values.shape[1] > MOST_WIDTH and hidden.channels < values.shape[1]:
        values = hidden.units.mean(axis=2)
    values = values[:, :: -(-values.shape[1] // MOST_WIDTH)]
    largest = float(np.abs(values).max())
    return values / np.float32(largest) if largest > LARGE else values


def pca(values: Matrix) -> tuple[Matrix, float]:
    """Return the first two principal components (n, 2), and their share of the variance."""
    scores, sizes = _components(values, 2)
    total = float(np.square(values - values.mean(axis=0, dtype=np.float64)).sum())
    return scores, float(np.square(sizes).sum()) / total if total else 0.0


def _components(values: Matrix, count: int) -> tuple[Matrix, Matrix]:
    """Return the first components of values (n, H), (n, count), padded with 0, and their singular values.

    The sign of each makes its largest entry positive. They are computed from the smaller of the two Gram matrices.
    """
    from scipy.linalg import eigh  # scikit-learn needs it, too

    rows = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    size = min(rows.shape)
    last = (max(0, size - count), size - 1)  # eigenvalues are in ascending order
    if rows.shape[1] <= rows.shape[0]:
        _, axes = eigh(rows.T @ rows, subset_by_index=last)
        scores = rows @ axes[:, ::-1]
    else:
        squares, left = eigh(rows @ rows.T, subset_by_index=last)
        scores = (left * np.sqrt(np.maximum(squares, 0)))[:, ::-1]
    scores = np.pad(scores, ((0, 0), (0, max(0, count - scores.shape[1]))))
    largest = scores[np.abs(scores).argmax(axis=0), np.arange(count)]
    return scores * np.where(largest < 0, -1, 1), np.linalg.norm(scores, axis=0)


def umap(values: Matrix) -> Matrix | str:
    """Return places in a plane by UMAP (n, 2), or a sentence on why there are none, as the page must not fail."""
    if why := unusable("umap"):
        return HOW_TO_GET if why == NOT_INSTALLED else f"There is no UMAP, as umap-learn cannot be used here ({why})."
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # hints at other packages, and at running without a seed
        if (made := getattr(importlib.import_module("umap"), "UMAP", None)) is None:  # a folder of that name
            return HOW_TO_GET
        try:
            plane = np.asarray(made(n_neighbors=15, min_dist=0.1, random_state=SEED).fit_transform(values), np.float64)
        except Exception as error:  # a third-party package may raise anything
            return f"There is no UMAP, as umap-learn failed ({reason(error)})."
    if plane.shape != (len(values), 2) or not np.isfinite(plane).all():
        return "There is no UMAP, as umap-learn did not return a plane of numbers."
    return plane


def unusable(package: str) -> str:
    """Return why a package cannot be imported, or ""."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importlib.import_module(package)
    except ModuleNotFoundError as error:
        return NOT_INSTALLED if error.name == package else reason(error)
    except Exception as error:  # one that is installed, but incompatible
        return reason(error)
    return ""


def reason(error: Exception) -> str:
    """Return a short description of a package's error."""
    return short_name(f"{type(error).__name__}: {error}", 120)


def neighbours_right(values: Matrix, labels: Labels) -> float | None:
    """Return the share of inputs (n, H) whose 10 nearest others are mostly of their class; ties go to the lowest.

    Only classes of 5 or more inputs count; None if there are none.
    """
    from sklearn.neighbors import NearestNeighbors

    counted = _counted(labels)
    if not counted.any():
        return None
    count = min(NEIGHBOURS, len(values) - 1)
    near = NearestNeighbors(n_neighbors=count).fit(values).kneighbors(return_distance=False)  # without itself
    votes = np.zeros((len(values), int(labels.max()) + 1), np.int32)
    np.add.at(votes, (np.arange(len(values))[:, None], labels[near]), 1)
    return float((votes.argmax(axis=1) == labels)[counted].mean())


def _counted(labels: Labels) -> NDArray[np.bool_]:
    """Return which inputs (n,) are of a class with enough inputs."""
    enough: NDArray[np.bool_] = np.bincount(labels)[labels] >= ENOUGH
    return enough


def trusted(values: Matrix, plane: Matrix) -> float | None:
    """Return the trustworthiness of a plane (n, 2) of values (n, H); None for too few."""
    from sklearn.manifold import trustworthiness

    count = min(NEIGHBOURS, (len(values) - 1) // 2)
    return float(trustworthiness(values, plane, n_neighbors=count)) if count else None


def silhouette(values: Matrix, labels: Labels) -> float | None:
    """Return the mean silhouette of classes; None if there are none to compare."""
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(labels)) < len(labels):
        return None
    return float(silhouette_score(values, labels))


def probe(values: Matrix, labels: Labels) -> float | None:
    """Return the accuracy of a linear classifier over 5 folds, for classes of at least 5 inputs; or None.

    All values share one scale: individual ones would amplify components of hardly any variance to noise.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    values, labels = values[_counted(labels)], labels[_counted(labels)]
    if len(np.unique(labels)) < 2:
        return None
    if values.shape[1] > MOST_PROBED:
        values, _ = _components(values, MOST_PROBED)
    values = values / (values.std() or 1)
    folds = StratifiedKFold(ENOUGH, shuffle=True, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about too few iterations: they suffice for a number of two digits
        return float(
            cross_val_score(LogisticRegression(C=PENALTY, max_iter=200, tol=1e-3), values, labels, cv=folds).mean()
        )


def _numbers(points: Points, spaces: dict[str, Matrix]) -> Iterator[list[tuple[str, float | None]]]:
    """Yield the columns of the table: the names of measures, and their values for hidden values and each plane.

    Each cell is its text, and its number or None.
    """
    yield [(name, None) for name in ("", "trustworthiness", f"{NEIGHBOURS} neighbours", "silhouette", "linear probe")]
    some = slice(None, None, -(-len(points.labels) // MOST_MEASURED))
    for name, values in spaces.items():
        close = None if values is points.values else trusted(points.values[some], values[some])
        near, apart = neighbours_right(values, points.labels), silhouette(values[some], points.labels[some])
        probed = probe(values, points.labels)
        yield [
            (name, None), (_text(close), close), (_percent(near), near), (_text(apart), apart),
            (_percent(probed), probed),
        ]  # fmt: skip


def _text(value: float | None) -> str:
    return NO_NUMBER if value is None else f"{value:.3f}"


def _percent(value: float | None) -> str:
    return NO_NUMBER if value is None else f"{100 * value:.1f} %"


def _pictures(kind: str, plane: Matrix, points: Points, note: str) -> Iterator[Picture]:
    """Draw a plane twice: by class, and by prediction with crosses for errors."""
    shown = np.arange(len(plane)) % -(-len(plane) // MOST_DRAWN) == 0
    some = f" {shown.sum():,} of {len(shown):,} are drawn." if not shown.all() else ""
    wrong = points.predicted != points.labels
    count = len(np.unique(points.labels))
    yield Picture(
        f"{kind.lower()}-classes", _drawn(plane, points.labels, shown, shown & False, points.names),
        f"{kind} of hidden values of {len(plane):,} inputs of {count:,} classes. {note}",
        f"{kind} by class: each dot is an input, names are near the middle of their class. {note}{some}",
    )  # fmt: skip
    yield Picture(
        f"{kind.lower()}-predictions", _drawn(plane, points.predicted, shown & ~wrong, shown & wrong, points.names),
        f"{kind} of the same inputs by prediction: errors {wrong.sum():,}, right {100 * (1 - wrong.mean()):.1f} %.",
        f"{kind} by prediction: names are near the middle of their predictions, crosses are errors.",
    )  # fmt: skip


def _drawn(
    plane: Matrix, classes: Labels, dots: NDArray[np.bool_], crosses: NDArray[np.bool_], names: Sequence[str]
) -> bytes:
    """Draw inputs as dots, styled by class, or as crosses."""
    figure = new_figure(height=3.8)
    panel = figure.subplots()
    size = float(np.clip(12_000 / (dots | crosses).sum(), 12, 40))
    for number in np.unique(classes):
        colour, mark = COLOURS[number % len(COLOURS)], MARKS[number % len(MARKS)]
        these = plane[(classes == number) & dots]
        panel.scatter(*these.T, s=size, color=colour, marker=mark, alpha=0.6, linewidths=0)
    panel.scatter(*plane[crosses].T, s=1.2 * size, marker="x", color="0.1", linewidths=1)
    panel.set(xticks=[], yticks=[], xlim=panel.get_xlim(), ylim=panel.get_ylim())
    _name(panel, plane, classes, names)
    return png_of(figure)


def _name(panel: Any, plane: Matrix, classes: Labels, names: Sequence[str]) -> None:
    """Write the names of the largest classes at or near their medians, without overlap and inside the frame."""
    from matplotlib.patheffects import withStroke

    numbers, counts = np.unique(classes, return_counts=True)
    low, high = (np.array(ends) for ends in zip(panel.get_xlim(), panel.get_ylim(), strict=True))
    taken: list[tuple[float, float, float]] = []  # middle and width of each name, as fractions of the panel
    for number in numbers[np.argsort(-counts, kind="stable")][:MOST_NAMED]:
        middle = (np.median(plane[classes == number], axis=0) - low) / (high - low)
        place = room_for(float(middle[0]), float(middle[1]), 1.5 * text_width(names[number]) / PANEL_WIDTH, taken)
        if place is None:
            continue
        panel.text(
            *place, names[number], ha="center", va="center", fontsize=12, fontweight="bold", **PLAIN,
            transform=panel.transAxes, path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip


def room_for(x: float, y: float, width: float, taken: list[tuple[float, float, float]]) -> tuple[float, float] | None:
    """Return and reserve a place for a name of a width at (x, y), or above or below it; None if there is no room.

    All numbers are fractions of a panel.
    """
    x = min(max(x, width / 2 + EDGE), 1 - width / 2 - EDGE)
    for lines in (0, 1, -1, 2, -2):
        at = min(max(y + lines * NAME_HEIGHT, NAME_HEIGHT / 2 + EDGE), 1 - NAME_HEIGHT / 2 - EDGE)
        if all(
            abs(x - other) >= (width + wide) / 2 or abs(at - tall) >= 0.99 * NAME_HEIGHT for other, tall, wide in taken
        ):
            taken.append((x, at, width))
            return x, at
    return None
