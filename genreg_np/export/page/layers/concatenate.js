// concatenate: the outputs of several stacks of layers on one input, concatenated

LAYERS.concatenate = sideBySide;
