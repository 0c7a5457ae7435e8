"""Settings of what a right or wrong prediction earns, which several strategies have, and what they come to."""

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
    return option(10.0, "earned for a right prediction", low=-1e6, high=1e6)


def wrong_penalty() -> Any:
    """Declare the setting `wrong_penalty`."""
    return option(-1.5, "earned for a wrong prediction", low=-1e6, high=1e6)


class RewardSettings(Settings):
    """Settings with these; where they stand among the others, and with which `fitness`, each strategy says itself."""

    fitness: str
    prediction: str
    correct_reward: float
    wrong_penalty: float

    @property
    def scoring(self) -> tuple[Score, float, float]:
        """What a backend needs to score images: (kind, reward, penalty)."""
        return fitnesses.scoring(self.fitness, self.prediction, self.correct_reward, self.wrong_penalty)
