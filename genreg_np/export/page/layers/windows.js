// Pooling over windows of maps.

/** Return windows of a size, `stride` apart, as [first, end] of rows and of columns. */
function slidWindows({ shape, size, stride }) {
  return shape
    .slice(1)
    .map((extent) =>
      Array.from({ length: placesOf(extent, size, stride) }, (_, place) => [place * stride, place * stride + size]),
    );
}

/** Return the same for size x size windows that cover a map, evenly spread. */
function evenWindows({ shape, size }) {
  return shape
    .slice(1)
    .map((extent) =>
      Array.from({ length: size }, (_, place) => [
        Math.floor((place * extent) / size),
        Math.ceil(((place + 1) * extent) / size),
      ]),
    );
}

/** Return the mean of `count` values from their sum. */
const meanOfSum = (sum, _, count) => Math.fround(sum) / count;

/**
 * Return a function of maps that gives the largest value of each window, or the result of `finish` for its sum in
 * doubles, its number among the windows and its number of values.
 */
function pooled({ method, shape: [channels, height, width] }, [rows, columns], finish = meanOfSum) {
  const combine = method === "max" ? Math.max : (a, b) => a + b;
  const valueOf = (map, [top, bottom], [left, right], which) => {
    let found = method === "max" ? -Infinity : 0;
    for (let row = top; row < bottom; row += 1) {
      for (let column = left; column < right; column += 1) found = combine(found, map[row * width + column]);
    }
    return method === "max" ? found : finish(found, which, (bottom - top) * (right - left));
  };
  const windows = rows.length * columns.length;
  return (x) => {
    const found = new Float32Array(channels * windows);
    let at = 0;
    for (let channel = 0; channel < channels; channel += 1) {
      const map = x.subarray(channel * height * width, (channel + 1) * height * width);
      for (const down of rows) {
        for (const across of columns) {
          found[at] = valueOf(map, down, across, at % windows);
          at += 1;
        }
      }
    }
    return found;
  };
}
