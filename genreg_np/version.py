"""The version of this package, as given in models, reports and `--version`."""

__version__ = "0.1.0"
