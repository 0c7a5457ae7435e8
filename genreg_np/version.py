"""The version of this package: what models, reports and `--version` name."""

__version__ = "0.1.0"
