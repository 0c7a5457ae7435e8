"""Array files: the names people use, types and ranges, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from genreg_np.data.arrays import load_npz
from genreg_np.data.dataset import SPLITS
from genreg_np.errors import DataError

N = 30
IMAGES = (np.arange(N * 4) % 256).astype(np.uint8).reshape(N, 2, 2)
LABELS = np.arange(N) % 3


def save(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize(
    "names",
    [
        ("x", "y"),
        ("X", "Y"),
        ("images", "labels"),
        ("inputs", "labels"),
        ("x_train", "y_train"),
        ("train_images", "train_labels"),
    ],
)
def test_inputs_and_labels_alone_are_split(tmp_path: Path, names: tuple[str, str]) -> None:
    dataset = load_npz(save(tmp_path / "d.npz", **dict(zip(names, (IMAGES, LABELS), strict=True))))
    assert [len(dataset.split(name)) for name in SPLITS] == [21, 6, 3]
    assert dataset.class_names == ("0", "1", "2")
    assert dataset.input_range == (0.0, 255.0)
    assert dataset.name == "d"


@pytest.mark.parametrize("validation", [None, "x_validation", "x_val", "val_images", "validation_inputs"])
def test_given_splits_are_used(tmp_path: Path, validation: str | None) -> None:
    arrays = {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:6], "y_test": LABELS[:6, None]}
    if validation:
        arrays[validation] = IMAGES[:9]
        label = {"x": "y", "images": "labels", "inputs": "labels"}
        arrays["_".join(label.get(word, word) for word in validation.split("_"))] = LABELS[:9]
    dataset = load_npz(save(tmp_path / "d.npz", **arrays))
    assert len(dataset.test) == 6
    assert len(dataset.train) + len(dataset.validation) == (N + 9 if validation else N)
    assert "held out" in dataset.note or validation


@pytest.mark.parametrize(
    ("inputs", "dtype", "input_range"),
    [
        (IMAGES, np.uint8, (0.0, 255.0)),
        (IMAGES > 3, np.uint8, (0.0, 1.0)),
        (IMAGES.astype(np.int64) - 7, np.int64, (-7.0, 112.0)),
        (np.full((N, 2), 5, np.int16), np.int16, (5.0, 6.0)),
        (IMAGES / 255.0, np.float32, None),
        (IMAGES.astype(np.float16), np.float32, None),
    ],
)
def test_the_type_decides_the_range(tmp_path: Path, inputs: np.ndarray, dtype: type, input_range: object) -> None:
    dataset = load_npz(save(tmp_path / "d.npz", x_train=inputs, y_train=LABELS, x_test=inputs, y_test=LABELS))
    assert dataset.train.inputs.dtype == dtype
    assert dataset.input_range == input_range


@pytest.mark.parametrize(
    ("labels", "stored_names", "class_names"),
    [
        (LABELS * 10 - 10, None, ("-10", "0", "10")),
        (LABELS.astype(np.float64), None, ("0", "1", "2")),
        (LABELS > 0, None, ("0", "1")),
        (np.array(["b", "a", "c"])[LABELS], None, ("a", "b", "c")),
        (LABELS, ["zero", "one", "two"], ("zero", "one", "two")),
        (np.array(["b", "a", "c"])[LABELS], ["c", "b", "a"], ("c", "b", "a")),
    ],
)
def test_labels_become_classes(
    tmp_path: Path, labels: np.ndarray, stored_names: list[str] | None, class_names: tuple[str, ...]
) -> None:
    more = {"class_names": np.array(stored_names)} if stored_names else {}
    arrays = {
        "x_train": IMAGES,
        "y_train": labels,
        "x_test": IMAGES,
        "y_test": labels,
        "x_val": IMAGES,
        "y_val": labels,
    }
    dataset = load_npz(save(tmp_path / "d.npz", **arrays, **more))
    assert dataset.class_names == class_names
    named = [class_names[label] for label in dataset.test.labels]
    if stored_names is None or labels.dtype.kind == "U":
        assert named == [str(int(v)) if labels.dtype.kind != "U" else str(v) for v in labels]
    else:
        assert dataset.test.labels.tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "nothing"),
        ({"a": IMAGES}, "no training data .*it has a"),
        ({"x": IMAGES}, "without labels"),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES}, "test data without labels"),
        ({"x_test": IMAGES, "y_test": LABELS}, "no training data"),
        ({"x": IMAGES, "y": LABELS[:-1]}, "30 train inputs, but 29 labels"),
        ({"x": LABELS, "y": LABELS}, "samples, ..."),
        ({"x": np.array(["a"] * N)[:, None], "y": LABELS}, "numbers are needed"),
        ({"x": IMAGES, "y": np.eye(3)[LABELS]}, r"for one-hot rows, pass labels.argmax"),
        ({"x": IMAGES, "y": np.full(N, np.inf)}, "target 'y' of sample 0 is inf"),
        ({"x": IMAGES, "y": np.where(LABELS, 1.0, -1e300)}, "up to 1e.300, .*integers or text"),
        ({"x": IMAGES.astype(np.uint64) + 2**63, "y": LABELS}, "from 9223372036854775808 to 9223372036854775927"),
        ({"x": np.where(IMAGES > 5, -2e38, 3.0), "y": LABELS}, "from -2e.38 to 3, .*rescale"),
        ({"x": np.where(IMAGES > 5, np.nan, 1.0), "y": LABELS}, "NaN"),
        ({"x": IMAGES, "y": LABELS, "class_names": np.array(["a", "b"])}, "2 classes"),
        ({"x": IMAGES, "y": LABELS - 1, "class_names": np.array(["a", "b", "c"])}, "from -1 to 1, .* 3 classes"),
        ({"x": IMAGES, "y": LABELS, "class_names": np.array(["a", "b", "a"])}, "twice"),
        (
            {"x": IMAGES, "y": np.array(["a", "b", "d"])[LABELS], "class_names": np.array(["a", "b", "c"])},
            "'d' is not among",
        ),
        ({"x": IMAGES, "y": LABELS, "x_test": IMAGES[:, :1], "y_test": LABELS}, "test split"),
        ({"x": IMAGES.astype(object), "y": LABELS}, "pickle"),
    ],
)
def test_each_fault_has_its_line(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(DataError, match=rf"d(\.npz)?.*{words}") as error:
        load_npz(save(tmp_path / "d.npz", **arrays))
    assert "\n" not in str(error.value)


def test_a_missing_damaged_or_oversized_file_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        load_npz(tmp_path / "nowhere.npz")
    path = save(tmp_path / "d.npz", x=IMAGES, y=LABELS)
    with pytest.raises(DataError, match="limit"):
        load_npz(path, limit_bytes=64)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"d\.npz"):
        load_npz(path)
