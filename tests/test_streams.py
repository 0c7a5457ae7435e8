"""The random streams: the published generator, exact tables, and draws that depend on nothing but their place."""

from __future__ import annotations

import hashlib
import itertools
import statistics
from decimal import ROUND_CEILING, Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genreg_np.errors import UsageError
from genreg_np.streams import (
    SEGMENT,
    Purpose,
    Stream,
    gap_table,
    normal_table,
    philox,
    scale_words,
    unit_floats,
)
from tests.helpers import one_line, patient

SEEDS = st.integers(0, 2**64 - 1)

# Random123's kat_vectors for philox4x32 with 10 rounds: counter, key, words.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]

# SHA-256 of 4,099 little-endian words of seed 0x0123456789ABCDEF, generation 7, genome 11.
GOLDEN_WORDS = {
    Purpose.INITIAL: "0e20e789fc4b64cf2385c93ed94d65207e73f3a443b3bb4226eee8bfce29c505",
    Purpose.CROSSOVER: "caf222dc903c18a40ee06d7ed2f426e911638ffdbefb3719caff761d25db687a",
    Purpose.MUTATION: "55a2ecdf1948cae165b1afee653559147c78ed995feb393942ce4177e336843d",
    Purpose.BASE_MUTATION: "5b8ee8a35a1715371ffa6e3cddaf586f5abfa45cb365166e404a060868d71ac4",
    Purpose.PREDICTION: "aff781a8dcfb6e0355b4ebe99286bf60f2cb45db9aed8797247cf469bc0cb069",
    Purpose.BATCH: "d1f5a39ad10b73aae3e0d84cdc548380546e11ee66de5ed742f99353f7b436ea",
    Purpose.CLASS_ORDER: "ba13031f60ce606d8b7f951c21a56efab2085c0da8f5977c03bb80dc25ecc4c3",
    Purpose.PARENTS: "eadf99b42996928472da74247914e23acde71ca4383c422f938d5664a6fcacf1",
    Purpose.SPLIT: "5db626f675aa99e20736219f2834d5c72e6be6961fd7aec76f40961b6dc2ca81",
    Purpose.LETTERS: "f2fb9de6ba27d8833de510e6f8f07f76a9c74c197f5e8d08258f15ab9e074df0",
    Purpose.SIGNS: "0185ea4e0a731c4b955e43da923e136d11d937b703fb523e5549740f682606b8",
    Purpose.EPOCH: "eed39abb8e6ac4c19c4ba54e352001d32993fb0146efccdf5c5f17156cb69647",
    Purpose.FILTERS: "05f0f6b8829928c985ee02701909a1576e5bd0f683bffc1bb4820e18b7ea9a4a",
    Purpose.WARPS: "5a6dd33037f238902cb98cbb673dbb4d23d0d9cee7482d1d884fdc5f4a563eee",
    Purpose.SELF_ADAPTATION: "b8cfcffaa3c384096b56cb1aef44e161885f2b51740bd230c45fbfaecc046773",
    Purpose.EDGES: "c11e2c73fcfc158e59ca7191485124d23f3bca0655aee8da7100f414913b4ee4",
    Purpose.ATTACK: "1ee1fbcff423306b38f8040810626ca83b7fd056986cbe9d3f28581147fb3653",
    Purpose.DROPOUT: "b978c43505ecad2724c370af477edc3b75d5e071f7da195505bb7f89c851fa5f",
    Purpose.AUGMENTATION: "b301bb5271605cd43fed272ee915bd786ea1b0cdc9005576d148e14a85c6ef35",
    Purpose.SEARCH: "1c3f69211eee2c31c27b76dd130f4874dd5f7f729215b2a22ca61606dc64e14b",
    Purpose.PAIR: "e9fa642307e93fdc4a39247362d9ee4e3cfff8cf103acb2ba810cf4a5e517b82",
    Purpose.EPISODE: "15a2c4c1831a752430bc39fd8e4de2ef875e879db856d6663db7fd55c181e8bc",
}
GOLDEN_GAPS = {
    0.0: "dd0a8f5eef27cf44766051082e517d0220ea5fb6317334ec0313f872dc410633",
    0.0001: "dc18d569b40cce77773208fdbc8a49c8467b59af1cbd6281741957d9acf8eb0a",
    0.01: "19dfcc849dbba72105fe91b4046680c0d509fd05bd0b380ab17a17f3a20a04e2",
    0.07: "700d6fae88c85453b03b654c0888b1293a6988e1e464f780b019e49d5899287d",
    0.5: "e4970d0f1a6c6fd1edc246562a477af2ec6ce37a6a2a788a8c0ad7cbb74ea636",
    1.0: "8c4045fe3994fef04a1027f14fbe51103c1191ebb523d23d908ee25ed416b1c0",
}
GOLDEN_NORMAL = "1cfbba1e07e34386a57626f82aeb43e6ed54ba70a3ea6b7d964dc66a841074a8"


def digest(array: np.ndarray, dtype: str) -> str:
    return hashlib.sha256(array.astype(dtype).tobytes()).hexdigest()


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_philox_gives_the_published_known_answers(
    counter: tuple[int, ...], key: tuple[int, int], words: tuple[int, ...]
) -> None:
    """Random123's three vectors come out of the NumPy generator."""
    found = philox(np.array(counter, np.uint32), key[0] | key[1] << 32)
    assert found.dtype == np.uint32
    assert tuple(int(word) for word in found) == words


def test_streams_lay_out_their_counter_as_documented() -> None:
    """Word 4 b + i of a stream is word i of the counter (b, genome, generation, purpose)."""
    words = Stream(99).words(Purpose.BATCH, 6, 5, 12).reshape(3, 4)
    for block in range(3):
        assert words[block].tolist() == philox(np.array([block, 5, 6, Purpose.BATCH], np.uint32), 99).tolist()


@pytest.mark.parametrize("purpose", list(Purpose))
def test_words_never_change(purpose: Purpose) -> None:
    """The words of every purpose hash to what they did when the format was made."""
    words = Stream(0x0123456789ABCDEF).words(purpose, 7, 11, 4099)
    assert digest(words, "<u4") == GOLDEN_WORDS[purpose]


@patient
@given(SEEDS, st.integers(0, 2**32 - 1), st.integers(0, 2**20), st.integers(0, 40), st.integers(0, 40))
def test_a_stream_begins_the_same_however_much_is_drawn(
    seed: int, generation: int, genome: int, n: int, m: int
) -> None:
    """Drawing more words leaves the first ones as they are, and exactly as many come as were asked for."""
    stream, few, many = Stream(seed), min(n, m), max(n, m)
    long = stream.words(Purpose.MUTATION, generation, genome, many)
    assert len(long) == many
    assert np.array_equal(stream.words(Purpose.MUTATION, generation, genome, few), long[:few])


def test_any_block_of_any_genome_can_be_drawn_alone() -> None:
    """Blocks drawn together equal the same blocks drawn one by one."""
    stream, genomes, blocks = Stream(5), np.array([[9], [2]]), np.array([[7, 0, 3]])
    together = stream.blocks(Purpose.CROSSOVER, 4, genomes, blocks)
    assert together.shape == (2, 3, 4)
    for row, column in itertools.product(range(2), range(3)):
        alone = stream.blocks(Purpose.CROSSOVER, 4, genomes[row, 0], blocks[0, column])
        assert np.array_equal(together[row, column], alone)


@pytest.mark.parametrize(
    "other",
    [
        (1, Purpose.BATCH, 3, 4),
        (1 << 32, Purpose.BATCH, 3, 4),
        (1 << 63, Purpose.BATCH, 3, 4),
        (0, Purpose.PARENTS, 3, 4),
        (0, Purpose.BATCH, 2, 4),
        (0, Purpose.BATCH, 3, 5),
        (0, Purpose.BATCH, 4, 3),
    ],
)
def test_seeds_purposes_generations_and_genomes_have_streams_of_their_own(other: tuple[int, Purpose, int, int]) -> None:
    """No word in a hundred is shared with a stream that differs in one respect (nor with arguments swapped)."""
    mine = Stream(0).words(Purpose.BATCH, 3, 4, 100)
    theirs = Stream(other[0]).words(*other[1:], 100)
    assert not np.isin(mine, theirs).any()


@pytest.mark.parametrize("seed", [-1, 2**64, 1.0, "1", None])
def test_a_seed_outside_64_bits_is_refused(seed: object) -> None:
    """The line names the seed and the range."""
    with pytest.raises(UsageError) as raised:
        Stream(seed)  # type: ignore[arg-type]
    assert repr(seed) in one_line(raised.value)
    assert "2**64" in str(raised.value)


def test_uniform_numbers_fill_the_unit_interval() -> None:
    """Forty thousand of them lie in [0, 1), evenly, and none twice."""
    numbers = Stream(1).uniform(Purpose.PARENTS, 0, 0, 40_000)
    assert numbers.dtype == np.float64
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert np.abs(np.bincount((numbers * 20).astype(int), minlength=20) - 2000).max() < 5 * 2000**0.5
    assert len(np.unique(numbers)) == len(numbers)  # 53 bits, so no two of 40,000 are equal


def test_uniform_numbers_and_unit_floats_stay_below_one_at_the_largest_words() -> None:
    """24 bits fit float32 exactly, so nothing rounds up to 1."""
    largest = np.full(4, 0xFFFFFFFF, np.uint32)
    assert unit_floats(largest).max() == np.float32(1 - 2.0**-24)
    assert unit_floats(np.zeros(1, np.uint32))[0] == 0
    assert unit_floats(largest).dtype == np.float32


@patient
@given(SEEDS, st.one_of(st.integers(1, 2**32), st.sampled_from([1, 2, 2**31, 2**32 - 1, 2**32])))
def test_integers_lie_below_their_bound(seed: int, bound: int) -> None:
    """Any bound from 1 to 2**32 holds, for any seed."""
    numbers = Stream(seed).integers(Purpose.BATCH, 0, 0, 64, bound)
    assert numbers.min() >= 0
    assert numbers.max() < bound


@patient
@given(st.integers(0, 2**32 - 1), st.integers(1, 2**32))
def test_words_are_scaled_exactly(word: int, bound: int) -> None:
    """The mapping is floor(word * bound / 2**32) in whole numbers."""
    assert int(scale_words(np.array([word], np.uint32), np.uint64(bound))[0]) == word * bound >> 32


@pytest.mark.parametrize("bound", [2, 3, 7, 10, 26])
def test_integers_are_equally_likely(bound: int) -> None:
    """Twenty thousand draws fill every value within five standard deviations."""
    counts = np.bincount(Stream(2).integers(Purpose.BATCH, 0, 0, 20_000, bound), minlength=bound)
    expected = 20_000 / bound
    assert np.abs(counts - expected).max() < 5 * expected**0.5


@patient
@given(SEEDS, st.integers(0, 200))
def test_a_permutation_holds_every_number_once(seed: int, n: int) -> None:
    """For any seed and length, none included."""
    assert sorted(Stream(seed).permutation(Purpose.CLASS_ORDER, 0, 0, n)) == list(range(n))


def test_permutations_put_every_number_anywhere() -> None:
    """Over 2,000 generations each number is equally often in each place."""
    places = np.array([Stream(3).permutation(Purpose.CLASS_ORDER, g, 0, 5) for g in range(2000)])
    counts = np.array([np.bincount(column, minlength=5) for column in places.T])
    assert np.abs(counts - 400).max() < 5 * 400**0.5


@pytest.mark.parametrize("rate", [1e-5, 0.001, 0.07, 0.3, 1 / 3, 0.5, 0.999])
def test_gaps_follow_the_geometric_law_exactly(rate: float) -> None:
    """Entry u is the least k with 1 - (1 - rate)**k > (u + 1/2) / 65,536, worked out to 60 digits."""
    gaps = gap_table(rate)
    assert gaps.shape == (65536,)
    assert gaps.dtype == np.int32
    assert (np.diff(gaps) >= 0).all()
    found = np.searchsorted(gaps, np.arange(1, SEGMENT + 1), side="right")  # how many entries are at most k
    with localcontext() as context:
        context.prec = 60
        remaining, expected = Decimal(1), []
        for _ in range(SEGMENT):
            remaining *= 1 - Decimal(rate)
            reached = 65536 * (1 - remaining) - Decimal("0.5")  # entries u below this reach k
            expected.append(max(0, int(reached.to_integral_value(ROUND_CEILING))))
    assert found.tolist() == expected


@pytest.mark.parametrize("rate", [0.01, 0.07, 0.5])
def test_the_mean_gap_is_the_inverse_of_the_rate(rate: float) -> None:
    """Discretising to 65,536 quantiles moves the mean by less than a thousandth."""
    assert gap_table(rate).mean() == pytest.approx(1 / rate, rel=1e-3)


def test_rate_zero_steps_past_any_segment_and_rate_one_stops_everywhere() -> None:
    """The two ends of the range are exact."""
    assert gap_table(0.0).min() > SEGMENT
    assert (gap_table(1.0) == 1).all()


@pytest.mark.parametrize("rate", list(GOLDEN_GAPS))
def test_gap_tables_never_change(rate: float) -> None:
    """Each table hashes to what it did when the format was made."""
    assert digest(gap_table(rate), "<i4") == GOLDEN_GAPS[rate]


def test_the_normal_table_never_changes() -> None:
    """The shipped file hashes to what it did when the format was made."""
    assert digest(normal_table(), "<f4") == GOLDEN_NORMAL


def test_the_normal_table_is_the_mid_point_quantiles() -> None:
    """The shipped file is made anew from the standard library's inverse normal distribution, bit for bit."""
    inverse = statistics.NormalDist().inv_cdf
    upper = np.array([inverse((u + 0.5) / 65536) for u in range(32768, 65536)], np.float32)
    assert normal_table().dtype == np.float32
    assert np.array_equal(normal_table(), np.concatenate([-upper[::-1], upper]))


def test_the_normal_table_has_the_moments_of_a_standard_normal() -> None:
    """Mean 0 exactly, variance 1 and kurtosis 3 nearly, cut at 4.325."""
    z = normal_table().astype(np.float64)
    assert z.mean() == 0
    assert z.var() == pytest.approx(1, abs=1e-4)
    assert (z**4).mean() == pytest.approx(3, abs=2e-3)
    assert 4.3 < np.abs(z).max() < 4.33


@pytest.mark.parametrize("table", [gap_table(0.25), normal_table()])
def test_tables_cannot_be_written(table: np.ndarray) -> None:
    """Tables are shared by all callers, so they are read-only."""
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 0
