"""Verdict: what the network confuses, whether it overfits, and why training stopped improving, in a line each.

Everything refers to the saved network. Differences that may be chance are not reported: see report/chance.py.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from genreg_np.layers.schedules import SCHEDULES
from genreg_np.report.chance import Share, either_way, rises
from genreg_np.report.names import written
from genreg_np.report.sections.confusion import pairs_of
from genreg_np.report.sections.curves import Line, line_of, training_of
from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Subject
from genreg_np.runs.config import TrainConfig

TITLE = "In short"
NAMED = 3  # confusions, and classes, that are named
OFTEN = 2  # times a confusion must occur to be reported
HARDLY, ENOUGH = 0.1, 10  # share of its inputs below which a class is hardly predicted, and the inputs it must have
MOSTLY, TOO_OFTEN = 0.5, 2  # share of all answers, and multiple of its inputs, above which a class is the usual answer
SLIGHT = 0.02  # gap between training and test below which overfitting is slight
FEW = 1000  # inputs below which the best of many evaluations can flatter by whole points
VAGUE = 0.1  # error beyond which nothing can be said
LEARNED = 0.99  # of the training inputs right, above which hardly anything is left to learn from them
SPENT = 0.25  # of the first step size, below which it explains why nothing changes
UNKNOWN = 1e-3  # chance variation for an unknown number of inputs
LATE = 0.75  # of a run: what rose after this still rises


def section(subject: Subject) -> Shown | None:
    """Show these three findings; None if nothing is known, or for runs covered by attained.py."""
    if subject.is_own and subject.dataset is None:
        return None
    rows = [
        (name, text)
        for name, text in (
            ("Confuses", confused(subject)),
            ("Overfits", overfits(subject)),
            ("Stopped improving", stopped(subject)),
        )
        if text
    ]
    return Shown(TITLE, "", [Table(("", ""), rows)]) if rows else None


def lacks(subject: Subject) -> str:
    """Return why the section is absent although it is possible, or ""."""
    return subject.lacks_classes


def confused(subject: Subject) -> str:
    """Return the largest confusions, and classes that are hardly ever predicted; "" without classes or data."""
    if not subject.is_counted:
        return ""
    confusion, names = subject.evaluation.confusion, written(subject.model.class_names)
    count, errors = int(confusion.sum()), int(confusion.sum() - confusion.trace())
    totals, answers = confusion.sum(axis=1), confusion.sum(axis=0)
    if not errors:
        return f"nothing: all {count:,} {subject.split_name} inputs are right."
    pairs = [pair for pair in pairs_of(confusion) if pair[2] >= OFTEN][:NAMED]
    wrong = f"{errors:,} of {count:,} {subject.split_name} inputs are wrong"
    said = ", ".join(
        f"{names[true]} taken for {names[other]} ({times:,} of {totals[true]:,})" for true, other, times in pairs
    )
    said = f"{said}; {wrong}." if said else f"nothing twice; {wrong}, each differently."
    missing = [place for place in np.argsort(-totals, kind="stable") if totals[place] >= ENOUGH]
    missing = [place for place in missing if answers[place] < HARDLY * totals[place]]
    if missing:
        some = ", ".join(
            f"{names[place]} ({_times(answers[place])}, for {totals[place]:,} inputs)" for place in missing[:NAMED]
        )
        more = f" and {len(missing) - NAMED} more" if len(missing) > NAMED else ""
        said += f" It hardly ever predicts {some}{more}."
    usual = int(answers.argmax())
    if answers[usual] > max(ENOUGH, MOSTLY * count) and answers[usual] > TOO_OFTEN * totals[usual]:
        said += f" It predicts {names[usual]} {_times(answers[usual])}, for {totals[usual]:,} inputs."
    return said


def overfits(subject: Subject) -> str:
    """Return whether accuracy on training inputs is higher than on others; "" without classes or data."""
    shares = subject.shares
    held = next((name for name in ("test", "validation") if name in shares), "")
    if not held:
        return ""
    told = f"{', '.join(f'{name} {shares[name]}' for name in ('train', 'validation', 'test') if name in shares)}."
    told = told.replace("train ", "training ", 1)
    return " ".join([f"{_gap(subject, held)}: {told}", *_luck(subject), *_guessing(subject, held)])


def _gap(subject: Subject, held: str) -> str:
    """Return in a few words whether there is a gap."""
    shares, data = subject.shares, subject.dataset
    assert data is not None
    if not subject.learned_from:
        return "cannot be told (it was trained on other data)"
    if "train" not in shares:
        return "cannot be told (no training inputs)"
    if np.array_equal(data.train.inputs, data.split(held).inputs):
        return f"cannot be told ({held} inputs are the training inputs)"
    gap, chance = shares["train"].value - shares[held].value, either_way(shares["train"], shares[held])
    if gap > chance:
        points = f"{held} is {100 * gap:.1f} points below training"
        return f"yes, {points}" if gap > SLIGHT else f"hardly, {points}"
    if chance > VAGUE:
        return f"cannot be told (with {shares[held].count:,} {held} inputs, {100 * chance:.0f} points may be chance)"
    return "not seen"


def _luck(subject: Subject) -> list[str]:
    """Return a sentence on why validation is better than test, if it clearly is."""
    shares = subject.shares
    if not {"validation", "test"} <= set(shares):
        return []
    chosen, test = shares["validation"], shares["test"]
    if chosen.value - test.value <= either_way(chosen, test):
        return []
    looks = len(_validation(subject)[0])
    if looks > 1 and "generation" in subject.model.training:
        few = "only " if chosen.count < FEW else ""
        return [f"Validation is the best of {looks:,} looks at {few}{chosen.count:,} inputs, so too good: go by test."]
    return ["Test is clearly below validation: go by test."]


def _guessing(subject: Subject, held: str) -> list[str]:
    """Return a sentence if the model is not clearly better than a constant answer."""
    share = subject.shares[held]
    labels = subject.labels if held == subject.split_name else subject.counted_as(subject.dataset.split(held).labels)  # type: ignore[union-attr]
    counts = np.bincount(labels, minlength=len(subject.model.class_names))
    level = int(counts.max()) / share.count
    if share.value > level + share.either_way:
        return []
    name = written(subject.model.class_names)[int(counts.argmax())]
    return [f"That is no better than guessing: {name} for all gives {100 * level:.1f} %."]


def _validation(subject: Subject) -> Line:
    """Return the validation accuracies of the saved genome by generation."""
    if subject.run is None or "validation" in subject.run.config.spent:
        return [], []
    return line_of(subject.run.records, subject.recorded_as("validation_accuracy"))


def stopped(subject: Subject) -> str:
    """Return since when validation has not risen beyond chance, and why; "" for a model alone, or without records."""
    run, (generations, values) = subject.run, _validation(subject)
    if run is None or not values:
        return ""
    training = training_of(run)[1]
    if len(values) == 1:
        still = f"in training {_rising(rises(training))}" if rises(training) else ""
        said = f"cannot be told: there was a single look at validation, at generation {generations[0]:,}"
        return f"{said}. Accuracy {still}: a longer run may gain more." if still else f"{said}."
    best = values.index(max(values))
    count = 0 if subject.dataset is None else len(subject.dataset.validation)
    chance = Share(round(values[best] * count), count).either_way if count else UNKNOWN
    points = f"(±{100 * chance:.1f} points)"
    beyond, moved = (
        (f" beyond chance {points}", f"risen by no more than chance {points}") if count else ("", "hardly risen")
    )
    start = next(index for index, value in enumerate(values) if value >= values[best] - chance)
    if gain := rises(values, chance):
        return f"not yet: validation {_rising(gain)}. {_ended(subject)}A longer run may gain more."
    if generations[start] > LATE * generations[-1]:
        until = f"until generation {generations[start]:,} of {generations[-1]:,}"
        return f"not yet: validation rose{beyond} {until}. {_ended(subject)}A longer run may gain more."
    said = (
        f"since generation {generations[start]:,} of {generations[-1]:,} validation has {moved}: best at generation "
        f"{generations[best]:,}, {100 * values[best]:.1f} %"
    )
    if values[-1] < values[best] - chance:
        said += f", at the end {100 * values[-1]:.1f} %"
    return f"{said}. {_ended(subject)}{_why(subject, generations[start])}"


def _rising(gain: float) -> str:
    return f"still rose at the end, by {100 * gain:.1f} points in the last quarter of the run"


def _ended(subject: Subject) -> str:
    """Return a sentence on what ended a run early, or ""."""
    assert subject.run is not None
    notes, config = subject.run.notes, subject.run.config
    done, budget = subject.model.training.get("generations"), notes.get("budget_seconds")
    if notes.get("ended") == "stopped":
        return f"It was stopped at generation {done} of {config.generations:,}. "
    if notes.get("ended") == "target":
        return f"It ended at its target, {100 * config.target:.4g} % of validation. "
    return f"It ended with its budget of {budget:g} seconds. " if type(budget) in (int, float) else ""


def _why(subject: Subject, start: int) -> str:
    """Return a sentence on why validation no longer changes after a generation."""
    assert subject.run is not None
    run, train = subject.run, subject.shares.get("train")
    if train is not None and train.value >= LEARNED:
        which = "All" if train.right == train.count else f"{100 * train.value:.1f} % of"
        left = "nothing" if train.right == train.count else "hardly anything"
        return (
            f"{which} {train.count:,} training inputs that were counted are right: {left} is left to learn from them. "
            "More inputs, or augmented ones, may help."
        )
    plan = planned(run.config)
    if plan is not None and (share := plan[1](start / run.config.generations)) <= SPENT:
        return (
            f"The {plan[0]} had fallen to {100 * share:.0f} % of the first by then, as planned: a longer run, in which "
            "it falls more slowly, may gain more."
        )
    generations, training = training_of(run)
    later = [value for generation, value in zip(generations, training, strict=True) if generation >= start]
    if not later:
        return ""
    if not (gain := rises(later)):
        return (
            "Accuracy in training does not rise either: changes of this size find nothing better. Another step size or "
            "population size, or a larger network, may."
        )
    still = f"Accuracy in training still rose, by {100 * gain:.1f} points in the last quarter of that time"
    if overfits(subject).startswith(("yes", "hardly")):
        return f"{still}: what it still learns holds for training inputs only. More inputs or weight_decay may help."
    return f"{still}, which so few validation inputs cannot show: a longer run may gain more."


def planned(config: TrainConfig) -> tuple[str, Callable[[float], float]] | None:
    """Return what a run reduces by plan, and the remaining share as a function of the fraction done; or None."""
    options = config.options
    if getattr(options, "annealing", "none") == "linear":
        return "step size", lambda done: 1 - min(1.0, done)
    schedule = getattr(options, "schedule", "constant")
    if schedule in SCHEDULES and schedule != "constant":
        return "learning rate", lambda done: SCHEDULES[schedule](round(1000 * done), 1000)
    if (final := getattr(options, "final_scale", 1.0)) < 1:
        return "scale of mutations", lambda done: float(final ** min(1.0, done))
    return None


def _times(count: int) -> str:
    return "never" if count == 0 else "once" if count == 1 else f"{count:,} times"
