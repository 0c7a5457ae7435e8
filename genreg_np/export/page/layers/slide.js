// Filters applied at every place of an image.

/** Return an image padded with zeros above and below its rows, and left and right of its columns. */
function framed(image, width, [top, bottom], [left, right]) {
  const height = image.length / width;
  const wide = left + width + right;
  const frame = new Float64Array((top + height + bottom) * wide);
  for (let row = 0; row < height; row += 1) {
    frame.set(image.subarray(row * width, (row + 1) * width), (row + top) * wide + left);
  }
  return frame;
}

/** Return the number of places of a filter or window along an extent. */
const placesOf = (extent, size, stride) => Math.floor((extent - size) / stride) + 1;

/** Return a filter's products with size x size patches of an image, in doubles, added to `sums` if given. */
function slide(taps, size, image, width, stride = 1, sums = null) {
  const rows = placesOf(image.length / width, size, stride);
  const columns = placesOf(width, size, stride);
  const found = sums ?? new Float64Array(rows * columns);
  for (let tap = 0; tap < taps.length; tap += 1) {
    const weight = taps[tap];
    const corner = Math.floor(tap / size) * width + (tap % size);
    for (let row = 0; row < rows; row += 1) {
      const start = corner + row * stride * width;
      for (let column = 0; column < columns; column += 1) {
        found[row * columns + column] += weight * image[start + column * stride];
      }
    }
  }
  return found;
}
