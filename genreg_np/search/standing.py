"""How individuals that were judged at different rungs are ranked."""

from __future__ import annotations

from genreg_np.search.config import SearchConfig
from genreg_np.search.gan.health import PENALTY
from genreg_np.search.trials import Standing, Trial


def standing_of(config: SearchConfig) -> Standing:
    """Return the key that ranks trials of all rungs; higher is better.

    Networks are ranked by score alone: more samples would rather improve it. Scores of pipelines are means over more
    folds at higher rungs, so rungs come first. GAN pairs are held to rules that grow with samples: here all are held to
    the full ones, so that none ranks higher because less was required of it.
    """
    if config.kind == "table":
        return lambda trial: (trial.rung, *trial.rank)
    if config.kind == "gan":
        penalty = PENALTY if config.metric == "fitness" and not config.weights else 0.0  # as of rules that are broken
        return lambda trial: _of_pair(trial, penalty)
    return lambda trial: trial.rank


def _of_pair(trial: Trial, penalty: float) -> tuple[float, ...]:
    kept, score, *others = trial.rank
    excused = trial.metrics.get("excused", 0.0)
    return (kept - excused, score - penalty * excused, *others)
