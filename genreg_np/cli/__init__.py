"""The command line: one file per command, imported only when it is called.

Errors raised on purpose are one line on stderr: exit code 2 for usage, 1 for the rest, 130 after Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from genreg_np.cli.signals import INTERRUPTED, Stopping, listening
from genreg_np.cli.terminal import say, say_error, terminal
from genreg_np.errors import GenregError
from genreg_np.version import __version__

COMMANDS = {
    "train": "Train a network by evolution.",
    "mixed": "Train by alternating gradient descent and recombination.",
    "search": "Find a network and its optimiser by evolution.",
    "sample": "Draw new images with a generator that search gan found.",
    "eval": "Measure a model's accuracy on a dataset.",
    "infer": "Predict the classes of images.",
    "experiment": "Run a study of one of GENREG's open questions.",
    "play": "Let a policy play episodes, and film one.",
    "report": "Write a report page about a run or a model.",
    "info": "Describe a model file.",
    "export": "Export a model for a microcontroller, a browser or another runtime.",
    "demo": "Draw a digit in the browser and see what a model answers.",
    "convert": "Turn an original GENREG champion into a model file.",
    "data": "List, download and view datasets.",
    "doctor": "Check what works on this machine.",
}


class _Commands(click.Group):
    """Finds commands by name and imports only the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"genreg_np.cli.{cmd_name}_").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


HELP = """\
Train small neural networks by evolution, mostly without gradients, and run them anywhere.

\b
Begin with:  genreg-np train
"""
NO_ARGUMENTS: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())  # click 8.1 prints the help itself


@click.group(
    cls=_Commands, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, prog_name="genreg-np")
def cli() -> None:
    """Hold the commands; the help text is in HELP, since Python drops docstrings under -OO."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    try:
        with terminal() as out:
            with listening() as stopping:
                code = _call(arguments, stopping)
            if out.failure and code == 0:
                code = _fail(f"stdout cannot be written ({out.failure})", 1)
    except KeyboardInterrupt:  # raised after the command had finished
        code = INTERRUPTED
    sys.exit(code)


def _call(arguments: list[str] | None, stopping: Stopping) -> int:
    """Run the command line and return its exit code."""
    try:
        return cli.main(arguments, prog_name="genreg-np", standalone_mode=False, obj=stopping) or 0
    except NO_ARGUMENTS as error:
        say(*error.format_message().splitlines())
        return 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except MemoryError as error:
        return _fail(f"not enough memory: {error or 'MemoryError'}", 1, error)
    except GenregError as error:
        return _fail(str(error), error.exit_code, error)
    except (ValueError, OSError, RecursionError) as error:
        # infer.ModelError is a ValueError of the stand-alone runtime; the others depend on the machine.
        return _fail(str(error) or type(error).__name__, 1, error)


def _fail(text: str, code: int, error: BaseException | None = None) -> int:
    if error is not None and os.environ.get("GENREG_DEBUG"):
        raise error
    say_error(text)
    return code
