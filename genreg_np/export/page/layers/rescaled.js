// Sums of whole numbers, all below 2**53 and so exact in doubles, as 8-bit integers or logits.

/** Return what becomes of a sum, without its bias, of an output (or a window): q, or a logit of the last layer. */
function rescaled({ shift, low, unit }, arrays, where) {
  const [bias, multiplier, table] = ["bias", "multiplier", "table"].map((part) => arrays[`${where}.${part}`]);
  const half = shift ? 2 ** (shift - 1) : 0;
  const steps = (sum, at) => Math.floor(((bias ? sum + bias[at] : sum) * multiplier[at] + half) * 2 ** -shift);
  if (unit !== undefined) return (sum, at) => steps(sum, at) * unit;
  if (!table) return (sum, at) => cut(steps(sum, at), low);
  return (sum, at) => table[cut(steps(sum, at) - low, 0, table.length - 1)];
}
