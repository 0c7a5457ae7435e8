"""Trials are also written to Optuna's journal storage, so that optuna-dashboard can show a running search.

    genreg-np search images mnist --dashboard
    optuna-dashboard runs/mnist-search-steady-0/optuna.log

Our own record remains authoritative: nothing is read back, and a failed write ends the mirror, not the search.
"""

from __future__ import annotations

import datetime
import importlib
from pathlib import Path
from typing import Any

from genreg_np.errors import missing_extra
from genreg_np.search.genes import Choice, Number, Space
from genreg_np.search.trials import Trial

FILE, STUDY = "optuna.log", "search"


def optuna() -> Any:
    """Return the optuna package, with its logging reduced to warnings.

    Raises
    ------
    MissingExtraError
        If optuna is not installed.
    """
    try:
        found = importlib.import_module("optuna")
        importlib.import_module("optuna.storages.journal")
    except ImportError:
        raise missing_extra("optuna", "dashboard", "mirror trials for its dashboard") from None
    found.logging.set_verbosity(found.logging.WARNING)
    return found


class Mirror:
    """Writes trials to an Optuna journal.

    Parameters
    ----------
    folder : Path
        The folder of the search, in which the journal is kept.
    space : Space

    Raises
    ------
    MissingExtraError
        If optuna is not installed.
    """

    def __init__(self, folder: Path, space: Space) -> None:
        self._optuna, self.path = optuna(), folder / FILE
        backend = self._optuna.storages.journal.JournalFileBackend(str(self.path))
        storage = self._optuna.storages.JournalStorage(backend)
        self._study = self._optuna.create_study(
            study_name=STUDY, storage=storage, direction="maximize", load_if_exists=True
        )
        self._written = {trial.user_attrs.get("number") for trial in self._study.get_trials(deepcopy=False)}
        kinds = self._optuna.distributions
        self._distributions: dict[str, Any] = {}
        for gene in space.genes:
            if isinstance(gene, Choice):
                self._distributions[gene.name] = kinds.CategoricalDistribution(gene.values)
            elif isinstance(gene, Number):
                self._distributions[gene.name] = kinds.FloatDistribution(gene.low, gene.high, log=gene.log)

    def took(self, trial: Trial) -> None:
        """Write a finished trial, once."""
        if trial.number in self._written:
            return
        self._written.add(trial.number)
        states = self._optuna.trial.TrialState
        about = {
            "number": trial.number, "individual": trial.child, "rung": trial.rung, "samples": trial.samples,
            "how": trial.how, "parameters": trial.parameters, "macs": trial.macs, "seconds": trial.seconds,
            "status": trial.status, "why": trial.why, **trial.metrics,
        }  # fmt: skip
        written = self._optuna.trial.create_trial(
            state=states.COMPLETE if trial.is_ok else states.FAIL,
            value=trial.score if trial.is_ok else None,
            params=dict(trial.expressed),
            distributions={name: self._distributions[name] for name in trial.expressed},
            user_attrs=about,
        )
        if written.datetime_complete is not None:
            written.datetime_start = written.datetime_complete - datetime.timedelta(seconds=trial.seconds)
        self._study.add_trial(written)
