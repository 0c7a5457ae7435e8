// Pictures on the pad of a model that stores how pictures were fitted in training.

/** Put a picture on the pad, fitted as in training; return what was changed, or null if nothing can be seen in it. */
function placeFitted(pad, { bitmap, reversed }, { background, fit }) {
  const fitted = fittedLevels(bitmap, [1, pad.rows, pad.columns], fit);
  if (!fitted) return null;
  const swapped = isUnlike(borderMean(fitted.levels, pad.rows, pad.columns), background) !== reversed;
  const levels = fitted.levels.map((level) => (swapped ? 255 - level : level));
  const { width, height } = pad.canvas;
  const place = (at) => Math.floor(at / pad.scale);
  const square = (pixel) => place(Math.floor(pixel / width)) * pad.columns + place(pixel % width);
  pad.put(Array.from({ length: width * height }, (_, pixel) => levels[square(pixel)]));
  return { swapped, note: groundNote(fitted.ground) };
}
