// A photograph's colours, averaged over areas. Every pixel counts, so that fine details of large photographs do not
// become patterns, as they would if pixels were skipped.

const TILE = 512; // side of a tile in pixels: photographs of any size are read tile by tile, to save memory

/**
 * Return the mean levels of rows x columns areas of a bitmap as whole numbers: red, then green, then blue, or grey if
 * `channels` is 1; and whether the bitmap is transparent anywhere there. Transparent parts are put on a background.
 *
 * The first area has its corner at (left, top), each is `wide` x `tall` pixels; outside the bitmap is black.
 */
function meanColours(bitmap, channels, { left, top, wide, tall, rows, columns }, ground) {
  const sums = Array.from({ length: channels }, () => new Float64Array(rows * columns));
  let transparent = false;
  for (const [y, down] of tiled(overlaps(top, tall, rows, bitmap.height))) {
    for (const [x, across] of tiled(overlaps(left, wide, columns, bitmap.width))) {
      const tile = pixelsOf(bitmap, x, y, channels, ground);
      transparent ||= tile.transparent;
      for (const row of down) {
        for (const column of across) {
          const at = 4 * ((row.pixel - y) * tile.width + column.pixel - x);
          const area = row.interval * columns + column.interval;
          const part = row.part * column.part;
          for (let channel = 0; channel < channels; channel += 1) sums[channel][area] += part * tile.data[at + channel];
        }
      }
    }
  }
  const levels = sums.flatMap((sum) => Array.from(sum, (total) => Math.floor(total / (wide * tall) + 0.5)));
  return { levels, transparent };
}

/** Return overlaps with pixels grouped by tile: the tile's first pixel, and the overlaps. */
function tiled(found) {
  const tiles = new Map();
  for (const overlap of found) {
    const first = overlap.pixel - (overlap.pixel % TILE);
    if (!tiles.has(first)) tiles.set(first, []);
    tiles.get(first).push(overlap);
  }
  return tiles;
}

/** Return the pixels of the tile with its corner at (x, y), on a background, in grey if `channels` is 1. */
function pixelsOf(bitmap, x, y, channels, ground) {
  const { data, width, height } = tileOf(bitmap, x, y);
  const transparent = putOn(ground, data);
  if (channels === 1) for (let at = 0; at < data.length; at += 4) data[at] = grey(data, at);
  return { data, width, height, transparent };
}

const scratch = made("canvas").getContext("2d", { willReadFrequently: true });

/** Return an ImageData of the tile with its corner at (x, y). */
function tileOf(bitmap, x, y) {
  scratch.canvas.width = Math.min(TILE, bitmap.width - x); // empties it as well
  scratch.canvas.height = Math.min(TILE, bitmap.height - y);
  scratch.drawImage(bitmap, -x, -y);
  return scratch.getImageData(0, 0, scratch.canvas.width, scratch.canvas.height);
}

/** Put transparent colours on a background of one level; return whether there are any. */
function putOn(ground, data) {
  let any = false;
  for (let at = 0; at < data.length; at += 4) {
    const opacity = data[at + 3] / 255;
    if (opacity === 1) continue;
    any = true;
    for (let channel = 0; channel < 3; channel += 1) {
      data[at + channel] = ground + (data[at + channel] - ground) * opacity;
    }
  }
  return any;
}
