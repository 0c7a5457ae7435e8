"""`genreg-np export`: what is refused, what a quantised model may lose, and that MODEL is never replaced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np.model import Model, Network, load
from tests.helpers import model_of

DENSE = model_of(Network.build((2, 2), (3,), 2))


def test_export_never_replaces_its_model(genreg, tmp_path: Path) -> None:
    """Forced into MODEL's own folder under MODEL's own name: refused, and the model is as it was."""
    DENSE.save(tmp_path / "model.npz")
    done = genreg("export", tmp_path / "model.npz", "--to", "python", "--out", tmp_path, "--force")
    assert done.code == 2
    assert "where MODEL itself lies" in done.err
    assert load(tmp_path / "model.npz").pack() == DENSE.pack()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--max-loss", "1"), "are for --int8"),
        (("--dataset", "digits"), "are for --int8"),
        (("--int8", "--max-loss", "nan"), "no number of points"),
        (("--name", "../x"), "must be a letter"),
    ],
)
def test_options_that_mean_nothing_are_refused(genreg, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    """Exit code 2, one line, no folder."""
    DENSE.save(tmp_path / "model.npz")
    done = genreg("export", tmp_path / "model.npz", "--to", "python", "--out", tmp_path / "app", *options)
    assert done.code == 2
    assert words in done.err
    assert not (tmp_path / "app").exists()


def test_a_file_that_the_model_names_is_not_read_unless_told(genreg, tmp_path: Path) -> None:
    """A model may come from anywhere: its header names a file, and that could be any file."""
    (tmp_path / "private.csv").write_text("a,label\n1,0\n")
    training = {"config": {"dataset": str(tmp_path / "private.csv")}}
    model_of(Network.build((2, 2), (3,), 2), training=training).save(tmp_path / "model.npz")
    done = genreg("export", tmp_path / "model.npz", "--to", "python", "--out", tmp_path / "app", "--int8")
    assert done.code == 2
    assert "say where that is with --dataset PATH" in done.err
    assert not (tmp_path / "app").exists()


@pytest.mark.parametrize(("limit", "code"), [("50", 0), ("49.9", 1)])
def test_a_loss_of_just_the_limit_is_allowed(
    genreg, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, code: int
) -> None:
    """Half of the validation images lost: 50 points are allowed, 49.9 are not, and nothing is written."""
    from genreg_np.export import quantise as room

    images = np.arange(64, dtype=np.uint8).reshape(16, 2, 2)
    labels = np.arange(16) % 2
    np.savez(tmp_path / "data.npz", x_train=images, y_train=labels, x_test=images, y_test=labels,
             x_validation=images, y_validation=labels)  # fmt: skip
    known = model_of(Network.build((2, 2), (), 2), class_names=("0", "1"))

    class Half(Model):
        def predict(self, inputs: object) -> np.ndarray:
            return labels if self.header["training"] else np.zeros(16, np.int64)

    told = Half(known.header | {"training": {"right": True}}, known.arrays)
    monkeypatch.setattr(room, "quantise", lambda model, inputs: Half(known.header | {"training": {}}, known.arrays))
    monkeypatch.setattr("genreg_np.model.load", lambda path: told)
    (tmp_path / "model.npz").write_bytes(known.pack())
    done = genreg("export", tmp_path / "model.npz", "--to", "python", "--out", tmp_path / "app", "--int8",
                  "--dataset", tmp_path / "data.npz", "--max-loss", limit)  # fmt: skip
    assert done.code == code, done.err
    assert (tmp_path / "app").exists() == (code == 0)
