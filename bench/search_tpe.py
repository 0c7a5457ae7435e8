"""Optuna's TPE as a selection `tpe`, only for bench/search.py: a study that knows all results suggests genomes.

Import it before genreg_np.search.config, which lists the available selections. Only expressed genes are suggested and
reported, as in any define-by-run space; the sampler is the default one, random for ten trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from genreg_np.search.draws import Draws
from genreg_np.search.genes import Choice, Gene, Genome, Number, Space
from genreg_np.search.selections import REGISTRY
from genreg_np.search.selections.base import Bred, Selection
from genreg_np.search.trials import Trial

optuna.logging.set_verbosity(optuna.logging.WARNING)
REGISTRY["tpe"] = "search_tpe:Tpe"
LAG = 8  # children bred without waiting for one another, as in `steady`


class Tpe(Selection):
    """The selection `tpe`."""

    name = "tpe"
    summary = "Optuna's tree-structured Parzen estimator"

    def needs(self, child: int) -> int:
        """Return all but the last eight."""
        return max(0, child - LAG)

    def breed(self, child: int, judged: Sequence[Trial], space: Space, draws: Draws) -> Bred:
        """Return the suggestion of a study that knows all results."""
        genes = {gene.name: gene for gene in space.genes}
        study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=draws.below(2**32)))
        for trial in judged:
            distributions = {name: _distribution(genes[name]) for name in trial.expressed}
            ok = {"value": trial.score} if trial.is_ok else {"state": optuna.trial.TrialState.FAIL}
            study.add_trial(optuna.trial.create_trial(params=dict(trial.expressed), distributions=distributions, **ok))
        asked, genome = study.ask(), dict(space.drawn(draws))
        for gene in space.genes:
            if space.is_expressed(gene, genome):
                genome[gene.name] = _asked(asked, gene)
        return Bred(_checked(genome, space), how="suggested")


def _distribution(gene: Gene) -> BaseDistribution:
    if isinstance(gene, Choice):
        return CategoricalDistribution(gene.values)
    assert isinstance(gene, Number)
    return FloatDistribution(gene.low, gene.high, log=gene.log)


def _asked(trial: optuna.Trial, gene: Gene) -> Any:
    if isinstance(gene, Choice):
        return trial.suggest_categorical(gene.name, gene.values)
    assert isinstance(gene, Number)
    return trial.suggest_float(gene.name, gene.low, gene.high, log=gene.log)


def _checked(genome: Genome, space: Space) -> Genome:
    """Return a genome whose numbers are rounded as in this project."""
    return {gene.name: gene.at(gene.place(genome[gene.name])) for gene in space.genes}
