"""What can be searched for: other heads of classifiers, and autoencoders."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.errors import UsageError
from genreg_np.layers.description import parse
from genreg_np.layers.loss import log_softmax
from genreg_np.model import Network, load
from genreg_np.search.aims import REGISTRY as AIMS
from genreg_np.search.aims.prototypes import prototypical
from genreg_np.search.config import AUGMENTATIONS, SearchConfig
from genreg_np.search.draws import Draws
from genreg_np.search.folder import trials_in
from genreg_np.search.kinds import NETWORKS, kind_of
from genreg_np.search.kinds.base import Individual
from genreg_np.search.kinds.classifiers import PROTOTYPES, SPACES
from genreg_np.search.pareto import front_of
from genreg_np.search.searching import Watcher
from tests.search.helpers import bars, search

SHAPES: list[tuple[int, ...]] = [(28, 28), (3, 32, 32), (8, 8), (3, 16, 24)]


def config_of(name: str, **changes: Any) -> SearchConfig:
    """Return the settings of a search for a kind."""
    metric = {"classifier": "accuracy", "autoencoder": "psnr", "gan": "fitness"}[name]
    return SearchConfig(kind=name, metric=metric, **changes)


@pytest.mark.parametrize("name", list(NETWORKS))
@pytest.mark.parametrize("shape", SHAPES)
def test_beginnings_fit_and_random_genomes_become_networks(name: str, shape: tuple[int, ...]) -> None:
    kind = kind_of(config_of(name, max_macs=4_000_000), shape, "abc")
    found = kind.beginnings()
    assert found
    assert kind.fallback == found[0]
    assert len({kind.space.key(genome) for genome in found}) == len(found)
    genomes = [kind.space.drawn(Draws(3, child)) for child in range(60)]
    able = [genome for genome in genomes if not kind.fault_of(genome)]
    assert able
    for genome in (*found, *able):
        own = kind.individual_of(genome)
        assert own.network.outputs == {"classifier": 3}.get(name, math.prod(shape))
        assert own.parameters <= kind.limits.parameters
        assert own.macs <= kind.limits.macs


def test_spaces_have_the_augmentations_that_settings_know() -> None:
    assert tuple(SPACES) == tuple(PROTOTYPES) == AUGMENTATIONS


def test_the_episodes_loss_is_that_of_the_means_of_the_others() -> None:
    """By its definition, image by image; one that is alone in its class is asked nothing."""
    rng = np.random.default_rng(0)
    values, labels = rng.normal(size=(2, 3, 9)), np.array([0, 0, 1, 1, 1, 2, 0, 3, 3])
    losses, _ = prototypical(values, labels, 6)
    for network in range(2):
        places = values[network].T
        said = []
        for image, own in enumerate(labels):
            if (labels == own).sum() < 2:
                continue
            others = np.arange(9) != image
            seen = [label for label in range(6) if (labels == label).any()]
            means = [places[(labels == label) & (others if label == own else True)].mean(axis=0) for label in seen]
            logits = np.array([-((places[image] - mean) ** 2).sum() for mean in means])
            said.append(-log_softmax(logits[None, :, None])[0, seen.index(own), 0])
        assert losses[network] == pytest.approx(np.mean(said), rel=1e-9)


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 0], [0, 0, 1, 3, 3, 3]])
def test_the_episodes_gradient_is_that_of_its_loss(labels: list[int]) -> None:
    rng, step = np.random.default_rng(1), 1e-6
    values, own = rng.normal(size=(2, 3, 6)) * 0.5, np.array(labels)
    _, gradient = prototypical(values, own, 6)
    for place in np.ndindex(values.shape):
        moved = [values.copy(), values.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        above, below = (prototypical(one, own, 6)[0].sum() for one in moved)
        assert gradient[place] == pytest.approx((above - below) / (2 * step), abs=1e-6)


@pytest.mark.parametrize(("folds", "epochs"), [(1, 20.0), pytest.param(0, 4.0, marks=pytest.mark.soak)])
def test_prototypes_become_an_ordinary_classifier(folds: int, epochs: float, tmp_path: Path) -> None:
    """The saved model answers what the search measured, and its last layer is of means."""
    data = bars(240)
    found = search(
        tmp_path / "run", data, final_epochs=20, head="prototypes", folds=folds, max_epochs=epochs, generations=1
    )
    model = load(found.folder / "model.npz")
    assert model.class_names == data.class_names
    right = float((model.predict(data.test.inputs) == data.test.labels).mean())
    assert right == pytest.approx(found.finals[0]["accuracy"], abs=1e-9)
    assert right > 0.6
    weights, biases = model.network.unpack(model.genes)[-1] if model.network.is_dense else _last(model)
    assert np.allclose(biases, -np.square(weights / 2).sum(axis=1), rtol=1e-5)
    for trial in trials_in(found.folder / "trials.jsonl"):
        assert trial.network.endswith(f"dense {trial.genome['embedding']} / dense 3")
        assert "label_smoothing" not in trial.genome


def _last(model: Any) -> tuple[Any, Any]:
    weights, biases = model.network.parameters_of(model.genes[None])[-2:]
    return weights[0], biases[0]


def test_an_autoencoder_and_its_halves(tmp_path: Path) -> None:
    """What the two halves give one after the other is what the whole gives, and better than the mean image."""
    data = bars(240)
    how: dict[str, Any] = {
        "kind": "autoencoder", "metric": "psnr", "second": "code", "max_macs": 200_000, "max_parameters": 8000,
        "final_epochs": 20,
    }  # fmt: skip
    found = search(tmp_path / "run", data, **how)
    model, encoder, decoder = (load(found.folder / name) for name in ("model.npz", "encoder.npz", "decoder.npz"))
    images = data.test.inputs
    copies = model.outputs(images)
    code = encoder.outputs(images)
    assert code.shape == (len(images), found.genome["code"])
    assert np.allclose(decoder.outputs(code).reshape(copies.shape), copies, atol=1e-5)
    pixels = images.reshape(len(images), -1) / 255.0
    error = float(np.square(copies.reshape(pixels.shape) - pixels).mean())
    assert error == pytest.approx(found.finals[0]["squared-error"], rel=1e-4)
    assert error < float(np.square(pixels - pixels.mean(axis=0)).mean())
    front = front_of(list(trials_in(found.folder / "trials.jsonl")), "code")
    codes, values = [t.genome["code"] for t in front], [t.metrics["psnr"] for t in front]
    assert codes == sorted(codes)
    assert values == sorted(values)


def test_an_odd_side_is_said_to_an_autoencoder(tmp_path: Path) -> None:
    """Unless a network fits that halves nothing."""
    how: dict[str, Any] = {"kind": "autoencoder", "metric": "psnr", "max_macs": 200_000, "max_parameters": 2000}
    with pytest.raises(
        UsageError, match="15 x 15 pixels cannot be halved: give an even size, for pictures as --size 16x16"
    ):
        search(tmp_path / "run", bars(60, side=15), **how)


def test_a_class_that_a_fold_has_not_is_never_answered(tmp_path: Path) -> None:
    """One image of a class: the folds that test it do not know it; the search goes on."""
    data = bars(60)
    labels = np.where(np.arange(len(data.train)) == 0, 2, data.train.labels % 2)
    split = [dataclasses.replace(one, labels=one.labels % 2) for one in (data.validation, data.test)]
    lone = dataclasses.replace(
        data, train=dataclasses.replace(data.train, labels=labels), validation=split[0], test=split[1]
    )
    found = search(tmp_path / "run", lone, head="prototypes", folds=0, max_epochs=2.0, generations=1)
    assert found.winner is not None
    assert all(trial.is_ok for trial in trials_in(found.folder / "trials.jsonl"))


def test_the_layer_that_prototypes_become_counts() -> None:
    """As layer, weights and multiply-adds: limits are those of what is saved."""
    kind = kind_of(config_of("classifier", head="prototypes"), (8, 8), "abc")
    genome = kind.fallback
    assert genome is not None
    own, saved = kind.individual_of(genome), Network((8, 8), parse(kind.answering(genome), (8, 8)))
    whole = Individual(saved, own.options)
    assert own.parameters == whole.parameters
    assert own.layers == whole.layers
    assert own.macs >= whole.macs > own.macs - 4


def test_halves_and_whole_belong_together_whenever_a_search_is_left(tmp_path: Path) -> None:
    """From the first best one on; what an end before said is gone by then."""
    folder, data = tmp_path / "run", bars()

    def stop(trial: Any, search: Any) -> None:
        raise KeyboardInterrupt

    how: dict[str, Any] = {"kind": "autoencoder", "metric": "psnr", "max_macs": 200_000, "max_parameters": 8000}
    names = ("model.npz", "encoder.npz", "decoder.npz")
    for before in ("", "best-"):  # in a new search; in one that goes on after its end
        with pytest.raises(KeyboardInterrupt):
            search(folder, data, watcher=Watcher(on_trial=stop), **how)
        model, encoder, decoder = (load(folder / f"{before}{name}") for name in names)
        copies = decoder.outputs(encoder.outputs(data.test.inputs))
        assert np.allclose(copies, model.outputs(data.test.inputs), atol=1e-5)
        (folder / "search.json").write_text('{"ended": "target"}', "utf-8")
        (folder / "trials.jsonl").write_text("", "utf-8")


def test_channels_that_come_last_are_said(tmp_path: Path) -> None:
    data = bars(60)
    last = {
        name: dataclasses.replace(part, inputs=np.repeat(part.inputs[..., None], 3, axis=-1))
        for name, part in (("train", data.train), ("validation", data.validation), ("test", data.test))
    }
    with pytest.raises(UsageError, match=r"no network of a search fits its images: .*moveaxis"):
        search(tmp_path / "run", dataclasses.replace(data, **last))


def test_reconstruction_is_measured_in_decibels() -> None:
    features = np.zeros((4, 5), np.float32)
    measures = AIMS["itself"].measures(features + np.float32(0.1), features, np.zeros(4, np.int64), (), "psnr")
    assert measures == pytest.approx({"squared-error": 0.01, "psnr": 20.0}, rel=1e-5)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"second": "code"}, "must be one of parameters, macs"),
        ({"second": "macs", "weights": "accuracy=1"}, "two ways to weigh costs"),
        ({"target": 90.0}, "cannot be reached: accuracy is a number in 0 .. 1"),
        ({"target": float("nan")}, "cannot be reached"),
        ({"target": -0.1, "metric": "log-loss"}, "cannot be reached: log-loss is a number of at least 0"),
        ({"kind": "autoencoder", "metric": "accuracy"}, "unknown metric 'accuracy'"),
        ({"kind": "classifier", "metric": "psnr"}, "unknown metric 'psnr'"),
        ({"kind": "autoencoder", "metric": "psnr", "augmentation": "evolved"}, "leave out augmentation = 'evolved'"),
        ({"kind": "autoencoder", "metric": "psnr", "augmentation": "joint"}, "leave out augmentation = 'joint'"),
        ({"kind": "autoencoder", "metric": "psnr", "head": "prototypes"}, "head = 'prototypes' is of kind"),
        ({"kind": "gan", "head": "prototypes"}, "head = 'prototypes' is of kind = 'classifier' alone, not 'gan'"),
        ({"mode": "losses"}, "mode = 'losses' is of kind = 'gan' alone, not 'classifier': leave it out"),
        ({"conditional": True}, "conditional = True is of kind = 'gan'"),
        ({"models": "svm"}, "models = 'svm' is of kind = 'table'"),
        ({"kind": "table"}, "kind = 'table' is not for images: choose one of classifier, autoencoder, gan"),
        ({"rungs": (24_000, 8_000)}, r"rungs = \(24000, 8000\) must grow"),
        ({"rungs": (64, 64)}, r"rungs = \(64, 64\) must grow"),
    ],
)
def test_what_a_kind_has_not_is_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=said):
        search(tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()
