// transposed-convolution: a transposed convolution of maps, plus a bias

LAYERS["transposed-convolution"] = (layer, arrays, where) =>
  transposed(layer, arrays[`${where}.weight`], biased(arrays[`${where}.bias`]));
