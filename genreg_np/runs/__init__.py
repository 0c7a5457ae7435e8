"""A run from its settings to its model: the loop, ask and tell, its folder, checkpoints and budget."""
