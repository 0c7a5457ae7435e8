"""What a run results in: which of its champions, and what is said of it in its model.

The setting `keep` says as of when (kept.py), and whether it is trained again (refit.py). The setting `champion` names
one; auto, and the name of one that a strategy does not have, takes whichever predicts the validation split best, of
equals the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genreg_np.data.dataset import Dataset
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.kept import Standing
from genreg_np.runs.provenance import background, display_name

REFIT = "trained again with the validation split as well, whose score is that of before"


def chosen(champion: str, candidates: Standing) -> str:
    """Return the name of the champion that a run results in.

    Parameters
    ----------
    champion : str
        The setting: auto, or a name.
    candidates : mapping
        Each champion and what it reaches on the validation split, the faithful one first.
    """
    if champion in candidates:
        return champion
    return max(candidates, key=lambda name: candidates[name].fitness)


def training_of(
    config: TrainConfig,
    dataset: Dataset,
    generation: int,
    genome: str,
    candidates: Standing,
    test: Mapping[str, float],
    changes: Sequence[Mapping[str, Any]],
    refit: bool = False,
) -> dict[str, Any]:
    """Return all that determined a champion, for its model's header, and nothing else: equal runs give equal bytes.

    Parameters
    ----------
    config : TrainConfig
    dataset : Dataset
    generation : int
        Generations done.
    genome : str
        The champion's name.
    candidates : mapping
        Each champion, what it reaches on the validation split, and of which generation it is.
    test : mapping
        What each reaches on the test split; empty where that was not looked at.
    changes : sequence of mapping
        Settings that were changed in mid-run, as config.toml has them.
    refit : bool
        Whether it was trained again, with the validation split as well.
    """
    spent = config.spent
    scores = {"validation": {name: found.fitness for name, found in candidates.items()}, "test": dict(test)}
    kept: dict[str, Any] = {} if config.keep == "last" else {"generation": candidates[genome].generation}
    notes = [*spent.values(), *([REFIT] if refit else ())]
    training = {
        "method": config.strategy,
        "genome": genome,
        "generations": generation,
        **kept,
        **({"refit": True} if refit else {}),
        "seed": config.seed,
        "config": config.determining() | {"dataset": display_name(config.dataset, dataset)},
        **background(dataset),
        **({"sha256": dataset.origin["sha256"]} if dataset.origin and "sha256" in dataset.origin else {}),
        "changes": list(changes),
        "r2" if dataset.of_numbers else "accuracies": {
            split: found for split, found in scores.items() if found and split not in spent
        },
    }
    if notes:
        training["note"] = "; ".join(notes)
    return training
