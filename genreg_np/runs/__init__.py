"""Runs, from settings to the model: the loop, ask and tell, the run folder, checkpoints and budgets."""
