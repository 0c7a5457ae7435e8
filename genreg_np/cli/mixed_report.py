"""The results that `genreg-np mixed` prints: accuracy and similarity by generation, attacks, published figures."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from genreg_np.cli.output import duration
from genreg_np.cli.runs import Started, folder_of
from genreg_np.report.attacks import PAPER_FGSM
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.provenance import display_name
from genreg_np.runs.result import Result
from genreg_np.runs.stored import records_of
from genreg_np.strategies.mixed import published
from genreg_np.strategies.mixed.networks import network_name
from genreg_np.strategies.mixed.options import MixedOptions
from genreg_np.strategies.mixed.similarity import CLUSTERED

if TYPE_CHECKING:
    from genreg_np.report.measure import Measured
    from genreg_np.runs.evolution import Evolution

Row = dict[str, Any]
ACCURACIES = ("mean_accuracy", "best_accuracy", "worst_accuracy")


def changed(result: Result) -> list[str]:
    """Return the settings of the method that were changed during the run."""
    known = {item.name for item in dataclasses.fields(MixedOptions)}
    changes = result.model.training.get("changes", []) if result.model else []
    named = [change.get("setting") for change in changes if isinstance(change, dict)]
    return [name for name in dict.fromkeys(named) if name in known]


def is_paper(result: Result, evolution: Evolution) -> bool:
    """Return whether a run used the notebook's settings throughout, whatever its network."""
    config, paper = evolution.config, TrainConfig.from_preset("seed-mixed")
    same = dataclasses.replace(config.options, parts=()) == paper.options and config.activation == paper.activation
    return same and not changed(result)


def published_name(result: Result, evolution: Evolution) -> str:
    """Return the name of the published network that a run reproduces, or ""."""
    name = network_name(evolution.config.hidden, evolution.config.parts)
    repeated = evolution.dataset is not None and evolution.dataset.name == "mnist" and is_paper(result, evolution)
    return name if repeated and name in published.ACCURACY else ""


def to_json(result: Result | None, started: Started, measured: Measured | None) -> Row:
    """Return what --json prints; accuracies are fractions, and None if a stopped run did not get that far."""
    evolution = started.evolution
    run = result.run if result else started.run
    model = result.model if result else None
    row: Row = {
        "method": "mixed",
        "generations": result.generations if result else 0,
        "seconds": round(result.seconds, 3) if result else None,
        "run": str(run) if run else None,
        "model": str(run / "model.npz") if run and model else None,
        "ended": result.ended if result and measured else "stopped",
    }
    row |= dict.fromkeys(("paper", "dataset", "network", "gene", "fitness", "seed", "selection"))
    if result and evolution:
        config = evolution.config
        row |= {name: getattr(config, name) for name in ("gene", "fitness", "seed", "selection")}
        row |= {"paper": is_paper(result, evolution), "network": network_name(config.hidden, config.parts)}
        row |= {"dataset": display_name(config.dataset, evolution.dataset)}
    row |= dict.fromkeys((*ACCURACIES, "validation_accuracy", "test_accuracy", "baseline_accuracies", "by_generation"))
    row |= dict.fromkeys(("layers", "similarity", "clusters", "dropped", "attacks"))
    if result and measured:
        row |= {
            "mean_accuracy": sum(measured.test) / len(measured.test),
            "best_accuracy": max(measured.test),
            "worst_accuracy": min(measured.test),
            "validation_accuracy": None if evolution.config.training == "all" else result.validation_accuracy,
            "test_accuracy": result.test_accuracy,
            "baseline_accuracies": measured.baselines,
            "by_generation": [record["mean_accuracy"] for record in _records(result, measured)],
            "layers": list(measured.layers),
            "similarity": measured.similarity[-1],
            "clusters": measured.clusters[-1],
            "dropped": evolution.state.dropped,
            "attacks": measured.attacks,
        }
    return row


def lines(result: Result, evolution: Evolution, measured: Measured) -> list[str]:
    """Return the results as lines of text."""
    name = published_name(result, evolution)
    return [
        "",
        *_generation_lines(_records(result, measured), evolution, measured, name),
        "",
        *_accuracy_lines(result, evolution, measured, name),
        "",
        *(_attack_lines(measured, name) if measured.attacks else []),
        f"model {folder_of(result) / 'model.npz'}",
    ]


def _records(result: Result, measured: Measured) -> list[Row]:
    """Return the records of metrics.jsonl, without incomplete ones and those of later generations."""
    return [one for one in records_of(folder_of(result)) if _is_whole(one, len(measured.similarity) - 1)]


def _is_whole(record: Row, generations: int) -> bool:
    return record["generation"] <= generations and all(_is_fraction(record.get(n)) for n in ACCURACIES)


def _is_fraction(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1


def _generation_lines(records: list[Row], evolution: Evolution, measured: Measured, name: str) -> list[str]:
    """Return accuracy and similarity of the population, generation by generation."""
    rows = published.ACCURACY.get(name, ())
    head = ["gen.", f"mean {evolution.config.selection}", "best", "worst"]
    head += [*(["published", "best", "worst"] if rows else []), *(f"layer {layer}" for layer in measured.layers)]
    body = []
    for record in records:
        number = record["generation"]
        cells = [str(number), *(_percent(record[which]) for which in ACCURACIES)]
        if rows:
            cells += [_percent(value) for value in rows[number - 1]] if number <= len(rows) else ["-"] * 3
        pairs = zip(measured.similarity[number], measured.clusters[number], strict=True)
        body.append(cells + [f"{value:.2f}/{count}" for value, count in pairs])
    notes = [f"layer: mean cosine of all pairs of networks / number of clusters, at a cosine of {CLUSTERED:g} and more"]
    if evolution.config.fitness == "niches":
        notes.append(
            f"  niches differ: clusters at a cosine of {evolution.config.niche_similarity:g}, a mean over layers"
        )
    return [*_table(head, body), *notes]


def _accuracy_lines(result: Result, evolution: Evolution, measured: Measured, name: str) -> list[str]:
    """Return accuracies on the test split, and the time taken."""
    from genreg_np.report.measure import mixed_state

    test, size = measured.test, len(measured.test)
    singles = ["diverged" if value is None else f"{_percent(value)} %" for value in measured.baselines]
    found = [
        f"test accuracy: mean of {size} {_percent(sum(test) / size)} %, fittest {_percent(test[0])} %, "
        f"single networks for as many epochs {', '.join(singles)}"
    ]
    if settings := changed(result):
        found.append(f"  changed during the run: {', '.join(settings)}; single networks used the last settings")
    if name:
        found.append(f"  published: single networks {', '.join(_percent(value) for value in published.BASELINE)} %")
    if evolution.config.selection == "test":
        found.append("  parents and the fittest were chosen on these very images")
    if dropped := mixed_state(evolution).dropped:
        found.append(f"{dropped} networks were dropped and replaced: their loss was no longer a number")
    about = f", published about {duration(published.SECONDS)}" if name else ""
    found.append(f"{result.generations} generations, {duration(result.seconds)}{about}")
    return found


def _attack_lines(measured: Measured, name: str) -> list[str]:
    """Return a table of the attacks' effects."""
    rows = published.ATTACKED.get(name, {})
    head = ["attack", "images made for", "clean", "attacked", "least", "most", "of both", "transfer"]
    head += ["published"] if rows else []
    body = []
    for row in sorted(measured.attacks, key=lambda row: (row["attack"] != "paper-fgsm", row["epsilon"], row["attack"])):
        shares = [row[key] for key in ("clean", "attacked", "attacked_least", "attacked_most")]
        shares += [row["attacked_of_both"], row["transfer"]]
        eps = "" if row["attack"] == PAPER_FGSM.name else f" {row['epsilon']:.4g}"
        cells = [row["attack"] + eps, row["pairing"], *(_percent(share) for share in shares)]
        if rows:
            known = rows.get(row["pairing"]) if row["attack"] == "paper-fgsm" else None
            cells.append(_percent(known))
        body.append(cells)
    notes = [
        "accuracy in % of the network that sees the images: clean, attacked, and of both: over images that it and",
        "the attacked network get right clean; transfer: of those that fool the attacked one, how many fool it too.",
        "Children are not trained: judge their resistance beside their clean accuracy.",
        "",
    ]
    if any(row["attack"] == PAPER_FGSM.name for row in measured.attacks):
        notes.insert(3, f"{PAPER_FGSM.name}: eps {PAPER_FGSM.epsilon:.4g}, pixels leave 0 .. 1.")
    return [*_table(head, body), *notes]


def _percent(fraction: float | None) -> str:
    return "-" if fraction is None else f"{100 * fraction:.2f}"


def _table(head: list[str], body: list[list[str]]) -> list[str]:
    """Return a table as lines: words are aligned left, numbers right."""
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
