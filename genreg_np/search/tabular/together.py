"""Several pipelines that predict together: the mean of their probabilities or numbers (scikit-learn's voting).

A search finds single pipelines; at the end an ensemble of the best unlike models is tried, and one of the usual models.
Its genome has the model `together`, and the genomes of its members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genreg_np.search.genes import Genome, Space
from genreg_np.search.tabular.space import plain

TOGETHER = "together"
MOST_TOGETHER = 3  # members


def together(members: Sequence[Genome]) -> Genome:
    """Return the genome of an ensemble."""
    return {"model": TOGETHER, "members": tuple(members)}


def members_of(genome: Genome) -> tuple[Genome, ...]:
    """Return the genomes of an ensemble's members, or the genome itself if it is a single one."""
    return tuple(genome["members"]) if genome["model"] == TOGETHER else (genome,)


def key_of(space: Space, genome: Genome) -> str:
    """Return a key that identifies a genome among unequal ones, whatever the order of its members."""
    return " ".join(sorted(space.key(member) for member in members_of(genome)))


def expressed_of(space: Space, genome: Genome) -> Mapping[str, Any]:
    """Return the expressed genes of a genome."""
    if genome["model"] != TOGETHER:
        return space.expressed(genome)
    return {"model": TOGETHER, "members": [dict(space.expressed(member)) for member in members_of(genome)]}


def words_of(space: Space, genome: Genome) -> str:
    """Return a pipeline in a line: its model, and the genes that differ from the usual ones."""
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
    """Return a genome as TOML; for an ensemble that of its first member, which is the best of those searched for."""
    members = members_of(genome)
    head = f"# the first of {len(members)} that predict together\n" if len(members) > 1 else ""
    return head + space.to_toml(members[0])
