"""Train small neural networks by evolution, without gradients, and run them anywhere.

Public names are imported on first use, so `import genreg_np` loads nothing but Python itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_PUBLIC = {
    "Dataset": "genreg_np.data.dataset",
    "Evolution": "genreg_np.runs.evolution",
    "GenregClassifier": "genreg_np.estimators.networks",
    "GenregError": "genreg_np.errors",
    "GenregRegressor": "genreg_np.estimators.networks",
    "Model": "genreg_np.model",
    "Network": "genreg_np.model",
    "PipelineSearchClassifier": "genreg_np.estimators.pipelines",
    "PipelineSearchRegressor": "genreg_np.estimators.pipelines",
    "Result": "genreg_np.runs.result",
    "Split": "genreg_np.data.split",
    "TrainConfig": "genreg_np.runs.config",
    "Watcher": "genreg_np.runs.result",
    "load": "genreg_np.model",
    "load_dataset": "genreg_np.data",
    "resume": "genreg_np.runs.training",
    "train": "genreg_np.runs.training",
}

if TYPE_CHECKING:
    from genreg_np.data import load_dataset as load_dataset
    from genreg_np.data.dataset import Dataset as Dataset
    from genreg_np.data.split import Split as Split
    from genreg_np.errors import GenregError as GenregError
    from genreg_np.estimators.networks import GenregClassifier as GenregClassifier
    from genreg_np.estimators.networks import GenregRegressor as GenregRegressor
    from genreg_np.estimators.pipelines import PipelineSearchClassifier as PipelineSearchClassifier
    from genreg_np.estimators.pipelines import PipelineSearchRegressor as PipelineSearchRegressor
    from genreg_np.model import Model as Model
    from genreg_np.model import Network as Network
    from genreg_np.model import load as load
    from genreg_np.runs.config import TrainConfig as TrainConfig
    from genreg_np.runs.evolution import Evolution as Evolution
    from genreg_np.runs.result import Result as Result
    from genreg_np.runs.result import Watcher as Watcher
    from genreg_np.runs.training import resume as resume
    from genreg_np.runs.training import train as train
    from genreg_np.version import __version__ as __version__

_LAZY = {**_PUBLIC, "__version__": "genreg_np.version"}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'genreg_np' has no attribute {name!r}")
    try:
        module = importlib.import_module(_LAZY[name])
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        from genreg_np.errors import missing_extra

        raise missing_extra("scikit-learn 1.6 or newer", "train", f"use {name}") from None
    return getattr(module, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
