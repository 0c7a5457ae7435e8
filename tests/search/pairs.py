"""Small pairs, prepared for the digits."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from genreg_np import load_dataset
from genreg_np.search.config import SearchConfig
from genreg_np.search.folder import SearchFolder
from genreg_np.search.kinds import kind_of
from genreg_np.search.kinds.base import Preparing, changed
from genreg_np.search.kinds.gans import Gans
from genreg_np.search.lessons.base import Part, backend_for
from genreg_np.search.lessons.gan import GanLesson
from genreg_np.search.sharing import Parts

SMALL = {  # networks that learn digits in a second or two
    "g_filters": 16, "g_convolutions": 0, "d_filters": 8, "d_hidden": 0, "d_kernel": 3, "d_dropout": 0.0,
}  # fmt: skip
GIVEN = "\n".join(f"{name} = {value}" for name, value in SMALL.items())


@functools.cache
def prepared(where: str, **changes: Any) -> tuple[Gans, dict[str, Part], dict[str, Any]]:
    """Return a kind for the digits with its judge, the parts, and what search.json tells of it."""
    data = load_dataset("digits")
    config = SearchConfig(kind="gan", metric="fitness", max_parameters=600_000, **changes)
    kind = kind_of(config, data.input_shape, data.class_names)
    assert isinstance(kind, Gans)
    parts = Parts.of(data).share(Path(where), data.input_range)
    told = Preparing("digits", lambda: backend_for("numpy", kind.works), lambda phase: None, lambda remark: None)
    name = "-".join(["search", *map(str, changes.values())])
    with SearchFolder.create(Path(where) / name) as folder:
        folder.write_config(config, {"data": "digits"})
        return kind, parts, kind.prepared(parts, folder, told)


def lesson(place: str, folder: Path, *rungs: int, genome: dict[str, Any] | None = None, **changes: Any) -> GanLesson:
    """Return a lesson of a small pair."""
    kind, parts, _ = prepared(place, **changes)
    own = changed(kind.plain, SMALL | (genome or {}), kind.space)
    files = tuple(str(folder / f"{rung}.npz") for rung in range(len(rungs)))
    return kind.lesson(
        own, kind.individual_of(own), 0, seed=3, rungs=rungs, train=parts["train"], judged={"search": parts["search"]},
        states=files, backend="numpy",
    )  # fmt: skip
