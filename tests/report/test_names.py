"""Names that are cut stay different: in tables, in pictures, wherever there is little room."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="names are held against the signs of its font")

from genreg_np.model import Model
from genreg_np.report.names import drawn, written
from genreg_np.report.page import page_of
from genreg_np.report.tiles import fitted, text_width
from tests.report.subjects import answering, subject_of

ALIKE = [f"common_prefix_class_{end}" for end in ("alpha", "beta", "gamma")]


@pytest.mark.parametrize("width", range(3, 25))
def test_different_names_stay_different(width: int) -> None:
    """With a common beginning, a common end, both, or blanks that tell them apart; ten and more of them."""
    for names in (
        ALIKE,
        [name[::-1] for name in ALIKE],
        [f"{'a' * 30}{number}{'b' * 30}" for number in range(120)],
        ["x y", "x\ny", "x  y", "短い名前", "短い名札"],
        ["short", *ALIKE, "common_prefix_c…"],
    ):
        for found in (drawn(names, width), written(names, width)):
            assert len(set(found)) == len(names)
        assert max(map(len, drawn(names, width))) <= max(width, len("#100"))


def test_names_are_cut_at_their_end_where_that_tells_them_apart() -> None:
    assert drawn(["automobile of some kind", "ship"]) == ["automobile of s…", "ship"]
    assert drawn(ALIKE) == ["common_…ss_alpha", "common_…ass_beta", "common_…ss_gamma"]
    assert drawn(["a_class_beta", "a_class_zeta", "a_class_theta"], 6) == ["…_beta", "…_zeta", "…theta"]
    assert written(["猫", "a" * 40 + "x" * 40, "a" * 40 + "x" * 41])[1] == "#1 aaaaaaaaaaaa…"


def test_names_below_pictures_stay_different() -> None:
    found = fitted(ALIKE, range(3), 0.65)
    assert len(set(found)) == 3
    assert max(map(text_width, found)) <= 0.65


def test_a_page_tells_classes_and_columns_apart() -> None:
    subject = answering([0, 1, 2, 0, 1, 2], [1, 2, 0, 0, 1, 2], 3)
    columns = tuple(f"{name}_column" for name in ALIKE)
    model = Model.build(subject.model.network, subject.model.genes, tuple(ALIKE), feature_names=columns)
    page, _ = page_of([subject_of(model, np.asarray(subject.inputs, np.float32), [1, 2, 0, 0, 1, 2])])
    assert "common_prefix_c…" not in page
    for end in ("alpha", "beta", "gamma"):
        assert f"common_prefix_class_{end[:3]}…" in page, "columns have more room"
