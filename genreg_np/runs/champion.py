"""What a run results in: which of its champions, and what is said of it in its model.

The setting `champion` names one; auto, and the name of one that a strategy does not have, takes whichever predicts the
validation split best, of equals the first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genreg_np.data.dataset import Dataset
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.provenance import background, display_name


def chosen(champion: str, validation: Mapping[str, float]) -> str:
    """Return the name of the champion that a run results in.

    Parameters
    ----------
    champion : str
        The setting: auto, or a name.
    validation : mapping
        Accuracy of each champion on the validation split, the faithful one first.
    """
    if champion in validation:
        return champion
    return max(validation, key=lambda name: validation[name])


def training_of(
    config: TrainConfig,
    dataset: Dataset,
    generation: int,
    genome: str,
    accuracies: Mapping[str, Mapping[str, float]],
    changes: Sequence[Mapping[str, Any]],
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
    accuracies : mapping
        Of each split that was looked at, each champion's accuracy.
    changes : sequence of mapping
        Settings that were changed in mid-run, as config.toml has them.
    """
    spent = config.spent
    training = {
        "method": config.strategy,
        "genome": genome,
        "generations": generation,
        "seed": config.seed,
        "config": config.determining() | {"dataset": display_name(config.dataset, dataset)},
        **background(dataset),
        "changes": list(changes),
        "accuracies": {split: found for split, found in accuracies.items() if found and split not in spent},
    }
    if spent:
        training["note"] = "; ".join(spent.values())
    return training
