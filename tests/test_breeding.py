"""Where networks come from: parents, genes, newcomers; models that recombine; networks by name."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.backends.numpy_ import NumpyBackend
from genreg_np.errors import UsageError
from genreg_np.layers.groups import BLOCK_SIZE
from genreg_np.layers.targets import Targets
from genreg_np.model import Model, Network, Standardise
from genreg_np.report import measure
from genreg_np.strategies.mixed import breeding
from genreg_np.strategies.mixed import strategy as mixed
from genreg_np.strategies.mixed.breeding import children_of, draw_parents, first_networks, outside_blocks, recombine
from genreg_np.strategies.mixed.networks import NETWORKS, in_parts, network_name, parse_network
from genreg_np.strategies.mixed.options import MixedOptions
from genreg_np.streams import Stream
from tests.helpers import BACKENDS, create_or_skip, model_of, one_line
from tests.test_mixed import run

BACKEND = backends.create("numpy")


# Parents and children


def test_parents_are_two_and_all_pairs_are_equally_likely() -> None:
    """Nobody is bred with itself; every ordered pair is drawn about as often."""
    parents = draw_parents(6000, 4, Stream(1), 2)
    assert (parents[:, 0] != parents[:, 1]).all()
    counts = np.bincount(4 * parents[:, 0] + parents[:, 1], minlength=16).reshape(4, 4)
    expected = 6000 / 12
    assert np.abs(counts[~np.eye(4, dtype=bool)] - expected).max() < 5 * expected**0.5


def test_first_weights_fill_pytorchs_intervals() -> None:
    """Weights and biases of a unit with I inputs are uniform in +-1 / sqrt(I)."""
    network = Network.build((49,), (100,), 16)
    genes = first_networks(BACKEND, network, Stream(0), np.arange(20))
    for weights, biases in network.unpack(genes):
        bound = weights.shape[2] ** -0.5
        for values in (weights, biases):
            assert 0.95 * bound < np.abs(values).max() <= bound
            assert values.var() == pytest.approx(bound**2 / 3, rel=0.15)


def test_a_network_of_a_number_is_the_same_in_any_company() -> None:
    """Newcomers are further networks of generation 0."""
    network = Network.build((5,), (4,), 3)
    together = first_networks(BACKEND, network, Stream(4), np.array([7, 900, 2]))
    alone = first_networks(BACKEND, network, Stream(4), np.array([900]))
    assert np.array_equal(alone[0], together[1])


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("edges", ["kept", "fresh"])
def test_what_lies_outside_the_blocks_is_inherited_or_drawn_anew(edges: str, name: str) -> None:
    """As published, the last inputs that no block holds have fresh weights in every child; ours are inherited."""
    network = Network.build((130,), (70,), 10)
    assert BLOCK_SIZE == 64
    grid = np.ones((70, 130), bool)
    grid[:70, :129] = False  # three blocks of 43 inputs; two of 35 units
    slices = network.weight_slices
    places, widths = outside_blocks(network)
    last = slices[1][0].start + np.flatnonzero(np.arange(70)[None].repeat(10, axis=0) >= 70)
    assert places.tolist() == [*np.flatnonzero(grid), *last]
    assert np.allclose(widths, 2 / 130**0.5)
    survivors = np.stack([np.full(network.gene_count, value, np.float32) for value in (2, 3)])
    backend = create_or_skip(name)
    like = run().context
    options, descent = MixedOptions(gene="block", edges=edges), replace(like.descent, network=network)
    context = replace(like, options=options, backend=backend, descent=descent)
    children = backend.to_host(children_of(context, survivors, 30, Stream(0), 5))
    inherited = np.isin(children, (2, 3))
    assert inherited[:, np.setdiff1d(np.arange(network.gene_count), places)].all()
    assert inherited[:, places].all() == (edges == "kept")
    if edges == "fresh":
        drawn = children[:, places]
        assert np.abs(drawn).max() <= 130**-0.5
        assert len(np.unique(drawn)) > 0.99 * drawn.size


def test_the_published_networks_leave_four_pixels_outside_the_blocks() -> None:
    """Columns 780 to 783 of the first layer, and nothing else, in both networks."""
    network = Network.build((28, 28), (256, 128), 10)
    for parts in ((), (1, 2)):
        places, _ = outside_blocks(in_parts(network, parts))
        assert sorted(places) == [784 * row + column for row in range(256) for column in range(780, 784)]


def test_the_vertical_networks_blocks_are_the_horizontal_ones() -> None:
    """Halves of 64 units are cut into the very blocks of the whole: with gene = block the two are one experiment."""
    horizontal, vertical = (run("seed-mixed", hidden=[256, 128], parts=parts) for parts in ([], [1, 2]))
    for evolution in (horizontal, vertical):
        evolution.run(2)
    assert vertical.state.population == pytest.approx(horizontal.state.population, abs=1e-5)  # products are others
    assert horizontal.state.similarity.shape[1] == 3
    assert vertical.state.similarity.shape[1] == 4


@pytest.mark.parametrize("gene", ["layer", "block", "unit", "weight"])
def test_a_child_of_two_models_has_genes_of_both(gene: str) -> None:
    """Each gene is one parent's; together they make a model that predicts."""
    network = Network.build((8,), (6, 5), 3)
    first, second = (model_of(network, seed) for seed in (1, 2))
    children = [recombine(first, second, gene, seed) for seed in range(8)]
    for child in children:
        assert ((child.genes == first.genes) | (child.genes == second.genes)).all()
        assert child.outputs(np.zeros((1, 8), np.float32)).shape == (1, 3)
    taken = np.array([child.genes == first.genes for child in children])
    assert 0.2 < taken.mean() < 0.8
    if gene == "layer":
        for weights, biases in network.weight_slices:
            assert (taken[:, weights.start : biases.stop].mean(axis=1) % 1 == 0).all()


@pytest.mark.parametrize(
    ("second", "gene", "words"),
    [
        (Network.build((8,), (6, 4), 3), "layer", "8-6-5-3.*8-6-4-3.*cannot recombine"),
        (Network.build((8,), (6, 5), 3), "limb", "'limb' must be one of layer"),
    ],
)
def test_networks_that_cannot_recombine_are_refused(second: Network, gene: str, words: str) -> None:
    with pytest.raises(UsageError, match=words) as raised:
        recombine(model_of(Network.build((8,), (6, 5), 3)), model_of(second), gene)
    one_line(raised.value)


def test_parts_of_models_that_recombine_are_those_of_the_setting() -> None:
    """A number for each hidden layer; each part is a layer of its own, inherited as a whole."""
    network = Network.build((8,), (6, 4), 3)
    first, second = (model_of(network, seed) for seed in (1, 2))
    halves = set()
    for seed in range(20):
        taken = (recombine(first, second, "layer", seed, (1, 2)).genes == first.genes)[network.weight_slices[1][0]]
        assert all(half.all() or not half.any() for half in np.split(taken, 2))
        halves.add((bool(taken[0]), bool(taken[-1])))
    assert len(halves) == 4, "the halves are inherited each for itself"


@pytest.mark.parametrize(
    ("parts", "words"),
    [((2,), "each of the 2 hidden layers"), ((1, 2, 1), "2 hidden layers"), ((1, 3), "4 units cannot be cut into 3")],
)
def test_parts_that_do_not_fit_the_models_are_refused(parts: tuple[int, ...], words: str) -> None:
    network = Network.build((8,), (6, 4), 3)
    with pytest.raises(UsageError, match=words) as raised:
        recombine(model_of(network, 1), model_of(network, 2), "layer", 0, parts)
    one_line(raised.value)


FIXED = [Standardise(np.full(6, mean, np.float32), np.ones(6, np.float32)) for mean in (0.0, 0.5)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_names": ("a", "b", "d")}, "class names differ"),
        ({"input_range": (0.0, 1.0)}, "ranges of inputs differ"),
        ({"fixed": FIXED[1]}, "layers must be the same"),
    ],
)
def test_models_of_other_data_cannot_recombine(changes: dict[str, Any], words: str) -> None:
    """A child of a network that tells cats from dogs and one that tells letters would tell nothing."""

    def made(fixed: Standardise, **own: Any) -> Model:
        return model_of(Network.build((6,), (4, 5), 3, fixed=(fixed,)), **own)

    first = made(FIXED[0])
    assert recombine(first, made(FIXED[0])).network == first.network
    with pytest.raises(UsageError, match=words) as raised:
        recombine(first, made(**({"fixed": FIXED[0]} | changes)))
    one_line(raised.value)


def test_a_child_knows_of_the_data_what_its_parents_know() -> None:
    """The table's label, and the units of predicted numbers: those of others are refused."""
    network = Network.build((6,), (4, 5), 3)
    table = {"label": "kind", "table": {"width": 7, "columns": [1, 2, 3, 4, 5, 6], "labels": [7]}}
    first, second = (model_of(network, seed, **table) for seed in (1, 2))
    child = recombine(first, second)
    assert {name: child.header[name] for name in table} == table
    units = [Targets.of(("y",), np.array([[0.0], [high]])) for high in (4.0, 6.0)]
    own: dict[str, Any] = {"class_names": (), "input_range": None}
    low, other, high = (
        model_of(Network.build((6,), (4, 5), 1), seed, targets=targets, **own)
        for seed, targets in enumerate((units[0], units[0], units[1]))
    )
    assert recombine(low, other).header["values"] == low.header["values"]
    with pytest.raises(UsageError, match="predicted numbers differ") as raised:
        recombine(low, high)
    one_line(raised.value)


# Fresh networks


def test_no_two_fresh_networks_of_a_run_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """First networks, newcomers of every generation, replacements and baselines: all are others."""
    made: list[np.ndarray] = []

    def noted(*arguments: Any) -> np.ndarray:
        made.append(first_networks(*arguments))
        return made[-1].copy()

    for module in (mixed, measure):
        monkeypatch.setattr(module, "first_networks", noted)
    monkeypatch.setattr(mixed, "diverged", lambda backend, genes, losses: np.arange(len(genes)) % 4 == 1)
    evolution = run(newcomers=0.5)
    evolution.run()
    assert evolution.state.dropped == 3 * 2
    measure.train_baselines(evolution)
    every = np.concatenate(made)
    assert len(every) == 6 + 3 * 3 + 3 * 2 + 2
    assert len(np.unique(every, axis=0)) == len(every)


def test_numbers_of_fresh_networks_never_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run so long that newcomers, or replacements of everyone, came to the next ones' numbers is refused."""
    monkeypatch.setattr(NumpyBackend, "memory", lambda backend: sys.maxsize)  # its cosines alone would fill half a TB
    options = MixedOptions(population_size=1000, newcomers=10.0)
    longest = breeding.FIRST_REPLACEMENT // 11_000 - 1
    breeding.check_numbers(options, longest)
    assert breeding.newcomer_numbers(options, longest - 1)[-1] < breeding.FIRST_REPLACEMENT
    assert breeding.FIRST_REPLACEMENT + 11_000 * longest < breeding.FIRST_BASELINE
    with pytest.raises(UsageError, match=f"11,000 networks each.*last for {longest:,}") as raised:
        run(population_size=1000, newcomers=10.0, generations=longest + 1)
    one_line(raised.value)
    evolution = run()
    evolution.state = replace(evolution.state, generation=1 << 28)
    with pytest.raises(UsageError, match="too many"):
        evolution.step()


@pytest.mark.parametrize(
    ("fraction", "population", "count"),
    [(0.29, 100, 29), (0.1, 20, 2), (0.5, 20, 10), (0.34, 6, 2), (0.49, 2, 0), (1 / 3, 3, 1), (0.0, 20, 0)],
)
def test_newcomers_are_rounded_down_whatever_floats_say(fraction: float, population: int, count: int) -> None:
    """0.29 x 100 is 28.999999999999996."""
    assert MixedOptions(population_size=population, newcomers=fraction).newcomer_count == count


# Networks by name


@pytest.mark.parametrize("text", [*NETWORKS, "300,100", "9,4|4|4"])
def test_networks_have_names_that_are_read_again(text: str) -> None:
    assert network_name(*parse_network(text)) == text


def test_the_two_published_networks() -> None:
    assert parse_network("256,128") == parse_network("horizontal") == ((256, 128), ())
    assert parse_network("256,64|64") == parse_network("vertical") == ((256, 128), (1, 2))


def test_parts_that_are_all_whole_are_no_parts() -> None:
    assert network_name((256, 128), (1, 1)) == "horizontal"


@pytest.mark.parametrize(
    ("text", "words"), [("diagonal", "must be horizontal, vertical, or widths"), ("8,4|2", "equally wide, not 4|2")]
)
def test_networks_that_cannot_be_read_are_one_line(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("|", r"\|")) as raised:
        parse_network(text)
    one_line(raised.value)
