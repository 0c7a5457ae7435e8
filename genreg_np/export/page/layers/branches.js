// branches: several stacks of fixed layers on the same input, with concatenated outputs

LAYERS.branches = sideBySide;
