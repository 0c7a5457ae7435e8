// normalisation-int8: floor(a r + b) cut to low .. 127, in doubles, with a and b for each channel
//
//     r = float32((n q - S) (1 / sqrt(n Q - S**2 + near_zero)))
//
// Each of `groups` groups of channels has n values with sum S and sum of squares Q.

LAYERS["normalisation-int8"] = ({ shape, groups, near_zero: nearZero, low }, arrays, where) => {
  const a = arrays[`${where}.a`];
  const b = arrays[`${where}.b`];
  const area = areaOf(shape);
  return (q) => {
    const n = q.length / groups;
    const found = new Float32Array(q.length);
    for (let start = 0; start < q.length; start += n) {
      const values = q.subarray(start, start + n);
      const sum = values.reduce((total, value) => total + value, 0);
      const squares = values.reduce((total, value) => total + value * value, 0);
      const share = 1 / Math.sqrt(n * squares - sum * sum + nearZero);
      values.forEach((value, index) => {
        const at = start + index;
        const channel = Math.floor(at / area);
        found[at] = cut(Math.floor(a[channel] * Math.fround((n * value - sum) * share) + b[channel]), low);
      });
    }
    return found;
  };
};
