"""Several pipelines that answer together: the mean of their probabilities or numbers (scikit-learn's voting).

A search finds single ones; in the end the best of unlike models are tried together, and win where that is better. What
they stand for is told as a genome is: the model `together`, and the genomes of its members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genreg_np.search.genes import Genome, Space
from genreg_np.search.tabular.space import plain

TOGETHER = "together"
MOST_TOGETHER = 3  # members


def together(members: Sequence[Genome]) -> Genome:
    """Return the genome of several."""
    return {"model": TOGETHER, "members": tuple(members)}


def members_of(genome: Genome) -> tuple[Genome, ...]:
    """Return the genomes of which one consists: itself, if it is a single one."""
    return tuple(genome["members"]) if genome["model"] == TOGETHER else (genome,)


def key_of(space: Space, genome: Genome) -> str:
    """Return what tells a genome from those that are not equal."""
    return " ".join(space.key(member) for member in members_of(genome))


def expressed_of(space: Space, genome: Genome) -> Mapping[str, Any]:
    """Return what of a genome is expressed."""
    if genome["model"] != TOGETHER:
        return space.expressed(genome)
    return {"model": TOGETHER, "members": [dict(space.expressed(member)) for member in members_of(genome)]}


def words_of(space: Space, genome: Genome) -> str:
    """Return a pipeline in a line: its model, and the genes that are otherwise than usual."""
    if genome["model"] == TOGETHER:
        return "together: " + "; ".join(words_of(space, member) for member in members_of(genome))
    usual = plain(genome["model"], space)
    told = [
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in space.expressed(genome).items()
        if value != usual[name]
    ]
    return f"{genome['model']}: {', '.join(told)}" if told else f"usual {genome['model']}"


def toml_of(space: Space, genome: Genome) -> str:
    """Return a genome as TOML; of several that of the first, which is the best by itself."""
    members = members_of(genome)
    head = f"# the first of {len(members)} that answer together\n" if len(members) > 1 else ""
    return head + space.to_toml(members[0])
