"""Registry of the built-in datasets, which need no download: each has a file, and a line here."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

from genreg_np.data.dataset import Dataset
from genreg_np.errors import missing_extra
from genreg_np.settings import look_up

REGISTRY = {
    "digits": "genreg_np.data.digits:DIGITS",
    "letters": "genreg_np.data.letters:ALPHABET",
}


@dataclass(frozen=True)
class BuiltIn:
    """A dataset that needs no download."""

    description: str  # in a few words, for `data list`
    load: Callable[..., Dataset]  # load(); for letters, load(variations)
    module: str = "numpy"  # the module it needs
    package: str = "numpy"  # the package with the module
    extra: str = "train"  # the extra of genreg-np that installs the package

    @property
    def is_here(self) -> bool:
        """Whether what it needs is installed."""
        return importlib.util.find_spec(self.module) is not None

    def check_here(self, name: str) -> None:
        """Raise an error if what it needs is missing.

        Raises
        ------
        MissingExtraError
            With the command that installs it.
        """
        if not self.is_here:
            raise missing_extra(self.package, self.extra, f"load the {name} dataset")


def built_in_dataset(name: str) -> BuiltIn:
    """Return the built-in dataset called `name`.

    Raises
    ------
    UsageError
        For an unknown name.
    """
    found: BuiltIn = look_up(REGISTRY, name, "built-in dataset")
    return found
