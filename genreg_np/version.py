"""The version of this package, as given in models, reports and `--version`."""

__version__ = "1.0.0.dev0"
