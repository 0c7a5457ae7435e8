// pooling: the largest or the mean value of windows of size x size, `stride` apart

LAYERS.pooling = (layer) => pooled(layer, slidWindows(layer));
