"""The course of a search: the same trials whenever results come, for every selection."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from genreg_np.errors import UsageError
from genreg_np.search.course import Course, Job
from genreg_np.search.draws import Draws
from genreg_np.search.genes import Choice, Genome, Number, Space
from genreg_np.search.ladder import Ladder
from genreg_np.search.selections import REGISTRY, create
from genreg_np.search.selections.base import UNSELECTED, Bred, Selection
from genreg_np.search.selections.paired import Paired
from genreg_np.search.trials import Trial, leaders_of

SPACE = Space(
    (
        Choice("kind", "body", (), ("a", "b", "c")),
        Choice("size", "body", (("kind", ("b", "c")),), tuple(range(12)), True),
        Number("x", "mind", (), -5, 5),
        Number("y", "mind", (), 1e-3, 1e3, True),
    )
)
LADDER = Ladder((10, 30, 90), 3)


def worth(genome: Genome, rung: int = 0) -> float:
    """Return what a genome is worth: best at kind c, size 7, x 1, y 10."""
    size = abs(genome["size"] - 7) if genome["kind"] != "a" else 12
    off = (genome["kind"] != "c") * 2 + size / 3 + abs(genome["x"] - 1) + abs(math.log10(genome["y"]) - 1)
    return -off + rung / 10


def judged(job: Job, fails: bool = False) -> Trial:
    """Return what comes of a job."""
    genome = job.bred.genome
    return Trial(
        job.number, job.child, job.rung, genome, SPACE.expressed(genome), job.bred.parents, job.bred.how,
        score=-math.inf if fails else worth(genome, job.rung), tie=0.0, status="crash" if fails else "ok",
    )  # fmt: skip


ALL = (*REGISTRY, "paired")


def selection(name: str, population: int = 8) -> Selection:
    """Return a selection by its name, or two in one."""
    if name != "paired":
        return create(name, population)
    return Paired(create("steady", population), create("crossover", population), ("mind",))


def done(name: str, children: int, workers: int = 1, seed: int = 0, fails: Any = None, order: int = 0) -> Course:
    """Return a course that was run by so many workers, whose results come in some order."""
    course = Course(SPACE, selection(name), LADDER, seed, lambda genome: "")
    mixed, under_way = random.Random(order), []
    while True:
        jobs = course.jobs(children)
        while len(under_way) < workers and (job := next(jobs, None)) is not None:
            under_way.append(job)
        if not under_way:
            return course
        job = under_way.pop(mixed.randrange(len(under_way)))
        course.judged(judged(job, bool(fails and fails(job))))


@pytest.mark.parametrize("name", ALL)
def test_trials_are_the_same_for_any_number_of_workers_and_in_any_order(name: str) -> None:
    """Numbers, genomes, parents, who goes on."""
    expected = done(name, 50).trials
    assert len(expected) == 50 + 16 + 5
    assert [trial.number for trial in expected] == list(range(71))
    for workers, order in ((2, 1), (3, 2), (7, 3)):
        assert done(name, 50, workers, order=order).trials == expected


@pytest.mark.parametrize("name", ALL)
def test_a_shorter_search_is_the_beginning_of_a_longer_one(name: str) -> None:
    """So one that goes on is one that was never stopped."""
    longer = {trial.number: trial for trial in done(name, 50).trials}
    for trial in done(name, 27).trials:
        assert longer[trial.number] == trial


@pytest.mark.parametrize("name", ALL)
def test_individuals_that_fail_neither_breed_nor_go_on(name: str) -> None:
    """Also where all of the first population do."""
    for fails in (lambda job: job.child % 3 == 0, lambda job: job.child < 10):
        course = done(name, 40, 2, fails=fails)
        assert len(course.trials) == 40 + 13 + 4
        promoted = [trial for trial in course.trials if trial.rung and not fails(trial)]
        assert promoted
        failed = {trial.child for trial in course.trials if trial.rung == 0 and not trial.is_ok}
        if name in ("steady", "crossover"):
            assert not failed & {parent for trial in course.trials for parent in trial.parents}
        assert all(trial.is_ok for trial in leaders_of(course.trials)[:3])


@pytest.mark.parametrize("name", ALL)
def test_another_seed_is_another_search(name: str) -> None:
    assert done(name, 20).trials != done(name, 20, seed=1).trials


@pytest.mark.parametrize("name", ["steady", "crossover", "differential", "paired"])
def test_selection_finds_more_than_chance(name: str) -> None:
    """On a hill; a mean of 12 searches of 96 individuals each."""
    best = {
        one: sum(max(trial.score for trial in done(one, 96, seed=seed).trials if trial.rung == 0) for seed in range(12))
        for one in (name, "random")
    }
    assert best[name] > best["random"] + 12 * 0.15


@pytest.mark.parametrize("name", ALL)
def test_as_many_can_be_judged_at_once_as_is_said(name: str) -> None:
    """Once the first populations have been; two in turns have one more now and then."""
    course, jobs, most = Course(SPACE, selection(name), Ladder((10,), 3), 0, lambda genome: ""), [], 0
    for _ in range(96):
        jobs += list(course.jobs(len(course.bred) + 40))
        most = max(most, len(jobs) if len(course.trials) >= 24 else 0)
        course.judged(judged(jobs.pop(0)))
    told = selection(name).at_once(40)
    assert told == 40 if name in ("random", "elitist") else told <= most <= told + (name == "paired")


def test_the_best_of_three_goes_on() -> None:
    """Once three have been judged, each once."""
    course = done("random", 27)
    rungs = [[trial for trial in course.trials if trial.rung == rung] for rung in range(3)]
    assert [len(rung) for rung in rungs] == [27, 9, 3]
    by_child = sorted(rungs[0], key=lambda trial: trial.child)
    gone: list[int] = []
    for item in range(9):
        seen = [trial for trial in by_child[: 3 * (item + 1)] if trial.child not in gone]
        gone.append(max(seen, key=lambda trial: trial.rank).child)
    assert sorted(trial.child for trial in rungs[1]) == sorted(gone)
    assert len(set(gone)) == 9


def test_numbers_count_trials_in_the_order_in_which_they_become_possible() -> None:
    ladder = Ladder((1, 2, 3, 4), 3)
    found = sorted(ladder.number(rung, item) for rung in range(4) for item in range(81 // 3**rung))
    assert found == list(range(81 + 27 + 9 + 3))
    assert ladder.number(0, 2) < ladder.number(1, 0) < ladder.number(0, 3)


@pytest.mark.parametrize(
    ("images", "epochs", "samples"),
    [
        (50_000, None, (8_000, 24_000, 50_000, 150_000)),
        (1_000, None, (8_000, 24_000, 50_000, 150_000)),
        (1_000, 5.0, (5_000,)),
        (10_000, 3.0, (8_000, 24_000, 30_000)),
        (100, 1.0, (100,)),
        (50_000, 100.0, (8_000, 24_000, 50_000, 150_000)),
    ],
)
def test_nobody_sees_an_image_more_often_than_is_allowed(
    images: int, epochs: float | None, samples: tuple[int, ...]
) -> None:
    assert Ladder.for_data(images, epochs).samples == samples


def test_limits_that_leave_nobody_are_said() -> None:
    course = Course(SPACE, create("random", 4), LADDER, 0, lambda genome: "too many parameters")
    with pytest.raises(UsageError, match=r"1,000 genomes were refused \(1,000 for too many parameters\)"):
        next(course.jobs(5))


@pytest.mark.parametrize("name", ALL)
def test_where_nothing_drawn_fits_an_earlier_individual_is_mutated(name: str) -> None:
    """The same one however many are bred at a time; only if there is none is the search refused."""

    def fault_of(genome: Genome) -> str:
        return "" if (genome["x"], genome["y"]) == (1.0, 10.0) else "too many parameters"

    first = Bred({"kind": "c", "size": 7, "x": 1.0, "y": 10.0}, how="made by hand")
    one, other = (Course(SPACE, selection(name), LADDER, 0, fault_of, (first,)) for _ in range(2))
    found = [job.bred for job in one.jobs(4)]
    assert [job.bred for children in range(1, 5) for job in other.jobs(children)] == found
    for child, bred in enumerate(found[1:], start=1):
        (parent,) = bred.parents
        assert parent < child
        assert not fault_of(bred.genome)
        assert bred.how == f"{UNSELECTED}: {', '.join(SPACE.changes(bred.genome, found[parent].genome))}"
    assert len({SPACE.key(bred.genome) for bred in found}) == 4
    assert one.faults == {"too many parameters": 3000}


def test_where_no_mutant_fits_either_an_earlier_individual_is_bred_again() -> None:
    only = {"kind": "a", "size": 0, "x": 1.0, "y": 10.0}

    def fault_of(genome: Genome) -> str:
        return "" if SPACE.key(genome) == SPACE.key(only) else "no"

    course = Course(SPACE, create("random", 4), LADDER, 0, fault_of, (Bred(only),))
    assert [job.bred.genome for job in course.jobs(3)] == [only] * 3


def test_refused_genomes_are_counted_and_twins_avoided() -> None:
    """Of a space of few genomes all are tried before one is tried again."""
    few = Space((Choice("one", "a", (), (1, 2, 3)), Choice("two", "a", (), (1, 2, 3))))
    course = Course(few, create("random", 4), LADDER, 0, lambda genome: "odd" if genome["one"] == 3 else "")
    bred = [job.bred for job in course.jobs(6)]
    assert len({few.key(one.genome) for one in bred}) == 6
    assert course.faults["odd"] > 0
    assert [job.child for job in course.jobs(8)] == [6, 7]


def test_the_first_individuals_can_be_given() -> None:
    first = Bred(SPACE.drawn(Draws(9, 9)), how="given")
    course = Course(SPACE, create("steady", 4), LADDER, 0, lambda genome: "", (first,))
    assert next(course.jobs(3)).bred == first


def test_differences_step_from_one_to_another() -> None:
    """A child of differential evolution has genes of its target, or of a + (b - c) / 2 (rand/1)."""
    course = done("differential", 40)
    by_child = {trial.child: trial for trial in course.trials if trial.rung == 0}
    for trial in (trial for trial in by_child.values() if trial.parents):
        target, a, b, c = (by_child[parent] for parent in trial.parents)
        for gene in SPACE.genes:
            places = [gene.place(one.genome[gene.name]) for one in (target, a, b, c)]
            moved = places[1] + (places[2] - places[3]) / 2
            if trial.genome[gene.name] != target.genome[gene.name] and 0 <= moved <= 1:
                assert trial.genome[gene.name] == gene.at(moved)
        assert len({trial.parents[0] % 8, trial.child % 8}) == 1


def test_two_populations_are_judged_with_each_other_s_best() -> None:
    """Two of three children are models, with the best policy that was known; the third is a policy."""
    course = done("paired", 60)
    first = {trial.child: trial for trial in course.trials if trial.rung == 0}
    inherited = 0
    for child, trial in first.items():
        known = [first[other] for other in range(selection("paired").needs(child))]
        others = [other for other in known if (other.child % 3 == 2) != (child % 3 == 2)]
        if others:
            best = max(others, key=lambda other: other.rank)
            block = "body" if child % 3 == 2 else "mind"
            assert all(trial.genome[gene.name] == best.genome[gene.name] for gene in SPACE.only([block]).genes)
            inherited += 1
        assert all((parent % 3 == 2) == (child % 3 == 2) for parent in trial.parents)
    assert inherited > 30


def test_steady_breeds_from_pairs_that_break_no_rule_if_there_are_any() -> None:
    """By tournaments of three at least: of a small population, two would often be none of the better ones."""
    genome = SPACE.drawn(Draws(0, 0))
    ills = [Trial(n, n, 0, genome, genome, score=9.0, metrics={"violations": 1.0}) for n in range(9)]
    sound = Trial(9, 9, 0, genome, genome, score=1.0, metrics={"violations": 0.0})
    steady = create("steady", 10)
    for child in range(20):
        assert steady.breed(20, [*ills, sound], SPACE, Draws(1, child)).parents == (9,)
        assert steady.breed(20, ills, SPACE, Draws(1, child)).parents != (9,)
    plain = [Trial(n, n, 0, genome, genome, score=float(n)) for n in range(4)]
    parents = {create("steady", 4).breed(20, plain, SPACE, Draws(2, child)).parents for child in range(200)}
    assert parents == {(2,), (3,)}  # the best of three of four
