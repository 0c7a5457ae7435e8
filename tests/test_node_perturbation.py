"""The strategy node-perturbation: learning without any derivative, schedules, and a fitness of one's own."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.backends.base import Backend
from genreg_np.data.dataset import Dataset, Split
from genreg_np.errors import UsageError
from genreg_np.model import Network
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.training import resume, train
from genreg_np.strategies.epochs import draw_batch, epoch_order, flat_offsets
from genreg_np.streams import Stream
from tests.helpers import BACKENDS, DATASET, create_or_skip, one_line, tiny_config, tiny_dataset
from tests.test_perturb import NETWORK, probability


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend that runs on this machine."""
    return create_or_skip(request.param)


def nodes(dataset: Dataset = DATASET, backend: str = "numpy", **changes: Any) -> Evolution:
    """Return a small evolution by node perturbation."""
    return Evolution(tiny_config(strategy="node-perturbation", **changes), dataset, backend=backend)


def test_every_epoch_sees_every_image_once_in_an_order_of_its_own() -> None:
    """The order is a function of seed and epoch alone, so that a resumed run goes on in it."""
    run = nodes(batch_size=16)  # 96 images, 6 generations an epoch
    epochs = [
        np.concatenate(
            [
                draw_batch(run.context.batch, run.context.offsets, run.stream, 6 * epoch + place).rows
                for place in range(6)
            ]
        )
        for epoch in range(3)
    ]
    for epoch, rows in enumerate(epochs):
        assert np.array_equal(np.sort(rows), np.arange(96))
        assert np.array_equal(rows, epoch_order(Stream(3), epoch, 96)[0])
    assert not np.array_equal(epochs[0], epochs[1])
    assert not np.array_equal(epochs[0], epoch_order(Stream(4), 0, 96)[0])


def test_shifts_move_images_by_pixels_and_roll_them() -> None:
    """Each image is seen up to a pixel further each way, anew in each epoch; the labels stay its own."""
    run = nodes(batch_size=96, shift=1)
    pictures = run.context.batch.features.reshape(-1, 4, 4)
    moved = {(dy, dx): np.roll(pictures.reshape(-1, 16), 4 * dy + dx, 1) for dy in (-1, 0, 1) for dx in (-1, 0, 1)}
    seen = []
    for generation in range(8):
        batch = draw_batch(run.context.batch, run.context.offsets, run.stream, generation)
        assert np.array_equal(batch.labels, run.context.batch.labels[batch.rows])
        matches = [(batch.inputs == images[batch.rows]).all(axis=1) for images in moved.values()]
        assert np.sum(matches, axis=0).tolist() == [1] * 96
        seen.append(np.argmax(matches, axis=0)[np.argsort(batch.rows)])
    counts = np.bincount(np.ravel(seen), minlength=9)
    assert counts.min() > 0.6 * 8 * 96 / 9
    assert not np.array_equal(seen[0], seen[1])


@pytest.mark.parametrize("shape", [(1, 5, 7), (3, 5, 7), (5, 7)])
def test_images_of_channels_are_shifted_channel_by_channel(shape: tuple[int, ...]) -> None:
    """A pixel of each channel moves down and right by as much; its place is far from where channels meet."""
    network = Network.build(shape, (), 2)
    image = np.zeros(shape, np.uint8)
    image[..., 2, 3] = 9
    moved = {np.roll(image.ravel(), offset).tobytes() for offset in flat_offsets(network, 1)}
    expected = {np.roll(image, (down, right), (-2, -1)).tobytes() for down in (-1, 0, 1) for right in (-1, 0, 1)}
    assert moved == expected


def test_features_that_are_no_image_cannot_be_shifted() -> None:
    """The line names the setting."""
    with pytest.raises(UsageError, match="shift = 1") as raised:
        nodes(tiny_dataset(kind="f"), shift=1)
    one_line(raised.value)


def test_the_step_falls_to_nothing_and_the_last_genes_are_averaged() -> None:
    """Each generation moves the genes less; the champion is the mean of the last generations' genes."""
    run = nodes(generations=10, averaging=0.3)
    seen = [run.state.genes]
    for _ in range(10):
        run.step()
        seen.append(run.state.genes)
    moves = [np.abs(after - before).max() for before, after in itertools.pairwise(seen)]
    assert moves[-1] < 0.2 * moves[0]
    assert run.state.averaged == 3
    assert run.champions()["best"].genes == pytest.approx(np.mean(seen[-3:], axis=0), abs=1e-6)
    assert nodes(averaging=0.0).strategy.champions(run.state) is not None


def test_without_annealing_the_total_does_not_matter(tmp_path: Path) -> None:
    """Such a run may be made longer, and is as if it had been so from the start."""
    plain = {"strategy": "node-perturbation", "annealing": "none", "averaging": 0.0}
    assert not tiny_config(**plain).annealed
    train(tiny_config(**plain, generations=9), DATASET, tmp_path / "whole", backend="numpy")
    train(tiny_config(**plain), DATASET, tmp_path / "run", backend="numpy")
    resume(tmp_path / "run", dataset=DATASET, changes={"generations": 9})
    assert (tmp_path / "run/model.npz").read_bytes() == (tmp_path / "whole/model.npz").read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"activation": "step", "sigma": 0.5},
        {"activation": "sign", "sigma": 0.5},
        {"fitness": "margin"},
        {"fitness": "reward", "sigma": 1.0},
        {"fitness": "accuracy", "sigma": 1.0, "prediction": "argmax", "advantage": "plain"},
        {"hidden": (16, 12)},
    ],
)
def test_it_learns_where_there_is_no_derivative(changes: dict[str, Any]) -> None:
    """Hard steps, a reward for the predicted class alone, two hidden layers: all beyond 80 % of a small task."""
    learning = {"generations": 150, "batch_size": 60, "pairs": 8, "step_size": 0.02, "hidden": (16,)} | changes
    run = nodes(tiny_dataset(classes=6, noise=30), **learning)
    run.run()
    assert run.accuracies("validation")["best"] > 0.8


def test_it_learns_a_fitness_of_ones_own(tmp_path: Path) -> None:
    """Given as a function of logits and labels, to an evolution or a run; a resumed run must be given it again."""
    config = tiny_config(strategy="node-perturbation", generations=80, step_size=0.02)
    run = Evolution(config, DATASET, backend="numpy", image_fitness=probability)
    assert run.config.fitness == "custom"
    run.run()
    assert run.accuracies("validation")["best"] > 0.8
    result = train(config, DATASET, tmp_path / "run", backend="numpy", image_fitness=probability)
    assert result.model is not None
    assert result.model.genes.tobytes() == run.champions()["best"].genes.tobytes()
    with pytest.raises(UsageError, match="image_fitness") as raised:
        resume(tmp_path / "run", dataset=DATASET, changes={"generations": 90}, extend=True)
    one_line(raised.value)


def test_it_can_start_from_a_model() -> None:
    """The model's own genes are the start, unmutated."""
    first = nodes()
    first.run()
    start = first.champions()["best"]
    again = Evolution(first.config, DATASET, backend="numpy", initial=start)
    assert again.state.genes.tobytes() == start.genes.tobytes()


# Misuse


def test_a_fitness_of_models_or_no_dataset_is_refused() -> None:
    """Node perturbation judges images, not genomes."""
    with pytest.raises(UsageError, match="needs a dataset"):
        Evolution(tiny_config(strategy="node-perturbation"), network=NETWORK, backend="numpy")
    with pytest.raises(UsageError, match="no genomes to hand out"):
        nodes().ask()


@pytest.mark.filterwarnings("error")
def test_odd_data_end_in_a_model(backend: Backend) -> None:
    """Constant features, all-zero images, fewer samples than a batch: one warning, and the run goes through."""
    labels = np.arange(9) % 3
    splits = (Split(np.zeros((9, 4, 4), np.uint8), labels), (0.0, 255.0)), (Split(np.full((9, 5), 3.0), labels), None)
    for split, value_range in splits:
        dataset = Dataset("odd", split, split, split, ("a", "b", "c"), value_range)
        with pytest.warns(RuntimeWarning, match="all training inputs are the same") as warned:
            run = Evolution(tiny_config(strategy="node-perturbation", batch_size=500), dataset, backend=backend)
        assert len(warned) == 1
        run.run()
        assert np.isfinite(run.champions()["best"].genes).all()
        assert run.accuracies("test")["best"] == pytest.approx(1 / 3)


def test_a_fitness_of_the_wrong_sign_gives_one_warning() -> None:
    """Rewarding wrong predictions is noticed after a tenth of the generations, once."""
    wrong = {"fitness": "reward", "correct_reward": -1.0, "wrong_penalty": 1.0, "sigma": 1.0}
    with pytest.warns(RuntimeWarning, match="right sign") as warned:
        nodes(generations=400, validate_every=10, step_size=0.02, hidden=(16,), **wrong).run()
    assert len(warned) == 1
