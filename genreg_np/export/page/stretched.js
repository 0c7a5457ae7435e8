// Stretching a picture like `infer`, with Pillow's BILINEAR: each result is the mean of the pixels around it, weighted
// by a triangle as wide as two results, but at least two pixels.
//
//     weight = max(0, 1 - |pixel - centre| / max(1, scale))       divided by the sum of all, in whole parts of 2^22
//
// First across, then down, each rounded to whole levels. (Pillow's handbook, "Concepts", Filters.)

const ONE = 2 ** 22; // the sum of the weights of one result, within rounding

/** Return the weight of each pixel in each of `count` results. */
function triangles(count, extent) {
  const scale = extent / count;
  const reach = Math.max(1, scale);
  const found = [];
  for (let interval = 0; interval < count; interval += 1) {
    const centre = (interval + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const length = Math.min(extent, Math.floor(centre + reach + 0.5)) - first;
    const heights = Array.from({ length }, (_, at) => Math.max(0, 1 - Math.abs(first + at + 0.5 - centre) / reach));
    const sum = heights.reduce((a, b) => a + b, 0);
    heights.forEach((height, at) => {
      found.push({ interval, pixel: first + at, part: Math.floor((ONE * height) / sum + 0.5) });
    });
  }
  return found;
}

/** Return a bitmap's levels on a background, stretched to rows x columns, as `meanColours` returns them. */
function stretchedColours(bitmap, channels, rows, columns, ground) {
  const { height, width } = bitmap;
  const narrow = Array.from({ length: channels }, () => new Float64Array(height * columns));
  const across = [...tiled(triangles(columns, width))];
  let transparent = false;
  for (let y = 0; y < height; y += TILE) {
    for (const [x, parts] of across) {
      const tile = pixelsOf(bitmap, x, y, channels, ground);
      transparent ||= tile.transparent;
      for (let row = 0; row < tile.height; row += 1) {
        for (const { interval, pixel, part } of parts) {
          const from = 4 * (row * tile.width + pixel - x);
          const to = (y + row) * columns + interval;
          narrow.forEach((sums, channel) => {
            sums[to] += part * tile.data[from + channel];
          });
        }
      }
    }
  }
  const down = triangles(rows, height);
  const levels = narrow.flatMap((sums) => {
    const sum = new Float64Array(rows * columns);
    for (const { interval, pixel, part } of down) {
      for (let column = 0; column < columns; column += 1) {
        sum[interval * columns + column] += part * wholeLevel(sums[pixel * columns + column]);
      }
    }
    return Array.from(sum, wholeLevel);
  });
  return { levels, transparent };
}

/** Return the level for a sum of weighted levels. */
function wholeLevel(sum) {
  return Math.min(255, Math.floor(sum / ONE + 0.5));
}
