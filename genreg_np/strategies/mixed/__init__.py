"""Mixed evolution: networks learn by gradient descent and recombine, in turn (Cooke & de Alfaro)."""
