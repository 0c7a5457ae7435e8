"""The lines that make the five known: in the package they stand in its registries, as all others do."""

from __future__ import annotations

from genreg_np import backends, export, infer, layers, strategies
from genreg_np.data import built_in
from tests.extensions.my_layer import absolute

strategies.REGISTRY["hill-climber"] = "tests.extensions.my_strategy:HillClimber"
backends.REGISTRY["double"] = "tests.extensions.my_backend:DoubleBackend"
built_in.REGISTRY["moons"] = "tests.extensions.my_dataset:MOONS"
export.REGISTRY["json"] = "tests.extensions.my_exporter"
layers.REGISTRY["absolute"] = "tests.extensions.my_layer:Absolute"
infer.LAYERS["absolute"] = absolute
