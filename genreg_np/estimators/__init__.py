"""Scikit-learn estimators: networks trained by evolution, and searches for pipelines."""
