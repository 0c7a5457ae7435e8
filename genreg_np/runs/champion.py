"""The result of a run: which of its champions is chosen, and what its model's header says about it.

The setting `keep` decides of which generation it is (kept.py), and whether it is trained again (refit.py). The setting
`champion` names one; auto, or a name that the strategy does not have, takes the one that predicts the validation split
best, of equals the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genreg_np.data.dataset import Dataset
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.kept import Standing
from genreg_np.runs.provenance import data_header

REFIT = "trained again with the validation split as well, whose score is that of before"


def chosen(champion: str, candidates: Standing) -> str:
    """Return the name of the champion that becomes the run's result.

    Parameters
    ----------
    champion : str
        The setting: auto, or a name.
    candidates : mapping
        Each champion and its score on the validation split, beginning with GENREG's own.
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
    """Return exactly what determined a champion, for its model's header, so that equal runs give equal bytes.

    Parameters
    ----------
    config : TrainConfig
    dataset : Dataset
    generation : int
        Generations done.
    genome : str
        The champion's name.
    candidates : mapping
        Each champion, its score on the validation split, and its generation.
    test : mapping
        The score of each on the test split; empty if that was not used.
    changes : sequence of mapping
        Settings that were changed during the run, as in config.toml.
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
        **data_header(config.dataset, dataset, config.determining()),
        "changes": list(changes),
        "r2" if dataset.of_numbers else "accuracies": {
            split: found for split, found in scores.items() if found and split not in (*spent, *dataset.absent)
        },
    }
    if notes:
        training["note"] = "; ".join(notes)
    return training
