// transposed-convolution-int8: the sums of a transposed convolution in whole numbers, rescaled

LAYERS["transposed-convolution-int8"] = (layer, arrays, where) =>
  transposed(layer, arrays[`${where}.weight`], rescaled(layer, arrays, where));
