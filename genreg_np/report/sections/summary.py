"""Summary: the model, its training and data, and the result."""

from __future__ import annotations

from typing import Any

from genreg_np.model import Model
from genreg_np.report.names import written
from genreg_np.report.own_score import OwnScore
from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Subject

ENDED = {
    "generations": "all generations were done",
    "target": "its target was reached",
    "patience": "its patience ran out without an improvement",
    "budget": "its time was up",
    "stopped": "it was stopped",
    "interrupted": "it was interrupted",
    "failed": "it failed",
}
MOST_NAMES = 12  # of outputs


def section(subject: Subject) -> Shown:
    """Show the facts about a model, and about its run if there is one."""
    model, training = subject.model, subject.model.training
    found, config = (_mapping(training.get(name)) for name in ("accuracies", "config"))
    rows = [("score", name)] if subject.is_own and (name := OwnScore.of(subject).name) else []
    rows.append(("network", _network(subject)))
    for split, accuracies in found.items():
        known = {name: value for name, value in _mapping(accuracies).items() if isinstance(value, float)}
        if known:
            each = (f"{'' if len(known) == 1 else f'{name} '}{100 * value:.2f} %" for name, value in known.items())
            rows.append((f"{split}, before conversion to 8 bits" if model.is_int8 else split, ", ".join(each)))
    for name, value in (
        ("method", training.get("method")),
        ("data", config.get("dataset")),
        ("saved network", _saved(subject)),
        ("generations", training.get("generations")),
        ("saved generation", training.get("generation")),
        ("seed", training.get("seed")),
    ):
        if value is not None:
            rows.append((name, str(value)))
    if subject.run is not None:
        notes = subject.run.notes
        rows += [(name, str(notes[name])) for name in ("seconds", "backend", "started") if notes.get(name)]
        rows += [("ended", _ended(notes["ended"]))] if notes.get("ended") else []
    size = len(model.pack())
    rows.append(("model", f"{size:,} bytes, {_gives(model)}"))
    if subject.is_own and (names := written(model.class_names or model.value_names)):
        more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
        rows.append(("outputs", ", ".join(names[:MOST_NAMES]) + more))
    words = ""
    if subject.split is not None:
        count = len(subject.labels)
        what = (
            "Classes, errors" if subject.model.class_names else "Predictions" if subject.model.value_names else "Copies"
        )
        words = f"{what} and hidden values below are for the {count:,} inputs of the {subject.split_name} split."
    return Shown("Summary", words, [Table(("", ""), rows)])


def _gives(model: Model) -> str:
    if model.class_names:
        return f"{len(model.class_names)} classes"
    return f"{model.output_count:,} value{'s' if model.output_count > 1 else ''}"


def _saved(subject: Subject) -> str | None:
    """Return which of several candidates is saved, in words; None if there is only one."""
    training = subject.model.training
    genome, validation = training.get("genome"), _mapping(_mapping(training.get("accuracies")).get("validation"))
    if not isinstance(genome, str) or len(validation) < 2:
        return None
    return {"best": "best: the most trusted", "consensus": "consensus: the survivors' mean weights"}.get(genome, genome)


def _ended(why: Any) -> str:
    """Return why a run ended, in words."""
    return ENDED[why] if isinstance(why, str) and why in ENDED else str(why)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _network(subject: Subject) -> str:
    """Return the network in words; for a model of 8-bit integers, its kinds of layers."""
    if subject.model.is_int8:
        return ", ".join(layer["kind"] for layer in subject.model.header["network"]["layers"])
    return subject.model.network.describe()
