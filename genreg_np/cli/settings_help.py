"""`train --help`: the settings of the strategy or preset that is named beside it, and which others there are.

With neither it is short: the settings of the preset that `train` takes by itself, as words of `--set`, without their
meaning.
"""

from __future__ import annotations

from typing import Any

import click

from genreg_np.runs.config import TrainConfig, default_preset, preset_names, read_preset, settings
from genreg_np.strategies import REGISTRY, strategy_class

NAMED = "genreg_np.cli.settings_help.named"  # in the context's meta: options by name, as they stand on the line


class SettingsCommand(click.Command):
    """A command with --strategy, --preset and --dataset, whose help goes by them wherever they stand on the line."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, and keep what is named for the help, which is printed before options are taken one by one."""
        ctx.meta[NAMED] = self.make_parser(ctx).parse_args(list(args))[0]
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write examples, then settings.

        Raises
        ------
        UsageError
            For an unknown strategy or preset, or two that do not go together.
        """
        named = ctx.meta.get(NAMED, {})
        preset, config = configuration(named)
        super().format_epilog(ctx, formatter)
        if named.get("preset") or named.get("strategy"):
            with formatter.section(f"Settings for --set and --config, as preset {preset} has them"):
                formatter.write_dl([(f"{name}={value}", meaning) for name, value, meaning in described(config)])
        else:
            options = {param.name for param in self.params}
            words = [f"{name}={value}" for name, value, _ in described(config) if name not in options]
            meanings = f"--preset {preset} --help: what they mean"
            formatter.write(f"\nOther settings, as preset {preset} has them ({meanings}):\n")
            _write_words(formatter, words, "  ")
        formatter.write("\nStrategies (--strategy NAME --help: its settings):\n")
        _write_words(formatter, [f"{name}," for name in REGISTRY], " ")
        formatter.write("Presets (--preset NAME --help: its settings):\n")
        _write_words(formatter, [f"{name}," for name in preset_names()], " ")


def _write_words(formatter: click.HelpFormatter, words: list[str], gap: str) -> None:
    """Write words in as few lines as hold them, none of them broken."""
    line = ""
    for word in words:
        if line and len(line) + len(gap) + len(word) > formatter.width - 2:
            formatter.write(f"  {line.rstrip()}\n")
            line = ""
        line += (gap if line else "") + word
    formatter.write(f"  {line.rstrip(',')}\n")


def configuration(named: dict[str, Any]) -> tuple[str, TrainConfig]:
    """Return the preset that `train` takes where these options are named, and what it then begins with.

    Raises
    ------
    UsageError
        For an unknown strategy or preset, or two that do not go together.
    """
    given = {"strategy": named["strategy"]} if named.get("strategy") else {}
    for strategy in given.values():
        strategy_class(strategy)
    preset = named.get("preset") or default_preset(named.get("dataset") or "mnist", given.get("strategy"))
    return preset, TrainConfig.from_dict(read_preset(preset) | given, f"preset {preset}")


def described(config: TrainConfig) -> list[tuple[str, str, str]]:
    """Return name, value and meaning of each setting; values as --set takes them."""
    values = config.to_dict()
    return [(name, _word(values[name]), item.metadata["help"]) for name, item in settings(config.strategy).items()]


def _word(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
