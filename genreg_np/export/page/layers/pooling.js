// pooling: the largest or mean values of windows of size x size, `stride` apart

LAYERS.pooling = (layer) => pooled(layer, slidWindows(layer));
