"""Sections of hidden units, weights, population and embeddings: their numbers, and that they are absent in time."""

from __future__ import annotations

import builtins
import importlib.util
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import strategies
from genreg_np.errors import MissingExtraError
from genreg_np.layers.convolution import Convolution
from genreg_np.layers.dense import Dense
from genreg_np.model import Model, Network
from genreg_np.report.chance import LEAST, Share
from genreg_np.report.hidden import Hidden
from genreg_np.report.names import drawn
from genreg_np.report.sections import embeddings, histograms, population, units
from genreg_np.report.sections.units import Units
from genreg_np.report.shown import Picture, Shown, Table
from genreg_np.report.subject import Subject
from tests.helpers import model_of, thinned, tiny_dataset
from tests.report.subjects import labelled, run_of, shown
from tests.zoo import ZOO

pytest.importorskip("matplotlib", reason="needs matplotlib to draw")
SECTIONS = ("units", "histograms", "population", "embeddings")
LARGEST_PNG = 200_000


def section(name: str, subject: Subject) -> Shown | None:
    """Return what a section shows of a subject, which must be fit for a page."""
    found: Shown | None = importlib.import_module(f"genreg_np.report.sections.{name}").section(subject)
    for part in found.parts if found else ():
        if isinstance(part, Picture):
            assert part.png.startswith(b"\x89PNG")
            assert len(part.png) < LARGEST_PNG
            assert part.says
            assert part.caption
        else:
            assert part.rows
            assert all(len(row) == len(part.head) for row in part.rows)
    return found


def table(found: Shown | None, number: int = 0) -> Table:
    """Return one of a section's tables."""
    assert found is not None
    return [part for part in found.parts if isinstance(part, Table)][number]


def pictures(found: Shown | None) -> list[str]:
    """Return the names of a section's pictures."""
    return [part.name for part in found.parts if isinstance(part, Picture)] if found else []


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("name", thinned(ZOO))
def test_of_models_of_every_kind(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No section fails; each is there where there is something to show. (Probes, which take long, are not taken.)"""
    monkeypatch.setattr(embeddings, "probe", lambda values, labels: None)
    subject = shown(name)
    learned = any(hidden.learned for hidden in subject.hidden)
    assert (section("units", subject) is not None) == learned
    assert (section("histograms", subject) is not None) == (not subject.model.is_int8)
    assert section("population", subject) is None
    if importlib.util.find_spec("sklearn"):
        many = subject.dataset is not None and len(subject.rows) >= LEAST
        varied = bool(subject.hidden) and np.ptp(subject.hidden[-1].values, axis=0).any()
        assert (section("embeddings", subject) is not None) == (many and varied)


@pytest.mark.usefixtures("coarse")
@pytest.mark.parametrize("strategy", strategies.REGISTRY)
def test_of_runs_of_every_strategy(strategy: str, tmp_path: Path) -> None:
    """All that a run has to show, and no name twice."""
    subject = run_of(tmp_path / "run", strategy=strategy)
    found = {name: section(name, subject) for name in SECTIONS}
    names = [name for shown in found.values() for name in pictures(shown)]
    assert len(names) == len(set(names))
    assert "histograms" in names
    assert "weight-growth" in names
    assert ("diversity" in names) == (strategy in ("genreg", "mixed"))
    assert ("similarity" in names) == (strategy == "mixed")
    assert ("units" in names) == any(hidden.learned for hidden in subject.hidden)


@pytest.mark.parametrize("kind", ["u", "f"])
def test_without_data(kind: str, tmp_path: Path) -> None:
    """Weights and population are there still."""
    subject = run_of(tmp_path / "run", tiny_dataset(kind=kind))
    alone = Subject("alone", subject.model, run=subject.run)
    assert section("units", alone) is None
    assert section("embeddings", alone) is None
    assert section("population", alone) is not None
    assert pictures(section("histograms", alone)) == ["histograms"]


# Units


def hidden(values: Any, function: str, channels: int | None = None) -> Hidden:
    array = np.asarray(values, np.float32)
    return Hidden("layer 0, dense", "dense", array, channels or array.shape[1], function)


def test_saturated_units_are_counted() -> None:
    """Beyond .95 either way; the third never changes, and signs make two patterns."""
    found = Units.of(hidden([[0.99, 0.1, 0.5], [-0.96, 0.2, 0.5], [0.94, 0.3, 0.5], [1, 0.4, 0.5]], "tanh"))
    assert found.shares.tolist() == [0.75, 0, 0]
    assert (found.dead, found.codes, found.inputs) == (1, 2, 4)
    assert found.size == pytest.approx((0.99 + 0.96 + 0.94 + 1 + 1.0 + 2.0) / 12)


def test_sigmoid_is_saturated_at_both_ends() -> None:
    """And its sign is on which side of a half it is."""
    found = Units.of(hidden([[0.98, 0.6], [0.01, 0.4], [0.97, 0.6]], "sigmoid"))
    assert found.shares == pytest.approx([2 / 3, 0])
    assert found.codes == 2
    assert Units.of(hidden([[0, 1], [1, 1]], "step")).shares.tolist() == [1, 1]


@pytest.mark.parametrize(("inputs", "told"), [(8, False), (40, True)])
def test_units_that_never_change_are_told_of_many_inputs(inputs: int, told: bool) -> None:
    """Of a few, most never do; so it is with switches."""
    layer = hidden(np.ones((inputs, 3)), "tanh")
    said = units._words(layer, Units.of(layer))
    assert ("3 of 3 units never change" in said) == told
    assert ("switches" in said) == told


@pytest.mark.parametrize("function", ["relu", "elu", "linear", "lookup-int8"])
def test_others_are_counted_at_rest(function: str) -> None:
    found = Units.of(hidden([[0, 2, 0], [0, 1, 3], [0, -1, 0]], function))
    assert found.shares == pytest.approx([1, 1 / 3, 2 / 3])
    assert (found.dead, found.codes) == (1, 3)


def test_of_maps_channels_are_counted() -> None:
    """A channel is dead if each of its places is the same for all inputs, which may be different at each."""
    found = Units.of(hidden([[0, 5, 1, 0], [0, 5, 2, 2]], "relu", channels=2))
    assert found.shares == pytest.approx([1 / 2, 1 / 4])
    assert (found.dead, found.codes) == (1, 2)


def test_units_in_a_table() -> None:
    layers = (Convolution((1, 4, 4), 2, 3), Dense(8, 5, "tanh"), Dense(5, 4))
    data = tiny_dataset()
    found = section("units", labelled(model_of(Network((4, 4), layers)), data.test.inputs, data.test.labels))
    rows = table(found).rows
    assert [row[:2] for row in rows] == [("layer 0, convolution, linear", "2"), ("layer 1, dense, tanh", "5")]
    assert found is not None
    assert "saturated" in found.words


# Embeddings


def apart(classes: int = 3, each: int = 20, width: int = 6, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return points of classes that lie far apart, and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(classes * each) % classes
    return rng.normal(size=(classes, width))[labels] * 20 + rng.normal(size=(len(labels), width)), labels


@pytest.mark.parametrize("shape", [(30, 5), (12, 40), (9, 1)])
def test_the_plane_is_that_of_singular_values(shape: tuple[int, int]) -> None:
    """Whichever way it was found, and to a sign."""
    pytest.importorskip("scipy")
    values = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    plane, share = embeddings.pca(values)
    rows = values.astype(np.float64) - values.mean(axis=0, dtype=np.float64)
    left, sizes, _ = np.linalg.svd(rows, full_matrices=False)
    count = min(2, len(sizes))
    assert np.abs(plane[:, :count]) == pytest.approx(np.abs(left[:, :count] * sizes[:count]), abs=1e-6)
    assert share == pytest.approx(np.square(sizes[:count]).sum() / np.square(sizes).sum())
    assert not plane[:, count:].any()


def test_neighbours_are_counted_without_the_input_itself() -> None:
    """By all distances, one by one."""
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(4)
    values, labels = rng.normal(size=(40, 3)), rng.integers(0, 3, 40)
    right = 0
    for number in range(40):
        distances = np.linalg.norm(values - values[number], axis=1)
        distances[number] = np.inf
        votes = np.bincount(labels[np.argsort(distances)[:10]], minlength=3)
        right += int(votes.argmax() == labels[number])
    assert embeddings.neighbours_right(values, labels) == pytest.approx(right / 40)


def test_numbers_of_classes_that_lie_apart() -> None:
    """All but perfect; of labels at random they are not."""
    pytest.importorskip("sklearn")
    values, labels = apart()
    mixed = np.random.default_rng(5).permutation(labels)
    assert embeddings.neighbours_right(values, labels) == 1
    assert embeddings.probe(values, labels) == 1
    assert embeddings.silhouette(values, labels) > 0.7  # type: ignore[operator]
    assert embeddings.probe(values, mixed) < 0.7  # type: ignore[operator]
    assert embeddings.silhouette(values, mixed) < 0.1  # type: ignore[operator]
    assert embeddings.trusted(values, values) == 1


def test_classes_too_small_to_be_told_apart() -> None:
    """Have no number."""
    pytest.importorskip("sklearn")
    values, _ = apart()
    one, each = np.zeros(60, np.int64), np.arange(60)
    assert embeddings.probe(values, one) is None
    assert embeddings.probe(values, each) is None
    assert embeddings.silhouette(values, one) is None
    assert embeddings.silhouette(values, each) is None
    assert embeddings.neighbours_right(values, each) is None
    few = np.array([0] * 55 + [1] * 5)
    assert embeddings.probe(values, few) is not None
    alone = np.array([*(np.arange(59) % 3), 3])  # the last has no neighbours of its own class: it does not count
    assert embeddings.neighbours_right(values, alone) == 1


@pytest.mark.parametrize("width", [40, 600, 5000])
def test_a_probe_sees_classes_among_much_that_hardly_varies(width: int) -> None:
    """Two values tell three classes apart; the others are noise of a hundredth of their size."""
    pytest.importorskip("sklearn")
    rng, labels = np.random.default_rng(11), np.arange(120) % 3
    values = 0.03 * rng.normal(size=(120, width))
    values[:, :3] += 3 * np.eye(3)[labels] + rng.normal(size=(120, 3)) / 3
    assert embeddings.probe(values, labels) > 0.95  # type: ignore[operator]


def test_names_of_any_kind_stand_in_a_plane() -> None:
    """Formulas, and signs that the font lacks: without a warning."""
    pytest.importorskip("sklearn")
    names = ("$\\frac$", "猫", "a" * 40)
    values, labels = apart()
    points = embeddings.Points(values, labels, labels, drawn(names, embeddings.MOST_LETTERS))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(embeddings._pictures("PCA", values[:, :2], points, ""))) == 2
    assert points.names == ["$\\frac$", "#1", "a" * 11 + "…"]


@pytest.mark.parametrize(
    ("shape", "channels", "left"), [((3, 10_000), 4, 4), ((3, 10_000), 10_000, 3334), ((3, 50), 2, 50)]
)
def test_wide_layers_are_narrowed(shape: tuple[int, int], channels: int, left: int) -> None:
    """Maps to a mean of each channel."""
    values = np.random.default_rng(6).normal(size=shape).astype(np.float32)
    found = embeddings.narrowed(hidden(values, "relu", channels))
    assert found.shape == (3, left)
    if left == channels:
        assert found == pytest.approx(values.reshape(3, channels, -1).mean(axis=2), abs=1e-6)


def test_many_classes_and_names_of_any_kind() -> None:
    """Colours repeat, long names are cut, and a dollar sign is no formula."""
    pytest.importorskip("sklearn")
    points, labels = apart(classes=40, each=3, width=6)
    names = tuple(f"$class_{number}^ of a long name" for number in range(40))
    network = Network.build((6,), (5,), 40)
    genes = model_of(network, class_names=()).genes
    model = Model.build(network, genes, names)
    found = section("embeddings", labelled(model, points.astype(np.float32), labels))
    assert pictures(found)[:2] == ["pca-classes", "pca-predictions"]
    assert table(found).rows[-1] == (
        "linear probe",
        *[embeddings.NO_NUMBER] * (len(table(found).head) - 1),
    )  # three of each class are too few for five folds


def test_without_scikit_learn_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing fails."""
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert section("embeddings", shown("maps, two stages")) is None


def test_without_umap_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """With it, there is a second picture, and a row."""
    pytest.importorskip("sklearn")
    data = tiny_dataset()
    subject = labelled(model_of(Network.build((4, 4), (5,), 4)), data.test.inputs, data.test.labels)
    monkeypatch.setattr(embeddings, "umap", lambda values: embeddings.HOW_TO_GET)
    without = section("embeddings", subject)
    monkeypatch.setattr(embeddings, "umap", lambda values: values[:, :2])
    with_it = section("embeddings", subject)
    assert len(pictures(without)) == 2
    assert pictures(with_it)[2:] == ["umap-classes", "umap-predictions"]
    assert table(with_it).head == ("", "5 hidden values", "PCA", "UMAP")
    assert without is not None
    assert with_it is not None
    assert embeddings.HOW_TO_GET in without.words
    assert embeddings.HOW_TO_GET not in with_it.words


def test_without_matplotlib_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the error that names the extra, whichever section is the first."""
    inner = builtins.__import__

    def refuse(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return inner(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", refuse)
    for name, of in (("units", "maps, two stages"), ("histograms", "maps, two stages")):
        with pytest.raises(MissingExtraError):
            {"units": units, "histograms": histograms, "population": population}[name].section(shown(of))


def test_names_do_not_meet() -> None:
    """The second of two at one place stands above it, and one that finds no room is left out; all are in the frame."""
    taken: list[tuple[float, float, float]] = []
    found = [embeddings.room_for(0.99, 0.5, 0.2, taken) for _ in range(6)]
    assert found[-1] is None
    places = [place for place in found if place is not None]
    assert all(x + 0.1 < 1 for x, _ in places)
    heights = sorted(y for _, y in places)
    assert np.diff(heights).min() >= 0.99 * embeddings.NAME_HEIGHT
    assert embeddings.room_for(0.2, 0.5, 0.2, taken) == (0.2, 0.5)


def test_a_probe_far_above_the_network_is_told() -> None:
    """Not one that may be so by chance."""
    assert "do" in embeddings._follows(0.95, Share(70, 100))
    assert embeddings._follows(0.75, Share(70, 100)) == ""
    assert embeddings._follows(None, Share(70, 100)) == ""
