"""What `genreg-np mixed` prints when a run has ended: accuracy and likeness by generation, attacks, published rows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from genreg_np.cli.output import duration
from genreg_np.config import read_preset
from genreg_np.hybrid import published
from genreg_np.hybrid.networks import network_name
from genreg_np.training import Result

if TYPE_CHECKING:
    from genreg_np.evolution import Evolution
    from genreg_np.hybrid.measure import Measured

Row = dict[str, Any]


def is_paper(evolution: Evolution) -> bool:
    """Whether a run did what the notebook did, whatever its network."""
    config = evolution.config.to_dict()
    paper = read_preset("seed-mixed")
    return all(config[name] == value for name, value in paper.items() if name not in ("hidden", "generations"))


def published_name(evolution: Evolution) -> str:
    """Return the name of the published network that a run repeats, or nothing."""
    name = network_name(evolution.config.hidden, evolution.config.parts)
    repeated = evolution.dataset is not None and evolution.dataset.name == "mnist" and is_paper(evolution)
    return name if repeated and name in published.ACCURACY else ""


def to_json(result: Result, evolution: Evolution, measured: Measured) -> Row:
    """Return what --json prints; accuracies are fractions."""
    records = _records(result)
    training = result.model.training if result.model else {}
    return {
        "method": "mixed",
        "paper": is_paper(evolution),
        "dataset": training["config"]["dataset"],
        "network": network_name(evolution.config.hidden, evolution.config.parts),
        "gene": evolution.config.gene,
        "fitness": evolution.config.fitness,
        "seed": evolution.config.seed,
        "generations": result.generations,
        "seconds": round(result.seconds, 3),
        "selection": evolution.config.selection,
        "mean_accuracy": sum(measured.test) / len(measured.test),
        "best_accuracy": max(measured.test),
        "worst_accuracy": min(measured.test),
        "validation_accuracy": None if evolution.config.training == "all" else result.validation[result.genome],
        "test_accuracy": result.test_accuracy,
        "baseline_accuracies": measured.baselines,
        "by_generation": [record["mean_accuracy"] for record in records],
        "layers": list(measured.layers),
        "similarity": measured.similarity[-1],
        "clusters": measured.clusters[-1],
        "dropped": evolution.state.dropped,
        "attacks": measured.attacks,
        "run": str(result.run),
        "model": str(result.run / "model.npz"),
        "ended": result.ended,
    }


def lines(result: Result, evolution: Evolution, measured: Measured) -> list[str]:
    """Return the results as lines of text."""
    name = published_name(evolution)
    return [
        "",
        *_generation_lines(_records(result), evolution, measured, name),
        "",
        *_accuracy_lines(result, evolution, measured, name),
        "",
        *(_attack_lines(measured, name) if measured.attacks else []),
        f"model {result.run / 'model.npz'}",
        "",
        "try next:",
        f"  genreg-np eval {result.run / 'model.npz'}",
    ]


def _records(result: Result) -> list[Row]:
    """Return the lines of metrics.jsonl."""
    text = (result.run / "metrics.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def _generation_lines(records: list[Row], evolution: Evolution, measured: Measured, name: str) -> list[str]:
    """Return accuracy and likeness of the population, generation by generation."""
    rows = published.ACCURACY.get(name, ())
    split = evolution.config.selection
    head = ["generation", f"mean {split}", "best", "worst", *(["published: mean", "best", "worst"] if rows else [])]
    head += [f"alike {layer}" for layer in measured.layers] + [f"kinds {layer}" for layer in measured.layers]
    body = []
    for record in records:
        number = record["generation"]
        cells = [str(number), *(_percent(record[f"{which}_accuracy"]) for which in ("mean", "best", "worst"))]
        if rows:
            cells += [_percent(value) for value in rows[number - 1]] if number <= len(rows) else ["-"] * 3
        cells += [f"{value:.3f}" for value in measured.similarity[number]]
        body.append(cells + [str(count) for count in measured.clusters[number]])
    note = "alike: mean cosine of all pairs of networks, layer by layer; kinds: clusters of cosine 0.9 and more"
    return [*_table(head, body), note]


def _accuracy_lines(result: Result, evolution: Evolution, measured: Measured, name: str) -> list[str]:
    """Return accuracies on the test split, and how long it took."""
    test, size = measured.test, len(measured.test)
    found = [
        f"test accuracy: mean of {size} {_percent(sum(test) / size)} %, fittest {_percent(test[0])} %, "
        f"single networks for as many epochs {', '.join(_percent(value) for value in measured.baselines)} %"
    ]
    if name:
        found.append(f"  published: single networks {', '.join(_percent(value) for value in published.BASELINE)} %")
    if evolution.config.selection == "test":
        found.append("  parents and the fittest were chosen on these very images")
    if evolution.state.dropped:
        found.append(f"{evolution.state.dropped} networks were dropped and replaced: their loss stopped being a number")
    about = f", published about {duration(published.SECONDS)}" if name else ""
    found.append(f"{result.generations} generations, {duration(result.seconds)}{about}")
    return found


def _attack_lines(measured: Measured, name: str) -> list[str]:
    """Return a table of what attacks do."""
    rows = published.ATTACKED.get(name, {})
    head = ["attack", "images made for", "clean", "attacked", "least", "most", "of both right", "transfer"]
    head += ["published"] if rows else []
    body = []
    for row in sorted(measured.attacks, key=lambda row: (row["attack"] != "paper-fgsm", row["epsilon"], row["attack"])):
        shares = [row[key] for key in ("clean", "attacked", "attacked_least", "attacked_most")]
        shares += [row["attacked_of_both"], row["transfer"]]
        cells = [f"{row['attack']} {row['epsilon']:.4g}", row["pairing"], *(_percent(share) for share in shares)]
        if rows:
            known = rows.get(row["pairing"]) if row["attack"] == "paper-fgsm" else None
            cells.append(_percent(known))
        body.append(cells)
    notes = [
        "accuracy of the network the images are shown to, %: clean, attacked, and of images that it and the attacked",
        "network both get right clean; transfer: of those that fool the attacked network, how many fool it too.",
        "Children are not trained: what they resist is to be read beside their clean accuracy.",
        "",
    ]
    return [*_table(head, body), *notes]


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f}"


def _table(head: list[str], body: list[list[str]]) -> list[str]:
    """Return columns of text: the first ones to the left where they are words, numbers to the right."""
    widths = [max(len(row[column]) for row in [head, *body]) for column in range(len(head))]
    words = [any(not _is_number(row[column]) for row in body) for column in range(len(head))]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if word else cell.rjust(width)
            for cell, width, word in zip(row, widths, words, strict=True)
        ).rstrip()
        for row in [head, *body]
    ]


def _is_number(text: str) -> bool:
    return text.replace(".", "").replace("-", "").isdigit() or text == "-"
