// group-norm: scale (x - mean) / sqrt(variance + 1e-5) + shift, with those of each of `groups` groups of channels

LAYERS["group-norm"] = (layer, ...rest) => normalised(layer.groups, layer, ...rest);
