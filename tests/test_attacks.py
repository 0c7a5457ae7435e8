"""Attacks: how far pixels move, which way, whom they fool, and what is said of a population at the end of a run."""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import numpy as np
import pytest

from genreg_np import backends
from genreg_np.errors import UsageError
from genreg_np.model import Network, Standardise
from genreg_np.report import attacks, measure
from genreg_np.report.attacks import PAPER_FGSM, Attack, attack_images, outcome
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.streams import Stream
from tests.helpers import BACKENDS, create_or_skip, one_line, tiny_dataset
from tests.test_mixed import SMALL

DATASET = tiny_dataset()
needs_numba = pytest.mark.skipif(
    not (importlib.util.find_spec("numba") and importlib.util.find_spec("scipy")), reason="numba is not installed"
)


@pytest.fixture(scope="module")
def trained() -> Evolution:
    """A population that has learned."""
    evolution = Evolution(TrainConfig.from_dict(SMALL | {"generations": 8}), DATASET, backend="numpy")
    evolution.run()
    return evolution


def images_of(evolution: Evolution) -> np.ndarray:
    """Return the test split as the network sees it."""
    return evolution.network.features(DATASET.test.inputs, DATASET.input_range)


def attacked(evolution: Evolution, attack: Attack, backend: Any = None) -> np.ndarray:
    """Return test images attacked for the fittest network."""
    backend = backend or evolution.backend
    genes, images = evolution.champion_genes()["best"], backend.to_device(images_of(evolution))
    found = attack_images(backend, evolution.network, genes, images, DATASET.test.labels, attack, Stream(0))
    return backend.to_host(found)


def loss(evolution: Evolution, images: np.ndarray) -> np.ndarray:
    """Return the fittest network's loss of each image, in float64."""
    values = images.astype(np.float64)
    for index, (weights, biases) in enumerate(evolution.network.unpack(evolution.champion_genes()["best"])):
        values = values @ weights.T + biases
        values = values if index == 2 else np.maximum(values, 0)
    values -= values.max(axis=1, keepdims=True)
    return np.log(np.exp(values).sum(axis=1)) - values[np.arange(len(values)), DATASET.test.labels]


@pytest.mark.parametrize("name", ["fgsm", "pgd"])
@pytest.mark.parametrize("epsilon", [0.02, 0.3])
def test_pixels_move_by_epsilon_at_most_and_stay_pixels(trained: Evolution, name: str, epsilon: float) -> None:
    """Within epsilon of the image, within 0 .. 1, and the attacked network's accuracy falls."""
    clean, found = images_of(trained), attacked(trained, Attack(name, epsilon))
    assert np.abs(found - clean).max() <= epsilon * 1.0001
    assert np.abs(found - clean).max() > 0.9 * epsilon
    assert 0 <= found.min() <= found.max() <= 1
    assert loss(trained, found).mean() > loss(trained, clean).mean()


def test_fgsm_steps_along_the_sign_of_the_slope(trained: Evolution) -> None:
    """Pixel by pixel, the way in which finite differences say the loss grows."""
    clean, epsilon = images_of(trained), 0.01
    moved = attacked(trained, Attack("fgsm", epsilon)) - clean
    checked = 0
    for pixel in range(clean.shape[1]):
        step = np.zeros_like(clean)
        step[:, pixel] = 1e-4
        slope = loss(trained, clean + step) - loss(trained, clean - step)
        sure = (np.abs(slope) > 1e-6) & (clean[:, pixel] > epsilon) & (clean[:, pixel] < 1 - epsilon)
        assert moved[sure, pixel] == pytest.approx(np.sign(slope[sure]) * epsilon, abs=1e-6)
        checked += sure.sum()
    assert checked > 200


def test_pgd_begins_anywhere_within_reach() -> None:
    """Evenly spread over -1 .. 1, each image its own way."""
    found = attacks._uniform(Stream(0), 5, 200, 49)
    assert found.shape == (49, 200)
    assert (found.min(), found.max()) == (-1, 1)
    assert abs(found.mean()) < 0.03
    assert found.var() == pytest.approx(1 / 3, rel=0.05)
    assert np.array_equal(attacks._uniform(Stream(0), 7, 1, 49)[:, 0], found[:, 2])
    assert len(np.unique(found, axis=1).T) == 200


def test_pgd_begins_at_random(trained: Evolution) -> None:
    """Where the loss is flat no step is taken: what is left is the start, each image's own."""
    clean, labels = np.full((9, 16), 0.5, np.float32), np.zeros(9, np.int64)
    flat = np.zeros(trained.network.gene_count, np.float32)
    found = attack_images(trained.backend, trained.network, flat, clean, labels, Attack("pgd", 0.1), Stream(4))
    assert np.array_equal(found, clean + attacks._uniform(Stream(4), 0, 9, 16).T * 0.1)
    assert found.std() > 0.05


@needs_numba
def test_attacks_make_the_same_bytes_on_any_number_of_threads(
    trained: Evolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attacks, "ATTACKED_AT_A_TIME", 5)  # several pieces for each thread
    for attack in (Attack("pgd", 0.1), Attack("fgsm", 0.1), PAPER_FGSM):
        one, two = (attacked(trained, attack, backends.create("numba", threads)) for threads in (1, 2))
        assert one.tobytes() == two.tobytes()


def test_pgd_finds_more_than_one_step_does(trained: Evolution) -> None:
    """Ten small steps raise the loss at least as far as one large one."""
    one, ten = (loss(trained, attacked(trained, Attack(name, 0.3))).mean() for name in ("fgsm", "pgd"))
    assert ten > one


def test_the_notebooks_attack_leaves_the_range_and_spares_what_is_already_wrong(trained: Evolution) -> None:
    """Steps of 0.05 / 0.3081 whatever the range; an image that the network gets wrong is passed on as it is."""
    clean, found = images_of(trained), attacked(trained, PAPER_FGSM)
    genes = trained.champion_genes()["best"]
    wrong = trained.backend.logits(trained.network, genes, clean).argmax(axis=1) != DATASET.test.labels
    step = np.abs(found - clean)
    assert not step[wrong].any()
    assert step[~wrong].max() == pytest.approx(0.16229, abs=1e-4)
    dark = np.zeros_like(clean)
    answers = trained.backend.logits(trained.network, genes, dark).argmax(axis=1)
    found = attack_images(trained.backend, trained.network, genes, dark, answers, PAPER_FGSM, Stream(0))
    assert found.min() == pytest.approx(-0.16229, abs=1e-4)


def test_attacks_do_not_depend_on_how_many_are_made_at_a_time(
    trained: Evolution, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image is attacked for itself, and begins where its own number says."""
    whole = attacked(trained, Attack("pgd", 0.1))
    monkeypatch.setattr(attacks, "ATTACKED_AT_A_TIME", 7)
    again = attacked(trained, Attack("pgd", 0.1))
    assert np.mean(np.abs(again - whole) > 1e-6) < 0.01


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("attack", [Attack("fgsm", 0.1), Attack("pgd", 0.1), PAPER_FGSM])
def test_backends_make_the_same_images(trained: Evolution, name: str, attack: Attack) -> None:
    """But for pixels whose slope is next to nothing."""
    backend = create_or_skip(name)
    assert np.mean(np.abs(attacked(trained, attack, backend) - attacked(trained, attack)) > 1e-6) < 0.01


@pytest.mark.parametrize("epsilon", [0.0, -0.1, 1.5, float("nan")])
def test_an_epsilon_out_of_range_is_one_line(epsilon: float) -> None:
    with pytest.raises(UsageError, match="must be greater than 0 and at most 1") as raised:
        Attack("fgsm", epsilon)
    one_line(raised.value)


def test_a_network_that_sees_no_pixels_is_not_attacked() -> None:
    fixed = Standardise(np.zeros(6, np.float32), np.ones(6, np.float32))
    network = Network.build((6,), (4,), 3, fixed=(fixed,))
    genes, images = np.zeros(network.gene_count, np.float32), np.zeros((2, 6), np.float32)
    with pytest.raises(UsageError, match="begins with a layer of standardise") as raised:
        attack_images(
            backends.create("numpy"), network, genes, images, np.zeros(2, np.int64), Attack("fgsm", 0.1), Stream(0)
        )
    one_line(raised.value)


# What is counted


def test_outcomes_are_counted_on_the_images_they_name() -> None:
    """Clean and attacked over all, the rest over images both got right, transfer over those that fool the source."""
    labels = np.array([0, 0, 0, 0, 0, 0])
    source = np.array([0, 0, 0, 0, 1, 1]), np.array([1, 1, 1, 0, 1, 1])
    target = np.array([0, 0, 0, 0, 0, 1]), np.array([1, 0, 0, 0, 0, 1])
    found = outcome(labels, source, target)
    assert (found.clean, found.attacked, found.both) == (5 / 6, 4 / 6, 4)
    assert (found.attacked_of_both, found.transfer) == (3 / 4, 1 / 3)


def test_an_outcome_without_images_is_no_number() -> None:
    wrong = np.array([1])
    found = outcome(np.array([0]), (wrong, wrong), (wrong, wrong))
    assert found.both == 0
    assert np.isnan(found.transfer)


@pytest.fixture(scope="module")
def measured(trained: Evolution) -> measure.Measured:
    """What is measured of that population."""
    found = measure.measure(trained, [PAPER_FGSM, Attack("fgsm", 0.1)], 20)
    assert found is not None
    return found


def test_every_pairing_is_measured_under_every_attack(measured: measure.Measured) -> None:
    """Source and target the same: all clean accuracy is its own, and whatever fools it transfers."""
    names = {row["pairing"] for row in measured.attacks}
    assert len(names) == 7
    assert len(measured.attacks) == 14
    for row in measured.attacks:
        assert row["images"] == 20
        if row["pairing"].endswith("itself"):
            assert row["transfer"] in (1.0, None)
            assert row["both"] == round(20 * row["clean"])
    (siblings,) = (row for row in measured.attacks if row["pairing"] == "best on siblings" and row["attack"] == "fgsm")
    assert siblings["targets"] == 5
    assert siblings["attacked_least"] <= siblings["attacked"] <= siblings["attacked_most"]


def test_measures_hold_every_generation_and_every_network(trained: Evolution, measured: measure.Measured) -> None:
    """Similarity from before training on; test accuracy of all, and of single networks that learned as long."""
    assert len(measured.similarity) == len(measured.clusters) == 9
    assert len(measured.test) == 6
    predicted = trained.champions()["best"].predict(DATASET.test.inputs)
    assert measured.test[0] == np.mean(predicted == DATASET.test.labels)
    assert len(measured.baselines) == 2
    assert max(measured.baselines) > 0.5


def test_children_and_mixes_are_made_of_the_population(trained: Evolution) -> None:
    """Untrained: each gene is a member's; a mix takes its layers from three others."""
    sources = measure.sources_of(trained, measure.train_baselines(trained))
    shown = {name: targets for source in sources for name, targets in source.shown.items()}
    parents = trained.state.population[:3]
    for child in shown["child on children"]:
        assert (child == parents).any(axis=0).all()
    (mixed,) = shown["best on a mix"]
    for donor, (weights, biases) in zip(trained.state.population[1:4], trained.network.weight_slices, strict=True):
        assert np.array_equal(mixed[weights], donor[weights])
        assert np.array_equal(mixed[biases], donor[biases])


def test_baselines_are_no_networks_of_the_population(monkeypatch: pytest.MonkeyPatch) -> None:
    """They begin as others than the population's first ones, and learn as long."""
    evolution = Evolution(TrainConfig.from_dict(SMALL), DATASET, backend="numpy")
    first = evolution.state.population
    for baseline in measure.train_baselines(evolution):
        assert np.abs(first - baseline).max(axis=1).min() > 0.1
    evolution.run()
    before, after = evolution.stream, measure.train_baselines(evolution)
    start = measure.first_networks(evolution.backend, evolution.network, before, measure.FIRST_BASELINE + np.arange(2))
    assert all(np.abs(one - other).max() > 0.01 for one, other in zip(after, start, strict=True))


def test_baselines_that_go_astray_are_left_out() -> None:
    """Their loss is no number, nor is anything said of them: no accuracy, no pairing."""
    evolution = Evolution(TrainConfig.from_dict(SMALL | {"activation": "leaky-relu"}), DATASET, backend="numpy")
    evolution.run()
    evolution.change(learning_rate=1000.0)
    with np.errstate(all="ignore"):
        found = measure.measure(evolution, [Attack("fgsm", 0.1)], 5)
    assert found is not None
    assert found.baselines == [None, None]
    assert not [row for row in found.attacks if "baseline" in row["pairing"]]
    json.dumps(found.to_dict(), allow_nan=False)


@pytest.mark.parametrize(
    ("astray", "pairings"),
    [([False, True], {"baseline on itself"}), ([True, False], set())],
)
def test_a_baseline_that_went_astray_takes_its_pairings_with_it(
    trained: Evolution, monkeypatch: pytest.MonkeyPatch, astray: list[bool], pairings: set[str]
) -> None:
    monkeypatch.setattr(measure, "went_astray", lambda *_: np.array(astray))
    found = measure.measure(trained, [Attack("fgsm", 0.1)], 5)
    assert found is not None
    assert [value is None for value in found.baselines] == astray
    assert {row["pairing"] for row in found.attacks if "baseline" in row["pairing"]} == pairings


@pytest.mark.parametrize("asked", [0, 1, 3, 5])
def test_a_stop_ends_a_measurement_before_its_next_part(trained: Evolution, asked: int) -> None:
    """Asked before the baselines, before each source of attacks, and at the end."""
    times, said = iter(range(99)), []
    assert measure.measure(trained, [Attack("fgsm", 0.1)], 5, said.append, lambda: next(times) >= asked) is None
    assert len(said) == asked
