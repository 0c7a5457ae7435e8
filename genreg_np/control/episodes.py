"""Episodes of an environment as a fitness: the mean return of a policy."""

from __future__ import annotations

import importlib
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genreg_np.control.spaces import Actions, input_shape, policy, scaling
from genreg_np.engines.processes import check_importable
from genreg_np.engines.worker import line_of, told_with_place
from genreg_np.errors import FitnessError, UsageError, did_you_mean, missing_extra
from genreg_np.fitness import as_number
from genreg_np.infer import Model
from genreg_np.layers.targets import Targets
from genreg_np.model import Model as Policy
from genreg_np.model import Network
from genreg_np.runs.config import TrainConfig
from genreg_np.runs.evolution import Evolution
from genreg_np.runs.run_config import is_plain
from genreg_np.runs.start import core_of
from genreg_np.settings import whole_number
from genreg_np.streams import Stream

PRESET = "policy"
MOST_STEPS = 10_000  # of an episode, if neither the environment nor the user sets a limit
LOOKED_AT, LOOKS = 4_000, 20  # observations, and episodes of random actions, used to scale observations
OPTION, UNNOTED = "option_", "env_unnoted"  # in notes: prefix of an option's name; options that are not plain values


class Episodes:
    """A fitness: the mean return of a policy over episodes of an environment. `episodes` makes one.

    It can be sent to other processes, each of which creates its own environment.

    Parameters
    ----------
    env, episodes, steps, **options
        See `episodes`.

    Attributes
    ----------
    name : str
        Name of the environment.
    episodes : int
        Number of episodes played for a score.
    steps : int
        Most steps of an episode.
    is_limited : bool
        Whether the environment or the user set that limit; otherwise it only ensures that every episode ends.
    options : dict
        Options of the environment.
    """

    def __init__(
        self, env: str | Callable[[], Any], episodes: int = 1, steps: int | None = None, **options: Any
    ) -> None:
        if not isinstance(env, str):
            if not callable(env):
                raise UsageError(f"env must be a name or a function that makes one, not {type(env).__name__}")
            check_importable(env, "env")
        named = env if hasattr(env, "__qualname__") else type(env)
        self.name = env if isinstance(env, str) else f"{named.__module__}:{named.__qualname__}"
        self.episodes = whole_number(episodes, "episodes", least=1)
        self._source, self.options, self._asked = env, options, steps
        self._env: Any = None
        spec = getattr(self.env, "spec", None)
        own = getattr(spec, "max_episode_steps", None)
        most = [] if steps is None else [whole_number(steps, "steps", least=1)]
        self.steps = min([own, *most] if own else most or [MOST_STEPS])
        self.is_limited = bool(own or most)
        self._shape = input_shape(self.env.observation_space, self.name)
        self._actions = Actions.of(self.env.action_space, self.name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _made, (self._source, self.episodes, self._asked, self.options)

    @property
    def env(self) -> Any:
        """The environment in this process."""
        if self._env is None:
            self._env = self.made()
        return self._env

    def made(self, **options: Any) -> Any:
        """Return a new environment, with additional options.

        Raises
        ------
        UsageError
            If there is no environment of that name, or the created object is not an environment.
        MissingExtraError
            Without Gymnasium.
        """
        source = _factory(self._source) if isinstance(self._source, str) else self._source
        if isinstance(source, str):
            return _registered(source, self.options | options)
        try:
            env = source(**self.options | options)
        except Exception as error:
            raise UsageError(f"env {self.name} cannot be made: {line_of(error)}") from error
        if not all(hasattr(env, name) for name in ("reset", "step", "observation_space", "action_space")):
            raise UsageError(
                f"{self.name} returned {type(env).__name__}, not a Gymnasium environment with reset, step, "
                "observation_space and action_space"
            )
        return env

    def __call__(self, model: Model, seed: int = 0) -> float:
        """Return the mean return of a policy over `episodes` episodes, the same for the same seed.

        Parameters
        ----------
        model : Model
            The policy.
        seed : int
            Seed of the first episode, from which the others are derived.
        """
        return float(self.returns(model, seeds_of(seed, self.episodes)).mean())

    def returns(self, model: Model, seeds: Iterable[int]) -> NDArray[np.float64]:
        """Play an episode with each seed.

        Parameters
        ----------
        model : Model
            The policy.
        seeds : iterable of int
            From 0 to 2**31 - 1.

        Returns
        -------
        (n,) float64
            The sum of rewards of each episode; NaN if the policy's outputs are not finite.

        Raises
        ------
        FitnessError
            If the environment fails, or model and environment do not fit.
        """
        return np.array([sum(self.played(model, seed, self.env)) for seed in seeds], np.float64)

    def played(self, model: Model, seed: int, env: Any) -> Iterator[float]:
        """Yield the reward of each step of an episode in an environment from `made`; raises as `returns` does."""
        at = "its reset"
        try:
            state, step, chosen = model.start(), model.step, self._actions.chosen
            observation, _ = env.reset(seed=seed)
            for number in range(self.steps):
                at = f"step {number}"
                state, values = step(state, observation)
                action = chosen(values)
                if action is None:
                    yield math.nan
                    return
                observation, reward, terminated, truncated, _ = env.step(action)
                yield as_number(reward)
                if terminated or truncated:
                    return
        except Exception as error:
            raise FitnessError(
                f"{self.name}: {at} of the episode with seed {seed} failed: {told_with_place(error)}"
            ) from error

    def fits(self, model: Model) -> None:
        """Refuse a model that is not a policy for this environment.

        Parameters
        ----------
        model : Model

        Raises
        ------
        UsageError
            If inputs or outputs do not match; the message says what is needed.
        """
        count = len(self._actions.names)
        if np.prod(model.input_shape) != np.prod(self._shape):
            raise UsageError(f"the model takes inputs of {model.input_shape}, but {self.name} gives {self._shape}")
        if model.output_count != count or bool(model.class_names) != (self._actions.shape is None):
            kind = f"one of {count} actions" if self._actions.shape is None else f"{count} numbers"
            gives = f"one of {len(model.class_names)} classes" if model.class_names else f"{model.output_count} numbers"
            raise UsageError(f"the model does not fit {self.name}: it gives {gives}, and {self.name} takes {kind}")

    def network(self, config: TrainConfig | None = None) -> Network:
        """Return a network from observations to actions, with the configuration's hidden layers.

        Its first layer scales observations to standard deviation 1, as measured in episodes of random actions, the same
        ones in every process; it does not change in training, and is part of the model.

        Parameters
        ----------
        config : TrainConfig, optional
            Configuration with hidden layers, or a network in words; by default the preset `policy`.

        Raises
        ------
        UsageError
            If layers do not fit.
        FitnessError
            If the environment fails.
        """
        config = config or TrainConfig.from_preset(PRESET)
        fixed = scaling(*self._looked(), self.env.observation_space)
        return policy(self._shape, fixed, self._actions, config.hidden, config.activation, config.network)

    def _looked(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation (I,) of observations under random actions."""
        count = 0
        try:
            for row in itertools.islice(self._random(), LOOKED_AT):
                if row.size != math.prod(self._shape):
                    raise ValueError(f"an observation has {row.size} numbers, but observation_space is {self._shape}")
                if not count:  # sums are taken of differences from the first, which are small
                    first, total, squares = row, np.zeros_like(row), np.zeros_like(row)
                count, total, squares = count + 1, total + (row - first), squares + np.square(row - first)
            if not np.array_equal(first, np.asarray(self.env.reset(seed=0)[0], np.float64).reshape(-1), equal_nan=True):
                differs = "two episodes with the same seed begin differently: its runs cannot be reproduced"
                warnings.warn(f"{self.name}: {differs}", RuntimeWarning, stacklevel=2)
        except Exception as error:
            raise FitnessError(f"{self.name}: an episode of random actions failed: {told_with_place(error)}") from error
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - np.square(mean), 0))
        if not (np.isfinite(first + mean).all() and np.isfinite(deviation).all()):
            raise FitnessError(f"{self.name}: random actions led to observations that are not finite")
        return first + mean, deviation

    def _random(self) -> Iterator[NDArray[np.float64]]:
        """Yield observations (I,) from episodes of random actions, always the same ones."""
        env = self.env
        env.action_space.seed(0)
        for seed in range(LOOKS):
            observation, _ = env.reset(seed=seed)
            for _ in range(self.steps):
                yield np.asarray(observation, np.float64).reshape(-1)
                observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
                if terminated or truncated:
                    break

    def evolution(self, config: TrainConfig | None = None, initial: Policy | None = None, **options: Any) -> Evolution:
        """Return an evolution of policies for this environment.

        Parameters
        ----------
        config : TrainConfig, optional
            By default the preset `policy`.
        initial : Model, optional
            A policy whose mutated copies are generation 0; its scaling of observations is kept.
        **options
            Other arguments of `Evolution`, such as backend.

        Raises
        ------
        UsageError
            If layers do not fit, or the policy to start from has other layers or actions.
        FitnessError
            If the environment fails.
        """
        config = config or TrainConfig.from_preset(PRESET)
        network, actions = self.network(config), self._actions
        if initial is not None:
            self.fits(initial)
            own, ours = Targets.read(initial.header), actions.targets
            if own is not None and ours is not None and own.header() != ours.header():
                raise UsageError(f"the model to start from has other bounds of its numbers than {self.name}")
            theirs, _ = core_of(initial)
            if theirs.learning == network.learning:  # otherwise Evolution refuses it, naming both
                network = theirs
        named: dict[str, Any] = {"class_names": actions.class_names, "targets": actions.targets}
        return Evolution(config, network=network, initial=initial, **options | named)

    def facts(self) -> dict[str, Any]:
        """Return a description of what is measured, as plain values, for the notes of runs and models."""
        plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in self.options.items()}
        unnoted = [name for name, value in plain.items() if not is_plain(value)]
        found = {"env": self.name, "env_episodes": self.episodes, "env_steps": self.steps}
        found |= {f"{OPTION}{name}": value for name, value in plain.items() if name not in unnoted}
        return found | ({UNNOTED: ", ".join(unnoted)} if unnoted else {})


def episodes(env: str | Callable[[], Any], episodes: int = 1, steps: int | None = None, **options: Any) -> Episodes:
    """Return a fitness: the mean return over episodes of an environment.

    Parameters
    ----------
    env : str or callable
        A name registered with Gymnasium; module:function; or a function or class at the top level of a module that
        returns an environment.
    episodes : int
        Number of episodes played for a score. In a run all genomes of a generation play the same ones, and each
        generation plays new ones.
    steps : int, optional
        Most steps of an episode; by default the environment's own limit, or 10,000.
    **options
        Arguments of gymnasium.make or the function, such as gravity=9.

    Raises
    ------
    UsageError
        If there is no such environment, it cannot be sent to other processes, or a network cannot take its observations
        or give its actions.
    MissingExtraError
        Without Gymnasium.
    """
    return Episodes(env, episodes, steps, **options)


def seeds_of(seed: int, count: int) -> list[int]:
    """Return the seeds of `count` episodes, beginning with the given one."""
    return [seed, *(Stream(seed).seeds(0, 0, count - 1) if count > 1 else ())]


def _made(source: Any, count: int, steps: int | None, options: dict[str, Any]) -> Episodes:
    return Episodes(source, count, steps, **options)


def _factory(name: str) -> Any:
    """Return the function named by module:function; or the name itself, if Gymnasium has it."""
    module, colon, function = name.partition(":")
    if not colon:
        return name
    try:
        there = vars(importlib.import_module(module.removesuffix(".py")))
    except Exception as error:  # importing a module may raise anything
        raise UsageError(f"env {name!r}: module {module} cannot be imported ({line_of(error)})") from None
    found = there.get(function, name)
    if isinstance(found, str) and function not in _gymnasium(name).registry:  # an import may have added it there
        hint = did_you_mean(function, [key for key, value in there.items() if isinstance(value, type)])
        raise UsageError(f"env {name!r}: module {module} has no {function}{hint}")
    if not isinstance(found, str) and not callable(found):
        raise UsageError(f"env {name!r} is {type(found).__name__}, not a function or class that makes an environment")
    return found


def _registered(name: str, options: dict[str, Any]) -> Any:
    """Return the environment registered with Gymnasium under a name."""
    gymnasium = _gymnasium(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return gymnasium.make(name, **{"disable_env_checker": True, **options})
    except gymnasium.error.DependencyNotInstalled as error:
        raise missing_extra(line_of(error), "control", f"make the environment {name}") from None
    except Exception as error:  # a constructor may raise anything
        raise UsageError(f"env {name!r} cannot be made: {line_of(error)}") from None


def _gymnasium(name: str) -> Any:
    try:
        import gymnasium
    except ImportError:
        raise missing_extra("gymnasium", "control", f"make the environment {name}") from None
    return gymnasium
