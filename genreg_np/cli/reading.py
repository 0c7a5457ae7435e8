"""Options for reading data, which every command with a dataset has, and the arguments of load_dataset from them.

They are listed in `genreg_np.data.READER_OPTIONS`; a run folder keeps the same arguments as its origin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from genreg_np.data.fitting import COLOURS, FITS

TASKS = ("auto", "classes", "values")  # as in data.checked, which takes longer to load
KIND_HELP = "Kind of a table's column: numbers, words, flags (yes or no) or dates."
REPEATABLE: dict[str, Any] = {"multiple": True, "callback": lambda _context, _option, value: value or None}
SEVERAL = ("label", "keep", "drop", "kind")  # options that may be given more than once

F = TypeVar("F", bound=Callable[..., Any])
Range = tuple[float, float]


def _checked_range(context: click.Context, option: click.Parameter, value: Range | None) -> Range | None:
    """Check a range as it is parsed, for every command that takes one."""
    from genreg_np.data.depth import check_range

    return None if value is None else check_range(value)


def _range(hidden: bool) -> Callable[[F], F]:
    return click.option(
        "--range",
        "range",
        nargs=2,
        type=float,
        callback=_checked_range,
        metavar="LOW HIGH",
        hidden=hidden,
        help="Black and white of deep images, for example 0 4095.",
    )


range_option = _range(hidden=False)


def reader_options(command: F, hidden: bool = True) -> F:
    """Add the options to a command; most commands hide the rarer ones."""
    options = (
        click.option("--label", **REPEATABLE, help="A table's label column; repeatable."),
        click.option(
            "--task", metavar="WHAT", type=click.Choice(TASKS), help="What labels are: classes, or values (numbers)."
        ),
        click.option("--keep", **REPEATABLE, metavar="COLUMN", hidden=hidden, help="Keep an uninformative column."),
        click.option("--drop", **REPEATABLE, metavar="COLUMN", hidden=hidden, help="Leave a table's column out."),
        click.option("--kind", **REPEATABLE, metavar="COLUMN=KIND", hidden=hidden, help=KIND_HELP),
        click.option("--weight", metavar="COLUMN", hidden=hidden, help="Weights of a table's rows in training."),
        click.option(
            "--header/--no-header", default=None, hidden=hidden, help="Whether a table's first row names the columns."
        ),
        click.option(
            "--separator", metavar="SIGN", hidden=hidden, help="Table separator: comma, semicolon, tab, pipe or blank."
        ),
        click.option("--size", metavar="HEIGHTxWIDTH", help="Scale a folder's images to this many pixels."),
        click.option("--fit", metavar="HOW", type=click.Choice(FITS), help="How to scale: crop, pad or stretch."),
        click.option(
            "--color",
            metavar="HOW",
            type=click.Choice(COLOURS),
            help="How images are read: grey, rgb or (default) auto.",
        ),
        click.option(
            "--skip-bad", is_flag=True, default=None, hidden=hidden, help="Leave out images that cannot be read."
        ),
        _range(hidden),
    )
    for option in reversed(options):
        command = option(command)
    return command


def reader_arguments(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of load_dataset for the options that were given.

    Raises
    ------
    UsageError
        For a malformed size.
    """
    from genreg_np.data import READER_OPTIONS
    from genreg_np.data.images import parse_size

    given = {name: options[name] for name in READER_OPTIONS if options.get(name) not in (None, ())}
    if len(given.get("label", ())) == 1:
        given["label"] = given["label"][0]
    return given | ({"size": parse_size(given["size"])} if "size" in given else {})


def reader_words(arguments: Mapping[str, Any]) -> list[str]:
    """Return the command-line options for these arguments of load_dataset."""
    words = []
    for name, value in arguments.items():
        if name == "header":
            words.append("--header" if value else "--no-header")
        elif name == "size":
            words += ["--size", "{}x{}".format(*value)]
        elif name in SEVERAL:
            some = [value] if isinstance(value, str) else value
            words += [word for one in some for word in (f"--{name}", one)]
        elif name == "skip_bad":
            words += ["--skip-bad"] if value else []
        else:
            words += [f"--{name}", *(f"{part:g}" for part in value)] if name == "range" else [f"--{name}", value]
    return words
