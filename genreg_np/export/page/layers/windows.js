// Windows of maps, put together.

/** Return the largest or mean value of each window, [first, end] of rows and of columns, as a function of maps. */
function pooled(method, [channels, height, width], rows, columns) {
  const combine = method === "max" ? Math.max : (a, b) => a + b;
  const valueOf = (map, [top, bottom], [left, right]) => {
    let found = method === "max" ? -Infinity : 0;
    for (let row = top; row < bottom; row += 1) {
      for (let column = left; column < right; column += 1) found = combine(found, map[row * width + column]);
    }
    return method === "max" ? found : Math.fround(found) / ((bottom - top) * (right - left));
  };
  return (x) => {
    const found = new Float32Array(channels * rows.length * columns.length);
    let at = 0;
    for (let channel = 0; channel < channels; channel += 1) {
      const map = x.subarray(channel * height * width, (channel + 1) * height * width);
      for (const down of rows) {
        for (const across of columns) {
          found[at] = valueOf(map, down, across);
          at += 1;
        }
      }
    }
    return found;
  };
}
