"""A page for each command, from its --help; and one with the settings of each preset."""

from __future__ import annotations

from pathlib import Path

import click
from sphinx.application import Sphinx

WIDTH = 100  # columns of a help text
WORDS = """\
A preset is a strategy with its settings, for `genreg-np train --preset NAME` and `TrainConfig.from_preset("NAME")`. Any
setting can be changed: `--set NAME=VALUE` on the command line, a keyword in Python. Which preset is for what:
[methods](../../methods.md) and the [accuracies](../../accuracy.md) that they reach."""


def help_of(command: click.Command, name: str) -> str:
    """Return what `NAME --help` prints."""
    context = click.Context(
        command, info_name=name, max_content_width=WIDTH, terminal_width=WIDTH, help_option_names=["-h", "--help"]
    )
    return command.get_help(context)


def page(name: str, command: click.Command) -> str:
    """Return a command's page, with a section for each command within it."""
    lines = [f"# genreg-np {name}", "", "```text", help_of(command, f"genreg-np {name}"), "```"]
    if isinstance(command, click.Group):
        context = click.Context(command, info_name=name)
        for inner in command.list_commands(context):
            found = command.get_command(context, inner)
            if found is not None:
                whole = f"genreg-np {name} {inner}"
                lines += ["", f"## {whole.removeprefix('genreg-np ')}", "", "```text", help_of(found, whole), "```"]
    return "\n".join(lines) + "\n"


def presets() -> str:
    """Return the page of all presets: their settings, as `train --preset NAME --help` prints them."""
    from genreg_np.cli.settings_help import described
    from genreg_np.runs.config import TrainConfig, preset_names

    lines = ["# Presets and their settings", "", WORDS, ""]
    for name in preset_names():
        lines += [f"## {name}", "", "| setting | value | what it is |", "|---|---|---|"]
        for setting, value, meaning in described(TrainConfig.from_preset(name)):
            words = meaning.replace("|", "\\|").replace("*", "\\*").replace("<", "&lt;")
            lines.append(f"| `{setting}` | {f'`{value}`' if value else ''} | {words} |")
        lines.append("")
    return "\n".join(lines)


def write(path: Path, text: str) -> None:
    """Write a page unless it is there already: what has not changed is not read again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def generate(app: Sphinx) -> None:
    """Write the pages of all commands, and the list of them."""
    from genreg_np.cli import COMMANDS, cli

    folder = Path(app.srcdir) / "generated/commands"
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        assert command is not None
        write(folder / f"{name}.md", page(name, command))
    write(folder / "presets.md", presets())
    rows = [f"| [`genreg-np {name}`]({name}.md) | {words} |" for name, words in COMMANDS.items()]
    write(
        folder / "index.md",
        "\n".join(
            [
                "# The command line",
                "",
                "What each command's `--help` prints.",
                "",
                "| command | |",
                "|---|---|",
                *rows,
                "| [presets](presets.md) | all presets, and what each of their settings means |",
                "",
                "```{toctree}",
                ":hidden:",
                "",
                *COMMANDS,
                "presets",
                "```",
                "",
            ]
        ),
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the generator."""
    app.connect("builder-inited", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
