"""Pipelines for tables: what genomes stand for, what rows are, which folds they are judged on, and by what."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="pipelines are scikit-learn's")

from genreg_np.data.columns import Asked
from genreg_np.data.table import read_table
from genreg_np.errors import DataError, UsageError
from genreg_np.search.draws import Draws
from genreg_np.search.genes import Genome
from genreg_np.search.tabular.building import Layout, pipeline_of
from genreg_np.search.tabular.calls import WIDTH, Name, Ref, call
from genreg_np.search.tabular.folds import HELD, folds_of, held_out
from genreg_np.search.tabular.lesson import ERROR, PipelineLesson, Task, dummy_scores, scores_of
from genreg_np.search.tabular.network import NetworkClassifier, NetworkRegressor, dataset_of
from genreg_np.search.tabular.rows import Rows, rows_of
from genreg_np.search.tabular.scoring import Scoring
from genreg_np.search.tabular.space import (
    BOOSTING,
    FITTED,
    LINEAR,
    MODELS,
    NETWORK,
    SVM,
    Traits,
    beginnings,
    models_of,
    plain,
    space_of,
)  # fmt: skip
from genreg_np.search.tabular.together import expressed_of, key_of, members_of, together, toml_of, words_of
from tests.helpers import one_line

QUICK = {"rounds": 30.0, "trees": 50.0, "generations": 300.0}  # of genes that take long
ALL = Layout([0, 1], [2], [3])
SOME = ((200, False, False, False), (200, True, True, True), (20_000, True, True, False))
TRAITS = [Traits(classes, *others) for classes in (True, False) for others in SOME]


def lines_of(count: int = 80, classes: bool = True) -> list[str]:
    """Return a table with a column of each kind, whose label can be told from it."""
    rng = np.random.default_rng(3)
    rows = ["size,colour,seen,tagged,note,label"]
    for number in range(count):
        size = rng.normal()
        colour = ("red", "green", "blue", "red")[number % 4]
        label = (
            ("yes" if size + (colour == "red") > 0.5 else "no") if classes else f"{2 * size + (colour == 'red'):.3f}"
        )
        said = "" if number % 9 == 0 else f"{size:.4f}"
        digits = " ".join(f"{number}")  # digits apart are no terms: to score a term by mutual information takes 7 ms
        note = f"number {digits} is {colour} and {'large' if size > 0 else 'small'}"
        rows.append(f"{said},{colour},2024-0{1 + number % 9}-1{number % 3},{'yn'[number % 2]},{note},{label}")
    return rows


def rows_in(folder: Path, lines: list[str], label: str = "label", **how: Any) -> Rows:
    """Return the rows of a table of these lines."""
    path = folder / "t.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    asked = Asked.of(how.pop("keep", ()), how.pop("drop", ()), ())
    table, targets = read_table(path, [label], None, None, asked)
    return rows_of(table, targets, asked, how.pop("task", "auto"), "t", **how)


def task_of(rows: Rows, folder: Path, metric: str = "") -> Task:
    """Return what lessons share."""
    name = Scoring.of(metric, bool(rows.class_names), len(rows.class_names)).name
    shared = rows.save(folder)
    return Task(shared, rows.columns, rows.layout, rows.traits, rows.class_names, rows.label, name)


def genomes(traits: Traits, count: int, models: tuple[str, ...] = FITTED) -> list[Genome]:
    """Return those that a search begins with, and random ones, none of which takes long."""
    space = space_of(models, traits)
    found = [genome for genome, _ in beginnings(space)] + [space.drawn(Draws(5, child)) for child in range(count)]
    return [{name: QUICK.get(name, value) for name, value in genome.items()} for genome in found]


def settings_of(pipeline: Any) -> dict[str, Any]:
    """Return what a pipeline of scikit-learn is made of: plain values, and the classes of all else."""
    plain_ = (int, float, str, tuple, type(None))
    found = pipeline.get_params(deep=True).items()
    return {name: value if isinstance(value, plain_) else type(value).__name__ for name, value in found}


# Descriptions


def test_a_call_is_made_and_written_alike() -> None:
    """Short ones in a line; names and functions as they are called in a script."""
    one = call("collections:OrderedDict", [("a", (1,)), ("b", Name("B", [2.5]))], key='it\'s "so"')
    assert one.written() == 'OrderedDict([("a", (1,)), ("b", B)], key="it\'s \\"so\\"")'
    assert one.made() == {"a": (1,), "b": [2.5], "key": 'it\'s "so"'}
    assert call("functools:partial", Ref("math:gcd"), 12).made()(18) == 6
    assert call("functools:partial", Ref("math:gcd")).imports() == {"functools": {"partial"}, "math": {"gcd"}}


@pytest.mark.parametrize("traits", TRAITS, ids=lambda traits: traits.text)
def test_what_is_written_is_what_is_made(traits: Traits) -> None:
    """Every name is imported, lines are short, and the object is the same."""
    layout = Layout([0, 1], [2] if traits.words else [], [3] if traits.texts else [])
    space = space_of(MODELS, traits)
    several = [together([plain(SVM, space), plain(BOOSTING, space), plain(LINEAR, space)])]
    for genome in (*genomes(traits, 25), *several):
        for probabilities in (False, True):
            found = pipeline_of(genome, layout, traits, probabilities)
            written = found.written(4)
            assert max(map(len, written.split("\n"))) <= WIDTH, written
            known: dict[str, Any] = {"NUMBERS": [0, 1], "WORDS": [2], "TEXTS": [3]}
            for module, names in found.imports().items():
                exec(f"from {module} import {', '.join(names)}", known)
            again = eval(written, known)
            assert settings_of(again) == settings_of(found.made())
            ast.parse(written)


def test_traits_are_read_as_they_are_written() -> None:
    for traits in TRAITS:
        assert Traits.read(traits.text) == traits


def test_genes_are_those_that_models_and_tables_have() -> None:
    """A search of two models has no gene of a third; without words none says what is done with them."""
    names = {gene.name for gene in space_of(("svm", "boosting"), Traits(True, 100)).genes}
    assert {"kernel", "rate", "balanced"} <= names
    assert not names & {"trees", "units", "rare", "terms", "fill", "tube", "components"}
    assert {"rare", "terms", "fill", "tube", "components"} <= {
        gene.name for gene in space_of(("svm",), Traits(False, 20_000, True, True, True)).genes
    }
    space = space_of(MODELS, TRAITS[1])
    for model in MODELS:
        expressed = space.expressed(plain(model, space))
        assert ("scale" in expressed) == (model in ("linear", "svm", "neighbours"))
        assert ("select" in expressed) == (model != NETWORK)


def test_models_are_named_in_any_order_and_misnamed_ones_refused() -> None:
    assert models_of("boosting, svm") == ("svm", "boosting")
    assert models_of("") == MODELS
    with pytest.raises(UsageError) as raised:
        models_of("svm,bosting")
    assert "did you mean 'boosting'" in one_line(raised.value)


# Rows


def test_rows_have_all_kinds_of_columns_and_nothing_is_learned(tmp_path: Path) -> None:
    """Every word has a place, missing ones are NaN, and what tells nothing is left out and said."""
    lines = [f"{row},{number}" if number else f"{row},counts" for number, row in enumerate(lines_of())]
    rows = rows_in(tmp_path, lines)
    kinds = {column.name: column.kind for column in rows.columns}
    assert kinds == {
        "size": "numbers", "colour": "words", "seen month": "numbers", "seen day": "numbers",
        "seen weekday": "numbers", "tagged": "numbers", "note": "text",
    }  # fmt: skip
    assert "left out: 'counts' (counts the rows)" in " ".join(rows.notes)
    place = [column.name for column in rows.columns].index("colour")
    assert rows.columns[place].source["words"] == ["blue", "green", "red"]
    assert rows.values[:4, place].tolist() == [2, 1, 0, 2]
    assert np.isnan(rows.values[::9, 0]).all()
    assert rows.traits == Traits(True, 80, True, True, True, 7)
    assert rows.inputs.dtype == object
    assert rows.of(np.array([5])).texts[6] == [
        "number 5 is green and " + ("large" if rows.values[5, 0] > 0 else "small")
    ]


def test_where_no_column_is_left_the_ways_out_are_named(tmp_path: Path) -> None:
    """All of this one count the rows."""
    lines = ["id,label", *(f"{number},{number % 2}" for number in range(40))]
    with pytest.raises(DataError, match=r"no column is left .*; --keep includes one, and --kind COLUMN=text"):
        rows_in(tmp_path, lines)


def test_a_rare_word_is_as_good_as_any_to_the_reader(tmp_path: Path) -> None:
    """Which words are rare is learned in folds, not here."""
    lines = ["word,x,label", *(f"{'odd' if n == 7 else 'ab'[n % 2]},{n * 7 % 13},{'yn'[n % 2]}" for n in range(30))]
    (column,) = [one for one in rows_in(tmp_path, lines).columns if one.kind == "words"]
    assert column.source["words"] == ["a", "b", "odd"]


@pytest.mark.parametrize("task", ["classes", "values"])
def test_a_copy_of_the_label_is_pointed_out(tmp_path: Path, task: str) -> None:
    rng = np.random.default_rng(0)
    lines = ["x,copy,label"]
    for number in range(60):
        label = rng.normal()
        told = (f"{'pq'[number % 2]}", "ab"[number % 2]) if task == "classes" else (f"{3 * label:.5f}", f"{label:.5f}")
        lines.append(f"{rng.normal():.3f},{told[0]},{told[1]}")
    (note,) = [note for note in rows_in(tmp_path, lines, task=task).notes if "--drop" in note]
    assert "'copy': determines the label of every row by itself" in note
    assert not [note for note in rows_in(tmp_path, lines, task=task, drop=("copy",)).notes if "--drop" in note]


# Folds


def both_sides(fold: Any, values: Any) -> set[Any]:
    """Return the values that are on both sides of a fold."""
    return set(values[fold[0]].tolist()) & set(values[fold[1]].tolist())


def test_a_fifth_is_held_out_by_class_and_no_row_is_on_both_sides(tmp_path: Path) -> None:
    lines = ["x,label", *(f"{n * 7 % 31},{'a' if n % 5 else 'b'}" for n in range(100)), "3,single"]
    rows = rows_in(tmp_path, lines)
    fold = held_out(rows, 4, False)
    assert sorted(np.concatenate(fold).tolist()) == list(range(101))
    assert len(fold[1]) == round(HELD * 101 + 0.5)
    shares = [np.bincount(rows.labels[part], minlength=3)[:2] / len(part) for part in fold]
    assert np.abs(shares[0] - shares[1]).max() < 0.03
    assert not np.array_equal(fold[1], held_out(rows, 5, False)[1])
    np.testing.assert_array_equal(fold[1], held_out(rows, 4, False)[1])


def test_groups_are_never_on_both_sides(tmp_path: Path) -> None:
    lines = ["x,who,label", *(f"{n * 7 % 31},p{n % 12},{'ab'[n % 2]}" for n in range(120))]
    rows = rows_in(tmp_path, lines, group="who")
    assert rows.groups is not None
    assert [column.name for column in rows.columns] == ["x"]
    folds = [*folds_of(rows, 4, 0, False), *folds_of(rows, 4, 0, False, 1)]
    assert len(folds) == 8
    assert not np.array_equal(folds[0][1], folds[4][1])
    for fold in (held_out(rows, 0, False), *folds):
        assert not both_sides(fold, rows.groups)
    with pytest.raises(DataError, match="to one group"):
        held_out(rows_in(tmp_path, ["x,who,label", *(f"{n},p,{'ab'[n % 2]}" for n in range(9))], group="who"), 0, False)
    with pytest.raises(DataError, match=r"12 groups .* fewer than 20 folds"):
        folds_of(rows, 20, 0, False)


def test_new_folds_part_groups_otherwise_whatever_their_sizes(tmp_path: Path) -> None:
    """And they are counted as they are, though the numbers of those held out are left over."""
    sizes = [row for group in range(8) for row in [group] * (3 + 2 * group)]
    rows = rows_in(
        tmp_path, ["x,who,label", *(f"{n * 7 % 31},p{who},{'ab'[n % 2]}" for n, who in enumerate(sizes))], group="who"
    )
    folds = [*folds_of(rows, 4, 0, False), *folds_of(rows, 4, 7, False, 3)]
    assert len({tuple(judged.tolist()) for _, judged in folds}) > 9
    assert all(not both_sides(fold, rows.groups) for fold in folds if rows.groups is not None)
    learned, _ = held_out(rows, 0, False)
    left = rows.of(learned)
    assert left.groups is not None
    count = len(np.unique(left.groups))
    with pytest.raises(DataError, match=f"{count} groups .* fewer than {count + 1} folds"):
        folds_of(left, count + 1, 0, False)


@pytest.mark.parametrize("written", [str, lambda n: f"{1 + n % 28}.{1 + n // 28}.2023"])
def test_in_order_of_time_what_is_judged_comes_later(tmp_path: Path, written: Any) -> None:
    """Numbers by size, dates by day; whatever the order in the file."""
    order = np.random.default_rng(0).permutation(100)
    lines = ["x,when,label", *(f"{n},{written(n)},{n * 7 % 5}.5" for n in order)]
    rows = rows_in(tmp_path, lines, time="when", task="values")
    np.testing.assert_array_equal(rows.values[:, 0], np.arange(100))
    for learned, judged in (held_out(rows, 0, True), *folds_of(rows, 4, 0, True, 3)):
        assert learned.max() < judged.min()
    cuts = [{int(judged[0]) for _, judged in folds_of(rows, 4, 0, True, repeats)} for repeats in (0, 3)]
    assert len(cuts[0] & cuts[1]) < len(cuts[0])  # other ones, as far as there are
    assert len(folds_of(rows, 4, 0, True, 3)) == 5 + 6 + 7


def test_folds_of_other_rounds_are_others_and_fewer_rows_than_folds_are_refused(tmp_path: Path) -> None:
    rows = rows_in(tmp_path, ["x,label", *(f"{n * 7 % 31},{'ab'[n % 2]}" for n in range(40))])
    folds = folds_of(rows, 5, 1, False, 3)
    assert len({tuple(judged.tolist()) for _, judged in folds}) == 15
    assert all(sorted(np.concatenate(fold).tolist()) == list(range(40)) for fold in folds)
    with pytest.raises(DataError, match=r"40 rows .* fewer than 41 folds"):
        folds_of(rows, 41, 0, False)


# Lessons


@pytest.mark.parametrize("classes", [True, False])
def test_every_pipeline_can_be_fitted_and_judged(tmp_path: Path, classes: bool) -> None:
    """With numbers, words, dates and text, of which some are missing; and says the same when it is asked again."""
    rows = rows_in(tmp_path, lines_of(classes=classes))
    task, folds = task_of(rows, tmp_path), tuple(folds_of(rows, 2, 0, False))
    best = 0.0
    for genome in genomes(rows.traits, 25):
        learned = PipelineLesson(task, genome, folds).learn()
        assert learned.status == "ok", (genome, learned.why)
        scores = scores_of(learned.measures["search"])
        assert learned.measures["search"][task.metric] == pytest.approx(np.mean(scores))
        assert learned.measures["search"][ERROR] == pytest.approx(np.std(scores, ddof=1) / np.sqrt(2))
        best = max(best, float(np.mean(scores)))
    later = PipelineLesson(task, genome, folds[1:], scores[:1]).learn()
    assert later.measures == learned.measures
    assert best > max(0.75 if classes else 0.5, np.mean(dummy_scores(task, folds)) + 0.2)


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
@pytest.mark.parametrize("classes", [True, False])
def test_pipelines_are_fitted_to_many_rows(tmp_path: Path, classes: bool) -> None:
    """By kernels of some of them; with metrics that go by probabilities, too."""
    rng = np.random.default_rng(0)
    numbers = rng.normal(size=(300, 3))
    labels = (numbers[:, 0] > 0).astype(int) if classes else numbers[:, 0]
    traits = Traits(classes, 20_000)
    for genome in genomes(traits, 12, ("svm", "linear", "boosting")):
        model = pipeline_of(genome, Layout([0, 1, 2], [], []), traits, classes).made().fit(numbers[:250], labels[:250])
        scorer = Scoring.of("neg_log_loss" if classes else "r2", classes).scorer
        assert np.isfinite(scorer(model, numbers[250:], labels[250:]))


@pytest.mark.parametrize("classes", [True, False])
def test_a_network_predicts_rows_as_the_model_that_is_saved_of_it(tmp_path: Path, classes: bool) -> None:
    """From the raw row, in which it finds its words; text is not for it."""
    rows = rows_in(tmp_path, lines_of(classes=classes))
    genome = plain(NETWORK, space_of(MODELS, rows.traits), generations=300.0)
    kind = NetworkClassifier if classes else NetworkRegressor
    network = kind(genome, rows.columns, rows.class_names, rows.label, 1).fit(rows.inputs[:60], rows.labels[:60])
    raw = [line.split(",") for line in lines_of(classes=classes)][1:]
    names = ("size", "colour", "seen", "tagged")
    fields = {name: [row[place] for row in raw] for place, name in enumerate(names)}
    np.testing.assert_allclose(np.ravel(network.model_.predict(fields)), network.predict(rows.inputs), rtol=1e-5)
    if classes:
        np.testing.assert_allclose(network.model_.predict_proba(fields), network.predict_proba(rows.inputs), rtol=1e-5)
        assert network.model_.class_names == ("no", "yes")
        assert network.score(rows.inputs[60:], rows.labels[60:]) > 0.6


def test_a_network_learns_its_words_from_its_own_rows(tmp_path: Path) -> None:
    """A word of other rows is one that it does not know."""
    lines = ["word,x,label", *(f"{'late' if n >= 40 else 'ab'[n % 2]},{n * 7 % 13},{'yn'[n % 2]}" for n in range(60))]
    rows = rows_in(tmp_path, lines)
    some = slice(0, 40)
    about = rows.columns, rows.inputs[some], rows.labels[some], rows.class_names, "label"
    data = dataset_of("t", *about, np.arange(6, 40), np.arange(6))
    (column,) = [one for one in data.columns if one["kind"] == "words"]
    assert column["words"] == ["a", "b"]
    only_text = [one for one in rows_in(tmp_path, lines_of()).columns if one.kind == "text"]
    with pytest.raises(UsageError, match="do not use columns of text"):
        dataset_of("t", only_text, np.empty((3, 1)), np.zeros(3), ("a", "b"), "label", np.arange(2), np.arange(2, 3))


# Scoring


def test_metrics_are_those_of_scikit_learn_that_fit() -> None:
    assert (Scoring.of("", True).name, Scoring.of("", False).name) == ("accuracy", "r2")
    assert Scoring.of("neg_log_loss", True).by_probabilities
    assert not Scoring.of("f1_macro", True, 5).by_probabilities
    assert Scoring.of("neg_mean_absolute_error", False).shown(-2.5) == "2.5000"
    assert Scoring("neg_mean_absolute_error").words == "mean absolute error"
    assert Scoring("f1").called(["no", "yes"]) == "f1 of class 'yes'"
    assert Scoring("roc_auc").called(["no", "yes"]) == "roc auc"


@pytest.mark.parametrize(
    ("metric", "classes", "count", "said"),
    [
        ("acuracy", True, 2, "did you mean 'accuracy'"),
        ("r2", True, 2, "does not fit classes"),
        ("f1", False, 0, "does not fit numbers"),
        ("f1", True, 3, "needs two classes, but there are 3: choose f1_macro or f1_micro or f1_weighted"),
        ("rand_score", True, 2, "unknown metric"),
        ("f1_samples", True, 3, "does not fit"),
    ],
)
def test_metrics_that_do_not_fit_are_refused(metric: str, classes: bool, count: int, said: str) -> None:
    with pytest.raises(UsageError) as raised:
        Scoring.of(metric, classes, count)
    assert said in one_line(raised.value)


def test_several_are_told_as_one_is() -> None:
    """In words, by what is otherwise than usual; the file of a genome is that of the first."""
    space = space_of((LINEAR, SVM), TRAITS[0])
    one, other = plain(LINEAR, space, strength=2.0), plain(SVM, space)
    both = together([one, other])
    assert words_of(space, both) == "together: linear: strength 2; usual svm"
    assert members_of(both) == (one, other)
    assert members_of(one) == (one,)
    assert key_of(space, both) == f"{space.key(one)} {space.key(other)}"
    assert expressed_of(space, both)["members"][0] == space.expressed(one)
    assert space.read_text(toml_of(space, both), other) == one
