// dense: a(W x + b)

LAYERS.dense = ({ activation }, arrays, where) => {
  const weight = arrays[`${where}.weight`];
  const bias = arrays[`${where}.bias`];
  const activate = ACTIVATIONS[activation];
  return (x) =>
    Float32Array.from(products(weight, x), (sum, row) => activate(Math.fround(Math.fround(sum) + bias[row])));
};
