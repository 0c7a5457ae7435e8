"""Open a folder as the subject of a page: its model, its records, and its data if they are available."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from genreg_np.data.dataset import Dataset
from genreg_np.errors import GenregError, RunError, UsageError
from genreg_np.model import Model, load
from genreg_np.report.pipelines import PipelineSubject
from genreg_np.report.subject import Subject
from genreg_np.runs.own_folder import OWN_FITNESS
from genreg_np.runs.provenance import fingerprint, lasting, load_again
from genreg_np.runs.stored import StoredRun
from genreg_np.search.stored import StoredSearch


def of_run(path: Path, source: str | None = None, data_dir: str | None = None) -> tuple[Subject, str]:
    """Return a run as a subject, and a line on why there are no data, or "".

    Parameters
    ----------
    path : Path
        The run folder.
    source : str, optional
        Where its data are now.
    data_dir : str, optional
        Where to look for them first.

    Raises
    ------
    RunError
        If there is no run, or it has not saved a model.
    UsageError
        If data are given for a run on a custom score.
    ModelError
        If its model is damaged.
    """
    run = StoredRun.read(path)
    if OWN_FITNESS in run.origin and source is not None:
        raise UsageError(
            f"{path}: holds a run on a custom score, whose page needs no data: leave out --dataset, or name its "
            "model.npz instead"
        )
    if not (path / "model.npz").exists():
        if OWN_FITNESS in run.origin and run.notes.get("ended"):
            raise RunError(f"{path}: has no model: the run ended before it had a best genome")
        raise RunError(f"{path}: has no model yet: it saves one when it ends or is stopped")
    model = load(path / "model.npz")
    run, remarks = _until(run, model)
    if OWN_FITNESS in run.origin:
        return Subject(path.name, model, run=run, remarks=remarks), ""
    origin = {"source": run.config.dataset, **run.origin}
    origin |= {"source": lasting(source)} if source else {}
    origin |= {"data_dir": data_dir} if data_dir else {}
    try:
        dataset = load_again(path, origin, run.config.variations, named=source is not None)
        if origin.get("data", fingerprint(dataset)) != fingerprint(dataset):
            raise RunError(f"{path}: the data of {dataset.name} are not those it was trained on")
    except GenregError as error:
        if source is not None:
            raise
        gone = f"its data are not at hand ({error})"
        return Subject(path.name, model, run=run, missing=gone, remarks=remarks), str(error)
    return Subject(path.name, model, dataset, run=run, remarks=remarks), ""


def _until(run: StoredRun, model: Model) -> tuple[StoredRun, tuple[str, ...]]:
    """Return a run without records later than its model, and a remark if there are any.

    A model is saved less often than records are written, so records may be newer while a run continues or was killed.
    """
    done = model.training.get("generations")
    if type(done) is not int or not run.records or run.records[-1]["generation"] <= done:
        return run, ()
    said = (
        f"The model was saved at generation {done:,}, and the run has records until {run.records[-1]['generation']:,}: "
        "the later ones are not on this page."
    )
    kept = [record for record in run.records if record["generation"] <= done]
    return dataclasses.replace(run, records=kept), (said,)


def of_found(path: Path, dataset: Dataset | None = None, missing: str = "") -> Subject:
    """Return a search as a subject, with its data if they are available, else with the reason in words.

    Raises
    ------
    RunError
        If the folder has no search, or no model yet.
    """
    search = StoredSearch.read(path)
    if not search.file.exists():
        raise RunError(f"{path}: has no model yet: it saves one with the first individual that is judged")
    by_data = search.config.kind != "gan"  # a generator is fed noise instead of data
    return Subject(
        path.name, load(search.file), dataset if by_data else None, search=search, missing=missing if by_data else ""
    )


def of_search(
    path: Path, source: str | None = None, data_dir: str | None = None
) -> tuple[Subject | PipelineSubject, str]:
    """Return a search as a subject, and a line on why there are no data, or ""; parameters and errors as `of_run`."""
    search = StoredSearch.read(path)
    if search.config.kind == "table":
        if source:
            raise UsageError(f"{path}: holds a search for pipelines, whose page needs no data: leave out --dataset")
        return PipelineSubject.of(search), ""
    origin = dict(search.origin)
    if source:
        origin["source"] = lasting(source)
    if data_dir:
        origin["data_dir"] = data_dir
    try:
        if not origin.get("source"):
            raise RunError(f"{path}: its data have no name or path: say where they are with --dataset")
        dataset = load_again(path, origin, 1, named=source is not None)
        if origin["data"] != fingerprint(dataset):
            raise RunError(f"{path}: the data of {dataset.name} are not those it was searched on")
    except GenregError as error:
        if source is not None:
            raise
        return of_found(path, missing=f"its data are not at hand ({error})"), str(error)
    return of_found(path, dataset), ""
