// Fitting a picture of any size to the network's input, as in training: see genreg_np/data/fitting.py.

/** Return the areas that become pixels: squares that fill the picture's middle or cover it, or stretched areas. */
function areasOf({ width, height }, rows, columns, fit) {
  const all = [width / columns, height / rows];
  const step = (fit === "pad" ? Math.max : Math.min)(...all);
  const [wide, tall] = fit === "stretch" ? all : [step, step];
  return { left: (width - wide * columns) / 2, top: (height - tall * rows) / 2, wide, tall, rows, columns };
}

/**
 * Return a bitmap's levels, channel by channel, and the level of the background behind transparent parts, null if there
 * are none; return null for a bitmap in which nothing can be seen.
 */
function fittedLevels(bitmap, [channels, rows, columns], fit) {
  const on = (ground) =>
    fit === "stretch"
      ? stretchedColours(bitmap, channels, rows, columns, ground)
      : meanColours(bitmap, channels, areasOf(bitmap, rows, columns, fit), ground);
  const first = on(WHITE);
  if (!first.transparent) return { levels: first.levels, ground: null };
  const ground = groundOf(bitmap);
  if (ground === null) return null;
  return { levels: ground === WHITE ? first.levels : on(ground).levels, ground };
}

/** Return a note on the background of transparent parts. */
function groundNote(ground) {
  return ground === null ? "" : `transparent parts on ${ground === WHITE ? "white" : "black"}`;
}

/** Return a note on a picture that shows nothing. */
function emptyNote(name) {
  return `${name}: an empty picture: transparent, with nothing visible in it`;
}
