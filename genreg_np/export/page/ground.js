// The background of a transparent picture, as in `infer`: white, or black if hardly anything can be seen on white.

const WHITE = 255;
const NIGHT = 0;
const CONTRAST = 32; // grey levels from the background, below which strokes can hardly be seen
const SEEN = 0.1; // of all opacity: if less is visible on white, black is tried

/** Return the level of a transparent bitmap's background; null if nothing can be seen on either. */
function groundOf(bitmap) {
  const found = [WHITE, NIGHT].map((ground) => ({ ground, darkest: 255, lightest: 0, visible: 0 }));
  let all = 0;
  for (let y = 0; y < bitmap.height; y += TILE) {
    for (let x = 0; x < bitmap.width; x += TILE) {
      const { data } = tileOf(bitmap, x, y);
      for (let at = 3; at < data.length; at += 4) all += data[at];
      for (const one of found) look(data, one);
    }
  }
  const [white, black] = found.map(({ darkest, lightest, visible }) => {
    return { contrast: lightest - darkest, seen: visible / Math.max(1, all) };
  });
  if (white.contrast >= CONTRAST && white.seen >= SEEN) return WHITE;
  if (white.contrast === 0 && black.contrast === 0) return null;
  if (white.contrast === 0 || black.contrast === 0) return white.contrast === 0 ? NIGHT : WHITE;
  if (black.seen !== white.seen) return black.seen > white.seen ? NIGHT : WHITE;
  return black.contrast > white.contrast ? NIGHT : WHITE;
}

/** Update the statistics of a picture on one background with some of its pixels. */
function look(data, one) {
  const laid = new Uint8ClampedArray(4);
  for (let at = 0; at < data.length; at += 4) {
    laid.set(data.subarray(at, at + 4));
    putOn(one.ground, laid);
    const level = grey(laid, 0);
    one.darkest = Math.min(one.darkest, level);
    one.lightest = Math.max(one.lightest, level);
    if (Math.abs(level - one.ground) >= CONTRAST) one.visible += data[at + 3];
  }
}
