"""Lessons of pairs: rungs, what is kept, who is removed; and searches for generators, the same for any workers."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np import load_dataset
from genreg_np.data.generated import Generator
from genreg_np.errors import RunError, UsageError
from genreg_np.layers.optimisers import Optimiser
from genreg_np.model import Model, load
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import trials_in
from genreg_np.search.gan.kept import Growth, kept_in
from genreg_np.search.images import Found, search_images
from genreg_np.search.kinds.gans import Gans
from genreg_np.search.lessons import gan as lessons_gan
from genreg_np.search.lessons.base import Learned, Lesson, Part, learn
from genreg_np.search.lessons.gan import CHECKPOINTS, SHEET, GanLesson
from genreg_np.search.searching import Watcher
from genreg_np.search.stored import StoredSearch
from genreg_np.search.trials import REMOVED
from tests.helpers import one_line
from tests.search.helpers import bars
from tests.search.pairs import GIVEN, lesson, prepared


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder for all tests of this file."""
    return str(tmp_path_factory.mktemp("digits"))


def test_preparing_says_how_able_the_judge_is_and_where_the_floor_is(place: str) -> None:
    kind, _, told = prepared(place)
    assert told["judge_accuracy"] > 0.95
    assert told["floor"]["fcd"] < 5
    assert told["judge"] == kind.judged_by
    assert load(kind.judge).training["recipe"]


def test_a_rung_above_goes_on_where_the_one_below_ended(place: str, tmp_path: Path) -> None:
    both = lesson(place, tmp_path, 960, 2880)
    learned = both.learn()
    assert learned.steps == 90
    (tmp_path / "again").mkdir()
    below = lesson(place, tmp_path / "again", 960)
    below.learn()
    again = lesson(place, tmp_path / "again", 960, 2880)
    assert again.learn().measures == learned.measures
    (tmp_path / "again/0.npz").write_bytes((tmp_path / "again/0.npz").read_bytes()[:200])  # cut short: learned anew
    (tmp_path / "again/1.npz").unlink()
    assert again.learn().measures == learned.measures
    network, genes = again.finished(90) or (None, None)
    assert network is not None
    expected = both.finished(90)
    assert expected is not None
    np.testing.assert_array_equal(genes, expected[1])
    assert again.finished(91) is None


def test_measures_sheets_and_both_networks_are_kept(place: str, tmp_path: Path) -> None:
    one = lesson(place, tmp_path, 960, 1920)
    one.learn()
    growth = Growth.read(tmp_path / "1.npz")
    assert growth.sheets.shape == (2 * CHECKPOINTS, SHEET, 64)
    assert len(growth.checkpoints) == 2 * CHECKPOINTS
    kept = one.kept(1, 60)
    assert kept is not None
    assert kept.state.discriminator.moments.any()
    with np.load(tmp_path / "1.npz") as file:
        arrays = dict(file)
    for name in arrays:
        np.savez(tmp_path / "less.npz", **{key: array for key, array in arrays.items() if key != name})
        assert kept_in(tmp_path / "less.npz", one.generator, one.discriminator, 1) is None
    sound: list[Any] = [60, 7, ""]
    for place, value in ((0, 60), (0, "60"), (1, 8), (1, -1), (1, 6.0), (2, None)):
        end = [*sound[:place], value, *sound[place + 1 :]]
        np.savez(tmp_path / "other.npz", **{**arrays, "end": np.frombuffer(json.dumps(end).encode(), np.uint8)})
        found = kept_in(tmp_path / "other.npz", one.generator, one.discriminator, 1)
        assert (found is None) == (end != sound), end
    assert dataclasses.replace(one, generator=one.discriminator).kept(1, 60) is None
    assert one.kept(1, 61) is None


def rules(one: GanLesson, **changes: Any) -> GanLesson:
    """Return a lesson with other rules."""
    return dataclasses.replace(one, rules=dataclasses.replace(one.rules, **changes))


PLANTED: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[str, ...]]] = {  # genes, rules, what is said
    "a generator that does not learn": ({"g_norm": "none"}, {"makes": Optimiser("sgd", 0.0, 0.0)}, ("removed",)),
    "a discriminator with ten times the rate": (
        {}, {"makes": Optimiser("adam", 2e-4, 0.5), "judges": Optimiser("adam", 2e-3, 0.5)}, ("removed", "infeasible"),
    ),
    "numbers that overflow": ({}, {"makes": Optimiser("sgd", 1e30, 0.9)}, ("diverged",)),
}  # fmt: skip


@pytest.mark.parametrize("name", list(PLANTED))
def test_planted_failures_end_a_lesson_or_are_infeasible(name: str, place: str, tmp_path: Path) -> None:
    genes, changes, said = PLANTED[name]
    learned = rules(lesson(place, tmp_path, 8000, genome=genes), **changes).learn()
    assert learned.status in said or any(learned.why.startswith(word) for word in said), learned
    assert learned.why
    if "discriminator" in name:
        assert "the discriminator w" in learned.why


def test_three_losses_contend_and_one_takes_the_place_of_all(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("genreg_np.search.lessons.gan.CHOSEN_EVERY", 15)
    one = lesson(place, tmp_path, 960, mode="losses")
    assert len(one.rules.losses) == 3
    learned = one.learn()
    assert learned.steps == 30
    kept = one.kept(0, 30)
    assert kept is not None
    genes = kept.state.generators.genes
    assert len(genes) == 3
    assert (genes == genes[0]).all()  # the best has just taken the place of all


def search(folder: Path, **changes: Any) -> Found:
    """Do a small search for a generator."""
    how: dict[str, Any] = {"engine": "serial", "backend": "numpy", "workers": 1}
    how |= {name: changes.pop(name) for name in (*how, "watcher", "budget") if name in changes}
    config: dict[str, Any] = {
        "kind": "gan", "metric": "fitness", "population": 4, "generations": 1, "rungs": (480, 960),
        "final_epochs": 1, "max_parameters": 60_000,
    }  # fmt: skip
    return search_images(load_dataset("digits"), SearchConfig.from_dict(config | changes), folder, **how)


def lines(folder: Path) -> list[Any]:
    """Return the trials of a search, but for the time they took."""
    trials = sorted(trials_in(folder / "trials.jsonl"), key=lambda trial: trial.number)
    return [dataclasses.replace(trial, seconds=0.0, predicted=0.0, pace=0.0) for trial in trials]


def test_two_workers_find_what_one_finds_and_a_stop_changes_nothing(tmp_path: Path) -> None:
    one = search(tmp_path / "one")

    class _Stopped(Exception):
        pass

    def stop(trial: Any, own: Any) -> None:
        if len(own.course.trials) == 2:
            raise _Stopped

    with pytest.raises(_Stopped):
        search(tmp_path / "two", watcher=Watcher(on_trial=stop))
    two = search(tmp_path / "two", engine="processes", workers=2)
    assert lines(tmp_path / "one") == lines(tmp_path / "two")
    assert one.finals == two.finals
    assert (tmp_path / "one/generator.npz").read_bytes() == (tmp_path / "two/generator.npz").read_bytes()
    again = search(tmp_path / "one")  # from its record
    assert again.finals == one.finals
    stored = StoredSearch.read(tmp_path / "one")
    assert stored.growth() is not None
    assert stored.notes["judge"] == load(tmp_path / "one/generator.npz").header["training"]["judge"]


@pytest.mark.soak
def test_a_conditional_generator_draws_the_class_it_is_asked_for(tmp_path: Path) -> None:
    found = search(
        tmp_path / "run",
        conditional=True,
        generations=1,
        population=1,
        selection="random",
        rungs=(20_000,),
        final_seeds=1,
        genome=GIVEN,
    )
    assert found.test["agreement"][0] > 0.5
    generator = Generator.of(found.model, "run")
    assert generator.class_names == tuple("0123456789")
    one, other = generator.drawn(8, 1, "3"), generator.drawn(8, 1, "8")
    assert one.shape == (8, 1, 8, 8)
    assert (one != other).any()
    assert (generator.drawn(8, 1, "3") == one).all()


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all individuals have the measures of the first, but a fitness of their own: learning is not tested."""
    known: list[Learned] = []

    def any_fitness(lesson: Lesson) -> Learned:
        if not known or "final" in lesson.states[0]:
            known.append(learn(lesson))
            return known[-1]
        fitness = {"fitness": lesson.seed % 997 / 100}
        return dataclasses.replace(
            known[0], why="", measures={name: {**found, **fitness} for name, found in known[0].measures.items()}
        )

    monkeypatch.setattr("genreg_np.search.images.learn", any_fitness)


@pytest.mark.usefixtures("planted")
def test_two_populations_breed_generators_and_optimisers_apart(tmp_path: Path) -> None:
    search(tmp_path / "run", augmentation="evolved", selection="crossover", population=2, generations=5, rungs=(1600,))
    trials = lines(tmp_path / "run")
    assert {trial.how.split(":")[0] for trial in trials if ":" in trial.how} == {"model", "policy"}
    kind, *_ = prepared.__wrapped__(str(tmp_path))
    policy = [gene.name for gene in kind.space.genes if gene.block in kind.policy]
    genomes = {trial.child: trial.genome for trial in trials}
    judged = [trial for trial in trials if trial.how.startswith("policy") and ", with the model of " in trial.how]
    assert judged
    for trial in judged:
        model = genomes[int(trial.how.rpartition(" ")[2])]
        assert all(trial.genome[name] == model[name] for name in model if name not in policy)


def test_a_search_goes_on_under_the_judge_it_began_with_alone(tmp_path: Path) -> None:
    search(tmp_path / "run")
    judge = load(tmp_path / "run/judge.npz")
    genes = judge.genes
    genes[0] += 1
    Model.build(judge.network, genes, judge.class_names, judge.input_range, judge.training).save(
        tmp_path / "run/judge.npz"
    )
    with pytest.raises(UsageError, match="began with"):
        search(tmp_path / "run", generations=2)
    (tmp_path / "run/judge.npz").unlink()  # made again by its recipe, or taken from the cache
    assert search(tmp_path / "run", generations=2).trials > 4


def test_a_training_that_fails_leaves_the_other_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def first_fails(lesson: Lesson) -> Learned:
        if "final-0" in lesson.states[0]:
            return Learned(REMOVED, "collapsed")
        return learn(lesson)

    def all_fail(lesson: Lesson) -> Learned:
        return Learned(REMOVED, "collapsed") if "final" in lesson.states[0] else learn(lesson)

    monkeypatch.setattr("genreg_np.search.images.learn", first_fails)
    found = search(tmp_path / "one")
    assert len(found.finals) == 1
    assert "final-1" in StoredSearch.read(tmp_path / "one").notes["state"]
    said: list[str] = []
    monkeypatch.setattr("genreg_np.search.images.learn", all_fail)
    found = search(tmp_path / "none", population=2, rungs=(1600,), genome=GIVEN, watcher=Watcher(on_remark=said.append))
    assert found.winner is not None
    assert not found.finals
    assert not found.why
    assert "collapsed" in said[-1]
    assert Generator.of(load(tmp_path / "none/generator.npz"), "it").drawn(2, 0).shape == (2, 1, 8, 8)


def test_the_training_is_saved_whose_end_is_best(place: str) -> None:
    """Whatever it was before, and unless it breaks a rule."""
    end = {"fcd": 2.0, "tvd": 0.0, "coverage": 0.9, "confident": 0.9, "violations": 0.0, "variety": 8.0}
    finals = [
        {"search": {**end, "fitness": 0.1, "fcd": 9.0}},  # was good
        {"search": {**end, "fitness": 5.0}},
        {"search": {**end, "fitness": 0.0, "fcd": 1.0, "violations": 1.0, "variety": 9.0}},
    ]
    kind, *_ = prepared(place)
    assert kind.best_of(finals) == 1
    for goal in ({"metric": "variety"}, {"weights": "fitness=-1,variety=0.1"}):
        other = Gans(dataclasses.replace(kind.config, **goal), (8, 8), kind.class_names)
        assert other.best_of(finals[1:]) == 0


def test_a_final_training_that_breaks_a_rule_is_called_infeasible(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacks_classes(lesson: Lesson) -> Learned:
        learned = learn(lesson)
        return (
            dataclasses.replace(learned, why="infeasible: 4 of 10 classes") if "final" in lesson.states[0] else learned
        )

    monkeypatch.setattr("genreg_np.search.images.learn", lacks_classes)
    how: Any = {"population": 2, "rungs": (960,), "genome": GIVEN}
    found = search(tmp_path / "run", **how)
    assert found.why == "infeasible: 4 of 10 classes"
    assert search(tmp_path / "run", **how).why == found.why  # from the record


def test_who_is_given_is_trained_or_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the default pair in its place."""
    trained: list[Lesson] = []

    def removed(lesson: Lesson) -> Learned:
        trained.append(lesson)
        return Learned(REMOVED, "collapsed: 1 of 10 classes")

    monkeypatch.setattr("genreg_np.search.images.learn", removed)
    with pytest.raises(RunError, match="could not be trained from scratch: collapsed") as raised:
        search(tmp_path / "run", population=1, selection="random", rungs=(960,), genome=GIVEN)
    one_line(raised.value)
    assert len({str(lesson.generator) for lesson in trained if isinstance(lesson, GanLesson)}) == 1


def test_classes_are_requested_as_often_as_real_images_have_them(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a perfect generator of a dataset with rare classes would be found to be wrong about their shares."""
    one = lesson(place, tmp_path, 960, conditional=True)
    images, labels = one.held.read()
    rare = np.flatnonzero((labels != 3) | (np.cumsum(labels == 3) <= 2))
    np.save(tmp_path / "images.npy", images[rare])
    np.save(tmp_path / "labels.npy", labels[rare])
    held = Part(str(tmp_path / "images.npy"), str(tmp_path / "labels.npy"))
    asked, plain = list[Any](), lessons_gan.drawn

    def noted(*arguments: Any) -> Any:
        found = plain(*arguments)
        asked.append(found[1])
        return found

    monkeypatch.setattr(lessons_gan, "drawn", noted)
    dataclasses.replace(one, held=held, judged={"search": held}, compared=len(rare)).learn()
    times = -(-lessons_gan.CLASSED // len(rare))
    requested = [classes for classes in asked if len(classes) == times * len(rare)]
    assert len(requested) == CHECKPOINTS
    assert all((classes == 3).sum() == 2 * times for classes in requested)


def test_some_hundred_images_are_enough(tmp_path: Path) -> None:
    """Fewer than 500, which classifiers are cross-validated on."""
    config = SearchConfig(kind="gan", metric="fitness", generations=1, population=2, rungs=(320,), final_seeds=1)
    found = search_images(bars(490), config, tmp_path / "run", engine="serial", backend="numpy")
    assert found.finals


@pytest.mark.parametrize(
    ("data", "changes", "said"),
    [
        (bars(60), {}, "too few"),
        (bars(600, side=3), {}, "3 x 3 pixels are too few"),
        (bars(600, channels=2), {}, "2 channels"),
        (load_dataset("digits"), {"genome": "g_filters = 9"}, "g_filters = 9 must be one of"),
        (load_dataset("digits"), {"genome": "g_filtres = 16"}, "did you mean 'g_filters'"),
        (load_dataset("digits"), {"genome": "generator = mlp"}, "not TOML"),
        (load_dataset("digits"), {"genome": "g_width = 512\ng_layers = 3\ngenerator = 'mlp'"}, "too many parameters"),
        (load_dataset("digits"), {"augmentation": "joint"}, "augmentation"),
        (load_dataset("digits"), {"metric": "accuracy"}, "unknown metric"),
    ],
)
def test_what_cannot_be_is_refused(data: Any, changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    config = SearchConfig.from_dict({"kind": "gan", "metric": "fitness", "generations": 1, "folds": 1} | changes)
    with pytest.raises(UsageError) as caught:
        search_images(data, config, tmp_path / "run", engine="serial", backend="numpy")
    assert said in one_line(caught.value)
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
