"""The experiments of GENREG's documents as studies: a question, measurements over several seeds, and the findings.

A study is a file here and a line in REGISTRY. `genreg-np experiment NAME` runs one; docs/answers.md collects them all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from genreg_np.settings import look_up

if TYPE_CHECKING:
    from genreg_np.experiments.base import Study

REGISTRY = {
    "capacity": "genreg_np.experiments.capacity:Capacity",
    "mutation": "genreg_np.experiments.mutation:Mutation",
    "signal": "genreg_np.experiments.signal:Signal",
    "letters": "genreg_np.experiments.letters:Letters",
    "curriculum": "genreg_np.experiments.curriculum:Curriculum",
    "embedding": "genreg_np.experiments.embedding:Embedding",
    "continual": "genreg_np.experiments.continual:Continual",
    "multitask": "genreg_np.experiments.multitask:Multitask",
    "structure": "genreg_np.experiments.structure:Structure",
    "theory": "genreg_np.experiments.theory:Theory",
}


def study(name: str) -> Study:
    """Return the study called `name`.

    Raises
    ------
    UsageError
        For an unknown name; the message suggests the nearest known one.
    """
    found: Study = look_up(REGISTRY, name, "study")()
    return found
