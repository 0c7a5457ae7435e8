// Pictures from files, made similar to the training images.

const DARK = 0.4; // a picture has a dark background if its border's brightness, 0 .. 1, is below this,
const LIGHT = 0.6; // and a light one if it is above this, as in `genreg-np infer`
const BLACK = 0.03; // a background darker than this needs no cleaning

/** Whether a picture's background is light and that of training was dark, or the reverse. */
function isUnlike(border, background) {
  if (background === null) return false; // unknown
  return (background < DARK && border > LIGHT) || (background > LIGHT && border < DARK);
}

/**
 * Put a picture on the pad; return whether black and white were swapped.
 *
 * They are swapped if the picture's background is light and that of training was dark, or the reverse; `reversed`
 * inverts the choice. A picture that will be centred keeps its shape, and its paper becomes black.
 */
function placePicture(pad, { bitmap, reversed }, background, centred) {
  pad.picture(bitmap, false);
  const border = borderMean(pad.whole(), pad.rows, pad.columns);
  const swapped = isUnlike(border, background) !== reversed;
  if (centred) {
    const around = 255 * border;
    pad.fill(`rgb(${around} ${around} ${around})`, 0, 0, pad.canvas.width, pad.canvas.height);
    pad.picture(bitmap, true);
  }
  const levels = pad.levels().map((level) => (swapped ? 255 - level : level));
  const paper = swapped ? 1 - border : border;
  pad.put(centred && paper > BLACK ? withoutPaper(levels, 255 * paper) : levels);
  return swapped;
}

/** Return levels that are black where they are nearer to the paper's than to the brightest, for paper not yet black. */
function withoutPaper(levels, paper) {
  const brightest = levels.reduce((a, b) => Math.max(a, b));
  const low = paper + (brightest - paper) / 4;
  const high = paper + ((brightest - paper) * 3) / 4;
  return levels.map((level) => (255 * (level - low)) / (high - low || 1));
}
