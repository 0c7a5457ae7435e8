"""The command line: one file a command, imported only when it is called.

Errors made on purpose are one line on stderr: exit code 2 for usage, 1 for the rest, 130 after Ctrl-C or SIGTERM.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings

import click

from genreg_np import __version__
from genreg_np.errors import GenregError

COMMANDS = {
    "train": "Train a network by evolution.",
    "mixed": "Train by gradient descent and recombination in turn.",
    "eval": "Measure a model's accuracy on a dataset.",
    "infer": "Predict the classes of images.",
    "info": "Say what a model file holds.",
    "export": "Turn a model into what a microcontroller, a browser or another runtime takes.",
    "demo": "Draw a digit and see what a model answers, in the browser.",
    "convert": "Turn an original GENREG champion into a model file.",
    "data": "List, fetch and look at datasets.",
    "doctor": "Say what works on this machine.",
}


class _Commands(click.Group):
    """Finds commands by name; only the one that is called is imported."""

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


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="genreg-np")
def cli() -> None:
    r"""Train small neural networks by evolution, mostly without gradients, and run them anywhere.

    \b
    Begin with:  genreg-np train
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit."""
    warnings.showwarning = lambda message, *_: click.echo(f"warning: {message}", err=True)
    try:
        code = cli.main(arguments, prog_name="genreg-np", standalone_mode=False) or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = 0
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = 130
    except BrokenPipeError:
        # The reader (head, less) has gone: say nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except GenregError as error:
        code = _fail(error, error.exit_code)
    except (ValueError, OSError, MemoryError) as error:
        # infer.ModelError is a ValueError of the stand-alone runtime; the rest is what a machine may refuse.
        code = _fail(error, 1)
    sys.exit(code)


def _fail(error: BaseException, code: int) -> int:
    if os.environ.get("GENREG_DEBUG"):
        raise error
    text = " ".join(str(error).split()) or type(error).__name__
    click.echo(f"error: {'not enough memory: ' if isinstance(error, MemoryError) else ''}{text}", err=True)
    return code
