"""Pipelines for tables: scikit-learn's models, and this project's networks."""
