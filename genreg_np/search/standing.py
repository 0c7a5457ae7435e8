"""Who stands above whom, where individuals were judged at different rungs."""

from __future__ import annotations

from genreg_np.search.config import SearchConfig
from genreg_np.search.gan.health import ENOUGH, LEAST_COVERAGE, PENALTY
from genreg_np.search.trials import Standing, Trial


def standing_of(config: SearchConfig) -> Standing:
    """Return what trials of all rungs are compared by, more is better, for what is searched for.

    Of networks a score counts as it is: more samples would rather make it better. Scores of pipelines are means over
    more folds the higher the rung, so rungs come first. Pairs of GANs are held to a rule that grows with samples: none
    stands above others because little was asked of it.
    """
    if config.kind == "table":
        return lambda trial: (trial.rung, *trial.rank)
    if config.kind == "gan" and config.metric == "fitness" and not config.weights:
        return _of_pair
    return lambda trial: trial.rank


def _of_pair(trial: Trial) -> tuple[float, ...]:
    coverage, asked = trial.metrics.get("coverage", 0.0), LEAST_COVERAGE * min(1.0, trial.samples / ENOUGH)
    score, *others = trial.rank
    return (score - PENALTY * (asked <= coverage < LEAST_COVERAGE), *others)
