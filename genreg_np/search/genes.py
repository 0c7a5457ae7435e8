"""Genomes as data: genes with their values and conditions, and the genetic operators on them.

    Choice      one of several values; values of an ordered choice have neighbours, such as 8, 16 and 24 filters
    Number      between two bounds, on a linear or logarithmic scale, with three significant digits

A gene may have a condition: with `when=(("optimiser", ("sgd", "nesterov")),)` it is expressed only under these
optimisers. An unexpressed gene stays in the genome, as in biology, and returns with its value when it is expressed
again; but it is not part of the individual: two genomes that differ only in unexpressed genes are equal.

Genes belong to blocks, such as architecture and optimiser; crossover inherits each block as a whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genreg_np.errors import UsageError, did_you_mean
from genreg_np.search.draws import Draws

Genome = Mapping[str, Any]
DIGITS = 3  # significant digits of a number
STEP = 0.15  # standard deviation of a number's mutation, as a share of its range
RATE, MOST = 0.06, 1.5  # share of the expressed genes that mutate, and how many of many on average: one or two
FAR = 0.2  # how often a mutation redraws a gene that could step to a neighbour


@dataclass(frozen=True)
class Gene:
    """The properties that all genes share.

    Parameters
    ----------
    name : str
    block : str
        The genes that it is inherited with.
    when : pairs of str and values
        Genes that must be expressed with one of the given values for this one to be expressed.
    """

    name: str
    block: str
    when: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def drawn(self, draws: Draws) -> Any:
        """Return a random value."""
        return self.at(draws.unit())

    def mutated(self, value: Any, draws: Draws) -> Any:
        """Return another value, usually a nearby one."""
        raise NotImplementedError

    def at(self, place: float) -> Any:
        """Return the value at a place in 0 .. 1."""
        raise NotImplementedError

    def place(self, value: Any) -> float:
        """Return the place of a value in 0 .. 1, so that `at` of it is that value."""
        raise NotImplementedError

    def checked(self, value: Any) -> Any:
        """Return a value read from a file, validated.

        Raises
        ------
        UsageError
            If the gene cannot have the value.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Choice(Gene):
    """One of several values."""

    values: tuple[Any, ...] = ()
    ordered: bool = False  # whether adjacent values are alike

    def mutated(self, value: Any, draws: Draws) -> Any:
        """Return a neighbour, usually, if the choice is ordered, or else any other value."""
        if len(self.values) == 1:
            return value
        here = self.values.index(value)
        if self.ordered and draws.unit() >= FAR:
            sides = [place for place in (here - 1, here + 1) if 0 <= place < len(self.values)]
            return self.values[draws.one_of(sides)]
        others = [place for place in range(len(self.values)) if place != here]
        return self.values[draws.one_of(others)]

    def at(self, place: float) -> Any:
        """Return the value whose equal share of 0 .. 1 contains the place."""
        return self.values[min(int(place * len(self.values)), len(self.values) - 1)]

    def place(self, value: Any) -> float:
        """Return the middle of the value's share."""
        return (self.values.index(value) + 0.5) / len(self.values)

    def checked(self, value: Any) -> Any:
        """Return the value if it is one of the choices, with the same type."""
        for one in self.values:
            if value == one and isinstance(value, bool) == isinstance(one, bool):
                return one
        raise UsageError(f"{self.name} = {value!r} must be one of {', '.join(map(str, self.values))}")


@dataclass(frozen=True)
class Number(Gene):
    """A number between two bounds."""

    low: float = 0.0
    high: float = 1.0
    log: bool = False  # whether values are drawn on a logarithmic scale

    def mutated(self, value: Any, draws: Draws) -> Any:
        """Return a number one normal step away, usually, or else any number."""
        if draws.unit() < FAR:
            return self.drawn(draws)
        found = self.at(min(1.0, max(0.0, self.place(value) + STEP * draws.normal())))
        return found if found != value else self.drawn(draws)

    def at(self, place: float) -> float:
        """Return the number at a place in its range, rounded."""
        ratio, width = self.high / self.low if self.log else 1.0, self.high - self.low
        number = self.low * ratio**place if self.log else self.low + width * place
        return min(self.high, max(self.low, float(f"{number:.{DIGITS}g}")))

    def place(self, value: Any) -> float:
        """Return the place of a number in its range."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return float((value - self.low) / (self.high - self.low))

    def checked(self, value: Any) -> Any:
        """Return the value as a float if it is a number within the bounds."""
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise UsageError(f"{self.name} = {value!r} must be a number from {self.low:g} to {self.high:g}")
        return float(value)


@dataclass(frozen=True)
class Space:
    """All genes of a kind of individual; genes named in conditions come before those that depend on them."""

    genes: tuple[Gene, ...]
    mutating: int = 0  # genes that a mutation changes; 0: a share of them, as a rule one or two

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for gene in self.genes:
            assert gene.name not in seen, gene.name
            assert all(name in seen for name, _ in gene.when), gene.name
            seen.add(gene.name)

    @property
    def digest(self) -> str:
        """A hash that identifies the space."""
        told = repr(self.genes) + (f" mutating {self.mutating}" if self.mutating else "")
        return hashlib.sha256(told.encode("utf-8")).hexdigest()[:16]

    def only(self, blocks: Sequence[str]) -> Space:
        """Return the space of the given blocks alone; conditions on genes of other blocks are dropped."""
        own = [gene for gene in self.genes if gene.block in blocks]
        names = {gene.name for gene in own}
        kept = [tuple(pair for pair in gene.when if pair[0] in names) for gene in own]
        genes = tuple(dataclasses.replace(gene, when=when) for gene, when in zip(own, kept, strict=True))
        return Space(genes, self.mutating)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The blocks, in order."""
        return tuple(dict.fromkeys(gene.block for gene in self.genes))

    def drawn(self, draws: Draws) -> Genome:
        """Return a random genome."""
        return {gene.name: gene.drawn(draws) for gene in self.genes}

    def is_expressed(self, gene: Gene, genome: Genome) -> bool:
        """Return whether a gene is expressed in a genome."""
        return all(self._has(name, values, genome) for name, values in gene.when)

    def _has(self, name: str, values: Sequence[Any], genome: Genome) -> bool:
        gene = next(gene for gene in self.genes if gene.name == name)
        return genome[name] in values and self.is_expressed(gene, genome)

    def expressed(self, genome: Genome) -> dict[str, Any]:
        """Return the expressed genes, in order."""
        return {gene.name: genome[gene.name] for gene in self.genes if self.is_expressed(gene, genome)}

    def holds(self, genome: Genome) -> bool:
        """Return whether a genome from a file belongs to this space: exactly its genes, each with a possible value."""
        if genome.keys() != {gene.name for gene in self.genes}:
            return False
        with contextlib.suppress(UsageError):
            return all(gene.checked(genome[gene.name]) == genome[gene.name] for gene in self.genes)
        return False

    def mutated(self, genome: Genome, draws: Draws) -> Genome:
        """Return a genome in which `mutating` of the expressed genes, or as a rule one or two, have other values."""
        found = dict(genome)
        expressed = [gene for gene in self.genes if self.is_expressed(gene, genome)]
        for gene in self._mutating(expressed, draws):
            found[gene.name] = gene.mutated(genome[gene.name], draws)
        return found

    def _mutating(self, expressed: Sequence[Gene], draws: Draws) -> Sequence[Gene]:
        """Return the genes that mutate."""
        if self.mutating:
            return draws.some_of(expressed, self.mutating)
        rate = min(RATE, MOST / len(expressed))
        return [gene for gene in expressed if draws.unit() < rate] or [draws.one_of(expressed)]

    def crossed(self, one: Genome, other: Genome, draws: Draws) -> Genome:
        """Return a genome that takes each block from one of two parents."""
        source = {block: draws.one_of((one, other)) for block in self.blocks}
        return {gene.name: source[gene.block][gene.name] for gene in self.genes}

    def changes(self, genome: Genome, parent: Genome) -> list[str]:
        """Return the names of expressed genes that differ from a parent's, or that it does not express."""
        before = self.expressed(parent)
        return [name for name, value in self.expressed(genome).items() if name not in before or before[name] != value]

    def key(self, genome: Genome) -> str:
        """Return the identity of a genome: a digest of its expressed genes."""
        text = json.dumps(self.expressed(genome), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]

    def to_toml(self, genome: Genome) -> str:
        """Return a genome as TOML, block by block; unexpressed genes are comments that say why."""
        lines: list[str] = []
        for block in self.blocks:
            lines += ["", f"[{block}]"] if lines else [f"[{block}]"]
            for gene in (gene for gene in self.genes if gene.block == block):
                line = f"{gene.name} = {json.dumps(genome[gene.name])}"
                is_silent = not self.is_expressed(gene, genome)
                lines.append(f"# {line}  # not expressed: {self._silencer(gene, genome)}" if is_silent else line)
        return "\n".join(lines) + "\n"

    def _silencer(self, gene: Gene, genome: Genome) -> str:
        """Return which gene keeps another from being expressed, with its value."""
        name = next(name for name, values in gene.when if not self._has(name, values, genome))
        by = next(gene for gene in self.genes if gene.name == name)
        return f"{name} = {json.dumps(genome[name])}" if self.is_expressed(by, genome) else self._silencer(by, genome)

    def without_effect(self, text: str, genome: Genome) -> list[str]:
        """Return a line for each gene that a TOML file gives, but that is not expressed in the genome read from it."""
        given = _genes_in(tomllib.loads(text))
        silent = [gene for gene in self.genes if gene.name in given and not self.is_expressed(gene, genome)]
        return [f"{gene.name} has no effect: {self._silencer(gene, genome)}" for gene in silent]

    def read_text(self, text: str, default: Genome) -> Genome:
        """Return a genome from the text of a TOML file; raises UsageError as `read`, and if the text is not TOML."""
        try:
            values = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"the genome is not TOML ({' '.join(str(error).split())})") from None
        return self.read(values, default)

    def read(self, values: Mapping[str, Any], default: Genome) -> Genome:
        """Return a genome from the tables of a TOML file; missing genes are taken from the default.

        Raises
        ------
        UsageError
            For an unknown gene, or a value that a gene cannot have.
        """
        flat = _genes_in(values)
        known = {gene.name: gene for gene in self.genes}
        for name in flat:
            if name not in known:
                raise UsageError(f"there is no gene {name!r}" + did_you_mean(name, known))
        return {name: gene.checked(flat[name]) if name in flat else default[name] for name, gene in known.items()}


def _genes_in(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a TOML file by gene, whatever tables they are in."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= value if isinstance(value, Mapping) else {name: value}
    return found
