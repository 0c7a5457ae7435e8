// instance-norm: scale (x - mean) / sqrt(variance + 1e-5) + shift, with the statistics of each channel

LAYERS["instance-norm"] = (layer, ...rest) => normalised(layer.shape[0], layer, ...rest);
