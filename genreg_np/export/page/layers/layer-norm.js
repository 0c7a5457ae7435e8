// layer-norm: scale (x - mean) / sqrt(variance + 1e-5) + shift, with the statistics of all values

LAYERS["layer-norm"] = (layer, ...rest) => normalised(1, layer, ...rest);
