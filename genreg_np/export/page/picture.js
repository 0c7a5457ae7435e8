// Pictures from files, brought to what the training images were like.

const DARK = 0.4; // brightness of a border, 0 .. 1: a picture below is on a dark background,
const LIGHT = 0.6; // one above on a light one, as `genreg-np infer` has it
const BLACK = 0.03; // a background below needs no cleaning

/** Whether a picture's background is light where that of training was dark, or the reverse. */
function isUnlike(border, background) {
  if (background === null) return false; // any may be right
  return (background < DARK && border > LIGHT) || (background > LIGHT && border < DARK);
}

/**
 * Put a picture on the pad; return whether black and white were swapped.
 *
 * That is done where the picture's background is light and that of training was dark, or the reverse, and undone where
 * `reversed`. A picture that will be centred keeps its shape, and its paper becomes black.
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

/** Return levels with black where they are nearer to the paper's than to the brightest, for paper that is not black. */
function withoutPaper(levels, paper) {
  const brightest = levels.reduce((a, b) => Math.max(a, b));
  const low = paper + (brightest - paper) / 4;
  const high = paper + ((brightest - paper) * 3) / 4;
  return levels.map((level) => (255 * (level - low)) / (high - low || 1));
}
