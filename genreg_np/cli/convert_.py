"""`genreg-np convert`: turn an original GENREG champion into a model file."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from genreg_np.cli.targets import check_target
from genreg_np.cli.terminal import say
from genreg_np.errors import GenregError

HELP = """\
Turn an original GENREG champion (a pickle) into a model file.

From a checkpoint, the most trusted genome is taken. Nothing in SOURCE is executed: a file with anything but plain
numbers, text, lists and dicts is refused.
"""


@click.command(
    "convert",
    help=HELP,
    epilog="\b\nExample:\n"
    "  genreg-np convert best_genome_mnist_gen00565.pkl champion.npz\n"
    "  genreg-np eval champion.npz --dataset mnist",
)
@click.argument("source", metavar="SOURCE", type=click.Path())
@click.argument("target", metavar="TARGET", type=click.Path())
@click.option("--force", is_flag=True, help="Overwrite TARGET.")
def command(source: str, target: str, force: bool) -> None:
    """Write a champion as a model file."""
    from genreg_np.export.convert import read_champion

    check_target(Path(target), force, Path(source), "SOURCE", "champion.npz")
    model = read_champion(source)
    try:
        model.save(target)
    except OSError as error:
        raise GenregError(f"{target}: cannot be written ({error.strerror}); choose a folder you may write to") from None
    say(f"wrote {target}: {model.network.describe()}, from {model.training['source']}")
    follow_up = "eval" if "config" in model.training else "info"
    say(f"try:  genreg-np {follow_up} {shlex.quote(target)}")
