// Sums of filters and a bias, float32.

/** Return a sum, rounded, plus the bias of its filter. */
const biased = (bias) => (sum, filter) => Math.fround(sum) + bias[filter];
