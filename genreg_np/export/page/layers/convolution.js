// convolution: a convolution over all channels of maps, plus a bias

LAYERS.convolution = (layer, arrays, where) =>
  convolved(layer, arrays[`${where}.weight`], biased(arrays[`${where}.bias`]));
