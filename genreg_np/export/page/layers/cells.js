// Means of cells: an extent is cut into `count` equal cells; what does not fit is left out at the end.

/** Return the mean of each of rows x columns cells of an image, added in doubles. */
function cellMeans(image, height, width, rows, columns) {
  const tall = Math.floor(height / rows);
  const wide = Math.floor(width / columns);
  // How much a place counts is rounded to float32 before it is used.
  const weight = Math.fround(Math.fround(1 / tall) * Math.fround(1 / wide));
  const means = new Float64Array(rows * columns);
  for (let row = 0; row < rows * tall; row += 1) {
    for (let column = 0; column < columns * wide; column += 1) {
      means[Math.floor(row / tall) * columns + Math.floor(column / wide)] += weight * image[row * width + column];
    }
  }
  return means;
}
