"""Measurements and pictures of finished runs, made by the command line; runs themselves do not depend on it."""
