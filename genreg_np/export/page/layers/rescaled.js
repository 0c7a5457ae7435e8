// 8-bit integers and their sums, all below 2**53, so exact in doubles.

/** Return a number cut to low .. high. */
const cut = (value, low, high = 127) => Math.max(low, Math.min(high, value));

/** Return a function that turns the sum of an output or window, without its bias, into q or a logit. */
function rescaled({ shift, low, unit }, arrays, where) {
  const [bias, multiplier, table] = ["bias", "multiplier", "table"].map((part) => arrays[`${where}.${part}`]);
  const half = shift ? 2 ** (shift - 1) : 0;
  const steps = (sum, at) => Math.floor((((bias?.[at] ?? 0) + sum) * multiplier[at] + half) * 2 ** -shift);
  if (unit !== undefined) return (sum, at) => steps(sum, at) * unit;
  if (!table) return (sum, at) => cut(steps(sum, at), low);
  return (sum, at) => table[cut(steps(sum, at) - low, 0, table.length - 1)];
}
