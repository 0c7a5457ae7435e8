// convolution: filters slid over all channels of maps, and a bias

LAYERS.convolution = (layer, arrays, where) =>
  convolved(layer, arrays[`${where}.weight`], biased(arrays[`${where}.bias`]));
