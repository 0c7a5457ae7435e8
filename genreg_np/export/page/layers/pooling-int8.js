// pooling-int8: the sums of windows of whole numbers, rescaled, with one multiplier for all of them

LAYERS["pooling-int8"] = (layer, ...rest) => {
  const finish = rescaled(layer, ...rest);
  return pooled(layer, slidWindows(layer), (sum) => finish(sum, 0));
};
