"""Classes, confusion and errors: what they say is what is counted otherwise, and nothing makes them fail."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from genreg_np.layers.dense import Dense
from genreg_np.model import Model, Network
from genreg_np.report.page import page_of
from genreg_np.report.sections import classes, confusion, errors
from genreg_np.report.subject import Subject
from genreg_np.report.tiles import fitted, pictures_of, smaller, text_width
from tests.helpers import thinned
from tests.report.subjects import SECTIONS, answering, drawn_by, pictures_in, subject_of, table_in
from tests.zoo import NASTY_NAMES, ZOO, exhibit_of

pytest.importorskip("matplotlib", reason="pictures need matplotlib")

ODD_NAMES = ("$\\frac$", "猫", "a" * 60, "x\ny", "")


@pytest.mark.usefixtures("unarranged")
@pytest.mark.parametrize("name", thinned(ZOO))
def test_every_model_is_shown(name: str) -> None:
    """With classes: matrix and errors; of values only weights, if any."""
    exhibit = exhibit_of(name)
    subject = subject_of(exhibit.model, np.asarray(exhibit.inputs)[:12])
    shown = drawn_by(subject)
    counted = {"classes", "confusion", "errors"}
    assert counted & set(shown) == (counted if exhibit.model.class_names else set())
    assert set(drawn_by(Subject("alone", exhibit.model))) <= {"weights"}


def random_colours() -> Iterator[tuple[str, Subject]]:
    """Yield subjects of pictures that are hard to make small, or of an unusual shape."""
    rng = np.random.default_rng(1)
    for shape, count in (((3, 90, 70), 2), ((90, 70, 3), 3), ((2, 5, 60), 4), ((64, 1), 2), ((1, 200, 200), 40)):
        network = Network(shape, (Dense(math.prod(shape), 66, "tanh"), Dense(66, count)))
        genes = rng.normal(0, 0.01, network.gene_count).astype(np.float32)
        model = Model.build(network, genes, tuple(f"name of {place}" for place in range(count)), (0.0, 255.0))
        inputs = rng.integers(0, 256, (80, *shape)).astype(np.uint8)
        yield f"{shape}", subject_of(model, inputs, (np.arange(80) % count).tolist())


@pytest.mark.usefixtures("unarranged")
@pytest.mark.parametrize(("name", "subject"), list(random_colours()))
def test_pictures_of_any_size_are_small(name: str, subject: Subject) -> None:
    """Noise in colour, too; a column of pixels is no picture."""
    shown = drawn_by(subject)
    assert bool(pictures_in(shown["errors"])) == ("weights" in shown) == (name != "(64, 1)")


@pytest.mark.usefixtures("unarranged")
@pytest.mark.parametrize("classes_", [2, 5, 20, 21, 30, 120])
def test_any_number_of_classes(classes_: int) -> None:
    """A matrix of few, a table of pairs of many; curves where the run has them."""
    rng = np.random.default_rng(classes_)
    labels = np.arange(3 * classes_) % classes_
    subject = answering(rng.integers(0, classes_, len(labels)).tolist(), labels.tolist(), classes_)
    records = [
        {"generation": 10 * look, "class_accuracy": [min(1.0, 0.1 * look)] * (classes_ - 1) + [None]}
        for look in (1, 2, 3)
    ]
    for one in (subject, replace(subject, run=subject_of(subject.model, subject.inputs, labels.tolist(), records).run)):
        shown = drawn_by(one)
        assert bool(pictures_in(shown["confusion"])) == (classes_ <= 20)
        assert len(pictures_in(shown["classes"])) == 1
    (picture,) = pictures_in(shown["classes"])
    assert "by generation" in picture.says
    assert len(table_in(shown["classes"]).rows) == min(classes_, classes.MOST_ROWS)


def test_names_of_any_kind_are_shown() -> None:
    """Formulas, signs that the font lacks, long ones, none: drawn without a warning, written in the table."""
    subject = answering([0, 1, 2, 3, 4, 0], [1, 2, 3, 4, 0, 0], 5)
    model = Model.build(subject.model.network, subject.model.genes, ODD_NAMES)
    shown = drawn_by(subject_of(model, subject.inputs, [1, 2, 3, 4, 0, 0]))
    table = table_in(shown["classes"])
    assert {row[0] for row in table.rows} == {"$\\frac$", "#1 猫", "a" * 15 + "…", "x y", "?"}
    named = subject_of(exhibit_of("standardised features with names").model, np.zeros((4, 4), np.float32), [0, 1, 2, 0])
    assert set(NASTY_NAMES) - {""} <= set(named.model.feature_names)
    assert "weights" in drawn_by(named)


def test_classes_are_counted() -> None:
    """Worst first, with what each is taken for; a class that the split lacks is last, and said to be unknown."""
    labels = [0] * 10 + [1] * 4 + [3] * 5
    answers = [0] * 9 + [1] + [1, 0, 0, 3] + [3] * 5
    shown = classes.section(answering(answers, labels, 4))
    table = table_in(shown)
    assert [tuple(row) for row in table.rows] == [
        ("class 1", "4", "1", "25.0 %", "class 0 (2)", "2"),
        ("class 0", "10", "9", "90.0 %", "class 1 (1)", "11"),
        ("class 3", "5", "5", "100.0 %", "-", "6"),
        ("class 2", "0", "0", "-", "-", "0"),
    ]
    assert shown is not None
    assert shown.words == (
        "Least often right on the test split: class 1 (25.0 % of 4), class 0 (90.0 % of 10); most often class 3 "
        "(100.0 %). 1 of 4 classes do not occur in the split."
    )
    alike = classes.section(answering([0, 1], [0, 1], 2))
    assert alike is not None
    assert alike.words.startswith("All classes are equally often right on the test split: 100.0 %.")


def test_looks_that_are_none_are_passed_over() -> None:
    """A run's lines may be anybody's."""
    wrong: list[Any] = [None, 3, "x", [0.5], [0.5, 2.0], [0.5, "x"], [True, 0.5], [math.nan, 0.5], {"a": 1}]
    records = [{"generation": place + 1, "class_accuracy": value} for place, value in enumerate(wrong)]
    generations, accuracies = classes.looks_of([*records, {"generation": 20, "class_accuracy": [0.5, None]}], 2)
    assert generations == [20]
    assert accuracies[0, 0] == 0.5
    assert math.isnan(accuracies[0, 1])


def test_a_run_without_data_has_its_curves() -> None:
    """They are those of the validation split."""
    records = [{"generation": 5, "class_accuracy": [0.2, 0.9]}, {"generation": 9, "class_accuracy": [0.8, 1.0]}]
    subject = answering([0, 1], [0, 1], 2)
    run = subject_of(subject.model, subject.inputs, [0, 1], records).run
    shown = drawn_by(Subject("run", subject.model, run=run))
    assert set(shown) == {"classes", "weights"}
    assert shown["classes"].words == (
        "Least often right on the validation split: class 0 (80.0 %); most often class 1 (100.0 %). "
        "Still rising at the last look at validation: class 0 (80 %)."
    )


@pytest.mark.usefixtures("unarranged")
def test_a_run_shows_the_classes_of_the_genome_that_is_saved() -> None:
    """Its own line, and what it was at its own generation; a run of an older version has but the first genome's."""
    records: list[dict[str, Any]] = [
        {"generation": place, "class_accuracy": [0.1, 0.2], "consensus_class_accuracy": [0.3 + place / 10, 0.9]}
        for place in (1, 2, 3)
    ]
    subject = answering([0, 1], [0, 1], 2)
    run = subject_of(subject.model, subject.inputs, [0, 1], records).run
    for genome, generation, accuracy, when in (
        ("consensus", 2, 50.0, "generation 2, which is saved (dotted line)"),
        ("consensus", 3, 60.0, "the last look"),
        ("best", 1, 10.0, "generation 1, which is saved (dotted line)"),
        ("best", 17, 10.0, "the last look"),
        ([], {}, 10.0, "the last look"),
    ):
        training = {"genome": genome, "generation": generation}
        model = Model.build(subject.model.network, subject.model.genes, subject.model.class_names, training=training)
        for data in (None, subject.dataset):
            shown = drawn_by(Subject("run", model, data, run=run))
            (picture,) = pictures_in(shown["classes"])
            assert f"At {when}: class 0 {accuracy:.1f} %" in picture.says
            assert f"at {when}" in picture.caption
            assert data is not None or f"class 0 ({accuracy:.1f} %)" in shown["classes"].words


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([[0.5, 0.9], [0.5, 0.9]], "At the first look at validation, generation 10, every class had nine tenths of"),
        (
            [[0.0, 0.9], [0.0, 0.9]],
            "On validation not learned yet: a (0 %). At the first look at validation, generation 10, every o",
        ),
        (
            [[0.1, 0.4], [0.2, 0.9]],
            "On validation not learned yet: a (20 %). Learned last, by validation: b, at ",
        ),
        ([[0.1, 0.9], [0.5, 0.9]], "Still rising at the last look at validation: a (50 %)."),
        (
            [[0.1, 0.9], [0.5, 0.9], [0.5, 0.9]],
            "Learned last, by validation: a, at nine tenths of its best accuracy by generation 20.",
        ),
        ([[0.0, 0.0], [0.0, 0.0]], "On validation no class is predicted right."),
        (
            [[0.1, 0.1], [0.9, 0.8]],
            "Learned last, by validation: a, b, at nine tenths of their best accuracy by g",
        ),
        (
            [[0.1, None], [0.9, None]],
            "Learned last, by validation: a, at nine tenths of its best accuracy by generation 20.",
        ),
        ([[0.9, None], [0.9, None]], "every class that it has inputs of had nine tenths"),
        ([[0.1, 0.9]], ""),
    ],
)
def test_what_was_learned_last(rows: list[list[float | None]], said: str) -> None:
    """By the first look at which a class was at nine tenths of its best."""
    records = [{"generation": 10 * (place + 1), "class_accuracy": row} for place, row in enumerate(rows)]
    words = classes.learned_in_words(classes.looks_of(records, 2), len(rows) - 1, ("a", "b"))
    assert said in words
    assert bool(words) == bool(said)
    assert ("not learned" in words.lower()) == ("not learned" in said.lower())


def test_confusions_are_counted() -> None:
    """The three largest, with their shares, as a counter has them."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 25, 2000)
    answers = np.where(rng.random(2000) < 0.7, labels, rng.integers(0, 6, 2000))
    subject = answering(answers.tolist(), labels.tolist(), 25)
    pairs = Counter(zip(labels.tolist(), answers.tolist(), strict=True))
    wrong = {pair: count for pair, count in pairs.items() if pair[0] != pair[1]}
    largest = sorted(wrong.values(), reverse=True)
    shown = confusion.section(subject)
    table = table_in(shown)
    for row, count in zip(table.rows, largest, strict=False):
        true, other = (int(cell.removeprefix("class ")) for cell in row[:2])
        of_class = int((labels == true).sum())
        assert wrong[true, other] == count == int(row[2])
        assert row[3:] == (f"{100 * count / of_class:.1f} %", f"{of_class}")
    assert shown is not None
    assert shown.words.startswith(f"The largest of {len(wrong)} confusions: ")
    assert shown.words.endswith(f"They are {100 * sum(largest[:3]) / sum(largest):.0f} % of {sum(largest)} errors.")
    assert f"taken for {table.rows[0][1]}: {largest[0]} times ({table.rows[0][3]} of its {table.rows[0][4]})" in (
        shown.words
    )


def test_few_confusions_are_all_told() -> None:
    """One, and none."""
    one = confusion.section(answering([0, 1, 1], [0, 0, 1], 2))
    assert one is not None
    assert one.words == "class 0 taken for class 1: once (50.0 % of its 2). There are no other confusions."
    none = confusion.section(answering([0, 1], [0, 1], 2))
    assert none is not None
    assert none.words == "No class is taken for another: all 2 are right."


@pytest.mark.parametrize(
    ("count", "total", "roomy", "text"),
    [(1, 3, True, "33"), (1, 300, True, "0.3"), (1, 300, False, "<1"), (9999, 10000, True, ">99.9"),
     (5, 5, True, "100"), (1, 10**5, True, "<0.1"), (299, 300, False, ">99"), (300, 300, True, "100.0")],
)  # fmt: skip
def test_shares_never_become_all_or_nothing(count: int, total: int, roomy: bool, text: str) -> None:
    """Unless they are."""
    assert confusion._share(count, total, roomy) == text


def test_errors_are_the_most_confident_ones() -> None:
    """First the surest; medians, and mean confidence against accuracy."""
    rng = np.random.default_rng(5)
    labels, answers = rng.integers(0, 4, 300), rng.integers(0, 4, 300)
    sure = rng.uniform(0.1, 6, 300).astype(np.float32)
    subject = answering(answers.tolist(), labels.tolist(), 4, sure.tolist())
    confidence = np.exp(sure) / (np.exp(sure) + 3)
    wrong = answers != labels
    order = sorted(np.flatnonzero(wrong).tolist(), key=lambda place: -confidence[place])[:24]
    assert errors.confident_errors(subject).tolist() == order
    shown = errors.section(subject)
    table = table_in(shown)
    assert [row[0] for row in table.rows] == [str(place + 1) for place in order]
    assert [row[1].partition(",")[0] for row in table.rows] == [
        f"class {labels[place]} taken for class {answers[place]}" for place in order
    ]
    assert shown is not None
    gap = confidence.mean() - (~wrong).mean()
    assert shown.words == (
        f"{wrong.sum()} of 300 ({100 * wrong.mean():.1f} %) are wrong. The median confidence of errors is "
        f"{100 * np.median(confidence[wrong]):.1f} %, of right answers {100 * np.median(confidence[~wrong]):.1f} %. "
        f"Mean confidence is {100 * confidence.mean():.1f} %, accuracy {100 * (~wrong).mean():.1f} %: it is "
        f"{100 * gap:.1f} points more confident than it should be."
    )


@pytest.mark.parametrize(
    ("count", "wrong", "sure", "said"),
    [
        (40, 0, 0.02, "accuracy 100.0 %: it is 49.5 points less confident than it should be."),
        (40, 0, 9.0, "accuracy 100.0 %: on average it is as confident as it is right."),
        (40, 4, 9.0, "accuracy 90.0 %, which differ by no more than chance (±10.2 points)."),
        (400, 40, 9.0, "accuracy 90.0 %: it is 10.0 points more confident than it should be."),
        (18, 0, 0.02, "Mean confidence is 50.5 %, accuracy 100.0 %."),
    ],
)
def test_confidence_is_judged(count: int, wrong: int, sure: float, said: str) -> None:
    """By how far its mean is from accuracy, beyond chance; of a few inputs not at all."""
    labels = np.arange(count) % 2
    answers = np.where(np.arange(count) < wrong, 1 - labels, labels)
    words = errors.in_words(answering(answers.tolist(), labels.tolist(), 2, [sure] * count))
    assert words.startswith(f"{wrong} of {count} ({100 * wrong / count:.1f} %) are wrong.")
    assert words.endswith(said)


def test_without_errors_nothing_is_drawn() -> None:
    shown = errors.section(answering([0, 1], [0, 1], 2))
    assert shown is not None
    assert not shown.parts


def test_one_confusion_does_not_fill_the_picture() -> None:
    """Of forty errors that are the same six are shown, and all of the others."""
    answers, labels = [1] * 40 + [2] * 3 + [0] * 5, [0] * 40 + [1] * 3 + [0] * 5
    sure = [5 - place / 100 for place in range(48)]
    subject = answering(answers, labels, 3, sure)
    assert errors.confident_errors(subject).tolist() == [0, 1, 2, 3, 4, 5, 40, 41, 42]
    shown = errors.section(subject)
    assert shown is not None
    assert table_in(shown).caption.startswith("The most confident of 43 errors, at most 6 of each confusion")


@pytest.mark.parametrize("name", ["8", "mimetypes", "W" * 16, "a very long name"])
def test_words_below_pictures_do_not_meet(name: str) -> None:
    """Whatever classes are called, a line is no wider than its tile."""
    (cut,) = fitted([name], [0], 4.8 / 4 - errors.PERCENT_ROOM)
    assert cut == name or "…" in cut
    assert text_width(f"{cut}, >99 %") <= 4.8 / 4
    assert text_width("for 8, >99 %") - text_width("8") <= errors.LEAST_ROOM


def test_a_row_is_told_by_what_speaks_for_the_error() -> None:
    """The column in which it is like the predicted class, with both means."""
    network = Network((2,), (Dense(2, 2),))
    model = Model.build(
        network, np.array([-1, 0, 1, 0, 0, 0], np.float32), ("small", "large"), feature_names=("x", "y")
    )
    rows = np.array([[-2, 0], [-2, 4], [2, 1], [2, 3], [3, 1]], np.float32)
    table = table_in(errors.section(subject_of(model, rows, [0, 0, 1, 1, 0])))
    ((row, error, told),) = table.rows
    assert (row, error.partition(",")[0]) == ("5", "small taken for large")
    assert told.startswith("x 3 (-0.333, 2)")
    assert table.caption.startswith("All errors")


def test_columns_are_taken_by_name() -> None:
    """Data whose columns stand in another order are shown as the model has them."""
    network = Network((2,), (Dense(2, 2),))
    model = Model.build(
        network, np.array([-1, 0, 1, 0, 0, 0], np.float32), ("small", "large"), feature_names=("x", "y")
    )
    subject = subject_of(model, np.array([[5, -1], [-5, 1]], np.float32), [0, 1])
    assert subject.dataset is not None
    turned = Subject("turned", model, replace(subject.dataset, feature_names=("y", "x")), np.array([0, 1]))
    assert subject.predicted.tolist() == [1, 0]
    assert turned.predicted.tolist() == [0, 1]


def test_a_picture_is_made_smaller_by_means() -> None:
    """So that brightness stays; a small one is left as it is."""
    picture = np.random.default_rng(0).random((96, 48, 3))
    found = smaller(picture, 48)
    assert found.shape == (48, 24, 3)
    np.testing.assert_allclose(found[3, 5], picture[6:8, 10:12].mean(axis=(0, 1)))
    assert smaller(picture, 96) is picture
    assert pictures_of(np.zeros((2, 8)), (8,)) is None
    assert pictures_of(np.zeros((2, 3, 4, 5)), (3, 4, 5)).shape == (2, 4, 5, 3)  # type: ignore[union-attr]
    assert pictures_of(np.zeros((2, 2, 4, 5)), (2, 4, 5)).shape == (2, 4, 5)  # type: ignore[union-attr]


def test_links_to_sections_can_wrap() -> None:
    """On a phone they take several lines: there is a blank between any two."""
    page, pictures = page_of([answering([0, 1, 1], [0, 0, 1], 2)])
    assert "</a><a" not in page
    assert {"classes.png", "confusion.png", "weights.png"} <= set(pictures)
    assert [page.index(f'<section id="{name}">') for name in SECTIONS] == sorted(
        page.index(f'<section id="{name}">') for name in SECTIONS
    )
