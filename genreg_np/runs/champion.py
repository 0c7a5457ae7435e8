"""What a run results in: which of its champions, and the model that is made of it.

The setting `champion` names one; auto, and the name of one that a strategy does not have, takes whichever predicts the
validation split best, of equals the first.

Shapes: D genes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from genreg_np.model import Model
from genreg_np.runs.provenance import background, display_name

if TYPE_CHECKING:
    from genreg_np.runs.generations import Generations


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


def result_of(
    evolution: Generations,
    genome: str,
    accuracies: Mapping[str, Mapping[str, float]],
    changes: Sequence[Mapping[str, Any]] = (),
) -> Model:
    """Return a champion with everything that determined it, and nothing else: equal runs give equal bytes.

    Parameters
    ----------
    evolution : Generations
        On a dataset.
    genome : str
        The champion's name.
    accuracies : mapping
        Of each split that was looked at, each champion's accuracy.
    changes : sequence of mapping
        Settings that were changed in mid-run, as config.toml has them.
    """
    config, dataset = evolution.config, evolution.dataset
    assert dataset is not None
    spent = config.spent
    training = {
        "method": config.strategy,
        "genome": genome,
        "generations": evolution.generation,
        "seed": config.seed,
        "config": config.to_dict() | {"dataset": display_name(config.dataset, dataset)},
        **background(dataset),
        "changes": list(changes),
        "accuracies": {split: found for split, found in accuracies.items() if found and split not in spent},
    }
    if spent:
        training["note"] = "; ".join(spent.values())
    return evolution.model_of(evolution.champion_genes()[genome], training)
