"""`train --help`: the settings that result from --strategy, --preset, --config and --set, and the names of all others.

Without any of these options it is short: the settings of the default preset, as words for `--set`, without their
meaning.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from genreg_np.data import may_be_pictures
from genreg_np.data.rows import is_table
from genreg_np.errors import UsageError
from genreg_np.runs.config import (
    TrainConfig,
    default_preset,
    merged,
    parse_assignment,
    preset_names,
    read_preset,
    read_toml,
    settings,
)
from genreg_np.runs.run_config import CHANGES, ORIGIN
from genreg_np.strategies import REGISTRY, strategy_class

NAMED = "genreg_np.cli.settings_help.named"  # in the context's meta: the options on the command line, by name

GIVEN = "--set or --config"  # the origin of settings, for error messages
CHANGERS = {"config_file": "--config", "assignments": "--set"}  # options that change a preset's settings


class SettingsCommand(click.Command):
    """A command whose help depends on --strategy, --preset, --dataset, --config and --set, in any position."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and keep the options for the help, which is printed before options are processed one by one."""
        ctx.meta[NAMED] = self.make_parser(ctx).parse_args(list(args))[0]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, then settings.

        Raises
        ------
        UsageError
            As `configuration` does.
        """
        named = ctx.meta.get(NAMED, {})
        preset, config = configuration(named)
        super().format_epilog(ctx, formatter)
        others = [what for name, what in CHANGERS.items() if named.get(name)]
        if named.get("preset") or named.get("strategy") or others:
            which = " and ".join([f"preset {preset}", *others])
            with formatter.section(f"Settings for --set and --config, as in {which}"):
                formatter.write_dl([(f"{name}={value}", meaning) for name, value, meaning in described(config)])
        else:
            options = {param.name for param in self.params}
            words = [f"{name}={value}" for name, value, _ in described(config) if name not in options]
            formatter.write(f"\nOther settings, as in preset {preset} (--preset {preset} --help explains them):\n")
            _write_words(formatter, words, "  ")
        formatter.write("\nStrategies (--strategy NAME --help: its settings):\n")
        _write_words(formatter, [f"{name}," for name in REGISTRY], " ")
        formatter.write("Presets (--preset NAME --help: its settings):\n")
        _write_words(formatter, [f"{name}," for name in preset_names()], " ")


def _write_words(formatter: click.HelpFormatter, words: list[str], gap: str) -> None:
    """Write words in as few lines as possible, without breaking any."""
    line = ""
    for word in words:
        if line and len(line) + len(gap) + len(word) > formatter.width - 2:
            formatter.write(f"  {line.rstrip()}\n")
            line = ""
        line += (gap if line else "") + word
    formatter.write(f"  {line.rstrip(',')}\n")


def given_settings(options: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the settings from --config, from the options `names`, and from --set; later ones take precedence.

    Raises
    ------
    UsageError
        For a file that cannot be read or is not TOML, or a --set without an equals sign.
    """
    file = read_toml(options["config_file"]) if options.get("config_file") else {}
    given = {name: value for name, value in file.items() if name not in (CHANGES, ORIGIN)}
    given |= {name: options[name] for name in names if options.get(name) is not None}
    return given | dict(parse_assignment(text) for text in options.get("assignments") or ())


def configuration(named: Mapping[str, Any]) -> tuple[str, TrainConfig]:
    """Return the preset and the configuration that `train` starts with, given these options.

    Raises
    ------
    UsageError
        For an unknown strategy or preset, a file that cannot be read, and settings that `train` refuses.
    """
    given = given_settings(named, ("strategy",))
    return early_config(given, named.get("preset"), named.get("dataset") or given.get("dataset", "auto"))


def early_config(given: dict[str, Any], preset: str | None, dataset: str) -> tuple[str, TrainConfig]:
    """Return a preset and a run's configuration from these settings, before the dataset is loaded.

    Without a preset, it depends on the data. As `auto` and the size of a folder's pictures are not resolved yet, this
    returns the first possible preset that accepts the settings.

    Raises
    ------
    UsageError
        For an unknown strategy or preset, and for settings that no possible preset accepts.
    """
    strategy = given.get("strategy")
    if strategy is not None:
        strategy_class(strategy)
    named = [("mnist", False), ("digits", False)] if dataset == "auto" else [(dataset, False)]
    if may_be_pictures(dataset):
        named.insert(0, (dataset, True))
    network = given.get("network", "")
    chosen = (default_preset(name, strategy, network, pictures, is_table(name)) for name, pictures in named)
    presets = [preset] if preset else list(dict.fromkeys(chosen))
    problems: list[UsageError] = []
    for one in presets:
        settings_of_preset = read_preset(one)
        try:
            return one, TrainConfig.from_dict(merged(settings_of_preset, given), GIVEN)
        except UsageError as problem:
            problems.append(problem)
    raise problems[0]


def described(config: TrainConfig) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of each setting, with values as --set takes them."""
    values = config.to_dict()
    return [(name, _word(values[name]), item.metadata["help"]) for name, item in settings(config.strategy).items()]


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
