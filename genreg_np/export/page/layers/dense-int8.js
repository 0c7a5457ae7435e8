// dense-int8: the sums W q + bias, rescaled

LAYERS["dense-int8"] = (layer, arrays, where) => {
  const finish = rescaled(layer, arrays, where);
  return (q) => Float32Array.from(products(arrays[`${where}.weight`], q), finish);
};
