// dense-int8: floor((acc * multiplier + half) / 2**shift) with acc = W q + bias, as q or as a logit

LAYERS["dense-int8"] = (layer, arrays, where) => {
  const weight = arrays[`${where}.weight`];
  const finish = rescaled(layer, arrays, where);
  return (q) => Float32Array.from(products(weight, q), finish);
};
