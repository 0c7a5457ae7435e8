// branches: several stacks of fixed layers on the same input, their outputs end to end

LAYERS.branches = sideBySide;
