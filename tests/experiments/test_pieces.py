"""What studies calculate with: each formula on numbers whose answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scipy")
pytest.importorskip("sklearn")

from genreg_np.backends.base import Batch, Perturbation
from genreg_np.experiments import capacity, continual, typeset
from genreg_np.experiments.base import SIZES, Case, Results
from genreg_np.experiments.continual import measures
from genreg_np.experiments.curriculum import _told as told_agreement
from genreg_np.experiments.curriculum import agreement, correlation, phases_of, times_of
from genreg_np.experiments.embedding import cka, effective_rank, packed
from genreg_np.experiments.laws import price
from genreg_np.experiments.learning import LEARNERS, ByNodes, BySelection, Head
from genreg_np.experiments.sequences import Task, Tasks, permuted_tasks, split_tasks
from genreg_np.experiments.structure import Pruning, dense_width, stored, xor
from genreg_np.experiments.summary import differs, exponent, interval, listed, mean_text, percent, points
from genreg_np.experiments.training import backend, images
from genreg_np.experiments.variance import components, intensity, repeatability, truncation
from genreg_np.fitness import Score
from genreg_np.model import Network
from genreg_np.strategies.genreg import Genreg
from genreg_np.streams import Stream
from tests.helpers import patient


def test_intervals_are_student_s() -> None:
    """Of three seeds 4.30 standard errors; of one there is none."""
    assert interval([1.0, 2.0, 3.0]) == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert math.isnan(interval([1.0]))
    assert mean_text([1.0, 2.0, 3.0]) == "2.00 ± 2.48"
    assert (mean_text([]), mean_text([0.5]), percent([0.5])) == ("-", "0.50", "50.0")
    assert points([0.05, 0.05, 0.05]) == "+5.0 ± 0.0"
    assert (points([-0.1]), points([])) == ("-10.0", "-")


def test_of_two_seeds_both_are_shown() -> None:
    """Their interval would say nothing, and its numbers a lot."""
    assert (percent([0.5, 0.625]), points([-0.1, 0.05])) == ("50.0 / 62.5", "-10.0 / +5.0")


def test_a_difference_is_one_if_its_interval_excludes_0() -> None:
    """Of one seed, or of none, nothing is known."""
    assert differs([0.1, 0.11, 0.12])
    assert not differs([0.3, -0.1, 0.2])
    assert not differs([0.5])
    assert (listed([]), listed(["a"]), listed(["a", "b", "c"])) == ("", "a", "a, b and c")


def test_a_level_is_reached_by_the_whole_interval() -> None:
    """And the widths as good as the best are those that differ from it by no more than chance."""
    scores = {8: (0.85, 0.95, 0.97), 16: (0.93, 0.94, 0.95), 32: (0.935, 0.94, 0.96), 64: (0.7, 0.7, 0.71)}
    cases = [Case(capacity.name_of("evaluations", "selection", width), {}) for width in scores]
    values = {case.name: {seed: {"test": score} for seed, score in enumerate(own)}
              for case, own in zip(cases, scores.values(), strict=True)}  # fmt: skip
    results = Results(SIZES["full"], cases, values)
    assert capacity.viable(results, "evaluations", "selection", 0.9) == 16
    assert capacity.as_good(results, "selection") == [8, 16, 32]


def test_methods_are_compared_between_different_seeds() -> None:
    """As the seeds of one method are; images that one of two runs never learned can be left out."""
    runs = {0: {"times": [0, 1, 2, 3, 5], "looks": [1, 2, 3, 4, 5]}, 1: {"times": [3, 2, 1, 0, 5], "looks": [1] * 5}}
    results = Results(SIZES["full"], [], {"one": runs, "other": runs})
    assert agreement(results, "one", "other", learned=True) == pytest.approx([-1, -1])
    assert agreement(results, "one", "one", learned=True) == pytest.approx([-1])
    assert agreement(results, "one", "other")[0] > -1


def test_methods_agree_by_all_pairs_and_an_interval_of_pairs_that_share_no_run() -> None:
    """The mean of all pairs with different seeds; of three seeds two ways to form three pairs each."""
    rng = np.random.default_rng(9)
    one, other = (
        {seed: {"times": rng.permutation(40).tolist(), "looks": [1] * 40} for seed in range(3)} for _ in range(2)
    )
    results = Results(SIZES["full"], [], {"one": one, "other": other})
    every = {}
    for seed in range(3):
        for partner in {0, 1, 2} - {seed}:
            pair = Results(SIZES["full"], [], {"one": {seed: one[seed]}, "other": {partner: other[partner]}})
            (every[seed, partner],) = agreement(pair, "one", "other")
    ways = [[every[seed, (seed + shift) % 3] for seed in range(3)] for shift in (1, 2)]
    expected = f"{np.mean(list(every.values())):.2f} ± {np.mean([interval(way) for way in ways]):.2f}"
    assert told_agreement(results, "one", "other") == expected


def test_easy_digits_are_compared_early_and_at_the_end() -> None:
    """Evaluations from a thirtieth to a sixth of the run, and the last ones of its second half."""
    looks = [1, 20, 100, 300, 450, 500, 540, 570, 600]
    accuracy = [[0.1, 0.0], [0.9, 0.7], [1.0, 0.8], *[[0.5, 0.5]], *[[0.6, 0.4]] * 5]
    run = {"looks": looks, "late": looks[3:], "accuracy": accuracy}
    assert phases_of(run, (0, 1)) == pytest.approx((0.85, 0.5))
    assert phases_of({**run, "looks": [1, 2, 3, 400, 450, 500, 540, 570, 600], "late": [400, 450]}, (0,)) is None


def test_a_power_law_is_found() -> None:
    assert exponent([1, 10, 100], [5, 50 * 10, 500 * 100]) == pytest.approx(2)


@patient
@given(st.integers(2, 30), st.integers(0, 2**31))
def test_price_s_equation_is_an_identity(size: int, seed: int) -> None:
    """Whatever trait, whoever has children: selection and transmission add up to the change, to rounding."""
    rng = np.random.default_rng(seed)
    before, after = rng.normal(size=(2, size))
    slots = rng.integers(0, rng.integers(1, size + 1), (size, 2))
    terms = price(before, after, slots)
    assert abs(terms["selection"] + terms["transmission"] - terms["change"]) < 1e-9
    assert terms["selection"] == pytest.approx(before[slots].mean() - before.mean())


def test_intensities_are_the_tables() -> None:
    """Of a fifth of very many 1.400, of 40 of 200 less (Falconer & Mackay, appendix A); weighted by trust, more."""
    assert truncation(100_000, 20_000) == pytest.approx(1.400, abs=0.001)
    assert truncation(200, 40) == pytest.approx(1.393, abs=0.003)
    assert intensity(200, 40) > 1.7
    assert intensity(10, 1) == pytest.approx(1.539, abs=0.01)


def test_variance_is_taken_apart() -> None:
    """Genomes that differ by a known deviation, images that are harder for all alike, and noise within classes."""
    rng = np.random.default_rng(0)
    genomes, images, classes = 400, 200, 5
    chance = 0.5 + rng.normal(0, 0.03, (genomes, 1)) + rng.normal(0, 0.05, (1, images * classes))
    chance = chance + rng.normal(0, 0.1, (genomes, images * classes))
    between, within = components(chance, classes)
    assert between == pytest.approx(0.03**2, rel=0.15)
    assert within == pytest.approx(0.1**2 + (chance * (1 - chance)).mean(), rel=0.02)


def test_heritability_is_what_two_batches_agree_on() -> None:
    """Scores of n images correlate by VG / (VG + VE / n), if both batches are drawn from the same images' kind."""
    rng = np.random.default_rng(1)
    chance = np.clip(0.5 + rng.normal(0, 0.1, (2000, 1)) + np.zeros((1, 400)), 0, 1)
    between, within = components(chance, 4)
    found = repeatability(chance, 4, 10, Stream(3))
    assert found == pytest.approx(between / (between + within / 40), abs=0.05)
    assert repeatability(chance, 4, 60, Stream(3)) is None


def test_times_are_the_first_look_from_which_on_it_stays() -> None:
    right = np.array([[1, 0, 0, 1], [1, 1, 0, 0], [1, 1, 0, 1]], bool)
    assert times_of(right).tolist() == [0, 1, 3, 2]


def test_measures_of_continual_learning_are_those_of_the_papers() -> None:
    """R of three tasks: accuracy .6, forgetting and backward transfer by hand, forward less chance."""
    left = np.array([[1.0, 0.5, 0.4], [0.7, 0.9, 0.6], [0.6, 0.5, 0.7]])
    found = measures(left, 0.5)
    assert found == {"accuracy": 0.6, "forgetting": 0.4, "backward": -0.4, "forward": 0.05}
    assert measures(left[-1:], 0.5) == {"accuracy": 0.6}


def test_a_strength_is_chosen_by_validation_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it reaches on test images; all that were tried are told."""
    held = {1: 0.5, 2: 0.9, 3: 0.7}
    monkeypatch.setattr(continual, "_after_all", lambda settings, given, seed, strength: (strength, [[1 / strength]]))
    monkeypatch.setattr(continual, "_right", lambda learner, task, samples: held[learner])
    tasks = Tasks([Task(*(((np.zeros((1, 1), np.float32), np.zeros(1, np.int64)),) * 3), np.arange(2))], 2, (0, 0), 0.5)
    found = continual.chosen({"strengths": [1, 2, 3]}, tasks, 0)
    assert found == {"left": [[0.5]], "accuracy": 0.5, "strength": 2, "swept": [[1, 0.5], [2, 0.9], [3, 0.7]]}


def test_tasks_keep_their_splits_apart() -> None:
    """Each split's images of the task's classes, and in a permuted task all of them."""
    data = images("digits")
    task = split_tasks(data, "class", 5, None).tasks[1]
    for samples, labels in ((task.train, data.train.labels), (task.held, data.validation.labels),
                            (task.test, data.test.labels)):  # fmt: skip
        assert samples[1].tolist() == [label for label in labels.tolist() if label in (2, 3)]
    assert len(permuted_tasks(data, 2, 0).tasks[1].held[1]) == len(data.validation)


def test_cka_knows_the_same_values_turned_and_scaled() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(60, 7))
    turn, _ = np.linalg.qr(rng.normal(size=(7, 7)))
    assert cka(packed(values), packed(3 * values @ turn)) == pytest.approx(1, abs=1e-3)
    assert cka(packed(values), packed(values)) == pytest.approx(1)
    others = [cka(packed(values), packed(rng.normal(size=(60, 40)))) for _ in range(20)]
    assert abs(np.mean(others)) < 0.05


def test_the_rank_of_values_is_how_many_directions_they_use() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(4000, 5))
    assert effective_rank(values) == pytest.approx(5, abs=0.05)
    assert effective_rank(values * [1, 1, 0, 0, 0]) == pytest.approx(2, abs=0.05)


@patient
@given(st.integers(20, 400), st.integers(1, 9), st.integers(0, 2**31))
def test_pruned_networks_keep_to_their_limit(limit: int, hidden: int, seed: int) -> None:
    """Places and biases counted; a genome that fits stays as it is, and what remains are weights as they were."""
    rng = np.random.default_rng(seed)
    network = Network.build((13,), (hidden,), 3, "relu")
    genes = rng.normal(size=network.gene_count).astype(np.float32)
    kept = Pruning(network, rng.random((40, 13), np.float32), limit).pruned(genes)
    assert stored(network, kept)["stored"] <= limit
    assert ((kept == genes) | (kept == 0)).all()


def test_a_dense_network_stores_no_more_than_its_limit() -> None:
    for limit in (300, 5000):
        width = dense_width(limit, 196, 10)
        assert (196 + 1 + 10) * width + 10 <= limit < (196 + 1 + 10) * (width + 1) + 10
    network = Network.build((196,), (24,), 10, "relu")
    assert stored(network, np.ones(network.gene_count, np.float32))["stored"] == network.gene_count
    assert xor().train[1].tolist() == [0, 1, 1, 0]


def test_ink_knows_no_polarity_and_no_contrast() -> None:
    """White on black, black on white, grey on grey: the same."""
    shape = np.zeros((1, 20, 20))
    shape[:, 5:15, 8:12] = 1
    views = [(0, 255), (255, 0), (100, 180), (200, 20)]
    inks = [typeset.as_ink(np.rint(ground + shape * (ink - ground)).astype(np.uint8)) for ground, ink in views]
    assert all((ink == inks[0]).all() for ink in inks)
    assert set(np.unique(inks[0])) == {0, 255}


def test_typefaces_differ_and_views_do_not_end() -> None:
    """Each draws another A; a view is the same whenever it is drawn."""
    pytest.importorskip("matplotlib")
    drawn = [typeset.views(face, typeset.UNSEEN, 1)[0] for face in typeset.FACES]
    assert len({image.tobytes() for image in drawn}) == len(typeset.FACES)
    split = typeset.of_faces([typeset.OWN], 5, 2, "grey")
    assert (split.inputs[0] == typeset.views(typeset.OWN, 5, 1)[0]).all()
    assert split.labels.tolist() == sorted(split.labels.tolist())


def test_a_head_is_the_network_without_other_outputs() -> None:
    rng = np.random.default_rng(4)
    network = Network.build((6,), (5,), 7, "relu")
    genes = rng.normal(size=network.gene_count).astype(np.float32)
    head = Head.of(network, np.array([1, 4, 6]))
    features = rng.random((9, 6), np.float32)
    own = backend().logits(head.network, genes[head.places], features)
    assert np.allclose(own, backend().logits(network, genes, features)[:, [1, 4, 6]], atol=1e-6)


def test_heads_of_node_perturbation_add_up_to_the_whole() -> None:
    """With one group of all classes it is the backend's own estimate."""
    rng = np.random.default_rng(5)
    network = Network.build((6,), (5,), 4, "relu")
    learner = ByNodes(network, backend(), 0, 10)
    features, labels = rng.random((50, 6), np.float32), rng.integers(0, 4, 50)
    batch = Batch(features, labels, np.ones(50), Score.LOG_PROBABILITY)
    whole = backend().perturb(network, learner.genes, batch, Perturbation(ByNodes.PAIRS, ByNodes.SIGMA, 0, 0))
    assert (learner._change(features, labels) == whole.change).all()


@pytest.mark.parametrize("method", LEARNERS)
def test_groups_of_outputs_learn_nothing_from_each_other(method: str) -> None:
    """Samples of one group leave the other's outputs as they were, and are learned all the same."""
    rng = np.random.default_rng(6)
    network = Network.build((6,), (8,), 4, "relu")
    learner = LEARNERS[method](network, backend(), 1, 150, (0, 0, 1, 1))
    labels = rng.integers(0, 2, 400)
    features = (rng.random((400, 6)) * 0.3 + labels[:, None]).astype(np.float32)
    learner.learn(features, labels)
    (_, _), (out, last) = network.unpack(learner.genes)
    before = out[2:].copy(), last[2:].copy()
    for _ in range(120):
        learner.learn(features, labels)
    (_, _), (out, last) = network.unpack(learner.genes)
    assert (learner.logits(features)[:, :2].argmax(axis=1) == labels).mean() > 0.9
    if method != "selection":  # where nobody selects, weights drift
        assert (out[2:] == before[0]).all()
        assert (last[2:] == before[1]).all()


@pytest.mark.parametrize(("method", "hold"), [(name, hold) for name, kind in LEARNERS.items() for hold in kind.holds])
def test_what_holds_holds(method: str, hold: str) -> None:
    """After another task weights have moved less than without, or old champions are still among who is judged."""
    rng = np.random.default_rng(7)
    network = Network.build((6,), (8,), 4, "relu")
    tasks = []
    for first in (0, 2):
        labels = rng.integers(0, 2, 300)
        features = rng.random((300, 6)) * 0.5
        features[np.arange(300), first + labels] += 1
        tasks.append((features.astype(np.float32), labels + first))
    moved = {}
    for own in ("", hold):
        learner = LEARNERS[method](network, backend(), 2, 60, (), own)
        for _ in range(60):
            learner.learn(*tasks[0])
        learner.remember(*tasks[0])
        learner.switch()
        before = learner.genes.copy()
        for _ in range(60):
            learner.learn(*tasks[1])
        moved[own] = float(np.linalg.norm(learner.genes - before))
    if hold != "elites":
        assert moved[hold] < moved[""]
    else:
        assert isinstance(learner, BySelection)
        brood = learner._with_elites(Genreg.breed(learner._state, learner._context, learner.stream))
        first = backend().rebuild(brood, np.array([0]))[0]
        assert (first == before).all()


def test_changes_in_random_order_are_what_chance_gives() -> None:
    """Two classes of which one gains what the other loses correlate by -1; shuffled they do not."""
    rng = np.random.default_rng(8)
    one = rng.normal(size=60)
    assert correlation(np.stack([one, -one], axis=1)) == pytest.approx((-1, -1))
    assert correlation(np.zeros((60, 3))) is None
