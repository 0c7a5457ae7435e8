// adaptive-pooling-int8: the sums of windows that cover a map, rescaled, with a multiplier for each of them

LAYERS["adaptive-pooling-int8"] = (layer, ...rest) => pooled(layer, evenWindows(layer), rescaled(layer, ...rest));
