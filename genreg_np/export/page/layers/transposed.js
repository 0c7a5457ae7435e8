// Transposed convolution of maps.
//
//     w[c, f, i, j] v[c, y, x] is added to a[f, stride y + i - before, stride x + j - before]
//
// Nothing is cut off, unless `same` requires stride H rows: of an odd excess, the larger half is cut at the start; if
// rows are lacking, the last ones get no contributions.

/** Return a function of maps that applies `finish` to each sum, in doubles, and the number of its filter. */
function transposed({ shape, filters, size, stride, same }, weight, finish) {
  const [channels, height, width] = shape;
  const before = same ? Math.ceil(Math.max(0, size - stride) / 2) : 0;
  const [rows, columns] = [height, width].map((extent) => (same ? extent * stride : (extent - 1) * stride + size));
  return (x) => {
    const found = new Float32Array(filters * rows * columns);
    for (let filter = 0; filter < filters; filter += 1) {
      const sums = new Float64Array(rows * columns);
      for (let channel = 0; channel < channels; channel += 1) {
        const first = (channel * filters + filter) * size * size;
        const map = x.subarray(channel * height * width, (channel + 1) * height * width);
        const taps = weight.subarray(first, first + size * size);
        spread(taps, size, map, width, stride, before, sums, columns);
      }
      found.set(
        sums.map((sum) => finish(sum, filter)),
        filter * rows * columns,
      );
    }
    return found;
  };
}

/** Add a filter, times each value of a map, to sums with `columns` columns; parts outside are left out. */
function spread(taps, size, map, width, stride, before, sums, columns) {
  const rows = sums.length / columns;
  map.forEach((value, at) => {
    const top = Math.floor(at / width) * stride - before;
    const left = (at % width) * stride - before;
    for (let row = Math.max(0, top); row < Math.min(rows, top + size); row += 1) {
      for (let column = Math.max(0, left); column < Math.min(columns, left + size); column += 1) {
        sums[row * columns + column] += value * taps[(row - top) * size + column - left];
      }
    }
  });
}
