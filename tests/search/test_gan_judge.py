"""The judge, and what it says of planted failures: each is told from healthy images, and by the rule that is for it."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pytest

from genreg_np import load_dataset
from genreg_np.backends import create
from genreg_np.errors import UsageError
from genreg_np.model import Float32, mapped
from genreg_np.search.gan import health
from genreg_np.search.gan.judge import Judge, Reals, check_able, digest, judge_for
from genreg_np.search.sharing import Parts
from tests.helpers import one_line


@functools.cache
def digits() -> tuple[Judge, Reals, dict[str, tuple[Float32, np.ndarray]]]:
    """The judge of the digits, real ones as it sees them, and all parts as features and labels."""
    data = load_dataset("digits")
    parts = {
        name: (mapped(split.inputs, data.input_range), split.labels) for name, split in Parts.of(data).splits.items()
    }
    backend = create("numpy")
    model = judge_for(*parts["train"], data.input_shape, data.class_names, backend, "digits of this test")
    judge = Judge.of(model)
    held, images = judge.seen(parts["search"][0], backend, parts["search"][1]), parts["train"][0]
    return judge, Reals.of(held, judge.features(images, backend), images), parts


def told(images: Float32, critic: float = 0.6) -> dict[str, float]:
    """Return what the judge says of images, with a discriminator that is right so often."""
    judge, reals, _ = digits()
    return reals.measured(judge.seen(images, create("numpy"))) | {"critic": critic}


def healthy() -> Float32:
    """Return real images that nobody has learned from, and that are not held against others."""
    return digits()[2]["select"][0]


def test_the_judge_knows_digits_that_it_has_not_seen() -> None:
    _, reals, parts = digits()
    assert (reals.held.logits.argmax(axis=1) == parts["search"][1]).mean() > 0.95


def test_real_images_are_the_floor_and_break_no_rule() -> None:
    found = told(healthy())
    assert health.broken([found] * 3, 10) == []
    assert found["fcd"] < 5
    assert found["coverage"] > 0.9
    assert found["copying"] == pytest.approx(1, abs=0.15)


PLANTED: dict[str, Any] = {
    "constant": lambda: np.repeat(healthy()[:1], 250, axis=0),
    "one class": lambda: healthy()[digits()[2]["select"][1] == 3].repeat(12, axis=0)[:250],
    "half of the classes": lambda: healthy()[digits()[2]["select"][1] < 5],
    "copies": lambda: digits()[2]["train"][0][:250],
    "blurred copies": lambda: np.clip(digits()[2]["train"][0][:250] * np.float32(0.95) + np.float32(0.01), 0, 1),
    "copies in part": lambda: np.concatenate([digits()[2]["train"][0][:100], healthy()]),
    "noise ignored": lambda: np.repeat(healthy()[:100], 3, axis=0),
    "noise": lambda: np.random.default_rng(0).random((250, 64), dtype=np.float32),
}
RULES = {
    "constant": ("of 10 classes", "duplicates of others", "coverage"),
    "one class": ("of 10 classes",),
    "half of the classes": ("of 10 classes",),
    "copies": ("copies of training images",),
    "blurred copies": ("copies of training images",),
    "copies in part": ("copies of training images",),
    "noise ignored": ("duplicates of others",),
    "noise": ("coverage",),
}


@pytest.mark.parametrize("name", list(PLANTED))
def test_planted_failures_break_their_rules(name: str) -> None:
    found = told(PLANTED[name]())
    broken = health.broken([found] * 3, 10)
    for rule in RULES[name]:
        assert any(rule in text for text in broken), (rule, broken)
    sound = told(healthy())
    assert health.fitness([found] * 3, 10)["fitness"] > health.PENALTY > health.fitness([sound] * 3, 10)["fitness"]


def test_only_its_own_rule_finds_a_copier_and_who_ignores_noise() -> None:
    """So that these rules cannot be taken out: all other measures take such images for good ones."""
    assert list(health.faults([told(PLANTED["copies"]())] * 3, 10)) == ["copies"]
    assert list(health.faults([told(PLANTED["noise ignored"]())] * 3, 10)) == ["duplicates"]


@pytest.mark.parametrize(
    ("measure", "sound", "fault", "rule"),
    [
        ("modes", 10.0, 9.0, "modes"),
        ("coverage", 0.3, 0.29, "coverage"),
        ("critic", 0.98, 0.99, "critic"),
        ("duplicates", 0.049, 0.05, "duplicates"),
        ("copying", 0.5, 0.49, "copies"),
        ("copies", 0.049, 0.05, "copies"),
    ],
)
def test_each_rule_is_broken_by_its_measure_alone(measure: str, sound: float, fault: float, rule: str) -> None:
    one = told(healthy())
    assert health.broken([one | {measure: sound}] * 3, 10) == []
    assert list(health.faults([one | {measure: fault}] * 3, 10)) == [rule]


def test_each_term_of_the_cost_counts_alone() -> None:
    one = told(healthy())
    for measure, change, expected in (
        ("fcd", one["fcd"], math.log(2)), ("tvd", 0.2, 0.1), ("coverage", -0.2, 0.1), ("confident", -0.2, 0.1),
    ):  # fmt: skip
        worse = health.cost(one | {measure: one[measure] + change})
        assert worse == pytest.approx(health.cost(one) + expected), measure


def test_each_measure_of_copies_is_low_for_real_images_and_high_for_copies() -> None:
    """Of pixels too, which no rule looks at."""
    real, copies, blurred = (told(images) for images in (healthy(), PLANTED["copies"](), PLANTED["blurred copies"]()))
    assert real["copying-psnr"] < 25 < 30 < blurred["copying-psnr"] < copies["copying-psnr"]
    assert real["copies"] < 0.02
    assert copies["copies"] > 0.95
    assert copies["copying"] < 0.01 < 0.8 < real["copying"]


def test_classes_are_counted_among_all_images_and_the_rest_among_as_many_as_are_held() -> None:
    """As few as the real ones may lack a class by chance; distances depend on how many images are compared."""
    _, reals, parts = digits()
    images, labels = parts["train"]
    count = len(reals.held.images)
    some, others = images[labels < 5][:count], images[labels >= 5][:count]
    few, all_ = told(some), told(np.concatenate([some, others]))
    assert few["modes"] == 5
    assert all_["modes"] == 10
    assert all_["tvd"] < few["tvd"] - 0.3
    for name in ("fcd", "coverage", "density"):
        assert all_[name] == pytest.approx(few[name], rel=1e-4)


def test_real_images_that_hardly_vary_do_not_make_a_pair_collapsed() -> None:
    """Pixels are held to those of real images: a faint set varies by less than a collapsed pair of a usual one."""
    judge, _, parts = digits()
    faint = [parts[name][0] * np.float32(0.05) for name in ("search", "train")]
    backend = create("numpy")
    reals = Reals.of(judge.seen(faint[0], backend), judge.features(faint[1], backend), faint[1])
    found = {"modes": 10.0, "critic": 0.6}
    deviation = float(faint[1].std(axis=0).mean())
    assert deviation < 0.02
    assert health.removed([found], deviation / reals.deviation, 1.0, 10) == ""
    assert "1.0 % of what" in health.removed([found], 0.01, 1.0, 10)


def test_copies_are_found_wherever_they_are_among_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not only at the beginning: images of requested classes may come class by class."""
    monkeypatch.setattr("genreg_np.search.gan.judge.QUICK", 100)
    images = np.concatenate([healthy()[:150], digits()[2]["train"][0][:150]])
    assert told(images)["copies"] > 0.3


def test_a_discriminator_wins_when_it_is_right_at_three_checkpoints() -> None:
    ok, won = told(healthy()), told(healthy(), critic=0.99)
    assert [text for text in health.broken([won] * 3, 10) if "discriminator wins" in text]
    assert health.broken([ok, won, won], 10) == []


def test_little_is_expected_of_who_has_learned_little() -> None:
    few = told(healthy()) | {"coverage": 0.1}
    assert health.broken([few] * 3, 10) == ["coverage 0.10"]
    assert health.broken([few] * 3, 10, 8000) == []
    assert health.broken([few] * 3, 10, 20_000) == ["coverage 0.10"]
    nine = told(healthy()) | {"modes": 9.0}
    assert health.broken([nine] * 3, 10) == health.broken([nine] * 3, 10, 50_000) == ["9 of 10 classes"]
    assert health.broken([nine] * 3, 10, 49_000) == []
    assert health.broken([nine | {"modes": 8.0}] * 3, 10, 8000) == ["8 of 10 classes"]
    assert health.broken([nine | {"modes": 4.0}] * 3, 5, 8000) == ["4 of 5 classes"]


def test_steadiness_is_part_of_fitness() -> None:
    """A pair that swings back pays for it, one that goes on learning does not, however fast."""
    good, worse = told(healthy()), told(healthy() * np.float32(0.8))
    steady = health.fitness([good, good, good], 10)["fitness"]
    assert health.fitness([worse, good, good], 10)["fitness"] == steady
    swung = health.cost(worse) - health.cost(good)
    assert swung > 0
    for course in ([good, good, worse], [good, worse, good]):
        assert health.fitness(course, 10)["fitness"] == pytest.approx(steady + swung)
    assert health.fitness([good, worse, good, good, good], 10)["fitness"] == steady  # the last three count


def test_learning_is_not_punished_as_unsteadiness() -> None:
    assert health.worsening([4.8, 4.1, 3.4]) == 0
    assert health.worsening([3.4, 4.1, 4.8]) == pytest.approx(1.4)
    assert health.worsening([4.0, 3.0, 3.5]) == pytest.approx(0.5)
    assert health.worsening([4.0]) == 0


def test_images_that_the_judge_is_unsure_of_cost() -> None:
    """As much as real images that no generated one is near."""
    one = told(healthy())
    unsure = health.cost(one | {"confident": one["confident"] - 0.2})
    assert unsure == pytest.approx(health.cost(one) + 0.1)
    assert unsure == pytest.approx(health.cost(one | {"coverage": one["coverage"] - 0.2}))


@pytest.mark.parametrize(
    ("changes", "deviation", "done", "why"),
    [
        ({}, 0.3, 1.0, ""),
        ({}, 0.11, 1.0, ""),
        ({}, 0.09, 0.1, "all images are alike"),
        ({"modes": 2.0}, 0.3, 0.2, ""),
        ({"modes": 2.0}, 0.3, 0.4, "2 of 10 classes"),
        ({"critic": 1.0}, 0.3, 0.1, "never wrong"),
    ],
)
def test_who_is_removed_at_a_checkpoint(changes: dict[str, float], deviation: float, done: float, why: str) -> None:
    found = {"modes": 10.0, "critic": 0.6} | changes
    assert why in health.removed([found, found], deviation, done, 10)
    assert bool(why) == bool(health.removed([found, found], deviation, done, 10))
    assert health.removed([{"modes": 10.0, "critic": 1.0}], 0.3, 0.1, 10) == ""  # once is chance


def test_a_judge_is_a_recipe_and_named_by_its_bytes(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = digits()[2]["train"]  # first: it makes a judge of its own
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    how: Any = (images[:200], labels[:200], (8, 8), tuple("0123456789"), create("numpy"), "few")
    one = judge_for(*how)
    (kept,) = (tmp_path / "genreg-np" / "judges").iterdir()
    kept.write_bytes(b"damaged")
    assert digest(judge_for(*how)) == digest(one)  # made again
    assert digest(judge_for(*how)) == digest(one)  # from the cache


def test_a_judge_needs_images_and_must_tell_classes_apart() -> None:
    images, labels = digits()[2]["train"]
    with pytest.raises(UsageError) as caught:
        judge_for(images[:100], labels[:100], (8, 8), tuple("0123456789"), create("numpy"), "few")
    assert "100 training images are too few" in one_line(caught.value)
    check_able(0.56, 10)
    with pytest.raises(UsageError, match="cannot tell them apart"):
        check_able(0.54, 10)
