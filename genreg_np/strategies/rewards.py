"""Settings of the rewards of predictions, which several strategies share."""

from __future__ import annotations

from typing import Any

from genreg_np import fitness as fitnesses
from genreg_np.fitness import Score
from genreg_np.settings import Settings, option


def prediction(default: str, help: str = "how a class is predicted for a reward") -> Any:
    """Declare the setting `prediction`."""
    return option(default, help, choices=fitnesses.PREDICTIONS)


def correct_reward() -> Any:
    """Declare the setting `correct_reward`."""
    return option(10.0, "reward of a right prediction", low=-1e6, high=1e6)


def wrong_penalty() -> Any:
    """Declare the setting `wrong_penalty`."""
    return option(-1.5, "reward of a wrong prediction", low=-1e6, high=1e6)


class RewardSettings(Settings):
    """Base of settings with rewards; each strategy declares their defaults, their order and its `fitness`."""

    fitness: str
    prediction: str
    correct_reward: float
    wrong_penalty: float

    @property
    def scoring(self) -> tuple[Score, float, float]:
        """What a backend needs to score images: (kind, reward, penalty)."""
        return fitnesses.scoring(self.fitness, self.prediction, self.correct_reward, self.wrong_penalty)
