"""Figures of a run of `mixed`: the similarity of its networks, layer by layer and generation by generation.

scatter      each network is a dot at the first two principal components of its row of the matrix of cosines (P, P);
             axes -2 .. 2, as published, or larger if a dot would be outside
histogram    all P x P cosines, including the P ones of the diagonal, in ten bins of 0 .. 1, as published; cosines
             below 0, which the published axis leaves out, are counted in the first bin

If there are many generations or layers, some are drawn, evenly spread and including the first and the last.

Shapes: P networks, T layers, G generations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genreg_np.model import Float32
from genreg_np.report.shown import COLOURS, DASHES, new_figure, plain_style, png_of
from genreg_np.strategies.mixed.similarity import CLUSTERED, clusters, mean_pairwise

REACH = 2.0  # least extent of the scatter's axes
BINS = np.linspace(0, 1, 11)
MOST_GENERATIONS = 24  # with a figure
MOST_LAYERS = 8  # in a figure: more would be too small to read


def principal_components(similarity: Float32) -> NDArray[np.float64]:
    """Return each network's first two principal components, (P, 2), of cosines (P, P).

    The sign of a component is arbitrary; its entry of largest magnitude is made positive.
    """
    rows = similarity.astype(np.float64)
    rows = rows - rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows, full_matrices=False)
    axes = axes[:2]
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.where(axes[np.arange(len(axes)), largest] < 0, -1, 1)[:, None]
    return np.asarray(rows @ axes.T)


def spread_out(count: int, most: int) -> list[int]:
    """Return at most `most` of the numbers 0 .. count-1, evenly spread, including the first and the last."""
    return [int(number) for number in np.linspace(0, count - 1, min(count, most)).round()]


def draw_all(similarity: Float32, layers: tuple[str, ...]) -> Iterator[tuple[str, bytes]]:
    """Draw a figure for each generation (G, T, P, P) and one of similarity over time, as file names and PNG images.

    Raises
    ------
    MissingExtraError
        Without matplotlib.
    """
    shown = spread_out(len(layers), MOST_LAYERS)
    names = [layers[layer] for layer in shown]
    some = f", {len(shown)} of {len(layers)} layers and parts" if len(shown) < len(layers) else ""
    for generation in spread_out(len(similarity), MOST_GENERATIONS):
        yield (
            f"generation-{generation:03d}.png",
            _generation(similarity[generation][shown], names, f"generation {generation}{some}"),
        )
    yield "similarity.png", _over_time(mean_pairwise(similarity[:, shown]), names)


@plain_style()
def _generation(similarity: Float32, names: Sequence[str], title: str) -> bytes:
    """Draw the scatters and histograms of a generation with cosines (T, P, P)."""
    figure = new_figure(3 * len(names), 6)
    figure.suptitle(title)
    panels = figure.subplots(2, len(names), squeeze=False)
    for column, (name, matrix) in enumerate(zip(names, similarity, strict=True)):
        _scatter(panels[0, column], matrix, name, column == 0)
        panels[1, column].hist(np.clip(matrix.ravel(), 0, 1), bins=BINS)
        panels[1, column].set(xlim=(0, 1), xlabel="cosine", ylabel="pairs" if column == 0 else "")
    return png_of(figure)


@plain_style()
def _over_time(means: NDArray[np.float64], names: Sequence[str]) -> bytes:
    """Draw the means of all generations (G, T)."""
    figure = new_figure(6, 4)
    panel = figure.subplots()
    draw_over_time(panel, np.arange(len(means)), means, names)
    panel.set(ylabel="mean cosine of all pairs", ylim=(min(0.0, float(means.min())), 1))
    return png_of(figure)


def _scatter(panel: Any, matrix: Float32, name: str, leftmost: bool) -> None:
    """Draw the networks as dots, coloured by cluster."""
    places, kinds = principal_components(matrix), clusters(matrix)
    panel.scatter(places[:, 0], places[:, 1], c=kinds % 10, cmap="tab10", vmin=0, vmax=9, s=18, alpha=0.7)
    count = kinds.max() + 1
    reach = max(REACH, 1.1 * float(np.abs(places).max()))  # large populations of few kinds extend further
    panel.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="first principal component")
    panel.set_ylabel("second principal component" if leftmost else "")
    panel.set_title(f"layer {name}: {count} cluster{'s' if count > 1 else ''} at {CLUSTERED:g}", fontsize=9)


def draw_over_time(panel: Any, generations: ArrayLike, values: ArrayLike, layers: Sequence[str]) -> None:
    """Draw a measure of each layer (G, T) by generation, as a line per layer."""
    for number, (name, line) in enumerate(zip(layers, np.asarray(values).T, strict=True)):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        panel.plot(generations, line, dash, color=colour, marker="o", markersize=3, label=f"layer {name}")
    panel.set(xlabel="generation")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.legend(frameon=False)
