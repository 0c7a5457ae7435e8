// convolution-int8: the sums of a convolution in whole numbers, rescaled

LAYERS["convolution-int8"] = (layer, arrays, where) =>
  convolved(layer, arrays[`${where}.weight`], rescaled(layer, arrays, where));
