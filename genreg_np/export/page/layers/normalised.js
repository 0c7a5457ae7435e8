// Normalisation by an input's own statistics.

/** Return scale (x - mean) / sqrt(variance + 1e-5) + shift for groups of channels, as a function of x. */
function normalised(groups, layer, arrays, where) {
  const finish = scaled(layer, arrays, where);
  return (x) => {
    const found = new Float32Array(x.length);
    const size = x.length / groups;
    for (let start = 0; start < x.length; start += size) {
      const part = x.subarray(start, start + size);
      const mean = meanOf(part);
      const centred = part.map((value) => value - mean);
      const variance = meanOf(centred.map((value) => value * value));
      const deviation = Math.fround(Math.sqrt(Math.fround(variance + Math.fround(1e-5))));
      found.set(centred.map((value) => value / deviation), start);
    }
    return finish(found);
  };
}

/** Return the mean of numbers, added in doubles. */
function meanOf(values) {
  return Math.fround(values.reduce((a, b) => a + b, 0) / values.length);
}
