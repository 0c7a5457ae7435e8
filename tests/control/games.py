"""Small environments: what policies play in tests."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

Box, Discrete = gymnasium.spaces.Box, gymnasium.spaces.Discrete


class Walk(gymnasium.Env):  # type: ignore[type-arg]
    """A point that drifts to where its first step leads; a step towards 0 is rewarded. Eight steps at most."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}  # noqa: RUF012
    observation_space: Any = Box(-10.0, 10.0, (2,))
    action_space: Any = Discrete(2)

    def __init__(self, render_mode: str | None = None, pace: float = 1.0) -> None:
        self.render_mode, self.pace = render_mode, pace

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place = float(self.np_random.uniform(-3, 3))
        self.left = 8
        return self.seen(), {}

    def seen(self) -> Any:
        return np.array([self.place, self.left], np.float32)

    def moved(self, action: Any) -> float:
        return self.pace if action == 1 else -self.pace

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        before, self.left = abs(self.place), self.left - 1
        self.place += self.moved(action)
        return self.seen(), before - abs(self.place), self.left == 0, False, {}

    def render(self) -> Any:
        picture = np.full((6, 20, 3), 255, np.uint8)
        picture[:, int(np.clip(self.place + 10, 0, 19))] = 0
        return picture


class Glide(Walk):
    """The same with steps of any length between -0.5 and 1.5, which are checked."""

    action_space = Box(-0.5, 1.5, (1,))

    def moved(self, action: Any) -> float:
        assert action.shape == (1,)
        assert self.action_space.contains(action)
        return float(action[0])


class Blind(Walk):
    """Shows where it is in its first step only: a policy has to remember."""

    def seen(self) -> Any:
        return np.array([np.sign(self.place) if self.left == 8 else 0.0, 0.0], np.float32)


class Lost(Walk):
    """Raises in its third step."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self.left == 6:
            raise RuntimeError("no way\nback")
        return super().step(action)


class Foggy(Walk):
    """Shows what is no number."""

    def seen(self) -> Any:
        return np.array([np.nan, 0.0], np.float32)


class Told(Walk):
    """Shows a dictionary."""

    observation_space = gymnasium.spaces.Dict({"place": Box(-1.0, 1.0, (1,))})


class Many(Walk):
    """Takes several actions at once."""

    action_space = gymnasium.spaces.MultiBinary(3)


class Numbered(Walk):
    """Actions are numbered from 5 on."""

    action_space = Discrete(2, start=5)

    def moved(self, action: Any) -> float:
        assert action in (5, 6)
        return super().moved(action - 5)


class Endless(Walk):
    """Never ends by itself."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.left = 8
        return super().step(action)


class Far(Walk):
    """Begins far away, so that observations vary otherwise."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place *= 3
        return self.seen(), {}


class Rich(Walk):
    """Rewards without end."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return *super().step(action)[:1], float("inf"), *super().step(action)[2:]


class Vague(Walk):
    """Rewards that are no numbers."""

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return *super().step(action)[:1], float("nan"), *super().step(action)[2:]


class Paired(Walk):
    """Rewards that are two numbers."""

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        return *super().step(action)[:1], np.array([1.0, 2.0]), *super().step(action)[2:]


class Whole(Walk):
    """Takes whole numbers."""

    action_space = Box(0, 10, (1,), np.int32)


class Wider(Walk):
    """Shows more than it says."""

    def seen(self) -> Any:
        return np.zeros(3, np.float32)


class Chance(Walk):
    """Begins anywhere, whatever the seed."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return super().reset(seed=None)


class Unseen(Walk):
    """Draws nothing."""

    def __init__(self) -> None:
        super().__init__()


def flat() -> Any:
    return gymnasium.wrappers.FlattenObservation(Told())


WIDTH = 3


def breaks() -> Any:
    raise RuntimeError("no\nenvironment")


def none() -> int:
    return 3
