// group-norm: scale (x - mean) / sqrt(variance + 1e-5) + shift, with the statistics of each group of channels

LAYERS["group-norm"] = (layer, ...rest) => normalised(layer.groups, layer, ...rest);
