"""Summary: what was trained on what, how, and what it came to."""

from __future__ import annotations

from typing import Any

from genreg_np.report.shown import Shown, Table
from genreg_np.report.subject import Subject


def section(subject: Subject) -> Shown:
    """Show the facts of a model, and of its run where there is one."""
    model, training = subject.model, subject.model.training
    found, config = (_mapping(training.get(name)) for name in ("accuracies", "config"))
    rows = [("network", _network(subject))]
    for split, accuracies in found.items():
        if isinstance(accuracies, dict):
            rows.append(
                (
                    split,
                    ", ".join(
                        f"{name} {100 * value:.2f} %" for name, value in accuracies.items() if isinstance(value, float)
                    ),
                )
            )
    for name, value in (
        ("method", training.get("method")),
        ("data", config.get("dataset")),
        ("genome", training.get("genome")),
        ("generations", training.get("generations")),
        ("saved generation", training.get("generation")),
        ("seed", training.get("seed")),
    ):
        if value is not None:
            rows.append((name, str(value)))
    if subject.run is not None:
        notes = subject.run.notes
        rows += [(name, str(notes[name])) for name in ("seconds", "backend", "started", "ended") if notes.get(name)]
    size = len(model.pack())
    rows.append(("model", f"{size:,} bytes, {len(model.class_names)} classes"))
    words = ""
    if subject.split is not None:
        count = len(subject.labels)
        words = (
            f"Classes, errors and hidden values below are those of {count:,} inputs, the {subject.split_name} split."
        )
    return Shown("Summary", words, [Table(("", ""), rows)])


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _network(subject: Subject) -> str:
    """Return the network in words; of a model of 8-bit integers its kinds of layers."""
    if subject.model.is_int8:
        return ", ".join(layer["kind"] for layer in subject.model.header["network"]["layers"])
    return subject.model.network.describe()
