"""Everything that determines a run: TrainConfig, presets, TOML files, overrides.

A configuration consists of two frozen dataclasses of settings, the run's and its strategy's, but users see one flat
list of names: `child_mutation_rate = 0.07` in a preset, `--set child_mutation_rate=0.05` on the command line.
Precedence, lowest first: defaults, preset, configuration file, options.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from genreg_np.data.dataset import Dataset
from genreg_np.errors import UsageError, did_you_mean
from genreg_np.files import read_text
from genreg_np.fitness import BUILT_IN, ERRORS
from genreg_np.infer import ACTIVATIONS
from genreg_np.layers.description import tidied
from genreg_np.settings import Settings, option
from genreg_np.strategies import REGISTRY, strategy_class

MOST_TOML_BYTES = 1 << 15  # far more than settings need; parsing time is quadratic in the length of a dotted key


@dataclass(frozen=True)
class TrainConfig(Settings):
    """The settings of a run. The strategy's settings are in `options`, but can be read as attributes of this class.

    Raises
    ------
    UsageError
        For a value of the wrong type or outside its range (the message names both), and for conflicting values.
    """

    dataset: str = option("auto", "dataset name or path", fixed="the run was trained on another one")
    variations: int = option(1, "random views per letter", low=1, high=10_000, fixed="the training data would change")
    strategy: str = option("genreg", "how to evolve", fixed="its state is that of another method")
    hidden: tuple[int, ...] = option(
        (64,), "units per hidden layer", low=1, most=256, fixed="the genomes have another length"
    )
    activation: str = option(
        "tanh", "activation of hidden layers", choices=tuple(ACTIVATIONS), fixed="the genomes mean something else"
    )
    network: str = option("", "layers in words, instead of hidden", fixed="the genomes have another length")
    generations: int = option(600, "generations in all", low=1, high=2**32 - 1)
    seed: int = option(0, "seed of all randomness", low=0, high=2**64 - 1, fixed="the random streams would change")
    validate_every: int = option(10, "generations between validations", low=1)
    target: float = option(0.0, "stop at this validation accuracy (0: never)", low=0, high=1)
    champion: str = option(
        "auto", "which genome is saved: auto decides on validation", choices=("auto", "best", "consensus")
    )
    keep: str = option(
        "last",
        "whose champions are saved: last: the last generation's; best: the best on validation, which genreg-np train "
        "takes for your own data; refit: that one, trained again up to its generation, also on the validation split",
        choices=("last", "best", "refit"),
    )
    class_weight: str = option(
        "none",
        "weight of training samples; balanced: inverse to the size of their class",
        choices=("none", "balanced"),
        fixed="training samples would have other weights",
    )
    familiarity: bool = option(False, "save what is needed to recognise inputs unlike the training inputs")
    options: Any = None  # the strategy's frozen dataclass

    def __post_init__(self) -> None:
        options = strategy_class(self.strategy).Options
        if self.options is None:
            object.__setattr__(self, "options", options())
        if type(self.options) is not options:
            raise UsageError(f"options of strategy {self.strategy} must be {options.__name__}, not {self.options!r}")
        super().__post_init__()
        if self.keep != "last" and (why := self.spent.get("validation")):
            raise UsageError(f"keep = {self.keep} uses the validation split, but {why}: leave it at last")
        if self.network:
            object.__setattr__(self, "network", tidied(self.network))
            self._forget_hidden()

    def _forget_hidden(self) -> None:
        """Clear `hidden` if a network is described; refuse hidden layers that were set."""
        known = {item.name: item.default for item in dataclasses.fields(self)}
        if self.hidden not in ((), known["hidden"]):
            raise twice()
        if self.activation != known["activation"]:
            raise UsageError(
                f"activation = {self.activation} is for hidden layers: in a network, write it as a layer of its own"
            )
        object.__setattr__(self, "hidden", ())

    def __getattr__(self, name: str) -> Any:
        # Called only for names that are not fields of this class: gives access to the strategy's fields.
        if (
            not name.startswith("_")
            and (options := self.__dict__.get("options")) is not None
            and hasattr(options, name)
        ):
            return getattr(options, name)
        raise AttributeError(name)

    @property
    def fitness(self) -> str:
        """The fitness of a genome, by name; "" if the strategy offers no choice."""
        return str(getattr(self.options, "fitness", ""))

    @property
    def annealed(self) -> bool:
        """Whether a generation depends on the total number of generations."""
        return bool(self.options.annealed)

    @property
    def spent(self) -> dict[str, str]:
        """Splits on which accuracy does not measure what was learned, each with the reason."""
        return dict(self.options.spent)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "configuration") -> TrainConfig:
        """Build from flat names.

        Raises
        ------
        UsageError
            For an unknown name (with the nearest known one) or a bad value.
        """
        strategy = values.get("strategy", "genreg")
        options = strategy_class(strategy).Options
        own = {item.name for item in dataclasses.fields(cls)} - {"options"}
        theirs = {item.name for item in dataclasses.fields(options)}
        for name in values:
            if name in own | theirs:
                continue
            if owners := [other for other in REGISTRY if name in settings(other)]:
                raise UsageError(
                    f"{where}: {name!r} is a setting of {', '.join(owners)}, not of {strategy}: "
                    f"choose one of them, for example --strategy {owners[0]}"
                )
            hint, everything = (
                did_you_mean(name, own | theirs),
                {known for other in REGISTRY for known in settings(other)},
            )
            if "did you mean" not in hint and "did you mean" in did_you_mean(name, everything):
                hint = did_you_mean(name, everything)
            raise UsageError(f"{where}: no setting {name!r} for strategy {strategy}{hint}")
        if values.get("network") and values.get("hidden"):
            raise twice()
        return cls(
            **{name: value for name, value in values.items() if name in own},
            options=options(**{name: value for name, value in values.items() if name in theirs}),
        )

    @classmethod
    def from_preset(cls, preset: str, **settings: Any) -> TrainConfig:
        """Build from a preset and the settings to change in it.

        Raises
        ------
        UsageError
            For an unknown preset or setting, or a bad value.
        """
        return cls.from_dict(merged(read_preset(preset), settings))

    def to_dict(self) -> dict[str, Any]:
        """Return flat names and plain values, as from_dict takes them, suitable for JSON and TOML."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self) if item.name != "options"}
        values |= dataclasses.asdict(self.options)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    def determining(self) -> dict[str, Any]:
        """Return `to_dict` without `familiarity`, which adds to the model and its header, but changes no weight."""
        return {name: value for name, value in self.to_dict().items() if name != "familiarity"}

    def replace(self, **changes: Any) -> TrainConfig:
        """Return a copy with some settings changed."""
        return self.from_dict(merged(self.to_dict(), changes))

    def changed(self, **changes: Any) -> TrainConfig:
        """Return a copy for a run in progress.

        Raises
        ------
        UsageError
            For a setting that can no longer change, with the reason.
        """
        new = self.replace(**changes)
        for name in changes:
            if getattr(new, name) != getattr(self, name) and (
                reason := settings(self.strategy)[name].metadata["fixed"]
            ):
                raise UsageError(f"{name} cannot be changed during a run: {reason}; start a new run for it")
        return new

    def changes_to(self, new: TrainConfig, generation: int, names: Iterable[str]) -> list[dict[str, Any]]:
        """Return the log entries of settings that change at a generation, in the order of `names`.

        A new total of generations is not logged as a change, unless steps were planned by it and some are done.
        """
        before, after = self.to_dict(), new.to_dict()
        planned = (self.annealed or new.annealed) and generation > 0
        return [
            {"generation": generation, "setting": name, "old": before[name], "new": after[name]}
            for name in names
            if before[name] != after[name] and (name != "generations" or planned)
        ]

    def for_data(self, dataset: Dataset) -> TrainConfig:
        """Return a copy whose fitness suits a dataset: for numeric targets, one based on errors.

        Raises
        ------
        UsageError
            For a strategy, a fitness or weights that do not suit the data.
        """
        method = strategy_class(self.strategy)
        weighted = self.class_weight != "none" or dataset.train.weights is not None
        if weighted and not method.weighs:
            raise UsageError(
                f"strategy {self.strategy} takes no sample or class weights: leave them out, or choose another strategy"
            )
        if not dataset.of_numbers:
            if self.fitness in ERRORS:
                known = settings(self.strategy)["fitness"].metadata["choices"]
                raise UsageError(
                    f"fitness = {self.fitness} is for numbers, but {dataset.name} has classes: choose one of "
                    f"{', '.join(name for name in known if name not in ERRORS)}"
                )
            return self
        if not method.predicts_numbers:
            able = [name for name in REGISTRY if strategy_class(name).predicts_numbers]
            raise UsageError(
                f"strategy {self.strategy} is for classes, but {dataset.name} has numbers to predict: choose one "
                f"of {', '.join(able)}"
            )
        if self.class_weight != "none":
            raise UsageError(f"class_weight: {dataset.name} has numbers to predict, not classes: leave it out")
        known = settings(self.strategy).get("fitness")
        if self.fitness in BUILT_IN and known is not None and "squared" in known.metadata["choices"]:
            return self.replace(fitness="squared")
        if self.fitness == "margin":
            raise UsageError(f"fitness = margin is for classes: for numbers choose one of {', '.join(ERRORS)}")
        return self

    def with_image_fitness(self) -> TrainConfig:
        """Return a copy whose fitness is the user's function of logits and labels.

        Raises
        ------
        UsageError
            If the strategy takes none.
        """
        fitness = settings(self.strategy).get("fitness")
        if strategy_class(self.strategy).keeps_population:
            raise UsageError(
                f"strategy {self.strategy} scores whole genomes, not images: leave out image_fitness, and score models "
                "with run(fitness=...)"
            )
        if fitness is None or "custom" not in fitness.metadata["choices"]:
            raise UsageError(f"strategy {self.strategy} takes no custom fitness: leave out image_fitness")
        return self.replace(fitness="custom")


def settings(strategy: str = "genreg") -> dict[str, dataclasses.Field[Any]]:
    """Return all settings of a strategy by name: the run's, then the strategy's own."""
    parts = (TrainConfig, strategy_class(strategy).Options)
    return {item.name: item for part in parts for item in dataclasses.fields(part) if item.name != "options"}


def merged(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings updated with those given; a given network removes hidden layers, and vice versa."""
    gone = ("hidden", "activation") if given.get("network") else ("network",) if given.get("hidden") else ()
    return {name: value for name, value in before.items() if name not in gone} | dict(given)


def twice() -> UsageError:
    """Return the error for layers that are given in two ways."""
    return UsageError("network and hidden cannot be combined: give one of them")


def parse_assignment(text: str) -> tuple[str, Any]:
    """Parse KEY=VALUE as TOML does; a value that is not TOML is a string.

    Raises
    ------
    UsageError
        Without an equals sign.
    """
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set {text!r} must look like KEY=VALUE, for example child_mutation_rate=0.05")
    try:
        return name.strip(), tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # not TOML, or too deep for its parser
        is_number = re.fullmatch(r"\s*[+-]?(\.\d+|\d+\.)\s*", value)  # .05 is not TOML, but meant as a number
        return name.strip(), float(value) if is_number else value.strip()


def read_toml(path: str | Path) -> dict[str, Any]:
    """Read a flat TOML file of settings.

    Raises
    ------
    UsageError
        If it cannot be read or is not TOML.
    """
    try:
        return tomllib.loads(read_text(path, MOST_TOML_BYTES))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is not TOML ({error})") from None


def preset_names() -> list[str]:
    """Return the names of all presets."""
    folder = resources.files("genreg_np").joinpath("presets")
    return sorted(entry.name[:-5] for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_preset(name: str) -> dict[str, Any]:
    """Return a preset's settings; the name of a strategy without such a preset stands for the strategy's defaults.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    if name not in preset_names():
        if name in REGISTRY and default_preset("", name) == name:
            return {"strategy": name}
        raise UsageError(f"unknown preset {name!r}" + did_you_mean(name, preset_names()))
    return tomllib.loads(resources.files("genreg_np").joinpath("presets", f"{name}.toml").read_text("utf-8"))


def default_preset(
    dataset: str, strategy: str | None = None, network: str = "", pictures: bool = False, tables: bool = False
) -> str:
    """Return the default preset: the best one for newcomers, or the strategy's own.

    If a network is described, it is the preset for layers of maps. `pictures` means a folder of pictures that are not
    tiny, `tables` a table from a file.
    """
    large = dataset in ("mnist", "fashion-mnist")
    if network and strategy in (None, "genreg"):
        return "filters"
    if strategy is None:
        small = "tables" if tables else "nodes-small"
        return "fast" if large else "alphabet" if dataset == "letters" else "photos" if pictures else small
    if strategy == "genreg":
        return "seed-mnist-64" if large else "seed-alphabet" if dataset == "letters" else "small"
    if strategy == "node-perturbation":
        return "nodes" if large else "nodes-small"
    if strategy == "gradient":
        return "gradient" if large else "gradient-small"
    return ("photos" if pictures else "fast") if strategy == "detector-bank" else strategy
