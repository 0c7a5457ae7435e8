"""Mixed evolution: networks alternate between gradient descent and recombination (Cooke & de Alfaro)."""
