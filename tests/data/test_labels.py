"""Class names from label values."""

from __future__ import annotations

import pytest

from genreg_np.data.labels import class_order, encode_labels, label_text, short_name


@pytest.mark.parametrize(
    ("names", "ordered"),
    [
        (["10", "9", "1", "9"], ("1", "9", "10")),
        (["-1", "0.5", "0"], ("-1", "0", "0.5")),
        (["10", "9", "b"], ("10", "9", "b")),
        (["b", "a", "C"], ("C", "a", "b")),
        (["nan", "1"], ("1", "nan")),
        ([], ()),
    ],
)
def test_numbers_sort_by_value_and_words_by_letter(names: list[str], ordered: tuple[str, ...]) -> None:
    assert class_order(names) == ordered


@pytest.mark.parametrize(
    ("value", "text"),
    [(3, "3"), (3.0, "3"), (" 3.0 ", "3"), ("007", "007"), ("a b ", "a b"), (2.5, "2.5"), ("1e3", "1e3")],
)
def test_a_number_has_one_name(value: object, text: str) -> None:
    assert label_text(value) == text


def test_encoding_inverts_the_order_and_knows_strangers() -> None:
    assert encode_labels(["b", "a", "b"], ("a", "b")).tolist() == [1, 0, 1]
    with pytest.raises(KeyError, match="c"):
        encode_labels(["c"], ("a", "b"))


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("Ankle boot", "Ankle boot"),
        (" a\r\n\tb ", "a b"),
        ("\x1b[31mred\x07", "[31mred"),
        ("\x00", "?"),
        ("", "?"),
        ("Größe", "Größe"),
        ("x" * 24, "x" * 24),
        ("x" * 300, "x" * 23 + "…"),
    ],
)
def test_any_name_fits_on_one_line(name: str, printed: str) -> None:
    assert short_name(name) == printed
