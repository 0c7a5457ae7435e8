// Filters slid over an image.

/** Return a filter's product with every size x size patch of an image, row by row, in doubles. */
function slide(taps, size, image, width) {
  const tall = image.length / width - size + 1;
  const wide = width - size + 1;
  const found = new Float64Array(tall * wide);
  for (let tap = 0; tap < taps.length; tap += 1) {
    const weight = taps[tap];
    const corner = Math.floor(tap / size) * width + (tap % size);
    for (let row = 0; row < tall; row += 1) {
      for (let column = 0; column < wide; column += 1) {
        found[row * wide + column] += weight * image[corner + row * width + column];
      }
    }
  }
  return found;
}
