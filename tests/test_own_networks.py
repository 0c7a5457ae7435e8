"""A network of one's own: its fixed layers, and what its outputs mean, are in its checkpoints, which are checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from genreg_np.errors import RunError, UsageError
from genreg_np.files import pack_arrays
from genreg_np.infer import read_arrays
from genreg_np.layers.targets import Targets
from genreg_np.model import Network, Standardise
from genreg_np.runs.evolution import Evolution
from tests.helpers import NETWORK, one_line, outcome, smallness, tiny_config, tiny_dataset


def fixed_run(tmp_path: Path) -> tuple[Evolution, Path]:
    """Return a run on a network with a fixed layer, and its checkpoint."""
    fixed = Standardise(np.array([1, 2, 3], "f"), np.array([0.5, 1, 2], "f"))
    network = Network.build((3,), (4,), 2, fixed=(fixed,))
    run = Evolution(tiny_config(), network=network, backend="numpy")
    run.run(2, fitness=smallness)
    run.save(tmp_path / "c.npz")
    return run, tmp_path / "c.npz"


def test_a_network_with_fixed_layers_is_in_the_checkpoint(tmp_path: Path) -> None:
    """What its layers hold, too: a run goes on without being told its network again, or with it."""
    run, path = fixed_run(tmp_path)
    assert outcome(Evolution.load(path, backend="numpy")) == outcome(run)
    assert outcome(Evolution.load(path, network=run.network, backend="numpy")) == outcome(run)


@pytest.mark.parametrize(
    "array", [None, np.ones(2, "f"), np.ones((3, 1), "f"), np.array([1, np.nan, 1], "f"), np.ones(3)]
)
def test_fixed_layers_of_a_checkpoint_are_checked(tmp_path: Path, array: Any) -> None:
    """Missing, of another shape or type, or no numbers: it may come from anybody."""
    arrays = read_arrays(fixed_run(tmp_path)[1], compressed=False)
    del arrays["network.layers.0.scale"]
    if array is not None:
        arrays["network.layers.0.scale"] = array
    (tmp_path / "c.npz").write_bytes(pack_arrays(arrays))
    with pytest.raises(RunError, match="damaged") as raised:
        Evolution.load(tmp_path / "c.npz", backend="numpy")
    one_line(raised.value)


def test_a_network_of_a_checkpoint_without_its_fixed_layers_is_passed_again(tmp_path: Path) -> None:
    """As checkpoints were before these layers were in them."""
    run, path = fixed_run(tmp_path)
    arrays = read_arrays(path, compressed=False)
    header = json.loads(arrays["header"].tobytes())
    del header["network"]
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    path.write_bytes(pack_arrays({name: array for name, array in arrays.items() if not name.startswith("network.")}))
    with pytest.raises(RunError, match="same dataset or network") as raised:
        Evolution.load(path, backend="numpy")
    one_line(raised.value)
    assert outcome(Evolution.load(path, network=run.network, backend="numpy")) == outcome(run)


def test_targets_of_a_network_are_in_its_models_and_checkpoints(tmp_path: Path) -> None:
    """Outputs are scaled and have names; a run that goes on has them without being told again."""
    targets = Targets(("left", "right"), np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    run = Evolution(tiny_config(), network=NETWORK, backend="numpy", targets=targets)
    run.run(1, fitness=smallness)
    run.save(tmp_path / "c.npz")
    plain = Evolution(tiny_config(), network=NETWORK, backend="numpy").model_of(run.champion_genes()["best"])
    inputs = np.ones((2, 3), np.float32)
    model = Evolution.load(tmp_path / "c.npz", backend="numpy").champions()["best"]
    assert model.value_names == ("left", "right")
    np.testing.assert_allclose(model.predict(inputs), plain.outputs(inputs) * [3, 4] + [1, 2], rtol=1e-5)
    for wrong in ({"names": ["left"]}, {"scale": [0, 1]}, {"offset": "none"}):
        arrays = read_arrays(tmp_path / "c.npz", compressed=False)
        header = json.loads(arrays["header"].tobytes())
        header["values"] |= wrong
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        (tmp_path / "wrong.npz").write_bytes(pack_arrays(arrays))
        with pytest.raises(RunError, match="damaged"):
            Evolution.load(tmp_path / "wrong.npz", backend="numpy")


def test_targets_that_do_not_fit_are_refused() -> None:
    targets = Targets(("one",), np.zeros(1), np.ones(1))
    with pytest.raises(UsageError, match="1 targets, but the network has 2 outputs"):
        Evolution(tiny_config(), network=NETWORK, backend="numpy", targets=targets)
    with pytest.raises(UsageError, match="has its own"):
        Evolution(tiny_config(), tiny_dataset(), backend="numpy", targets=targets)
