// The network in plain JavaScript: each layer computes the same as genreg-np's infer.py, with the same rounding.
//
// Layers exchange Float32Arrays, which round stored numbers to float32; Math.fround does so in between. Sums of
// products are added in doubles and rounded once. Levels (whole numbers 0 .. 255) and 8-bit integers are exact in
// doubles, so those layers give the same numbers as infer.py, to the bit.

const NUMBERS = { float32: Float32Array, int8: Int8Array, int32: Int32Array };

// kind of layer: (its header, arrays by name, prefix of its arrays' names) => function of a Float32Array
const LAYERS = {};

/** Return the numbers in base64 text, little-endian like all machines that run browsers. */
function decode([type, base64]) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return new NUMBERS[type](bytes.buffer);
}

/** Return the product of each row of a matrix with x, in doubles. */
function products(matrix, x) {
  const sums = new Float64Array(matrix.length / x.length);
  for (let row = 0, at = 0; row < sums.length; row += 1) {
    let sum = 0;
    for (let column = 0; column < x.length; column += 1, at += 1) sum += matrix[at] * x[column];
    sums[row] = sum;
  }
  return sums;
}

/** Return a sequence of layers as one function of a Float32Array. */
function stack(layers, arrays, where) {
  const steps = layers.map((layer, index) => LAYERS[layer.kind](layer, arrays, `${where}.${index}`));
  return (input, states) => steps.reduce((values, step) => step(values, states), input);
}

class Network {
  constructor({ layers, arrays, input_range }) {
    const decoded = Object.fromEntries(Object.entries(arrays).map(([name, packed]) => [name, decode(packed)]));
    this.layers = layers;
    this.range = input_range; // smallest and largest raw value, or null
    this.outputs = stack(layers, decoded, "layers"); // logits of the classes, or values
  }

  /** Return raw values as inputs of the first layer: mapped from their range to 0 .. 1, or unchanged. */
  prepare(raw, range = this.range) {
    if (!range) return Float32Array.from(raw);
    const low = Math.fround(range[0]);
    const extent = Math.fround(range[1] - range[0]);
    return Float32Array.from(raw, (value) => Math.fround(Math.fround(value) - low) / extent);
  }

  /** Return the probability of each class. */
  static probabilities(logits) {
    const most = logits.reduce((a, b) => Math.max(a, b));
    const exponentials = Float64Array.from(logits, (logit) => Math.exp(logit - most));
    const sum = exponentials.reduce((a, b) => a + b);
    return exponentials.map((value) => value / sum);
  }
}
