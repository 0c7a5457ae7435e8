"""Estimators of scikit-learn: networks that are trained when they are fitted, and searches for pipelines."""
