// 8-bit integers: whole numbers from -127 to 127.

/** Return a number cut to low .. high. */
const cut = (value, low, high = 127) => Math.max(low, Math.min(high, value));
