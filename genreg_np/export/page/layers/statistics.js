// statistics: means of cells, of pairs of rows and of columns, and histograms of gradient directions in each cell

LAYERS.statistics =
  ({ shape: [height, width] }) =>
  (levels) => {
    const image = levels.map((level) => level / 255);
    const { steepness, bins } = slopes(levels, height, width);
    const histogram = (parts) => {
      const found = new Float32Array(parts * parts * 8); // cell by cell, 8 directions each
      for (let direction = 0; direction < 8; direction += 1) {
        const chosen = steepness.map((value, at) => (bins[at] === direction ? value : 0));
        cellMeans(chosen, height, width, parts, parts).forEach((mean, cell) => {
          found[cell * 8 + direction] = mean;
        });
      }
      const sum = Math.fround(Math.fround(found.reduce((a, b) => a + b)) + Math.fround(1e-6));
      return found.map((value) => value / sum);
    };
    const parts = [
      ...[4, 7].map((count) => cellMeans(image, height, width, count, count)),
      cellMeans(image, height, width, Math.floor(height / 2), 1),
      cellMeans(image, height, width, 1, Math.floor(width / 2)),
      ...[4, 7].map(histogram),
    ];
    return Float32Array.from(parts.flatMap((part) => Array.from(part)));
  };

/** Return the magnitude of the brightness gradient at each pixel, and its direction as one of 8. */
function slopes(levels, height, width) {
  const steepness = new Float32Array(levels.length);
  const bins = new Int8Array(levels.length);
  const [pi, perRadian] = [Math.fround(Math.PI), Math.fround(8 / (2 * Math.PI))];
  for (let row = 0, at = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1, at += 1) {
      // Whole numbers and float32 as in infer.py, so that boundary cases get the same direction.
      const across = column > 0 && column < width - 1 ? levels[at + 1] - levels[at - 1] : 0;
      const down = row > 0 && row < height - 1 ? levels[at + width] - levels[at - width] : 0;
      steepness[at] = Math.sqrt(across * across + down * down) / 510;
      const angle = Math.fround(Math.fround(Math.atan2(down, across)) + pi);
      bins[at] = Math.max(0, Math.min(7, Math.fround(angle * perRadian)));
    }
  }
  return { steepness, bins };
}
