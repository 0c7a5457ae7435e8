"""Embedding: do evolved networks represent digits differently from those trained by gradients?

Networks of the same shape, 784-64-10 with tanh, by four methods; the published 784-32-10; and a small convolutional
network by backpropagation. Measured for the last hidden layer, over test images:

    saturated         share of |h| > .95 (.76 for the published networks)
    rank              exp of the entropy of the principal components' shares of variance: how many directions are used
    neighbours, silhouette, probe, trustworthiness      measured as for the page of `genreg-np report`
    alike             linear CKA with another network of the same seed, or with another seed of the same method

    CKA(X, Y) = HSIC(X, Y) / sqrt(HSIC(X, X) HSIC(Y, Y))      for X, Y (n, H), HSIC unbiased

Sources: Song et al. 2012, "Feature selection via dependence maximization"; Kornblith et al. 2019, "Similarity of neural
network representations revisited"; Roy & Vetterli 2007, "The effective rank"; McInnes, Healy & Melville 2018, "UMAP".

Shapes: n inputs, H hidden values.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.data.download import Progress
from genreg_np.errors import missing_extra
from genreg_np.experiments.base import Answer, Case, Results, Settings, Size, Study, Values
from genreg_np.experiments.summary import differs, mean_text, percent, points
from genreg_np.experiments.training import FULL, METHODS, TESTED, backend, config_of, images, method_settings, shown_as
from genreg_np.report.hidden import hidden_of
from genreg_np.report.shown import COLOURS, MARKS, Picture, Shown, Table, new_figure, png_of
from genreg_np.runs.training import train

SEEN, DRAWN = 1000, 500  # test images that are measured, and that are kept in the plane
GRADIENT, NARROW, MAPS = "backpropagation", "GENREG as published, 32 units", "convolutions, backpropagation"
SATURATED = 0.95
COLUMNS = {  # of the table: the name of a value, its title, its scale and its digits
    "test": ("test accuracy, %", 100, 1),
    "saturated": ("saturated, %", 100, 1),
    "rank": ("effective rank", 1, 1),
    "neighbours": ("10 neighbours, %", 100, 1),
    "silhouette": ("silhouette", 1, 3),
    "probe": ("linear probe, %", 100, 1),
    "plane neighbours": ("10 neighbours in the plane, %", 100, 1),
    "plane silhouette": ("silhouette in the plane", 1, 3),
    "trustworthiness": ("trustworthiness of the plane", 1, 3),
}


class Embedding(Study):
    """The study `embedding`."""

    name = "embedding"
    question = "Do evolved networks represent digits differently from networks trained by gradients?"
    about = f"""
784-64-10 with tanh by four methods, 784-32-10 by GENREG's mechanism, and a small convolutional network by
backpropagation. The values of the last hidden layer are measured for 1,000 test images, in all their dimensions and in
the plane computed by UMAP (15 neighbours, least distance .1, seed 42).

*Saturated* are values nearer to -1 or 1 than .05. The *effective rank* is how many directions the values use, at most
the number of units, which is 32 in two of the networks. *10 neighbours* is the share of images whose ten nearest images
are mostly of their class; the *silhouette* is 1 if classes are far apart compared with their width, 0 if they overlap;
a *linear probe* is the accuracy of a linear classifier trained on the values; *trustworthiness* is 1 if all who are
neighbours in the plane are neighbours in all dimensions. *CKA* compares, for 100 of the images, which are alike to one
network with which are alike to another: 1 if both tell the same images apart, however units are numbered or scaled, and
about 0 if they have nothing in common.

{TESTED}
"""

    def check(self, cases: Sequence[Case], progress: Progress | None = None) -> None:
        """Also check that UMAP is installed."""
        super().check(cases, progress)
        wanted = any(case.settings["plane"] == "UMAP" for case in cases)
        if wanted and (why := _embeddings().unusable("umap")):
            raise missing_extra(f"umap-learn ({why})", "plots", "measure the study embedding")

    def cases(self, size: Size) -> Sequence[Case]:
        """Return each method, the narrow network and the convolutional one."""
        found = {
            name: method_settings(name, size.data, size.generations(FULL[name]), activation="tanh") for name in METHODS
        }
        found[NARROW] = found["GENREG as published"] | {"hidden": [32]}
        halved = "" if size.data == "digits" else " / max 2"
        maps = f"conv 8 3 / relu / max 2 / conv 16 3 / relu{halved} / dense 32 / relu / dense 10"
        found[MAPS] = {"preset": "convolution", "dataset": size.data, "network": maps, "shift": 0,
                       "generations": size.generations(2500), "validate_every": size.generations(500)}  # fmt: skip
        plane = "PCA" if size.name == "toy" else "UMAP"
        return [Case(name, settings | {"plane": plane}) for name, settings in found.items()]

    def measure(self, settings: Settings, seed: int) -> Values:
        """Train one network, and measure its hidden values."""
        own = dict(settings)
        laid_by = own.pop("plane")
        data = images(own["dataset"])
        result = train(config_of(own, seed), data, backend=backend())
        assert result.model is not None
        few = slice(None, None, -(-len(data.test) // SEEN))
        shown, labels = data.test.inputs[few], data.test.labels[few]
        values = hidden_of(result.model, shown)[-1].values.astype(np.float64)
        plane = _embeddings().umap(values) if laid_by == "UMAP" else _embeddings().pca(values)[0]
        if isinstance(plane, str):
            raise missing_extra(f"umap-learn ({plane})", "plots", "measure the study embedding")
        drawn = slice(None, None, -(-len(values) // DRAWN))
        return {
            "test": result.test_accuracy,
            "saturated": float(np.mean(np.abs(values) > SATURATED)) if "network" not in settings else None,
            "rank": effective_rank(values),
            **_apart(values, labels, ""),
            "probe": _embeddings().probe(values, labels),
            **_apart(plane, labels, "plane "),
            "trustworthiness": _embeddings().trusted(values, plane),
            "gram": packed(values),
            "plane": np.round(plane[drawn], 2).tolist(),
            "labels": labels[drawn].tolist(),
        }

    def shown(self, results: Results) -> Iterator[Shown]:
        """Yield the numbers, the similarity, and the planes of the first seed."""
        names = results.names()
        if not names:
            return
        rows = [
            [shown_as(name), *(mean_text(results.numbers(name, key), scale, digits) for key, (_, scale, digits) in
             COLUMNS.items())]
            for name in names
        ]  # fmt: skip
        yield Shown("In numbers", "", (Table(["", *(title for title, _, _ in COLUMNS.values())], rows),))
        rows = [[shown_as(name), *(mean_text(alike(results, name, other)) for other in names)] for name in names]
        words = (
            "CKA of two networks' hidden values: seed by seed between methods, between seeds of one method on the "
            "diagonal. The diagonal is as much as a method agrees with itself, what others have to be compared with."
        )
        yield Shown("Alike", words, (Table(["CKA with", *map(shown_as, names)], rows),))
        yield Shown("In the plane", "", (_planes(results, names),))

    def answers(self, results: Results) -> Iterator[Answer]:
        """Yield findings about embeddings."""
        published = "GENREG as published"
        if results.measured(published, NARROW):
            narrow, wide = (results.numbers(name, "plane neighbours") for name in (NARROW, published))
            gaps = results.gap(published, NARROW, "plane neighbours")
            yield Answer(
                "000", "UMAP: 32 units collapse similar digits, 64 give a clean topology of ten clusters",
                f"in the plane, {percent(narrow)} % of images have the class of most of their ten neighbours with 32 "
                f"units, {percent(wide)} % with 64, a difference of {points(gaps)} points; with 64 units by "
                f"backpropagation {percent(results.numbers(GRADIENT, 'plane neighbours'))} %.",
            )  # fmt: skip
        if results.measured(published, GRADIENT, MAPS):
            told = "; ".join(
                f"{shown_as(name)}: rank {mean_text(results.numbers(name, 'rank'), digits=1)}, linear probe "
                f"{percent(results.numbers(name, 'probe'))} %"
                for name in (published, "selection", "node perturbation", GRADIENT, MAPS)
                if results.measured(name)
            )
            yield Answer(
                "000", "How do evolutionary embeddings compare to gradient-trained CNNs?",
                f"{_nearer(results)}similarity (CKA, 1: the same) to the convolutional network, by "
                f"method, {_similar(results, MAPS)}; to a dense one by backpropagation {_similar(results, GRADIENT)}; "
                f"of two seeds of one method {_similar(results, None)}. {told}. Of the hidden values "
                f"{percent(results.numbers(published, 'saturated'))} % are saturated by GENREG's mechanism, "
                f"{percent(results.numbers(GRADIENT, 'saturated'))} % by backpropagation.",
            )  # fmt: skip


def _nearer(results: Results) -> str:
    """Return whether GENREG's mechanism is less like the convolutional network, as the start of a sentence."""
    ours, dense = (alike(results, name, MAPS) for name in ("GENREG as published", GRADIENT))
    if not differs([one - other for one, other in zip(ours, dense, strict=False)]):
        return ""
    less = "less" if np.mean(ours) < np.mean(dense) else "more"
    return f"GENREG's mechanism is {less} like the convolutional network than a dense one by backpropagation is: "


def _similar(results: Results, other: str | None) -> str:
    """Return each method's CKA with a case, or with other seeds of its own."""
    names = [name for name in (*METHODS, MAPS) if name != other and results.measured(name)]
    found = {name: alike(results, name, other or name) for name in names}
    return ", ".join(f"{shown_as(name)} {mean_text(values)}" for name, values in found.items() if values)


def _embeddings() -> ModuleType:
    """Return the module that measures embeddings; it needs scikit-learn, while listing the studies does not."""
    from genreg_np.report.sections import embeddings

    return embeddings


def effective_rank(values: NDArray[np.float64]) -> float:
    """Return the number of directions that values (n, H) use: exp of the entropy of their components' shares."""
    squares = np.square(np.linalg.svd(values - values.mean(axis=0), compute_uv=False))
    shares = squares[squares > 0] / squares.sum() if squares.sum() else np.ones(1)
    return float(np.exp(-(shares * np.log(shares)).sum()))


def packed(values: NDArray[np.float64], count: int = 100) -> list[float]:
    """Return the upper triangle of the Gram matrix (n, n) of evenly spread inputs, scaled to a norm of 1."""
    some = values[:: -(-len(values) // count)]
    some = some - some.mean(axis=0)
    gram = some @ some.T
    norm = float(np.linalg.norm(gram)) or 1.0
    found: list[float] = np.round(gram[np.triu_indices(len(gram))] / norm, 6).tolist()
    return found


def cka(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the linear CKA of two packed Gram matrices by the unbiased HSIC: about 0 for independent values."""
    first, second = (_unpacked(gram) for gram in (one, other))
    return float(_shared(first, second) / (_shared(first, first) * _shared(second, second)) ** 0.5)


def _unpacked(gram: Sequence[float]) -> NDArray[np.float64]:
    """Return a packed Gram matrix as (n, n), with its diagonal set to 0."""
    size = int((np.sqrt(8 * len(gram) + 1) - 1) / 2)
    whole = np.zeros((size, size))
    whole[np.triu_indices(size)] = gram
    whole = whole + whole.T
    np.fill_diagonal(whole, 0)
    return whole


def _shared(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the unbiased HSIC (Song et al. 2012) of two Gram matrices (n, n) without diagonals, times a constant."""
    size = len(one)
    means = one.sum() * other.sum() / ((size - 1) * (size - 2))
    both = float(one.sum(axis=0) @ other.sum(axis=0))
    return float((one * other).sum()) + float(means) - 2 / (size - 2) * both


def alike(results: Results, one: str, other: str) -> list[float]:
    """Return the CKA of two cases seed by seed; for a case with itself, of each pair of seeds."""
    if one == other:
        grams = [run["gram"] for run in results.of(one)]
        return [cka(first, second) for first, second in itertools.combinations(grams, 2)]
    return [cka(first["gram"], second["gram"]) for first, second in results.both(one, other)]


def _apart(values: NDArray[Any], labels: NDArray[np.int64], where: str) -> dict[str, float | None]:
    return {
        f"{where}neighbours": _embeddings().neighbours_right(values, labels),
        f"{where}silhouette": _embeddings().silhouette(values, labels),
    }


def _planes(results: Results, names: Sequence[str]) -> Picture:
    """Draw the plane of each case's first seed."""
    columns = 2
    rows = -(-len(names) // columns)
    figure = new_figure(height=2.3 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for panel, name in zip(panels, names, strict=False):
        run = results.of(name)[0]
        plane, labels = np.array(run["plane"]), np.array(run["labels"])
        for label in np.unique(labels):
            these = plane[labels == label]
            panel.scatter(*these.T, s=8, color=COLOURS[label % len(COLOURS)], marker=MARKS[label % len(MARKS)],
                          alpha=0.6, linewidths=0)  # fmt: skip
            panel.text(*np.median(these, axis=0), str(label), fontsize=10, fontweight="bold", ha="center", va="center")
        panel.set(xticks=[], yticks=[])
        panel.set_title(shown_as(name), fontsize=9)
    for panel in panels[len(names) :]:
        panel.axis("off")
    says = f"{len(names)} scatter plots by UMAP, with the digit of each class near its centre."
    return Picture("planes", png_of(figure), says, "UMAP of the last hidden layer, first seed of each.")
