// From a picture of any size to the network's input, as training took pictures: see genreg_np/data/fitting.py.

/** Return the areas that become pixels: squares that fit into the picture's middle or cover it, or parts of all. */
function areasOf({ width, height }, rows, columns, fit) {
  const all = [width / columns, height / rows];
  const step = (fit === "pad" ? Math.max : Math.min)(...all);
  const [wide, tall] = fit === "stretch" ? all : [step, step];
  return { left: (width - wide * columns) / 2, top: (height - tall * rows) / 2, wide, tall, rows, columns };
}

/**
 * Return a bitmap's levels, channel by channel, and the level of the ground that its transparent parts lie on, null
 * where there are none; null for a bitmap in which nothing can be seen.
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

/** Say what transparent parts lie on. */
function groundNote(ground) {
  return ground === null ? "" : `what is transparent is on ${ground === WHITE ? "white" : "black"}`;
}

/** Say that a picture shows nothing. */
function emptyNote(name) {
  return `${name}: an empty picture: transparent, with nothing to be seen in it`;
}
