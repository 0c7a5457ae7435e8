"""The winner of a search as a diagram: its layers from top to bottom, their output shapes, and its optimiser."""

from __future__ import annotations

from genreg_np.layers.description import parse, shown, words
from genreg_np.model import Network
from genreg_np.report.shown import SMALL, Picture, Shown, Table, new_figure, png_of
from genreg_np.report.subject import Subject
from genreg_np.search.kinds.base import ARCHITECTURE
from genreg_np.search.stored import StoredSearch
from genreg_np.search.trials import Trial

HEIGHT = 0.34  # inches of a box and the gap below it
COLOUR = {"conv": "#d7e6f3", "dense": "#f5ddd0", "max": "#dfeede", "avg": "#dfeede", "adaptive": "#dfeede"}
OTHERS = "#eeeeee"


def section(subject: Subject) -> Shown | None:
    """Show the winner, or the best so far; None for other subjects."""
    search = subject.search
    if search is None or not search.leaders:
        return None
    own = search.winner or search.leaders[0]
    shape = subject.model.input_shape
    network = Network(shape, parse(own.network, shape))
    what = (
        f"{own.parameters:,} weights and biases, {own.macs:,} multiply-adds for an image of {shown(shape)}; in words: "
        f"{own.network}"
    )
    return Shown("The network that was found", what, [_picture(network), _genes(search, own)])


def _picture(network: Network) -> Picture:
    """Draw a box for each layer, with the shape of its output."""
    layers = network.learning
    figure = new_figure(height=HEIGHT * (len(layers) + 2))
    panel = figure.add_axes((0, 0, 1, 1))
    figure.set_layout_engine("none")
    panel.axis("off")
    panel.set(xlim=(0, 10), ylim=(len(layers) + 1.5, -0.5))
    rows = [("input", shown(network.input_shape))]
    rows += [(words([layer]), shown(shape)) for layer, shape in zip(layers, network.shapes[1:], strict=True)]
    for place, (name, shape) in enumerate(rows):
        colour = COLOUR.get(name.split()[0], OTHERS)
        panel.text(
            4, place, name, ha="center", va="center", fontsize=10,
            bbox={"boxstyle": "round,pad=0.25", "facecolor": colour, "edgecolor": "0.5", "linewidth": 0.7},
        )  # fmt: skip
        panel.text(9.8, place, shape, ha="right", va="center", fontsize=SMALL, color="0.35")
        if place:
            panel.annotate(
                "", (4, place - 0.32), (4, place - 0.68), arrowprops={"arrowstyle": "-|>", "color": "0.5", "lw": 0.8}
            )
    told = "; ".join(f"{name} gives {shape}" for name, shape in rows[1:])
    return Picture(
        "diagram", png_of(figure, 32), f"The network from top to bottom: {told}.",
        "From top to bottom; on the right the output of each layer, channels x rows x columns.",
    )  # fmt: skip


def _genes(search: StoredSearch, own: Trial) -> Table:
    """Return the genes of the optimiser and the data, marking those that are not expressed."""
    rows = [
        (
            gene.name,
            str(own.genome[gene.name]) if gene.name in own.expressed else f"not expressed ({own.genome[gene.name]})",
        )
        for gene in search.space.genes
        if gene.block != ARCHITECTURE
    ]
    return Table(("gene", "value"), rows, "its optimiser, and the augmentation of training images")
