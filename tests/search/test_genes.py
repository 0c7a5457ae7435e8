"""Genomes: what is expressed, what is equal, what evolution does with them."""

from __future__ import annotations

import tomllib

import pytest

from genreg_np.errors import UsageError
from genreg_np.search.config import SearchConfig
from genreg_np.search.draws import Draws
from genreg_np.search.genes import Choice, Number, Space
from genreg_np.search.kinds.classifiers import DEFAULT, SPACE, Classifiers, options_of, words_of
from genreg_np.search.kinds.gans import SPACES

SMALL = Space(
    (
        Choice("kind", "body", (), ("none", "one", "two")),
        Choice("size", "body", (("kind", ("one", "two")),), (1, 2, 3, 4), True),
        Number("rate", "mind", (), 1e-4, 1e-1, True),
        Number("share", "mind", (("size", (3, 4)),), 0.0, 0.9),
    )
)


def genomes(space: Space, count: int) -> list[dict[str, object]]:
    return [dict(space.drawn(Draws(7, child))) for child in range(count)]


def test_a_gene_is_expressed_where_its_condition_holds_and_is_expressed() -> None:
    """So is one whose condition is a gene that has one itself."""
    genome = {"kind": "none", "size": 4, "rate": 0.01, "share": 0.5}
    assert SMALL.expressed(genome) == {"kind": "none", "rate": 0.01}
    assert SMALL.expressed(genome | {"kind": "two"}) == genome | {"kind": "two"}
    assert SMALL.expressed(genome | {"kind": "two", "size": 1}) == {"kind": "two", "size": 1, "rate": 0.01}


def test_silent_genes_do_not_count_for_equality() -> None:
    """Expressed ones do."""
    genome = {"kind": "none", "size": 4, "rate": 0.01, "share": 0.5}
    assert SMALL.key(genome) == SMALL.key(genome | {"size": 1, "share": 0.1})
    assert SMALL.key(genome) != SMALL.key(genome | {"rate": 0.02})
    assert SMALL.key(genome | {"kind": "one"}) != SMALL.key(genome | {"kind": "one", "size": 1})


@pytest.mark.parametrize("space", [SMALL, SPACE])
def test_every_value_has_a_place_and_every_place_a_value(space: Space) -> None:
    """A number's three digits are the same again."""
    for genome in genomes(space, 40):
        for gene in space.genes:
            value = genome[gene.name]
            assert 0 <= gene.place(value) <= 1
            assert gene.at(gene.place(value)) == value
            assert gene.checked(value) == value
    for gene in space.genes:
        assert {gene.at(place) for place in (0.0, 1.0)} <= {gene.at(place / 999) for place in range(1000)}


@pytest.mark.parametrize("space", [SMALL, SPACE])
def test_mutation_changes_expressed_genes_and_no_others(space: Space) -> None:
    """At least one, to a value that the gene can have; a genome that is given stays as it is."""
    for child, genome in enumerate(genomes(space, 60)):
        before = dict(genome)
        found = space.mutated(genome, Draws(3, child))
        assert genome == before
        changed = {name for name in genome if genome[name] != found[name]}
        assert changed
        assert changed <= space.expressed(genome).keys()
        for gene in space.genes:
            assert gene.checked(found[gene.name]) == found[gene.name]


def test_one_or_two_genes_mutate_of_many() -> None:
    (genome,) = genomes(SPACE, 1)
    count = [len(SPACE.changes(SPACE.mutated(genome, Draws(3, child)), genome)) for child in range(400)]
    assert 1.5 < sum(count) / 400 < 2.5  # a changed gene may express others
    assert sum(changed <= 2 for changed in count) > 280


def test_a_space_may_ask_for_exactly_one_mutated_gene() -> None:
    """It is another space, also without some blocks; one that asks for nothing draws the same as ever."""
    one = Space(SPACE.genes, 1)
    genome = genomes(SPACE, 1)[0]
    for space in (one, one.only(one.blocks)):
        for child in range(100):
            found = space.mutated(genome, Draws(3, child))
            assert sum(found[name] != genome[name] for name in genome) == 1
    assert one.digest != SPACE.digest == Space(SPACE.genes, 0).digest
    assert SPACES["pipeline"].mutating == SPACES["losses"].mutating == 1


def test_an_ordered_gene_mostly_steps_to_a_neighbour() -> None:
    gene = Choice("filters", "body", (), (8, 16, 24, 32, 48), True)
    found = [gene.mutated(24, Draws(1, child)) for child in range(400)]
    assert set(found) == {8, 16, 32, 48}
    assert 0.8 < sum(value in (16, 32) for value in found) / len(found) < 1


def test_crossover_takes_blocks_whole() -> None:
    """Of either parent; both ways occur."""
    seen = set()
    one, other = genomes(SPACE, 2)
    for child in range(60):
        found = SPACE.crossed(one, other, Draws(5, child))
        source = []
        for block in SPACE.blocks:
            names = [gene.name for gene in SPACE.genes if gene.block == block]
            own = [all(found[name] == parent[name] for name in names) for parent in (one, other)]
            assert any(own)
            source.append(own[0])
        seen.add(tuple(source))
    assert len(seen) == 2 ** len(SPACE.blocks)


def test_a_genome_as_toml_says_what_is_not_expressed_and_why() -> None:
    """And can be read again."""
    genome = DEFAULT | {"optimiser": "sgd", "blocks": 1, "hidden": 64}
    text = SPACE.to_toml(genome)
    values = tomllib.loads(text)
    assert {name: value for block in values.values() for name, value in block.items()} == SPACE.expressed(genome)
    assert '# rate = 0.003  # not expressed: optimiser = "sgd"' in text
    assert "# filters_2 = 16  # not expressed: blocks = 1" in text
    assert SPACE.expressed(SPACE.read(values, DEFAULT)) == SPACE.expressed(genome)


def test_genes_that_are_given_without_effect_are_said() -> None:
    """With the gene that silences them, through others; those that are expressed or not given are not."""
    text = "[body]\nsize = 4\n[mind]\nrate = 0.01\nshare = 0.5\n"
    default = {"kind": "none", "size": 1, "rate": 0.1, "share": 0.0}
    assert SMALL.without_effect(text, SMALL.read_text(text, default)) == [
        'size has no effect: kind = "none"', 'share has no effect: kind = "none"',
    ]  # fmt: skip
    assert SMALL.without_effect(text, SMALL.read_text(f"kind = 'one'\n{text}", default)) == []
    few = "kind = 'one'\nsize = 2\nshare = 0.5"
    assert SMALL.without_effect(few, SMALL.read_text(few, default)) == ["share has no effect: size = 2"]
    assert SMALL.without_effect("rate = 0.01", default) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"optimizer": "adam"}, "there is no gene 'optimizer' (did you mean 'optimiser'?)"),
        ({"optimiser": {"rate": "fast"}}, "rate = 'fast' must be a number from 0.0002 to 0.01"),
        ({"blocks": True}, "blocks = True must be one of 1, 2, 3"),
        ({"blocks": 9}, "blocks = 9 must be one of 1, 2, 3"),
    ],
)
def test_a_genome_that_cannot_be_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        SPACE.read(values, DEFAULT)
    assert said in str(caught.value)


def test_draws_are_the_same_again() -> None:
    """Of a seed, a child and an attempt; whoever asks for many gets those that who asks for few gets."""
    one, other = Draws(1, 2), Draws(1, 2)
    assert [one.unit() for _ in range(500)] == [other.unit() for _ in range(500)]
    assert Draws(1, 2).unit() != Draws(1, 2, 1).unit()
    assert Draws(1, 2).unit() != Draws(2, 2).unit()
    assert sorted(Draws(0, 0).some_of(range(9), 9)) == list(range(9))
    values = [Draws(0, child).normal() for child in range(2000)]
    assert abs(sum(values) / 2000) < 0.1
    assert 0.9 < sum(value**2 for value in values) / 2000 < 1.1


def test_the_default_is_the_network_that_it_says() -> None:
    assert words_of(DEFAULT, 10) == "conv 8 3 / relu / max 2 / conv 16 3 / relu / max 2 / dense 10"
    found = Classifiers(SearchConfig(), (28, 28), "0123456789").individual_of(DEFAULT)
    assert (found.parameters, found.layers) == (5258, 3)
    assert found.macs == 26 * 26 * 8 * 9 + 11 * 11 * 16 * 8 * 9 + 5 * 5 * 16 * 10


def test_genomes_become_networks() -> None:
    """All kinds of layers occur, in colour too, and what is refused is said."""
    seen, refused = set(), {}
    limits = SearchConfig(max_layers=5, max_parameters=50_000, max_macs=2_000_000)
    kind = Classifiers(limits, (3, 20, 24), "abcde")
    for genome in genomes(SPACE, 300):
        fault = kind.fault_of(genome)
        refused[fault] = refused.get(fault, 0) + 1
        if not fault:
            found = kind.individual_of(genome)
            assert found.network.outputs == 5
            seen |= {layer.kind for layer in found.network.learning}
            assert options_of(genome)["learning_rate"] > 0
    assert {"convolution", "pooling", "batch-norm", "instance-norm", "group-norm", "dropout", "prelu"} <= seen
    assert {"adaptive-pooling", "activation", "dense"} <= seen
    assert refused.keys() >= {"", "too many parameters", "too many multiply-adds", "too many layers"}


def test_momentum_is_expressed_only_where_an_optimiser_has_it() -> None:
    """As the article's figure has it: adam's is not shown."""
    for optimiser, name in (
        ("adam", "adam"),
        ("sgd", "sgd"),
        ("nesterov", "nesterov"),
        ("rmsprop", "rmsprop-momentum"),
    ):
        genome = DEFAULT | {"optimiser": optimiser, "momentum": 0.8}
        assert ("momentum" in SPACE.expressed(genome)) == (optimiser != "adam")
        assert options_of(genome)["optimiser"] == name
        assert options_of(genome).get("momentum") == (None if optimiser == "adam" else 0.8)
    assert options_of(DEFAULT | {"optimiser": "rmsprop", "momentum": 0.0})["optimiser"] == "rmsprop"
