// Reducing a picture of many pixels to the few of the network's input. Levels are brightness, 0 .. 255, row by row.

/**
 * Return the mean levels of rows x columns squares as whole numbers.
 *
 * The first square has its corner at (left, top), each is `step` pixels wide; parts of pixels count in part, pixels
 * outside the picture are dark.
 */
function squareMeans(levels, width, { left, top, step, rows, columns }) {
  const height = levels.length / width;
  const narrow = new Float64Array(height * columns);
  const across = overlaps(left, step, columns, width);
  for (let y = 0; y < height; y += 1) {
    for (const { interval, pixel, part } of across) narrow[y * columns + interval] += part * levels[y * width + pixel];
  }
  const sums = new Float64Array(rows * columns);
  for (const { interval, pixel, part } of overlaps(top, step, rows, height)) {
    for (let x = 0; x < columns; x += 1) sums[interval * columns + x] += part * narrow[pixel * columns + x];
  }
  return Array.from(sums, (sum) => Math.floor(sum / (step * step) + 0.5));
}

/** Return the mean brightness of a picture's outermost pixels, 0 .. 1. */
function borderMean(levels, rows, columns) {
  const onBorder = (_, at) =>
    at < columns || at >= (rows - 1) * columns || at % columns === 0 || at % columns === columns - 1;
  const border = levels.filter(onBorder);
  return border.reduce((sum, level) => sum + level, 0) / (255 * border.length);
}

/** Set the pixels of an ImageData to levels. */
function paint({ data }, levels) {
  for (let pixel = 0, at = 0; pixel < levels.length; pixel += 1, at += 4) {
    data[at] = data[at + 1] = data[at + 2] = levels[pixel];
    data[at + 3] = 255;
  }
}
