// MNIST's way from ink to 28 x 28 pixels: the ink's frame is scaled to 20 pixels on its longer side, then shifted by
// whole pixels so that its centre of brightness lies in the image's pixel (14, 14).

const INK = 25; // levels above this are ink: fainter ones come from smoothing and compression

/** Return the squares of a picture, bright on dark, that become MNIST's pixels; null if there is no ink. */
function mnistSquares(levels, width) {
  const height = levels.length / width;
  let [left, top, right, bottom, mass, x, y] = [width, height, -1, -1, 0, 0, 0];
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 1) {
      if (levels[at] > INK) {
        [left, right] = [Math.min(left, column), Math.max(right, column)];
        [top, bottom] = [Math.min(top, row), row];
        mass += levels[at];
        x += levels[at] * (column + 0.5);
        y += levels[at] * (row + 0.5);
      }
    }
  }
  if (mass === 0) return null;
  const step = Math.max(right - left + 1, bottom - top + 1) / 20;
  // The middle of a pixel is half a step from its corner: that of pixel 14 is 14.5 steps from the image's corner.
  const before = (centre, edge) => Math.round(14.5 - (centre - edge) / step);
  return {
    left: left - step * before(x / mass, left),
    top: top - step * before(y / mass, top),
    step,
    rows: 28,
    columns: 28,
  };
}
