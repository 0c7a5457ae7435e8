// deskew: an image sheared upright by its moments and, if `centred`, moved so that its centre of brightness is in the
// middle; bilinear, in steps of 1/256 pixel, dark outside. Doubles in infer.py's order give the same whole numbers.

LAYERS.deskew =
  ({ shape: [height, width], centred }) =>
  (levels) => {
    const { x, y, slant } = uprightness(levels, height, width);
    const pixel = (row, column) =>
      row >= 0 && row < height && column >= 0 && column < width ? levels[row * width + column] : 0;
    const found = new Float32Array(height * width);
    for (let row = 0; row < height; row += 1) {
      for (let column = 0; column < width; column += 1) {
        const p = column - (centred ? (width - 1) / 2 : x);
        const q = row - (centred ? (height - 1) / 2 : y);
        const across = Math.floor(256 * (x + p + slant * q) + 0.5);
        const down = Math.floor(256 * (y + q) + 0.5);
        const left = Math.floor(across / 256);
        const above = Math.floor(down / 256);
        const right = across - 256 * left;
        const below = down - 256 * above;
        const upper = pixel(above, left) * (256 - right) + pixel(above, left + 1) * right;
        const lower = pixel(above + 1, left) * (256 - right) + pixel(above + 1, left + 1) * right;
        found[row * width + column] = Math.floor((upper * (256 - below) + lower * below + 32768) / 65536);
      }
    }
    return found;
  };

/** Return an image's centre of brightness, and its slant in columns per row, cut to -1 .. 1. */
function uprightness(levels, height, width) {
  let [mass, x, y, xy, yy] = [0, 0, 0, 0, 0];
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 1) {
      mass += levels[at];
      x += levels[at] * column;
      y += levels[at] * row;
      xy += levels[at] * column * row;
      yy += levels[at] * row * row;
    }
  }
  if (mass === 0) return { x: 0, y: 0, slant: 0 };
  const spread = mass * yy - y * y;
  const slant = spread > 0 ? Math.max(-1, Math.min(1, (mass * xy - x * y) / spread)) : 0;
  return { x: x / mass, y: y / mass, slant };
}
