// transposed-convolution: filters that make maps larger, and a bias

LAYERS["transposed-convolution"] = (layer, arrays, where) =>
  transposed(layer, arrays[`${where}.weight`], biased(arrays[`${where}.bias`]));
