// Functions of a value, float32 in and out.

// Of Klambauer et al. 2017: the scale, and its product with alpha.
const SELU_SCALE = Math.fround(1.0507009873554805);
const SELU_BELOW = Math.fround(1.0507009873554805 * 1.6732632423543772);

const ACTIVATIONS = {
  linear: (z) => z,
  tanh: Math.tanh,
  relu: (z) => Math.max(z, 0),
  "leaky-relu": (z) => (z > 0 ? z : z * Math.fround(0.01)),
  sigmoid: (z) => 0.5 * Math.fround(Math.fround(Math.tanh(0.5 * z)) + 1),
  step: (z) => (z > 0 ? 1 : 0),
  sign: (z) => (z > 0 ? 1 : -1),
  elu: (z) => (z > 0 ? z : Math.expm1(z)),
  selu: (z) => (z > 0 ? z * SELU_SCALE : Math.fround(Math.expm1(z)) * SELU_BELOW),
};
