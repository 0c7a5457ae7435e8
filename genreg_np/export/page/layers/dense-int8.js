// dense-int8: a dense layer of whole numbers, all below 2**53, so exact in doubles
//
//     acc = W q + bias        t = floor((acc * multiplier + half) / 2**shift)
//     hidden layers: q = table[t - low]        last layer: logit = t * unit

LAYERS["dense-int8"] = ({ shift, low, unit }, arrays, where) => {
  const [weight, bias, multiplier, table] = ["weight", "bias", "multiplier", "table"].map(
    (part) => arrays[`${where}.${part}`],
  );
  const half = shift ? 2 ** (shift - 1) : 0;
  const steps = (q) =>
    products(weight, q).map((sum, row) => Math.floor(((sum + bias[row]) * multiplier[row] + half) * 2 ** -shift));
  if (unit !== undefined) return (q) => Float32Array.from(steps(q), (t) => t * unit);
  return (q) => Float32Array.from(steps(q), (t) => table[Math.max(0, Math.min(table.length - 1, t - low))]);
};
