// Means of cells: an extent is divided into `count` equal cells; the remainder at the end is left out.

/** Return the mean of each of rows x columns cells of an image, added in doubles. */
function cellMeans(image, height, width, rows, columns) {
  const tall = Math.floor(height / rows);
  const wide = Math.floor(width / columns);
  // The weight of a place is rounded to float32 before use.
  const weight = Math.fround(Math.fround(1 / tall) * Math.fround(1 / wide));
  const means = new Float64Array(rows * columns);
  for (let row = 0; row < rows * tall; row += 1) {
    for (let column = 0; column < columns * wide; column += 1) {
      means[Math.floor(row / tall) * columns + Math.floor(column / wide)] += weight * image[row * width + column];
    }
  }
  return means;
}
