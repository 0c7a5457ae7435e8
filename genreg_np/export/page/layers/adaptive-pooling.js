// adaptive-pooling: the largest or mean values of size x size windows that cover a map, evenly spread

LAYERS["adaptive-pooling"] = (layer) => pooled(layer, evenWindows(layer));
