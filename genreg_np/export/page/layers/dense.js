// dense: a(W x + b)

const ACTIVATIONS = {
  linear: (z) => z,
  tanh: Math.tanh,
  relu: (z) => Math.max(z, 0),
  "leaky-relu": (z) => (z > 0 ? z : z * Math.fround(0.01)),
  sigmoid: (z) => 0.5 * Math.fround(Math.fround(Math.tanh(0.5 * z)) + 1),
  step: (z) => (z > 0 ? 1 : 0),
  sign: (z) => (z > 0 ? 1 : -1),
};

LAYERS.dense = ({ activation }, arrays, where) => {
  const weight = arrays[`${where}.weight`];
  const bias = arrays[`${where}.bias`];
  const activate = ACTIVATIONS[activation];
  return (x) =>
    Float32Array.from(products(weight, x), (sum, row) => activate(Math.fround(Math.fround(sum) + bias[row])));
};
