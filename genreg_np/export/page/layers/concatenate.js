// concatenate: what several stacks of layers give of one input, end to end

LAYERS.concatenate = sideBySide;
