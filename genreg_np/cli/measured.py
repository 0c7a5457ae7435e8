"""The data that `eval` measures a model on, and its report: measures of classes, errors of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.cli.output import confusion_lines, per_class_lines, percent
from genreg_np.cli.reading import reader_arguments
from genreg_np.cli.unsure import REASONS, Rejection
from genreg_np.data.labels import quoted, short_name
from genreg_np.errors import UsageError

if TYPE_CHECKING:
    from genreg_np.data.stored import Table
    from genreg_np.infer import Model

MOST_SHOWN = 64  # classes whose confusion matrix is printed
FEW = 1000  # below this number of inputs, an accuracy is printed with its interval
ALL = "all"  # instead of one split
OF_TRAINING = ("keep", "drop", "kind", "weight", "task")  # options that apply only to training
SEARCHED, IN_MEMORY = "search", "(in memory)"  # in a header: the method of searches, the end of a name of arrays


@dataclass(frozen=True)
class Measured:
    """Inputs and their targets."""

    name: str  # of the dataset
    split: str
    inputs: NDArray[Any]  # (N, *input_shape) of the model
    labels: NDArray[Any]  # (N,) the model's classes, or (N, K) numbers
    notes: tuple[str, ...] = ()
    mean: NDArray[np.float64] | None = None  # (K,) of the training split's numbers, if known

    @property
    def words(self) -> str:
        """The measured data in words: "digits, test split, 271 inputs"."""
        count = f"{len(self.labels)} input{'' if len(self.labels) == 1 else 's'}"
        what = "all rows" if self.split == ALL and self.inputs.ndim == 2 else "all splits"
        return f"{self.name}, {what if self.split == ALL else f'{self.split} split'}, {count}"


def of_table(model: Model, path: str, split: str | None, options: Mapping[str, Any]) -> Measured:
    """Return rows of a table to measure a model on, by default all if it was not trained on this file.

    Raises
    ------
    UsageError, DataError
        For a table that cannot be read, or does not fit the model.
    """
    from genreg_np.data.columns import WORDS, Asked
    from genreg_np.data.for_model import classes_of_table, inputs_of_table
    from genreg_np.data.held_out import completed
    from genreg_np.data.split import Split
    from genreg_np.data.table import labelled, read_table, stem
    from genreg_np.data.table_labels import numbers_of
    from genreg_np.files import digest_of

    reading = reader_arguments(options)
    label = reading.get("label")
    names = [label] if isinstance(label, str) else list(label or model.value_names)
    if given := [name for name in OF_TRAINING if reading.get(name)]:
        raise UsageError(
            f"--{given[0]} is for training: the model knows its columns, and others are ignored; leave it out"
        )
    words = {column["name"]: WORDS for column in model.header.get("columns") or () if column["kind"] == WORDS}
    table, targets = read_table(path, names, reading.get("header"), reading.get("separator"), Asked(kinds=words))
    if not names:
        targets = [_label_of(model, table, targets[0])]
    if targets[0] == model.header.get("label"):
        table = replace(table, guessed="")
    table, notes = labelled(table, targets)
    notes = [f"label column{'s' if len(targets) > 1 else ''} {quoted(targets)}", *notes]
    inputs, note = inputs_of_table(model, table, targets)
    notes += [note] if note else []
    if model.class_names:
        labels: NDArray[Any] = classes_of_table(model, table, targets[0])
        classes = model.class_names
    else:
        labels, classes = numbers_of(table, targets), ()
    trained = model.trained("sha256")
    is_known, by_search = isinstance(trained, str) and trained == digest_of(path), model.trained("method") == SEARCHED
    if told := _of_all(split) if is_known else _doubt(model, path, split):
        notes.append(told)
    mean = _learned_mean(model)
    if is_known and by_search and split != ALL:
        rows = _of_search(model, table, path, split or "test")
        notes.append(
            f"the model was found with this file: measured on {len(rows):,} of its {len(table):,} rows, "
            f"{'which it learned from' if split == 'train' else 'which the search held out'}; --split all measures all "
            "of them"
        )
        return Measured(stem(path), split or "test", inputs[rows], labels[rows], tuple(notes), mean)
    if is_known or split not in (None, ALL):
        fields = completed(Split(np.arange(len(table))[:, None], labels), None, None, classes, name=path, note="")
        if is_known and not by_search and not classes:
            mean = fields["train"].labels.mean(axis=0)
        if (split or "test") != ALL:
            rows = fields[split or "test"].inputs[:, 0]
            if not len(rows):
                raise UsageError(f"{path}: too few rows, its {split} split is empty: measure all with --split all")
            if is_known:
                notes.append(
                    f"the model was trained on this file: measured on {len(rows):,} of its {len(table):,} rows, the "
                    f"{split or 'test'} split{_learned(model, split)}; --split all measures all of them"
                )
            return Measured(stem(path), split or "test", inputs[rows], labels[rows], tuple(notes), mean)
    return Measured(stem(path), ALL, inputs, labels, tuple(notes), mean)


def _learned(model: Model, split: str | None) -> str:
    """Return that a model has learned from a split of the file it was trained on, in words for a note; or ""."""
    if split == "validation" and model.trained("refit"):
        return ", which it learned from in the end"
    return ", which it learned from" if split == "train" else ""


def _of_all(split: str | None) -> str:
    """Return a note for all rows of the file that a model was trained on; "" for one split."""
    return "the model was trained on this file: it has learned from most of these rows" if split == ALL else ""


def _doubt(model: Model, path: str, split: str | None) -> str:
    """Return a note that a file may have rows that a model was trained on; "" if that is out of the question."""
    from genreg_np.data.table import stem

    source, by_search = model.trained("config", "dataset"), model.trained("method") == SEARCHED
    if not isinstance(source, str):
        return ""
    if model.trained("sha256") is None:
        if split is not None:
            return ""
        from_train = not by_search and not source.endswith(IN_MEMORY)
        way = ": use --split test to measure it on the others" if from_train else ", others may be predicted less well"
        return f"if the model was trained on rows of this file{way}"
    name = quoted([source])
    if stem(path) not in (source, stem(source)):
        return f"the model was trained on another file, {name}: rows of that file may be among these"
    said = f"the file is not the same as when the model was trained on {name}"
    if by_search:
        return f"{said}: rows that it has learned from may be among these"
    if split in (None, ALL):
        return (
            f"{said}: rows that it has learned from may be among these; --split test measures the others, if the rows "
            "are the same and in the same order"
        )
    return f"{said}: its {split} split is that of training only if the rows are the same and in the same order"


def _label_of(model: Model, table: Table, guessed: str) -> str:
    """Return the column of classes of a table: the model's, or else the guessed one if it can be no input.

    Raises
    ------
    UsageError
        If there is none.
    """
    from genreg_np.data.for_model import columns_of, has_names

    own = model.header.get("label")
    if not has_names(model) or not table.named:
        return own if own in table.names else guessed
    if own in table.names:
        return str(own)
    if own or any(column["name"] == guessed for column in columns_of(model)):
        what = f"lacks {own!r}, the model's label" if own else f"its last column, {guessed!r}, is an input of the model"
        raise UsageError(
            f"{table.path}: {what}: name the column of labels with --label, or predict rows without labels with infer"
        )
    return guessed


def _learned_mean(model: Model) -> NDArray[np.float64] | None:
    """Return the mean of the numbers (K,) that a model was trained on, if its header has it."""
    from genreg_np.layers.targets import Targets

    targets = Targets.read(model.header)
    return None if targets is None else targets.offset


def _of_search(model: Model, table: Table, path: str, split: str) -> NDArray[np.int64]:
    """Return the rows (n,) of its own table that a search held out, or else those that it learned from.

    Raises
    ------
    UsageError
        If the model does not say which, or for another split.
    """
    from genreg_np.data.held_out import unpacked

    held = unpacked(model.trained("held_out"), len(table))
    if held is None or split == "validation":
        what = "the search's model has no validation split" if held is not None else "the model does not say which rows"
        raise UsageError(f"{path}: {what} of this file: measure all with --split all")
    return np.flatnonzero(held if split == "test" else ~held)


def tell_classes(
    model: Model, measured: Measured, rejection: Rejection | None, reject: float | None
) -> tuple[dict[str, Any], list[str]]:
    """Return the --json entries for a model with classes, and the lines to print."""
    from genreg_np.runs.evaluation import Evaluation
    from genreg_np.runs.measures import interval, majority, measures_of, of_each_class, roc_auc

    names, labels = model.class_names, measured.labels
    probabilities = model.predict_proba(measured.inputs)
    result = Evaluation.of(probabilities.argmax(axis=1), labels, len(names))
    with np.errstate(divide="ignore"):
        logs = np.log(probabilities)
    measures: dict[str, float | None] = dict(measures_of(logs, labels, names))
    measures |= {"roc-auc": roc_auc(probabilities, labels), "majority": majority(labels)}
    low, high = interval(result.accuracy, result.n)
    each = of_each_class(result.confusion)
    told = _answered(rejection, probabilities, measured) if rejection else {}
    found = {
        "accuracy": result.accuracy,
        "interval": [low, high],
        "n": result.n,
        "classes": names,  # the order of the confusion matrix
        "per_class": dict(zip(names, result.per_class, strict=True)),
        "confusion": result.confusion.tolist(),
        "measures": measures,
        "precision": dict(zip(names, each["precision"].tolist(), strict=True)),
        "recall": dict(zip(names, each["recall"].tolist(), strict=True)),
        **told,
    }
    between = f" (95 % interval {percent(low)} to {percent(high)})" if result.n < FEW else ""
    lines = [f"{measured.words}: accuracy {percent(result.accuracy)}{between}", _measured_line(measures)]
    if told:
        share, right = percent(told["answered"]), percent(told["answered_accuracy"])
        lines.append(
            f"answered {share} of them, {right} of those correctly; unsure about the others (--reject {reject:g})"
        )
    lines += _notes(model, measured)
    lines += ["", *per_class_lines(result, names), ""]
    if len(names) > MOST_SHOWN:
        return found, [*lines, f"the confusion matrix of {len(names):,} classes is printed with --json only"]
    return found, lines + confusion_lines(result, names)


def _notes(model: Model, measured: Measured) -> list[str]:
    """Return the notes on what was measured, and the model's own."""
    note = model.trained("note")
    return [*measured.notes, *([f"the model's note: {short_name(note, 160)}"] if isinstance(note, str) else [])]


def _measured_line(measures: Mapping[str, float | None]) -> str:
    """Return the measures beside accuracy as one line."""
    shown = [
        f"always the most frequent class {percent(measures['majority'])}",
        f"balanced {percent(measures['balanced-accuracy'])}",
        f"macro F1 {measures['f1']:.3f}",
        f"log loss {measures['log-loss']:.3f}",
    ]
    if measures["roc-auc"] is not None:
        shown.append(f"ROC AUC {measures['roc-auc']:.3f}")
    return ", ".join(shown)


def tell_numbers(
    model: Model, measured: Measured, rejection: Rejection | None, reject: float | None
) -> tuple[dict[str, Any], list[str]]:
    """Return the --json entries for a model that predicts numbers, and the lines to print."""
    from genreg_np.runs.numbers import NumberEvaluation

    predicted = np.asarray(model.outputs(measured.inputs), np.float64)
    mean = measured.labels.mean(axis=0) if measured.mean is None else measured.mean
    result = NumberEvaluation.of(predicted, measured.labels, model.value_names, mean)
    lines = [f"{measured.words}: R2 {result.score:.4f}", *number_lines(result), *_notes(model, measured)]
    return result.to_json(), lines


def number_lines(result: Any) -> list[str]:
    """Return a line for each predicted number: R2, and errors beside those of predicting the mean."""
    width = max(6, *(len(short_name(name)) for name in result.names))
    lines = [f"  {'':<{width}}  {'R2':>8}  {'RMSE':>10}  {'MAE':>10}  {'mean: RMSE':>10}  {'MAE':>10}"]
    for k, name in enumerate(result.names):
        errors = (result.rmse[k], result.mae[k], result.mean_rmse[k], result.mean_mae[k])
        told = "  ".join(f"{value:>10.4g}" for value in errors)
        lines.append(f"  {short_name(name):<{width}}  {result.r2[k]:>8.4f}  {told}")
    return lines


def _answered(rejection: Rejection, probabilities: NDArray[np.floating], measured: Measured) -> dict[str, Any]:
    """Return the share of answered inputs, the accuracy on them, and the reasons for the others."""
    why = np.array(rejection.why(probabilities.max(axis=1), measured.inputs))
    answered = why == ""
    right = (probabilities.argmax(axis=1) == measured.labels)[answered]
    return {
        "answered": float(answered.mean()),
        "answered_accuracy": float(right.mean()) if len(right) else None,
        "unsure": {reason: int((why == reason).sum()) for reason in REASONS},
    }
